# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fills the one model behind every format from State: for a plan, a cycle, a tenant over all its cycles, the fleet."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import is_whole_number
from ansible_collections.bankops.fleet.plugins.plugin_utils._collector import collector_paused
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import START
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.provenance import this_version
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import rows
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.collect import collect
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.compare import compare
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.cves import cve_rows
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    Comparison,
    CveRow,
    Document,
    Scope,
    ScopeKind,
    TrendPoint,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.facts import PlanFacts
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.figures import (
    Figures,
    figures_of,
    kept_figures,
    put_figures,
    together,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.frameworks import framework_views
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.metrics import metrics, tally
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import Report
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.remediation import remediation
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.sample import sample
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Shelf, Volume, Wanted
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import cycle_order


@dataclass(frozen=True)
class SampleSize:
    """How many hosts are drawn for an auditor, and by which seed."""

    seed: str
    size: int


@collector_paused()
def build(
    state: State,
    wanted: Wanted,
    now: datetime,
    *,
    drawn: SampleSize | None = None,
    user_requests: Mapping[str, Mapping[str, Any]] | None = None,
) -> Document:
    """The document of what is wanted, as of ``now``. Each plan is read once.

    ``user_requests`` are counts by tenant that something else measured in the last cycle of the scope.
    The figures of each plan are kept beside it. Raises FleetError: ``no_plan``, and as ``collect`` and the state do.
    """
    return build_with_reports(state, wanted, now, drawn=drawn, user_requests=user_requests)[0]


@collector_paused()
def build_with_reports(
    state: State,
    wanted: Wanted,
    now: datetime,
    *,
    drawn: SampleSize | None = None,
    user_requests: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Document, list[Report]]:
    """The same, and the reports of the single plans that it was made from."""
    builder = _Builder(state, wanted, now, user_requests or {})
    return builder.document(drawn), [facts.report for facts in builder.plans]


class _Builder:
    def __init__(
        self, state: State, wanted: Wanted, now: datetime, user_requests: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._state, self._wanted = state, wanted
        self._now = now.astimezone(timezone.utc)
        self._shelf = Shelf(state)
        self._volumes = self._shelf.choose(wanted)
        self._last = {volume.tenant: volume for volume in self._volumes}
        self.plans = [self._read(volume, user_requests) for volume in self._volumes]

    def document(self, drawn: SampleSize | None) -> Document:
        """Everything but the views of frameworks is there first, for those look at all of it."""
        document = self._facts(drawn)
        return replace(document, frameworks=framework_views(document))

    def _read(self, volume: Volume, user_requests: Mapping[str, Mapping[str, Any]]) -> PlanFacts:
        is_last = self._last[volume.tenant] is volume
        requests = user_requests.get(volume.tenant) if is_last else None
        report = collect(self._state, volume.tenant, volume.plan, user_requests=requests)
        seal = self._shelf.seal(volume.tenant, volume.plan)
        # What came after an older plan is no part of it, so it is judged by the day on which its record ended.
        current = self._shelf.latest(volume.tenant) in (volume, None)
        return PlanFacts(
            report=report,
            as_of=(self._now if current else report.last_moment).date(),
            latest=is_last,
            seal=seal[0] if seal else None,
            remediation=remediation(report.hosts),
        )

    def _facts(self, drawn: SampleSize | None) -> Document:
        reports = [facts.report for facts in self.plans]
        latest = [facts for facts in self.plans if facts.latest]
        cves = tuple(cve for tenant in self._last for cve in self._cves(tenant))
        cycles = self._figures()
        return Document(
            scope=self._scope(),
            made=rows.moment(self._now) or "",
            collection=this_version(),
            verdict=_verdict(reports),
            well=not any(report.troubles for report in reports),
            troubles=tuple(self._troubles(reports)),
            plans=tuple(rows.plan_row(facts) for facts in self.plans),
            hosts=tuple(row for report in reports for row in rows.host_rows(report, report.hosts)),
            counts={outcome.value: sum(report.counts[outcome.value] for report in reports) for outcome in HostOutcome},
            batches=tuple(row for report in reports for row in rows.batch_rows(report)),
            changes=tuple(row for report in reports for row in rows.change_rows(report, report.hosts)),
            cves=cves,
            unknown_cves=sum(report.unknown_cves for report in reports),
            open_updates=tuple(row for facts in latest for row in rows.open_update_rows(facts)),
            exceptions=tuple(row for facts in latest for row in facts.exceptions),
            gates=tuple(row for report in reports for row in rows.gate_rows(report)),
            approvals=tuple(row for report in reports for row in rows.approval_rows(report)),
            attempts=tuple(row for report in reports for row in rows.attempt_rows(report)),
            metrics=metrics(tally(self.plans)),
            trend=tuple(TrendPoint(cycle, figures.values()) for cycle, figures in cycles),
            frameworks=(),
            comparison=_comparison(cycles, self._wanted.compare_with),
            sample=sample(self._state, self.plans, drawn.seed, drawn.size) if drawn else None,
            user_requests={
                report.plan: _whole_numbers(report.user_requests) for report in reports if report.user_requests
            },
        )

    def _cves(self, tenant: str) -> Iterable[CveRow]:
        own = [facts for facts in self.plans if facts.report.tenant == tenant]
        return cve_rows(own, own[-1].as_of)

    def _scope(self) -> Scope:
        tenants = tuple(self._last)
        cycles = tuple(dict.fromkeys(volume.cycle for volume in self._volumes))
        span = f"cycle {cycles[0]}" if len(cycles) == 1 else f"cycles {cycles[0]} to {cycles[-1]}"
        title = {
            ScopeKind.PLAN: f"Plan {self._volumes[0].plan[:16]} of {tenants[0]}, {span}",
            ScopeKind.CYCLE: f"C{span[1:]} of {', '.join(tenants)}",
            ScopeKind.TENANT: f"Tenant {', '.join(tenants)}, {span}",
            ScopeKind.FLEET: f"The fleet, {span}",
        }[self._wanted.kind]
        queries = dict.fromkeys(rows.query_of(facts.report) or "a query that was not recorded" for facts in self.plans)
        return Scope(self._wanted.kind, title, tenants, cycles, "; ".join(queries))

    def _troubles(self, reports: Sequence[Report]) -> Iterable[str]:
        for report in reports:
            whose = "" if len(reports) == 1 else f"{report.tenant}, {report.cycle}: "
            yield from (f"{whose}{trouble}" for trouble in report.troubles)

    def _figures(self) -> list[tuple[str, Figures]]:
        """The figures of the scope's tenants by cycle, up to the last one of the scope."""
        read = {(facts.report.tenant, facts.report.plan): facts for facts in self.plans}
        last = max((volume.cycle for volume in self._volumes), key=cycle_order)
        found = []
        for cycle in self._shelf.until(last):
            volumes = self._shelf.of_cycle(cycle, tuple(self._last))
            if self._wanted.kind is ScopeKind.PLAN and cycle == last:
                # One that was replaced by another of its cycle is reported all the same.
                volumes = self._volumes
            several = [self._figures_of(volume, read.get((volume.tenant, volume.plan))) for volume in volumes]
            if several:
                found.append((cycle, together(several)))
        return found

    def _figures_of(self, volume: Volume, facts: PlanFacts | None) -> Figures:
        head = facts.report.ledger.head if facts else self._ledger_head(volume)
        kept = kept_figures(self._state, volume.tenant, volume.plan, head)
        if kept is not None:
            return kept
        if facts is None:
            report = collect(self._state, volume.tenant, volume.plan)
            facts = PlanFacts(report, report.last_moment.date(), True, None, remediation(report.hosts))
        figures = figures_of(facts)
        # Nothing is added to what was sealed. And what only saves time must not prevent a report of a state that this
        # user may only read.
        if self._shelf.seal(volume.tenant, volume.plan) is None:
            with contextlib.suppress(FleetError):
                put_figures(self._state, volume.tenant, volume.plan, facts.report.ledger.head, figures)
        return figures

    def _ledger_head(self, volume: Volume) -> str:
        """The last hash of a ledger, without reading what is before."""
        seal = self._shelf.seal(volume.tenant, volume.plan)
        if seal:
            return seal[1]
        last = deque(self._state.entries(volume.tenant, volume.plan), maxlen=1)
        try:
            return str(json.loads(last[0])["hash"]) if last else START
        except (ValueError, KeyError, TypeError):
            # No figures are of a ledger that ends with what is no entry; reading it says what is wrong.
            return ""


def _verdict(reports: Sequence[Report]) -> str:
    """The result in one sentence, of one plan or of several."""
    if len(reports) == 1:
        return reports[0].verdict
    hosts = [host for report in reports for host in report.hosts]
    attention = sum(host.needs_attention for host in hosts)
    verified = sum(host.outcome is HostOutcome.VERIFIED for host in hosts)
    if not any(report.troubles for report in reports):
        return f"All is well in {len(reports)} plans: {verified} of {len(hosts)} hosts were patched and verified."
    done = f"{verified} were patched and verified."
    return f"{attention} of {len(hosts)} hosts in {len(reports)} plans need attention; {done}"


def _comparison(cycles: Sequence[tuple[str, Figures]], wanted: str | None) -> Comparison | None:
    """The last cycle against the one that is wanted, or the one before; None where there is none before."""
    *earlier, (last, now) = cycles
    names = [name for name, _figures in earlier]
    if wanted is not None and wanted not in names:
        raise FleetError(
            f"compare_with: {show(wanted)} is no cycle before {last} with a plan of the scope.",
            kind="cycle_missing",
            remedy=f"Cycles before it are {', '.join(names)}." if names else "There is none before it.",
        )
    if not earlier:
        return None
    place = names.index(wanted) if wanted else len(names) - 1
    ever_closed = frozenset[str]().union(*(figures.closed for _name, figures in earlier[: place + 1]))
    return compare(names[place], earlier[place][1], now, ever_closed)


def _whole_numbers(counts: Mapping[str, Any]) -> dict[str, int]:
    return {str(key): value for key, value in counts.items() if is_whole_number(value)}
