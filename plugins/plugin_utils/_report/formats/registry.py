# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats of a report by name, and the one way to write some of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean, show
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats import (
    csv_files,
    html,
    json_file,
    oscal,
    pdf,
    xlsx,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.history_page import Links, write_history

Format = Callable[[Document, Path], list[Path]]
"""Writes its file or files into a folder that nobody looks into yet; returns their paths. Raises OSError."""

FORMATS: dict[str, Format] = {
    "html": html.write_html,
    "json": json_file.write_json,
    "csv": csv_files.write_csv,
    "xlsx": xlsx.write_xlsx,
    "oscal": oscal.write_oscal,
    "pdf": pdf.write_pdf,
}

_NAMES = frozenset(each.NAME for each in (html, json_file, csv_files, xlsx, oscal, pdf))
"""The file or folder of each."""

HISTORY = "history"
"""The page of all cycles; unlike the formats it knows where other reports and the bundles are."""


def check_formats(names: Collection[str], *, of_a_plan: bool = False) -> None:
    """Refuse what could not be written, before anything is; of a single plan also the history, and no format at all.

    Raises FleetError: ``bad_format`` for an unknown one, ``format_unavailable`` for a PDF without WeasyPrint.
    """
    known = tuple(FORMATS) if of_a_plan else (*FORMATS, HISTORY)
    if of_a_plan and not names:
        raise FleetError("formats: names no format.", kind="bad_format", remedy=f"The formats are {', '.join(known)}.")
    for name in names:
        if name not in known:
            raise FleetError(
                f"formats: {show(name)} is no format of a report.",
                kind="bad_format",
                remedy=did_you_mean(name, known) or f"The formats are {', '.join(known)}.",
            )
        if name == "pdf":
            pdf.require_weasyprint()


def is_written(name: str) -> bool:
    """Whether a file of this path, as seen from the folder of a report, is one that a format writes."""
    return name.partition("/")[0] in _NAMES


def write_reports(document: Document, folder: Path, names: Iterable[str], links: Links) -> dict[str, list[Path]]:
    """Write these formats into a folder that nobody looks into yet; by format the paths, as seen from the folder.

    Whoever has all of them there puts them where they belong. Raises OSError and what the formats raise.
    """
    written = {}
    for name in names:
        paths = write_history(document, folder, links) if name == HISTORY else FORMATS[name](document, folder)
        written[name] = [path.relative_to(folder) for path in paths]
    return written
