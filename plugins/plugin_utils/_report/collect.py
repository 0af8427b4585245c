# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathers a report from a plan and its ledger, and from nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import is_whole_number
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import Verification, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.outcome import count
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import (
    HostDocument,
    PlanHead,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import ChangeLine, Facts, gather
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.history import (
    History,
    HostHistory,
    outcome_of,
    read_history,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import (
    BatchResult,
    ClosedCve,
    Hold,
    HostResult,
    LeftUpdate,
    Override,
    Report,
    VersionChange,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.plan_summary import staged_cves
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

Left = dict[tuple[str, str, str, bool], list[str]]


def collect(state: State, tenant: str, plan: str, *, user_requests: Mapping[str, Any] | None = None) -> Report:
    """Everything a report shows of a plan.

    Raises FleetError as the state does, ``ledger_damaged`` where a line is no entry, and ``counts_differ``.
    """
    head = cast("PlanHead", state.get_plan(tenant, plan))
    ledger = verify(state.entries(tenant, plan))
    history = read_history(state.entries(tenant, plan))
    left: Left = defaultdict(list)
    facts = gather(head, _documents(state, tenant, plan, head, left), staged_cves(state, tenant, plan))
    # Those that somebody must look at come first; the others stay in the order of the plan.
    hosts = tuple(sorted(_hosts(head, facts, history), key=lambda host: not host.needs_attention))
    torn = len(state.torn(tenant, plan))
    requests = dict(user_requests) if user_requests is not None else None
    return Report(
        tenant=tenant,
        plan=plan,
        cycle=head["cycle"],
        created=head["created"],
        expires=head["expires"],
        revision=head["revision"],
        hosts=hosts,
        counts=count({host.host: host.outcome.value for host in hosts}, head["hosts"]),
        cves=_cves(hosts),
        unknown_cves=len(
            {
                (change.package, change.after)
                for host in _verified(hosts)
                for change in host.changes
                if change.cves is None
            }
        ),
        left=tuple(
            LeftUpdate(name, candidate, reason, security, tuple(sorted(on)))
            for (name, candidate, reason, security), on in sorted(left.items())
        ),
        holds=tuple(
            Hold(package, owner, reason, expires, bool(expired), updates, tuple(on))
            for (package, owner, reason, expires, expired, updates), on in sorted(facts.holds.items())
        ),
        overrides=tuple(
            Override(gate, owner, reason, expires, effect, tuple(on))
            for (gate, owner, reason, expires, effect), on in sorted(facts.overrides.items())
        ),
        batches=tuple(_batches(head, hosts, history)),
        approvals=tuple(history.approvals),
        attempts=tuple(history.attempts.values()),
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


def _documents(state: State, tenant: str, plan: str, head: PlanHead, left: Left) -> Iterator[HostDocument]:
    """The hosts' documents one by one; what each leaves out is noted while it goes by, so that none is kept."""
    for host, entry in head["hosts"].items():
        document = cast("HostDocument", state.get_host_document(tenant, plan, host, entry["digest"]))
        for update in document["pending"]:
            if not update["selected"]:
                key = (
                    update["name"],
                    str(update["candidate"]),
                    str(update["reason"]),
                    update["is_security"] is not False,
                )
                if host not in left[key][-1:]:
                    left[key].append(host)
        yield document


def _hosts(head: PlanHead, facts: Facts, history: History) -> Iterator[HostResult]:
    planned = {host: same.changes for same in facts.transactions for host in same.hosts}
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
            changes=tuple(_changes(way, planned.get(host, []))),
            seconds=(way.ended - way.began).total_seconds() if way.ended and way.began else None,
            away_seconds=away,
            rebooted=way.rebooted,
            notes=tuple(_notes(way)),
            left_as_planned=way.waiting,
        )


def _changes(way: HostHistory, planned: Iterable[ChangeLine]) -> Iterator[VersionChange]:
    """What was changed; of a host that was not touched there is nothing to show."""
    lines = {line.name: line for line in planned}
    for key in sorted(way.after):
        name = key.rpartition(":")[0] or key
        line = lines.get(name)
        yield VersionChange(
            package=key,
            before=way.before.get(key),
            after=way.after[key],
            is_security=line is not None and line.is_security == "yes",
            cves=line.cves if line else None,
        )


def _notes(way: HostHistory) -> Iterator[str]:
    if way.appeared:
        yield f"appeared since the plan, and left alone: {', '.join(sorted(set(way.appeared)))}"
    if way.not_reversible:
        yield f"cannot be rolled back: {', '.join(way.not_reversible)}"
    if way.refusal:
        yield f"a later attempt did not begin it: {way.refusal}"


def _verified(hosts: Iterable[HostResult]) -> list[HostResult]:
    return [host for host in hosts if host.outcome is HostOutcome.VERIFIED]


def _cves(hosts: Iterable[HostResult]) -> tuple[ClosedCve, ...]:
    packages: dict[str, set[str]] = defaultdict(set)
    where: dict[str, set[str]] = defaultdict(set)
    for host in _verified(hosts):
        for change in host.changes:
            for cve in (change.cves or ()) if change.changed else ():
                packages[cve].add(change.package.rpartition(":")[0] or change.package)
                where[cve].add(host.host)
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
