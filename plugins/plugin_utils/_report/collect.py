# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathers a report from a plan and its ledger, and from nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import is_whole_number
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import Checker, Verification
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.outcome import count
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import PlanHead
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import ChangeLine, Facts, gather
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.documents import UNKNOWN, Documents
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.history import (
    History,
    HostHistory,
    outcome_of,
    read_history,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import (
    BatchResult,
    ClosedCve,
    ClosedGate,
    Hold,
    HostResult,
    LeftUpdate,
    Override,
    PendingUpdate,
    Report,
    VersionChange,
    Waiver,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State


def collect(state: State, tenant: str, plan: str, *, user_requests: Mapping[str, Any] | None = None) -> Report:
    """Everything a report shows of a plan.

    Raises FleetError as the state does, ``ledger_damaged`` where a line is no entry, and ``counts_differ``.
    """
    head = cast("PlanHead", state.get_plan(tenant, plan))
    checker = Checker()
    history = read_history(state.entries(tenant, plan), checker)
    ledger = checker.result()
    documents = Documents(state, tenant, plan, head, history)
    facts = gather(head, documents, documents.staged_cves)
    # Those that somebody must look at come first; the others stay in the order of the plan.
    hosts = tuple(sorted(_hosts(head, facts, history, documents), key=lambda host: not host.needs_attention))
    torn = len(state.torn(tenant, plan))
    requests = dict(user_requests) if user_requests is not None else None
    return Report(
        tenant=tenant,
        plan=plan,
        cycle=head["cycle"],
        created=head["created"],
        expires=head["expires"],
        revision=head["revision"],
        query=head.get("query"),
        left_out=head.get("left_out"),
        approval=documents.approval,
        missing=tuple(head.get("missing", [])),
        hosts=hosts,
        counts=count({host.host: host.outcome.value for host in hosts}, head["hosts"]),
        cves=_cves(hosts),
        unknown_cves=len(
            {
                (change.package, change.after)
                for changes, _hosts in _verified(hosts)
                for change in changes
                if change.cves is None
            }
        ),
        left=tuple(_left(hosts)),
        holds=tuple(
            Hold(package, owner, reason, ticket, expires, bool(expired), updates, tuple(on))
            for (package, owner, reason, ticket, expires, expired, updates), on in sorted(facts.holds.items())
        ),
        waivers=tuple(
            Waiver(owner, reason, ticket, expires, bool(expired), tuple(on))
            for (owner, reason, ticket, expires, expired), on in sorted(facts.waivers.items())
        ),
        gates=tuple(
            ClosedGate(gate, verdict, evidence, overridden, tuple(on))
            for overridden, gates in ((False, facts.gates), (True, facts.overridden))
            for (gate, verdict, evidence), on in sorted(gates.items())
        ),
        overrides=tuple(
            Override(gate, owner, reason, ticket, expires, effect, tuple(on))
            for (gate, owner, reason, ticket, expires, effect), on in sorted(facts.overrides.items())
        ),
        batches=tuple(_batches(head, hosts, history)),
        approvals=tuple(history.approvals),
        attempts=tuple(
            replace(attempt, begun=tuple(history.begun.get(number, {}).values()))
            for number, attempt in history.attempts.items()
        ),
        ledger=ledger,
        torn=torn,
        user_requests=requests,
        troubles=tuple(_troubles(hosts, ledger, torn, history, requests, state.stop_requested(tenant))),
    )


def failed_requests(user_requests: Mapping[str, Any] | None) -> int | None:
    """How many of the users' requests failed; None when nobody measured them. What is no number counts as a failure."""
    if user_requests is None:
        return None
    failures = [value for key, value in user_requests.items() if key == "failed" or key.endswith("_failed")]
    if not failures:
        return 1
    return sum(value if is_whole_number(value) else 1 for value in failures)


def _left(hosts: Iterable[HostResult]) -> Iterator[LeftUpdate]:
    """What was pending and not selected."""
    alike: dict[int, tuple[tuple[PendingUpdate, ...], list[str]]] = {}
    for host in hosts:
        if host.pending:
            alike.setdefault(id(host.pending), (host.pending, []))[1].append(host.host)
    on: dict[tuple[str, str, str, bool], set[str]] = defaultdict(set)
    for pending, names in alike.values():
        for update in pending:
            if not update.selected:
                on[update.name, update.candidate, update.reason, update.is_security].update(names)
    return (LeftUpdate(*key, tuple(sorted(names))) for key, names in sorted(on.items()))


def _hosts(head: PlanHead, facts: Facts, history: History, documents: Documents) -> Iterator[HostResult]:
    planned = {host: same.changes for same in facts.transactions for host in same.hosts}
    pending, changes = documents.pending(), _Changes()
    places = {
        host: number for wave in head["waves"] for number, batch in enumerate(wave["batches"], 1) for host in batch
    }
    for host in [*places, *sorted(set(head["hosts"]) - set(places))]:
        entry = head["hosts"][host]
        way = history.hosts.get(host, HostHistory())
        outcome, in_service, reason = outcome_of(way, entry)
        away = (way.returned - way.drained).total_seconds() if way.drained and way.returned else None
        yield HostResult(
            host=host,
            outcome=outcome,
            in_service=in_service,
            reason=reason,
            wave=entry["wave"],
            batch=places.get(host),
            cluster=entry["cluster"],
            changes=changes.of(way, planned.get(host, ())),
            seconds=(way.ended - way.began).total_seconds() if way.ended and way.began else None,
            away_seconds=away,
            rebooted=way.rebooted,
            notes=tuple(_notes(way)),
            place=documents.places[host],
            updates=entry["updates"],
            pending=pending[host],
            began_change=way.changed,
            ended=way.ended,
            left_as_planned=way.waiting,
        )


class _Changes:
    """What was changed on hosts, of equal things one; of a host that was not touched there is nothing to show."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], VersionChange] = {}
        self._of_kind: dict[tuple[int, int, int], tuple[object, tuple[VersionChange, ...]]] = {}

    def of(self, way: HostHistory, planned: tuple[ChangeLine, ...]) -> tuple[VersionChange, ...]:
        """The changes of a host, sorted by package. The history and the facts keep what is told apart by identity."""
        if not way.after:
            return ()
        kind = id(way.before), id(way.after), id(planned)
        if kind not in self._of_kind:
            self._of_kind[kind] = planned, tuple(self._all(way, planned))
        return self._of_kind[kind][1]

    def _all(self, way: HostHistory, planned: Iterable[ChangeLine]) -> Iterator[VersionChange]:
        lines = {line.name: line for line in planned}
        for key in sorted(way.after):
            line = lines.get(key.rpartition(":")[0] or key)
            found = (
                key,
                way.before.get(key),
                way.after[key],
                line is not None and line.is_security == "yes",
                line.severity if line else UNKNOWN,
                line.cves if line else None,
            )
            if found not in self._made:
                self._made[found] = VersionChange(*found)
            yield self._made[found]


def _notes(way: HostHistory) -> Iterator[str]:
    if way.appeared:
        yield f"appeared since the plan, and left alone: {', '.join(sorted(set(way.appeared)))}"
    if way.not_reversible:
        yield f"cannot be rolled back: {', '.join(way.not_reversible)}"
    if way.refusal:
        yield f"a later attempt did not begin it: {way.refusal}"


def _verified(hosts: Iterable[HostResult]) -> list[tuple[tuple[VersionChange, ...], list[str]]]:
    """The verified hosts by what was changed on them, which is the same on hosts of one kind."""
    alike: dict[int, tuple[tuple[VersionChange, ...], list[str]]] = {}
    for host in hosts:
        if host.outcome is HostOutcome.VERIFIED:
            alike.setdefault(id(host.changes), (host.changes, []))[1].append(host.host)
    return list(alike.values())


def _cves(hosts: Iterable[HostResult]) -> tuple[ClosedCve, ...]:
    packages: dict[str, set[str]] = defaultdict(set)
    where: dict[str, set[str]] = defaultdict(set)
    for changes, names in _verified(hosts):
        for change in changes:
            for cve in (change.cves or ()) if change.changed else ():
                packages[cve].add(change.package.rpartition(":")[0] or change.package)
                where[cve].update(names)
    return tuple(ClosedCve(cve, tuple(sorted(packages[cve])), tuple(sorted(where[cve]))) for cve in sorted(packages))


def _batches(head: PlanHead, hosts: Iterable[HostResult], history: History) -> Iterator[BatchResult]:
    results = {host.host: host for host in hosts}
    for wave in head["waves"]:
        for number, batch in enumerate(wave["batches"], 1):
            ways = [history.hosts[host] for host in batch if host in history.hosts]
            yield BatchResult(
                wave=wave["name"],
                batch=number,
                hosts=tuple(batch),
                began=min((way.began for way in ways if way.began), default=None),
                ended=max((way.ended for way in ways if way.ended), default=None),
                counts=dict(Counter(results[host].outcome.value for host in batch)),
            )


def _troubles(
    hosts: Iterable[HostResult],
    ledger: Verification,
    torn: int,
    history: History,
    requests: Mapping[str, Any] | None,
    stop: str | None,
) -> Iterator[str]:
    for host in hosts:
        if host.needs_attention:
            service = {"yes": "in service", "no": "out of service", "unknown": "perhaps out of service"}[
                host.in_service
            ]
            reason = f": {host.reason}" if host.reason else ""
            yield f"{host.host}: {host.outcome.replace('_', ' ')}, {service}{reason}"
    yield from (f"the ledger does not verify: {problem}" for problem in ledger.problems)
    yield from history.malformed
    # An attempt that was closed in order since has shown that nothing is missing.
    if torn and not (ledger.ok and history.attempts and list(history.attempts.values())[-1].in_order):
        yield f"entries of the ledger that were never written whole, and lie beside it: {torn}"
    for attempt in history.attempts.values():
        if attempt.closed is None:
            yield f"attempt {attempt.number} ({attempt.purpose}) by {attempt.who} was not closed"
    if stop:
        yield f"{stop} asks to stop: no further host is begun"
    failed = failed_requests(requests)
    if failed:
        yield f"failed requests of users: {failed}"
