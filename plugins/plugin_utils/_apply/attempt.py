# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening and closing attempts: which hosts take part, in which order, and what is said of those that do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.leases import (
    lease_names,
    living_lease,
    refuse_unfinished,
    take_lease,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import (
    FINISHED,
    Attempt,
    Progress,
    read_progress,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import record, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.outcome import count
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.rollout import Rollout, rollout
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import Lease, State

_DECIDED = {
    "unchanged": HostOutcome.UNCHANGED,
    "skipped": HostOutcome.SKIPPED,
    "unreachable": HostOutcome.UNREACHABLE,
}
"""What the plan itself decides, by the decision in its head."""


@dataclass(frozen=True)
class Runner:
    """Who opens an attempt: the ansible-playbook process, and where it came from."""

    process: int
    provenance: dict[str, Any]
    check_mode: bool
    owner: str
    """The same process, told from a later one with its number (see ``_apply.owner``)."""

    @property
    def controller(self) -> str:
        """The name of the machine it runs on."""
        return str(self.provenance["host"])


@dataclass(frozen=True)
class Book:
    """A plan with its ledger, as one attempt writes into it."""

    state: State
    tenant: str
    plan: str
    head: dict[str, Any]

    def write(
        self, attempt: int, host: str | None, phase: Phase, outcome: EntryOutcome | HostOutcome, data: Any
    ) -> None:
        """Append one entry to the plan's ledger."""
        record(
            self.state,
            plan=self.plan,
            attempt=attempt,
            cycle=self.head["cycle"],
            tenant=self.tenant,
            host=host,
            phase=phase,
            outcome=outcome,
            data=data,
        )

    @property
    def policy(self) -> dict[str, Any]:
        """The policy of a host of the plan, for what is the same for all of them. Raises as ``get_host_document``."""
        host, entry = next(iter(self.head["hosts"].items()))
        policy: dict[str, Any] = self.state.get_host_document(self.tenant, self.plan, host, entry["digest"])["policy"]
        return policy

    def progress(self) -> Progress:
        """How far the plan has come."""
        return read_progress(self.state.entries(self.tenant, self.plan))


def choose_plans(
    state: State, *, cycle: str | None, plans: list[dict[str, str]], tenants: list[str]
) -> list[tuple[str, str]]:
    """The (tenant, plan digest) pairs that a playbook was asked for: named ones, or those of a cycle, in its order.

    Raises FleetError of kind ``no_plan`` when nothing is left.
    """
    if not plans and not cycle:
        raise FleetError(
            "Neither patch_cycle nor patch_plans is set.",
            kind="no_plan",
            remedy="Name the cycle, e.g. -e patch_cycle=2026-11.",
        )
    named = plans or state.get_cycle(str(cycle))["plans"]
    chosen = [(entry["tenant"], entry["plan"]) for entry in named if not tenants or entry["tenant"] in tenants]
    if not chosen:
        raise FleetError(
            f"Cycle {cycle} has no plan of the tenants {', '.join(tenants)}.",
            kind="no_plan",
            remedy="Correct patch_tenants, or run patch_plan.yml for them.",
        )
    return chosen


def open_book(state: State, tenant: str, plan: str) -> Book:
    """The plan and its ledger, both verified. Raises FleetError: ``ledger_damaged`` and those of ``get_plan``."""
    head = state.get_plan(tenant, plan)
    checked = verify(state.entries(tenant, plan))
    if not checked.ok:
        raise FleetError(
            f"The ledger of plan {plan[:16]} does not verify: {checked.problems[0]}",
            kind="ledger_damaged",
            remedy="Find out who changed it; nothing is applied on a ledger that cannot be trusted.",
            data={"problems": list(checked.problems)},
        )
    return Book(state, tenant, plan, head)


@dataclass(frozen=True)
class Proof:
    """What the opening entry says besides: the executor's signature on the number of the attempt, the ticket."""

    number: int
    data: Mapping[str, Any]


def ready_for_attempt(book: Book, purpose: str, now: datetime) -> int:
    """The number of the attempt that may be opened now, for whoever signs it before.

    Raises FleetError of kind ``plan_expired`` or ``attempt_running``.
    """
    if purpose != "rollback" and datetime.fromisoformat(book.head["expires"]) <= now:
        raise FleetError(
            f"Plan {book.plan[:16]} of tenant {book.tenant} expired at {book.head['expires']}.",
            kind="plan_expired",
            remedy="Make a new plan with patch_plan.yml.",
        )
    progress = book.progress()
    _refuse_living(book, progress.current, now)
    return _next_number(progress)


def open_attempt(
    book: Book,
    *,
    purpose: str,
    runner: Runner,
    inventory: set[str],
    limit: set[str] | None,
    now: datetime,
    proof: Proof | None = None,
) -> Attempt:
    """Take the leases of an attempt, open it, and record what the plan has decided already.

    An attempt whose owner has no living lease is dead, and closed. A plan that has expired can still be rolled back.
    ``proof`` was made before, because that may take longer than a lease lives without a sign of life.
    Raises FleetError: ``attempt_running``, ``lease_held``, ``plan_expired`` and ``plan_unfinished``.
    """
    ready_for_attempt(book, purpose, now)
    progress = book.progress()
    changes_hosts = purpose != "stage" and not runner.check_mode
    batches = _left(book, progress, inventory, limit, purpose).batches
    names = lease_names(book.plan, book.head, batches, changes_hosts=changes_hosts)
    refuse_unfinished(book.state, book.tenant, book.plan, names, now)
    lease = take_lease(book.state, book.tenant, names, runner.owner, now)
    try:
        return _open_leased(
            book,
            lease,
            purpose=purpose,
            runner=runner,
            inventory=inventory,
            limit=limit,
            now=now,
            proof=proof,
        )
    except BaseException:
        book.state.release(book.tenant, runner.owner)
        raise


def _open_leased(
    book: Book,
    lease: Lease,
    *,
    purpose: str,
    runner: Runner,
    inventory: set[str],
    limit: set[str] | None,
    now: datetime,
    proof: Proof | None,
) -> Attempt:
    # Read again: only from here on does nobody else write. What is left can only have become less.
    progress = book.progress()
    if progress.current:
        data = {"reason": "its process ended without closing it"}
        book.write(progress.current.number, None, Phase.CLOSE, EntryOutcome.FAILED, data)
    way = _left(book, progress, inventory, limit, purpose)
    number = _next_number(progress)
    if proof and proof.number != number:
        raise FleetError(
            f"Attempt {proof.number} on plan {book.plan[:16]} was opened by somebody else meanwhile.",
            kind="attempt_running",
            remedy="Look at it with patch_status.yml, then run this again.",
        )
    opening = {
        "purpose": purpose,
        "controller": runner.controller,
        "process": runner.process,
        "owner": runner.owner,
        "check_mode": runner.check_mode,
        "batches": way.batches,
        "limit": sorted(limit) if limit is not None else None,
        "provenance": runner.provenance,
        **(proof.data if proof else {}),
        **({"took_over": [{"owner": owner} for owner in lease.taken_from]} if lease.taken_from else {}),
    }
    book.write(number, None, Phase.OPEN, EntryOutcome.OK, {"opening": opening})
    if purpose == "apply" and not runner.check_mode:
        _record_decided(book, number, progress)
        for host in way.missing:
            _record_outcome(book, number, host, HostOutcome.NOT_ATTEMPTED, "the inventory does not have it", "unknown")
    return Attempt(
        number, purpose, runner.controller, runner.process, now, way.batches, runner.check_mode, owner=runner.owner
    )


def _next_number(progress: Progress) -> int:
    return progress.attempts[-1].number + 1 if progress.attempts else 1


def _left(book: Book, progress: Progress, inventory: set[str], limit: set[str] | None, purpose: str) -> Rollout:
    """What of the plan is left to do for an attempt: of one that rolls back, the hosts that the plan has changed."""
    finished = {host: str(done.outcome.value) for host, done in progress.outcomes.items() if done.outcome in FINISHED}
    if purpose == "rollback":
        finished = {host: "not changed" for host in book.head["hosts"] if host not in _changed(progress)}
    return rollout([(book.plan, book.head)], finished={book.plan: finished}, inventory=inventory, limit=limit)


def _changed(progress: Progress) -> set[str]:
    """Hosts that have the plan's versions, or may have some of them."""
    changed = (HostOutcome.VERIFIED, HostOutcome.FAILED, HostOutcome.UNREACHABLE)
    hosts = {host for host, done in progress.outcomes.items() if done.outcome in changed and not done.by_plan}
    return hosts | set(progress.unfinished)


def close_attempt(book: Book, attempt: Attempt, *, now_missing: str) -> dict[str, Any]:
    """Give every host of the plan its outcome, close the attempt, and give its lease back.

    ``now_missing`` is the reason said of hosts that the attempt never came to. Hosts that wait as planned are in order.
    Returns ``{"counts": {outcome: n}, "hosts": {host: {"outcome", "in_service", "reason"}}, "waiting": [host],
    "in_order": bool}``.
    """
    if attempt.purpose == "rollback":
        return _close_rollback(book, attempt)
    if attempt.purpose == "stage":
        return _close_staging(book, attempt)
    if not attempt.check_mode:
        _record_left_over(book, attempt, now_missing)
    outcomes = book.progress().outcomes
    hosts = {
        host: {"outcome": done.outcome.value, "in_service": done.in_service, "reason": done.reason}
        for host, done in sorted(outcomes.items())
    }
    applied = not attempt.check_mode
    counts = count({host: done["outcome"] for host, done in hosts.items()}, book.head["hosts"]) if applied else {}
    waiting = {host for host, done in outcomes.items() if done.waiting}
    good = {HostOutcome.VERIFIED, HostOutcome.UNCHANGED}
    in_order = not applied or all(done.outcome in good or host in waiting for host, done in outcomes.items())
    return _closed(book, attempt, counts, hosts, sorted(waiting), in_order=in_order)


def _closed(
    book: Book,
    attempt: Attempt,
    counts: dict[str, int],
    hosts: dict[str, dict[str, str]],
    waiting: list[str],
    *,
    in_order: bool,
) -> dict[str, Any]:
    """Record that the attempt is over, give its lease back, and return what ``close_attempt`` returns."""
    outcome = EntryOutcome.OK if in_order else EntryOutcome.FAILED
    book.write(attempt.number, None, Phase.CLOSE, outcome, {"counts": counts})
    book.state.release(book.tenant, attempt.owner)
    return {"counts": counts, "hosts": hosts, "waiting": waiting, "in_order": in_order}


def _close_staging(book: Book, attempt: Attempt) -> dict[str, Any]:
    """A host that could not be staged keeps no other from being patched, and is not in order."""
    included = [host for batch in attempt.batches for host in batch]
    missing = [] if attempt.check_mode else sorted(set(included) - book.progress().staged)
    counts = {"asked_for": len(included), "not_staged": len(missing)}
    reason = "its packages are not on the host; stage again before the window, or its change is skipped"
    hosts = {host: {"outcome": "not_staged", "in_service": "yes", "reason": reason} for host in missing}
    return _closed(book, attempt, counts, hosts, [], in_order=not missing)


def _close_rollback(book: Book, attempt: Attempt) -> dict[str, Any]:
    """Every host that was begun has its outcome; one that was not keeps the versions and the outcome it has."""
    progress = book.progress()
    included = [host for batch in attempt.batches for host in batch]
    begun = progress.attempts[-1]
    for host in included:
        if host in begun.started and host not in begun.judged:
            unknown = "the attempt ended before its outcome was known"
            _record_outcome(book, attempt.number, host, HostOutcome.FAILED, unknown, "unknown")
    outcomes = book.progress().outcomes
    hosts = {
        host: {
            "outcome": outcomes[host].outcome.value,
            "in_service": outcomes[host].in_service,
            "reason": outcomes[host].reason,
        }
        for host in included
        if host in outcomes
    }
    back = [host for host in included if host in hosts and hosts[host]["outcome"] == HostOutcome.ROLLED_BACK]
    in_order = attempt.check_mode or len(back) == len(included)
    counts = {"rolled_back": len(back), "asked_for": len(included)}
    return _closed(book, attempt, counts, hosts, [], in_order=in_order)


def _record_decided(book: Book, number: int, progress: Progress) -> None:
    for host, entry in sorted(book.head["hosts"].items()):
        outcome = _DECIDED.get(entry["decision"])
        if outcome and host not in progress.outcomes:
            in_service = "unknown" if outcome is HostOutcome.UNREACHABLE else "yes"
            _record_outcome(book, number, host, outcome, entry["reason"], in_service, by_plan=True)


def _record_left_over(book: Book, attempt: Attempt, now_missing: str) -> None:
    """Hosts without a final outcome: begun and never judged, or never begun."""
    progress = book.progress()
    included = {host for batch in attempt.batches for host in batch}
    for host in sorted(book.head["hosts"]):
        known = progress.outcomes.get(host)
        if known and (known.attempt == attempt.number or known.outcome in FINISHED):
            continue
        waits = host not in included
        reason = "outside the limit of this attempt" if waits else now_missing
        if host in progress.attempts[-1].started:
            # Not the last word: a further attempt examines it, as after a controller that died.
            unknown = "the attempt ended before its outcome was known"
            _record_outcome(book, attempt.number, host, HostOutcome.UNREACHABLE, unknown, "unknown")
        elif progress.in_the_middle(host):
            earlier = f"{reason}; an earlier attempt ended in the middle of its change"
            _record_outcome(book, attempt.number, host, HostOutcome.NOT_ATTEMPTED, earlier, "unknown")
        elif known is None or known.outcome is HostOutcome.NOT_ATTEMPTED:
            _record_outcome(book, attempt.number, host, HostOutcome.NOT_ATTEMPTED, reason, "yes", waiting=waits)


def _record_outcome(
    book: Book,
    number: int,
    host: str,
    outcome: HostOutcome,
    reason: str,
    in_service: str,
    *,
    by_plan: bool = False,
    waiting: bool = False,
) -> None:
    data: dict[str, Any] = {"in_service": in_service, "reason": reason, "holds": [], "by_plan": by_plan}
    if waiting:
        data["waiting"] = True
    book.write(number, host, Phase.OUTCOME, outcome, data)


def _refuse_living(book: Book, attempt: Attempt | None, now: datetime) -> None:
    """Raise FleetError of kind ``attempt_running`` when an attempt is open whose owner lives, or may live."""
    lease = living_lease(book.state, book.tenant, attempt.owner, now) if attempt else None
    if attempt and lease:
        raise FleetError(
            f"Attempt {attempt.number} ({attempt.purpose}) on plan {book.plan[:16]} is open: process {attempt.process} "
            f"on {attempt.controller}, since {attempt.opened.isoformat()}; its last sign of life is of "
            f"{lease.heartbeat.isoformat(timespec='seconds')}.",
            kind="attempt_running",
            remedy="Wait for its end. If it is certain that it has ended: bankops.fleet.patch_attempt state=abandoned.",
            data={"owner": attempt.owner, "heartbeat": lease.heartbeat.isoformat()},
        )


def abandon_attempt(book: Book, runner: Runner) -> int | None:
    """Close whatever attempt is open on the plan, whoever opened it; its number. The next one resumes its hosts."""
    attempt = book.progress().current
    if attempt is None:
        return None
    data = {"reason": "abandoned", "by": runner.provenance}
    book.write(attempt.number, None, Phase.CLOSE, EntryOutcome.FAILED, data)
    book.state.release(book.tenant, attempt.owner)
    return attempt.number


def open_attempts_of(state: State, chosen: Iterable[tuple[str, str]], owner: str) -> list[tuple[Book, Attempt]]:
    """The attempts on these plans that this owner has open."""
    found = []
    for tenant, plan in chosen:
        book = Book(state, tenant, plan, state.get_plan(tenant, plan))
        attempt = book.progress().current
        if attempt and attempt.owner == owner:
            found.append((book, attempt))
    return found
