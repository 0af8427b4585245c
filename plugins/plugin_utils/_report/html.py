# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one HTML file that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import duration
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.collect import failed_requests
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import Report, VersionChange

_TEMPLATE = Path(__file__).with_name("report.html.j2")

SYMBOLS = {
    HostOutcome.UNREACHABLE: "?",
    HostOutcome.FAILED: "✕",
    HostOutcome.ROLLED_BACK: "↺",
    HostOutcome.VERIFIED: "✓",
    HostOutcome.UNCHANGED: "=",
    HostOutcome.SKIPPED: "»",
    HostOutcome.NOT_ATTEMPTED: "·",
}
"""Beside each word, so that nothing is told by colour alone."""


def render(report: Report) -> str:
    """The page. Everything in it is escaped: host names, package names and messages come from outside."""
    # Escaping is for the whole template, whatever its name; an unknown name is an error, not an empty cell.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(moment=_moment, clock=_clock, seconds=_seconds, words=_words, changed=_changed)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        report=report,
        outcomes=list(HostOutcome),
        symbols=SYMBOLS,
        failed_requests=failed_requests(report.user_requests),
    )


def _moment(moment: datetime | None) -> str:
    return "—" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _clock(moment: datetime | None) -> str:
    return "—" if moment is None else f"{moment:%H:%M:%S}"


def _seconds(value: float | None) -> str:
    return "—" if value is None else duration(round(value))


def _changed(changes: Sequence[VersionChange]) -> str:
    """How many of the packages of a host's change have another version now."""
    changed, total = sum(change.changed for change in changes), len(changes)
    packages = "1 package" if total == 1 else f"{total} packages"
    if changed == total:
        return f"{packages} changed"
    return f"{packages} as before the change" if not changed else f"{changed} of {packages} changed"


def _words(name: str) -> str:
    return str(name).replace("_", " ")
