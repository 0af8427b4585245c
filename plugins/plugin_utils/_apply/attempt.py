# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opening and closing attempts: which hosts take part, in which order, and what is said of those that do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.leases import (
    lease_names,
    left_by,
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
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.opening import refuse_late
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import (
    Verification,
    clock_behind,
    record,
    verify,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import (
    AttemptState,
    EntryOutcome,
    HostOutcome,
    Phase,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.rollout import Rollout, rollout
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.guard import refuse_sealed
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import Lease, State

_DECIDED = {
    "unchanged": HostOutcome.UNCHANGED,
    "skipped": HostOutcome.SKIPPED,
    "unreachable": HostOutcome.UNREACHABLE,
}
"""What the plan itself decides, by the decision in its head."""


DIED = "its process ended without closing it"
"""Why an attempt is closed by somebody else."""


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
    book = Book(state, tenant, plan, state.get_plan(tenant, plan))
    verify_ledger(book)
    return book


def verify_ledger(book: Book) -> Verification:
    """The length and the head of a ledger that can be trusted. Raises FleetError of kind ``ledger_damaged``."""
    checked = verify(book.state.entries(book.tenant, book.plan))
    if not checked.ok:
        raise FleetError(
            f"The ledger of plan {book.plan[:16]} does not verify: {checked.problems[0]}",
            kind="ledger_damaged",
            remedy="Find out who changed it; nothing is applied on a ledger that cannot be trusted.",
            data={"problems": list(checked.problems)},
        )
    return checked


@dataclass(frozen=True)
class Proof:
    """What the opening entry says besides: the executor's signature on the number of the attempt, the ticket."""

    number: int
    data: Mapping[str, Any]
    signed: datetime | None = None
    """When the executor signed it."""


def ready_for_attempt(book: Book, purpose: str, now: datetime) -> int:
    """The number of the attempt that may be opened now, for whoever signs it before.

    Raises FleetError of kind ``plan_sealed``, ``plan_expired`` or ``attempt_running``.
    """
    refuse_sealed(book.state, book.tenant, book.plan)
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
    Raises FleetError: ``attempt_running``, ``lease_held``, ``opening_late``, ``plan_expired``, ``plan_sealed`` and
    ``plan_unfinished``.
    """
    ready_for_attempt(book, purpose, now)
    progress = book.progress()
    if proof and proof.signed:
        # An entry has never a time before that of the line before.
        written = now + timedelta(seconds=clock_behind(progress.last_line, now))
        refuse_late(proof.signed, written, attempt=proof.number, plan=book.plan)
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
    refuse_sealed(book.state, book.tenant, book.plan)
    progress = book.progress()
    if progress.current:
        close_incomplete(book, progress.current, DIED)
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
            record_outcome(book, number, host, HostOutcome.NOT_ATTEMPTED, "the inventory does not have it", "unknown")
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


def _record_decided(book: Book, number: int, progress: Progress) -> None:
    for host, entry in sorted(book.head["hosts"].items()):
        outcome = _DECIDED.get(entry["decision"])
        if outcome and host not in progress.outcomes:
            in_service = "unknown" if outcome is HostOutcome.UNREACHABLE else "yes"
            record_outcome(book, number, host, outcome, entry["reason"], in_service, by_plan=True)


def record_outcome(
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


def close_incomplete(book: Book, attempt: Attempt, reason: str, **found: Any) -> None:
    """Close an attempt whose process did not: its hosts keep what the ledger says, and a further attempt resumes them.

    ``found`` is what was found out about it.
    """
    data = {"state": AttemptState.INCOMPLETE.value, "reason": reason, **found}
    book.write(attempt.number, None, Phase.CLOSE, EntryOutcome.FAILED, data)


def abandon_attempt(book: Book, runner: Runner) -> int | None:
    """Close whatever attempt is open on the plan, whoever opened it; its number. The next one resumes its hosts.

    What incomplete attempts left half changed stands in nobody's way any more.
    """
    attempt = book.progress().current
    book.state.release(book.tenant, left_by(book.plan))
    if attempt is None:
        return None
    close_incomplete(book, attempt, "abandoned", by=runner.provenance)
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
