# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures of one plan, kept beside it, so that the trend over years reads no ledger twice.

``figures.json`` is canonical: what each metric counts, which CVEs are open and closed, and the head of the ledger that
it was made from. Where that head is another one now, the figures are made anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical, decoded, is_whole_number
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.cves import closed_cves, cve_rows, open_cves
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.facts import ALL, PlanFacts
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.metrics import DEFINITIONS, Tally, tally, total
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

NAME = "figures.json"
FORMAT = 1
_EVERYTHING = (ALL, ALL)


@dataclass(frozen=True)
class Figures:
    """What one plan, or several together, come to. ``unknown`` counts hosts of which nobody knows what they need."""

    tallies: Mapping[str, Tally]
    open: frozenset[str]
    closed: frozenset[str]
    unknown: int

    def values(self) -> dict[str, float | None]:
        """The value of each metric."""
        return {each.name: total(each.name, self.tallies.get(each.name, Tally())) for each in DEFINITIONS}


def figures_of(facts: PlanFacts) -> Figures:
    """The figures of a plan by itself, as it stood when its record ended, whatever came after it."""
    facts = replace(facts, latest=True, as_of=facts.report.last_moment.date())
    cves = list(cve_rows([facts], facts.as_of))
    unknown = len(facts.remediation.unknown) + len(facts.report.missing)
    return Figures(tally([facts]), frozenset(open_cves(cves)), frozenset(closed_cves(cves)), unknown)


def together(several: Iterable[Figures]) -> Figures:
    """Several plans as one; a CVE that is open in one of them is open."""
    tallies = {each.name: Tally() for each in DEFINITIONS}
    still, closed, unknown = set[str](), set[str](), 0
    for figures in several:
        for name, tallied in figures.tallies.items():
            tallies[name].add(tallied)
        still |= figures.open
        closed |= figures.closed
        unknown += figures.unknown
    return Figures(tallies, frozenset(still), frozenset(closed - still), unknown)


def put_figures(state: State, tenant: str, plan: str, head: str, figures: Figures) -> None:
    """Keep the figures beside the plan; those that are there already, and say the same, stay."""
    content = _as_bytes(plan, head, figures)
    if NAME not in state.reports(tenant, plan) or state.get_report(tenant, plan, NAME) != content:
        state.put_report(tenant, plan, NAME, content)


def kept_figures(state: State, tenant: str, plan: str, head: str) -> Figures | None:
    """The figures that were kept, when they are of this very ledger; None when they must be made anew."""
    if NAME not in state.reports(tenant, plan):
        return None
    try:
        value = decoded(state.get_report(tenant, plan, NAME))
        if value["format"] != FORMAT or value["plan"] != plan or value["ledger_head"] != head:
            return None
        return Figures(
            {each.name: _tally(value["metrics"][each.name]) for each in DEFINITIONS},
            frozenset(map(str, value["cves"]["open"])),
            frozenset(map(str, value["cves"]["closed"])),
            _whole(value["unknown_hosts"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        # Of another version, or damaged: what was kept to save time is no evidence.
        return None


def _as_bytes(plan: str, head: str, figures: Figures) -> bytes:
    return canonical(
        {
            "format": FORMAT,
            "plan": plan,
            "ledger_head": head,
            "metrics": {
                name: {
                    "hits": tallied.hits[_EVERYTHING],
                    "of": tallied.of[_EVERYTHING],
                    "days": {str(days): times for days, times in tallied.days.get(_EVERYTHING, Counter()).items()},
                }
                for name, tallied in figures.tallies.items()
            },
            "cves": {"open": sorted(figures.open), "closed": sorted(figures.closed)},
            "unknown_hosts": figures.unknown,
        }
    )


def _tally(said: Mapping[str, Any]) -> Tally:
    days = Counter({int(days): _whole(times) for days, times in said["days"].items()})
    hits, of = _whole(said["hits"]), _whole(said["of"])
    return Tally(Counter({_EVERYTHING: hits}), Counter({_EVERYTHING: of}), {_EVERYTHING: days} if days else {})


def _whole(value: object) -> int:
    if not is_whole_number(value) or value < 0:
        raise ValueError
    return value
