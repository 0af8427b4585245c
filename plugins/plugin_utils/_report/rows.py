# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of a document, from the facts of its plans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import AttemptState
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import CLOCKS_DIFFER
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import describe_left_out
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    ApprovalRow,
    Approved,
    AttemptRow,
    BatchRow,
    ChangeRow,
    GateRow,
    HostRow,
    OpenUpdate,
    PlanRow,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.facts import PlanFacts
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import (
    ApprovalResult,
    AttemptResult,
    HostResult,
    Report,
    VersionChange,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.remediation import HostSets, days_between, in_time

_NOT_YET = "0000-00-00"


def plan_row(facts: PlanFacts) -> PlanRow:
    """The plan itself: who approved it last, and the last attempt that began a host, or else the last of all.

    The executor is who signed the opening, or whom AWX knows: the name of a user on a machine says nothing of people.
    """
    report = facts.report
    applied = [attempt for attempt in report.attempts if attempt.purpose == "apply" and not attempt.check_mode]
    last = next((attempt for attempt in reversed(applied) if attempt.begun), applied[-1] if applied else None)
    approvals = [approval for approval in report.approvals if approval.purpose == "apply"]
    return PlanRow(
        tenant=report.tenant,
        cycle=report.cycle,
        plan=report.plan,
        created=report.created,
        expires=report.expires,
        began=moment(report.began),
        ended=moment(report.ended),
        revision=last.revision if last else report.revision,
        collection=last.collection if last else "",
        ticket=last.ticket if last else "",
        approver=approvals[-1].approver if approvals else "",
        executor=last.executor if last else "",
        approved_by_another=_approved_by_another(report),
        query=query_of(report),
        hosts=len(report.hosts),
        verdict=report.verdict,
        state=_state(facts, applied),
        sealed=facts.seal,
        entries=report.ledger.count,
        ledger_head=report.ledger.head,
        ledger_ok=report.ledger.ok,
        troubles=report.troubles,
    )


def query_of(report: Report) -> str:
    """What found the population, in words; empty where the plan does not say it."""
    if report.query is None:
        return ""
    said = {key: report.query.get(key) or "none" for key in ("inventory", "hosts", "limit")}
    besides = f"; besides: {describe_left_out(report.left_out)}" if report.left_out else ""
    return f"inventory {said['inventory']}, hosts matching {said['hosts']}, limit {said['limit']}{besides}"


def _state(facts: PlanFacts, applied: Sequence[AttemptResult]) -> str:
    """Where it stands; a ledger that does not verify says nothing about that, whatever it says."""
    report = facts.report
    if not report.ledger.ok:
        return "unknown"
    if facts.seal is not None:
        return "sealed"
    if any(attempt.state is AttemptState.OPEN for attempt in report.attempts):
        return "open"
    if report.attempts and report.attempts[-1].state is AttemptState.INCOMPLETE:
        return "incomplete"
    if applied and not report.waiting and all(host.outcome != "not_attempted" for host in report.hosts):
        return "complete"
    return "open"


def host_rows(report: Report, hosts: Iterable[HostResult]) -> Iterator[HostRow]:
    """These hosts of the population."""
    changed: dict[int, int] = {}
    for host in hosts:
        # Hosts of one kind have the very same changes.
        if id(host.changes) not in changed:
            changed[id(host.changes)] = sum(change.changed for change in host.changes)
        yield _host_row(report, host, changed[id(host.changes)])


def _host_row(report: Report, host: HostResult, changed: int) -> HostRow:
    return HostRow(
        tenant=report.tenant,
        cycle=report.cycle,
        plan=report.plan,
        host=host.host,
        outcome=host.outcome.value,
        in_service=host.in_service.value,
        reason=host.reason,
        cloud=host.place.cloud,
        environment=host.place.environment,
        region=host.place.region,
        cluster=host.cluster or "",
        wave=host.wave,
        batch=host.batch,
        scanned=host.pending is not None,
        updates=host.updates,
        began_change=host.began_change,
        changed=changed,
        rebooted=host.rebooted,
        seconds=host.seconds,
        away_seconds=host.away_seconds,
        needs_attention=host.needs_attention,
        notes=host.notes,
    )


def batch_rows(report: Report) -> Iterator[BatchRow]:
    """The batches in the order of the plan."""
    for batch in report.batches:
        yield BatchRow(
            tenant=report.tenant,
            plan=report.plan,
            wave=batch.wave,
            batch=batch.batch,
            hosts=len(batch.hosts),
            began=moment(batch.began),
            ended=moment(batch.ended),
            counts=batch.counts,
        )


def change_rows(report: Report, hosts: Iterable[HostResult]) -> Iterator[ChangeRow]:
    """The changes of these hosts, each with all of them that had it, by package."""
    alike: dict[int, list[HostResult]] = defaultdict(list)
    for host in hosts:
        alike[id(host.changes)].append(host)
    sets: HostSets[VersionChange] = HostSets()
    for same in alike.values():
        sets.note([host.host for host in same], same[0].changes)
    for change, on in sorted(sets, key=lambda found: _order(found[0])):
        yield ChangeRow(
            tenant=report.tenant,
            cycle=report.cycle,
            plan=report.plan,
            package=change.package,
            before=change.before,
            after=change.after,
            changed=change.changed,
            is_security=change.is_security,
            severity=change.severity,
            cves=change.cves,
            hosts=on,
        )


def _order(change: VersionChange) -> tuple[str, str, str]:
    return change.package, change.after or "", change.before or ""


def open_update_rows(facts: PlanFacts) -> Iterator[OpenUpdate]:
    """What is still pending, the oldest first."""
    for left in sorted(facts.remediation.left, key=lambda left: (left.update.first_seen or _NOT_YET, left.update.name)):
        update, days = left.update, days_between(left.update.first_seen, facts.as_of)
        yield OpenUpdate(
            tenant=facts.report.tenant,
            package=update.name,
            candidate=update.candidate,
            is_security=update.is_security,
            severity=update.severity,
            cves=update.cves,
            first_seen=update.first_seen,
            days=days,
            allowed_days=update.allowed_days,
            in_time=in_time(days, update.allowed_days),
            reason=left.reason,
            hosts=left.hosts,
        )


def gate_rows(report: Report) -> Iterator[GateRow]:
    """The gates that did not pass by themselves."""
    for gate in report.gates:
        yield GateRow(report.tenant, report.plan, gate.gate, gate.verdict, gate.evidence, gate.overridden, gate.hosts)


def approval_rows(report: Report) -> Iterator[ApprovalRow]:
    """Who approved the plan."""
    for approval in report.approvals:
        yield ApprovalRow(
            tenant=report.tenant,
            plan=report.plan,
            approver=approval.approver,
            key=approval.key,
            how=approval.how,
            purpose=approval.purpose,
            created=moment(approval.created) or "",
            expires=moment(approval.expires) or "",
        )


def attempt_rows(report: Report) -> Iterator[AttemptRow]:
    """Every attempt, in order."""
    for attempt in report.attempts:
        yield AttemptRow(
            tenant=report.tenant,
            plan=report.plan,
            number=attempt.number,
            purpose=attempt.purpose,
            check_mode=attempt.check_mode,
            executor=attempt.executor,
            executor_key=attempt.executor_key,
            who=attempt.who,
            where=attempt.where,
            job=attempt.job,
            revision=f"{attempt.revision} with changes" if attempt.dirty else attempt.revision,
            collection=attempt.collection,
            ansible_core=attempt.ansible_core,
            opened=moment(attempt.opened) or "",
            closed=moment(attempt.closed),
            state=attempt.state.value,
            in_order=attempt.in_order,
            begun=len(attempt.begun),
            unapproved=sum(not _is_approved(attempt, moment, report.approvals) for moment in attempt.begun),
        )


def _approved_by_another(report: Report) -> Approved:
    """The same of the plan: of its attempts none may have begun a host without such an approval."""
    if report.approval == "none":
        return Approved.NOT_REQUIRED
    begun = [row for row in attempt_rows(report) if row.began_changes]
    if not begun:
        return Approved.UNKNOWN
    return Approved.NO if any(row.unapproved for row in begun) else Approved.YES


def _is_approved(attempt: AttemptResult, begun: datetime, approvals: Iterable[ApprovalResult]) -> bool:
    """Whether an approval for what the attempt does, by somebody else, held at a moment."""
    return any(
        approval.purpose == attempt.purpose
        and approval.created - CLOCKS_DIFFER <= begun < approval.expires
        and _is_other(approval, attempt)
        for approval in approvals
    )


def _is_other(approval: ApprovalResult, attempt: AttemptResult) -> bool:
    """Whether approver and executor are known, and differ in name and in key; in AWX nobody has a key."""
    names, keys = {approval.approver, attempt.executor}, {approval.key, attempt.executor_key}
    return len(names - {""}) == 2 and (approval.how == "awx" or len(keys - {""}) == 2)


def moment(value: datetime | None) -> str | None:
    """A time as documents have it: UTC, RFC 3339, in whole seconds."""
    return None if value is None else value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
