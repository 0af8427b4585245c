# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of a plan in all its formats, kept beside the plan, where its seal finds it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.registry import is_written, write_reports
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.whole import refusals
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

USUAL = ("html", "json", "csv", "xlsx", "oscal")
"""All but PDF, which needs what not every controller has."""


def put_reports(
    state: State, tenant: str, plan: str, document: Document, formats: Iterable[str]
) -> dict[str, list[str]]:
    """Write a plan's report in these formats, and keep it beside the plan when all are there; where, by format.

    What an earlier one left is taken away, so that no two that stand there say different things. Raises FleetError as
    the formats and the state do.
    """
    kept: dict[str, list[str]] = {}
    names = set()
    with refusals(Path(gettempdir())), TemporaryDirectory(prefix="bankops-fleet-") as temporary:
        folder = Path(temporary)
        for form, paths in write_reports(document, folder, formats, {}).items():
            kept[form] = []
            for path in paths:
                content = (folder / path).read_bytes()
                kept[form].append(state.put_report(tenant, plan, path.as_posix(), content))
                names.add(path.as_posix())
    for name in state.reports(tenant, plan):
        if is_written(name) and name not in names:
            state.drop_report(tenant, plan, name)
    return kept
