# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence checks: what the facts of a report prove, for whom, and what is missing. Frameworks name them.

A check says what stands only where something was looked at: nothing proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    AttemptRow,
    CveStatus,
    Document,
    HostRow,
    InTime,
    OpenUpdate,
    PlanRow,
)

URGENT = frozenset({"critical", "important", "high", "unknown"})
"""Severities that PCI DSS calls critical or high, and that which nobody knows."""

_NAMED = 5
_VERIFIES = "evidence_verify.yml verifies the signatures"


@dataclass(frozen=True)
class Finding:
    """What stands, as sentences without a full stop, and what is missing."""

    evidence: tuple[str, ...]
    missing: tuple[str, ...]


Check = Callable[[Document], Finding]


def finding(of: int, without: Sequence[str], stands: str, missing: str, nothing: str) -> Finding:
    """What a look at ``of`` things found, of which those ``without`` are named.

    ``stands`` and ``missing`` are templates with ``count``, ``of`` and ``names``; ``nothing`` says what there was none
    of.
    """
    if not of:
        return Finding((), (nothing,))
    good = of - len(without)
    return Finding(
        (stands.format(count=good, of=of),) if good else (),
        (missing.format(count=len(without), of=of, names=_names(without)),) if without else (),
    )


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _name(row: HostRow) -> str:
    return f"{row.tenant}/{row.host}"


def _applied(document: Document) -> list[PlanRow]:
    """Plans that were applied, or begun to be."""
    return [plan for plan in document.plans if plan.began is not None]


def _plan(plan: PlanRow) -> str:
    return f"{plan.tenant}/{plan.cycle}"


def population_complete(document: Document) -> Finding:
    """Whether the query is known that found everybody, and nobody is missing."""
    coverage = next(metric for metric in document.metrics if metric.name == "coverage").total
    gates = [gate for gate in document.gates if gate.gate == "population"]
    # Who lets a known gap through answers for it; what nobody knows is not known afterwards either.
    answered = [gate for gate in gates if gate.overridden and gate.verdict == "block"]
    gone = [f"{gate.tenant}: {gate.evidence}" for gate in gates if gate not in answered]
    unnamed = [_plan(plan) for plan in document.plans if not plan.query]
    missing = [*(f"the population is not whole: {each}" for each in gone)]
    if unnamed:
        missing.append(f"the query that found the population of {_names(unnamed)} was not recorded")
    stands = (
        f"each of {len(document.hosts)} hosts has exactly one outcome, by {document.scope.query}",
        *(f"an override answers for who is missing from {gate.tenant}: {gate.evidence}" for gate in answered),
    )
    return Finding(stands if document.hosts and coverage.of else (), tuple(missing))


def hosts_scanned(document: Document) -> Finding:
    """Whether each host was looked into."""
    coverage = next(metric for metric in document.metrics if metric.name == "coverage").total
    count, of = coverage.count or 0, coverage.of or 0
    if not of:
        return Finding((), ("no host was looked into",))
    return Finding(
        (f"{count} of {of} hosts were scanned for pending updates and judged",) if count else (),
        (f"{of - count} of {of} hosts were not scanned, or not judged",) if count < of else (),
    )


def _late(document: Document, wanted: Callable[[OpenUpdate], bool]) -> list[OpenUpdate]:
    return [row for row in document.open_updates if row.is_security and wanted(row) and row.in_time is not InTime.YES]


def _in_time(
    document: Document, what: str, wanted: Callable[[OpenUpdate], bool], severities: frozenset[str]
) -> Finding:
    late = _late(document, wanted)
    overdue = [cve for cve in document.cves if cve.severity in severities and cve.in_time is not InTime.YES]
    closed_late = sorted({cve.cve for cve in overdue if cve.status is CveStatus.CLOSED})
    unknown = [_name(row) for row in document.hosts if not row.scanned]
    missing = []
    if late:
        hosts = {(row.tenant, host) for row in late for host in row.hosts}
        missing.append(
            f"{len(late)} {what} are open beyond their service level, on {len(hosts)} hosts: "
            f"{_names(sorted({row.package for row in late}))}"
        )
    if closed_late:
        missing.append(f"{len(closed_late)} CVEs were closed later than that: {_names(closed_late)}")
    if unknown:
        missing.append(f"what {len(unknown)} hosts need is not known: {_names(unknown)}")
    if not document.hosts:
        return Finding((), ("no host was looked into",))
    known = len(document.hosts) - len(unknown)
    return Finding(
        (f"no {what} are open beyond their service level on {known} hosts",) if known and not late else (),
        tuple(missing),
    )


def urgent_in_time(document: Document) -> Finding:
    """Whether critical and high security updates were, or can still be, installed in time."""
    return _in_time(
        document, "security updates of critical, high or unknown severity", lambda row: row.severity in URGENT, URGENT
    )


def updates_in_time(document: Document) -> Finding:
    """The same for all other security updates."""
    others = frozenset({"moderate", "low", "medium"})
    return _in_time(
        document, "security updates of moderate or low severity", lambda row: row.severity not in URGENT, others
    )


def cves_known(document: Document) -> Finding:
    """Whether it is known which CVEs the changes close."""
    unknown = [row.package for row in document.changes if row.changed and row.cves is None]
    return Finding(
        (f"{len(document.cves)} CVEs are listed with severity, age and the hosts that have them",)
        if document.cves
        else (),
        (f"which CVEs {document.unknown_cves} changes close is not known: {_names(sorted(set(unknown)))}",)
        if document.unknown_cves
        else (),
    )


def _working(document: Document) -> list[AttemptRow]:
    return [row for row in document.attempts if row.began_changes]


def _attempt(row: AttemptRow) -> str:
    return f"{row.tenant}/{row.plan[:8]} attempt {row.number}"


def approved_by_another(document: Document) -> Finding:
    """Whether each host was begun while an approval held, by somebody who did not execute the attempt."""
    attempts = _working(document)
    return finding(
        len(attempts),
        [_attempt(row) for row in attempts if row.unapproved],
        "{count} of {of} attempts that began hosts were approved by somebody other than their executor, as the ledger "
        f"records names and keys; {_VERIFIES}",
        "{count} of {of} attempts began hosts without an approval by somebody other than their executor: {names}",
        "no attempt began a host",
    )


def executors_known(document: Document) -> Finding:
    """Whether each attempt that began hosts was signed, or started by somebody whom AWX knows."""
    attempts = _working(document)
    return finding(
        len(attempts),
        [_attempt(row) for row in attempts if not row.executor],
        f"who executed {{count}} of {{of}} attempts that began hosts is recorded in the ledger; {_VERIFIES}",
        "who executed {count} of {of} attempts that began hosts is not recorded beyond the name of a user: {names}",
        "no attempt began a host",
    )


def tickets_named(document: Document) -> Finding:
    """Whether each applied plan names its ticket."""
    applied = _applied(document)
    return finding(
        len(applied),
        [_plan(plan) for plan in applied if not plan.ticket],
        "{count} of {of} applied plans name the ticket of their change",
        "{count} of {of} applied plans name no ticket: {names}",
        "no plan was applied",
    )


def small_wave_first(document: Document) -> Finding:
    """Whether a few hosts were patched before the many."""
    applied = {plan.plan: plan for plan in _applied(document)}
    batches: dict[str, list[int]] = {plan: [] for plan in applied}
    for batch in document.batches:
        if batch.plan in batches:
            batches[batch.plan].append(batch.hosts)
    at_once = [_plan(applied[plan]) for plan, sizes in batches.items() if len(sizes) < 2 and sum(sizes) > 1]
    return finding(
        len(applied),
        at_once,
        "{count} of {of} applied plans changed their hosts in batches, some before the others",
        "{count} of {of} applied plans changed all hosts at once: {names}",
        "no plan was applied",
    )


def changes_verified(document: Document) -> Finding:
    """Whether each host on which something was changed is known to be well with it."""
    worked = [row for row in document.hosts if row.changed or row.outcome in ("verified", "rolled_back", "failed")]
    return finding(
        len(worked),
        [_name(row) for row in worked if row.outcome not in ("verified", "rolled_back")],
        "{count} of {of} changed hosts were verified after their change, or after they were rolled back",
        "{count} of {of} changed hosts were not verified: {names}",
        "no host was changed",
    )


def changes_as_planned(document: Document) -> Finding:
    """Whether hosts were changed as a frozen plan said, by a known revision."""
    applied = _applied(document)
    return finding(
        len(applied),
        [_plan(plan) for plan in applied if not plan.ledger_ok or plan.revision in ("", "unknown")],
        "{count} of {of} applied plans were frozen, and carried out by playbooks of a known revision",
        "{count} of {of} applied plans have a damaged record, or playbooks of an unknown revision: {names}",
        "no plan was applied",
    )


def rollbacks_restored(document: Document) -> Finding:
    """Whether changes that failed were taken back; one that broke off in the middle was not."""
    lost = [row for row in document.hosts if row.outcome == "failed" or _is_half_changed(row)]
    restored = [row for row in document.hosts if row.outcome == "rolled_back"]
    if not lost and not restored:
        begun = any(row.began_change for row in document.hosts)
        return Finding(("no change had to be taken back",), ()) if begun else Finding((), ("nothing was changed",))
    return finding(
        len(lost) + len(restored),
        [_name(row) for row in lost],
        "{count} of {of} hosts whose change failed were brought back and verified",
        "{count} of {of} hosts whose change failed were not brought back: {names}",
        "",
    )


def _is_half_changed(row: HostRow) -> bool:
    """Its change was begun and not ended. A host that refused it before anything was done is known to serve."""
    ended = row.outcome in ("verified", "unchanged", "rolled_back")
    refused = row.outcome == "skipped" and row.in_service == "yes"
    return row.began_change and not ended and not refused


def hosts_in_service(document: Document) -> Finding:
    """Whether hosts serve their users. Those that no attempt came to are as they were, and nobody looked at them."""
    seen = [row for row in document.hosts if row.seconds is not None or row.in_service != "yes"]
    found = finding(
        len(seen),
        [_name(row) for row in seen if row.in_service != "yes"],
        "{count} of {of} hosts are in service",
        "{count} of {of} hosts are out of service, or nobody knows: {names}",
        "no attempt looked at a host",
    )
    unseen = len(document.hosts) - len(seen)
    if not seen or not unseen:
        return found
    return Finding(found.evidence, (*found.missing, f"no attempt looked at {unseen} of {len(document.hosts)} hosts"))


def record_intact(document: Document) -> Finding:
    """Whether the ledgers verify."""
    return finding(
        len(document.plans),
        [_plan(plan) for plan in document.plans if not plan.ledger_ok],
        "the chains of {count} of {of} ledgers verify",
        "the chains of {count} of {of} ledgers are broken: {names}",
        "there is no plan",
    )


def attempts_closed(document: Document) -> Finding:
    """Whether every attempt came to its end."""
    return finding(
        len(document.attempts),
        [f"{row.tenant} attempt {row.number} ({row.state})" for row in document.attempts if row.state != "closed"],
        "{count} of {of} attempts were closed",
        "{count} of {of} attempts were not closed by themselves: {names}",
        "there was no attempt",
    )


def plans_sealed(document: Document) -> Finding:
    """Whether records are sealed."""
    return finding(
        len(document.plans),
        [_plan(plan) for plan in document.plans if plan.sealed is None],
        "the records of {count} of {of} plans are sealed",
        "the records of {count} of {of} plans are not sealed: {names}",
        "there is no plan",
    )


def exceptions_answered(document: Document) -> Finding:
    """Whether somebody answers for each exception, with a ticket, and none is past its day."""
    rows = document.exceptions
    if not rows:
        return Finding(("there is no exception",) if document.hosts else (), ())
    bad = [
        f"{row.kind} of {row.subject}"
        for row in rows
        if row.expired or not row.ticket or not row.reason or row.owner in ("", "nobody")
    ]
    return finding(
        len(rows),
        bad,
        "{count} of {of} exceptions have an owner, a reason, a ticket and a day on which they end",
        "{count} of {of} exceptions have expired, or lack an owner or a ticket: {names}",
        "",
    )


def assessed_regularly(document: Document) -> Finding:
    """Whether there was a cycle in each month."""
    cycles = [point.cycle for point in document.trend]
    months = sorted({cycle.partition("-e")[0] for cycle in cycles})
    if not months:
        return Finding((), ("there is no cycle",))
    gaps = list(_gaps(months))
    stands = f"cycles from {months[0]} to {months[-1]}: {len(months)} months"
    missing = [f"there was no cycle in {_names(gaps)}"] if gaps else []
    if len(months) < 2:
        missing.append("there is only one month to be seen")
    return Finding((stands,), tuple(missing))


def _gaps(months: Sequence[str]) -> Iterable[str]:
    first, last = ((int(month[:4]) * 12 + int(month[5:7]) - 1) for month in (months[0], months[-1]))
    known = set(months)
    return (name for name in (f"{n // 12:04}-{n % 12 + 1:02}" for n in range(first, last)) if name not in known)


def tenants_apart(document: Document) -> Finding:
    """Whether each plan, and so its record, is of one tenant."""
    owners = {plan.plan: plan.tenant for plan in document.plans}
    strange = [_name(row) for row in document.hosts if owners.get(row.plan) != row.tenant]
    return finding(
        len(document.hosts),
        strange,
        "{count} of {of} hosts are in a plan and a record of their own tenant alone",
        "{count} of {of} hosts are in another tenant's plan: {names}",
        "there is no host",
    )


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        population_complete,
        hosts_scanned,
        urgent_in_time,
        updates_in_time,
        cves_known,
        approved_by_another,
        executors_known,
        tickets_named,
        small_wave_first,
        changes_verified,
        changes_as_planned,
        rollbacks_restored,
        hosts_in_service,
        record_intact,
        attempts_closed,
        plans_sealed,
        exceptions_answered,
        assessed_regularly,
        tenants_apart,
    )
}
"""Every check by its name, as the files of ``catalogue/evidence`` name them."""
