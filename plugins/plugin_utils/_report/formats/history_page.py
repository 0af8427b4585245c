# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history of a tenant or the fleet as one HTML file: figures over the cycles, every plan, every attempt.

It is made anew from the store each time, and keeps nothing of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import AttemptRow, Document, PlanRow
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page import charts, shell

NAME = "history.html"
_UNFINISHED = ("open", "incomplete")
_OPEN_CYCLES = 3

Links = Mapping[str, Mapping[str, str]]
"""By plan, what there is to read of it: a word (``report``, ``bundle``) and its path from the page's folder."""


@dataclass(frozen=True)
class PlanHistory:
    """A plan with its attempts, and where its report and its bundle are: words and URLs."""

    row: PlanRow
    attempts: tuple[AttemptRow, ...]
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CycleHistory:
    """The plans of a cycle, those that need attention first, and how many there are in which state."""

    cycle: str
    plans: tuple[PlanHistory, ...]
    states: dict[str, int]
    shown: bool


def write_history(document: Document, folder: Path, links: Links) -> list[Path]:
    """Write ``history.html`` into ``folder``; return its path in a list.

    Raises OSError, and ValueError for a link that is not relative.
    """
    path = folder / NAME
    path.write_text(render_history(document, links), encoding="utf-8")
    return [path]


def render_history(document: Document, links: Links) -> str:
    """The page of a document whose scope is a tenant or the fleet. Raises ValueError as above."""
    shown = [metric for metric in document.metrics if metric.unit in ("percent", "days")]
    return shell.page(
        "history.html.j2",
        ("switch.js",),
        {
            "document": document,
            "cycles": _cycles(document, links),
            "unfinished": [attempt for attempt in document.attempts if attempt.state in _UNFINISHED],
            "states": Counter(plan.state for plan in document.plans),
            "troubled": [plan for plan in document.plans if plan.troubles or not plan.ledger_ok],
            "trends": charts.trends(shown, document.trend),
        },
    )


def _cycles(document: Document, links: Links) -> list[CycleHistory]:
    """The newest first."""
    attempts: dict[tuple[str, str], list[AttemptRow]] = defaultdict(list)
    for attempt in document.attempts:
        attempts[attempt.tenant, attempt.plan].append(attempt)
    plans: dict[str, list[PlanHistory]] = defaultdict(list)
    for row in sorted(document.plans, key=lambda plan: (plan.state not in _UNFINISHED, plan.tenant, plan.created)):
        own = tuple((word, _url(row.plan, path)) for word, path in links.get(row.plan, {}).items())
        plans[row.cycle].append(PlanHistory(row, tuple(attempts[row.tenant, row.plan]), own))
    return [
        CycleHistory(cycle, tuple(plans[cycle]), Counter(plan.row.state for plan in plans[cycle]), place < _OPEN_CYCLES)
        for place, cycle in enumerate(sorted(plans, reverse=True))
    ]


def _url(plan: str, path: str) -> str:
    """A relative path as a URL. What is quoted has no scheme, so it stays beside the page."""
    if path.startswith(("/", "\\")):
        raise ValueError(f"the link of plan {plan} is no path from the folder of the history page: {path!r}")
    return quote(path.encode("utf-8", "surrogateescape"))
