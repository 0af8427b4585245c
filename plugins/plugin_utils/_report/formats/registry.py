# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats of a report by name, and the one way to write some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean, show
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.csv_files import write_csv
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.history_page import Links, write_history
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.html import write_html
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.json_file import write_json
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.oscal import write_oscal
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.pdf import require_weasyprint, write_pdf
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.xlsx import write_xlsx

Format = Callable[[Document, Path], list[Path]]
"""Writes its file or files into a folder, each whole or not at all; returns their paths."""

FORMATS: dict[str, Format] = {
    "html": write_html,
    "json": write_json,
    "csv": write_csv,
    "xlsx": write_xlsx,
    "oscal": write_oscal,
    "pdf": write_pdf,
}

HISTORY = "history"
"""The page of all cycles; unlike the formats it knows where other reports and the bundles are."""


def check_formats(names: Iterable[str]) -> None:
    """Refuse what could not be written, before anything is.

    Raises FleetError: ``bad_format`` for an unknown one, ``format_unavailable`` for a PDF without WeasyPrint.
    """
    known = (*FORMATS, HISTORY)
    for name in names:
        if name not in known:
            raise FleetError(
                f"formats: {show(name)} is no format of a report.",
                kind="bad_format",
                remedy=did_you_mean(name, known) or f"The formats are {', '.join(known)}.",
            )
        if name == "pdf":
            require_weasyprint()


def write_reports(document: Document, folder: Path, names: Iterable[str], links: Links) -> dict[str, list[str]]:
    """Write these formats into the folder; return the paths by format. Raises FleetError as the formats do."""
    written = {}
    for name in names:
        paths = write_history(document, folder, links) if name == HISTORY else FORMATS[name](document, folder)
        written[name] = [str(path) for path in paths]
    return written
