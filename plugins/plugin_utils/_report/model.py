# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report shows: plain facts, read from a plan and its ledger, with no word of layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import Verification
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import AttemptState, HostOutcome, InService
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import LeftOut

GOOD = frozenset({HostOutcome.VERIFIED, HostOutcome.UNCHANGED})
"""Outcomes that need nobody's attention."""


# Told apart by identity: equal ones of a plan are made once, and to compare millions by their texts takes a minute.
@dataclass(frozen=True, eq=False)
class PendingUpdate:
    """An update that was pending when the plan was made, the same for all hosts of the plan that had it.

    ``cves`` is None where they are not known, ``first_seen`` (YYYY-MM-DD) empty where the plan does not say it.
    ``reason`` says why the policy has not selected it. ``allowed_days`` is None for one that is no security update.
    """

    name: str
    arch: str
    candidate: str
    is_security: bool
    severity: str
    cves: tuple[str, ...] | None
    first_seen: str
    selected: bool
    reason: str
    allowed_days: int | None


class Place(NamedTuple):
    """Where a host is and what it is for; ``unknown`` where nobody has said it."""

    cloud: str = "unknown"
    region: str = "unknown"
    environment: str = "unknown"


@dataclass(frozen=True, eq=False)
class VersionChange:
    """A package on a host: its version before and after (None: not installed), the CVEs that closes (None: unknown)."""

    package: str
    before: str | None
    after: str | None
    is_security: bool
    severity: str
    cves: tuple[str, ...] | None

    @property
    def changed(self) -> bool:
        """Whether the version is another one now."""
        return self.before != self.after


@dataclass(frozen=True)
class HostResult:
    """A host of the plan. ``seconds`` is the time from preflight to outcome, ``away_seconds`` that out of service."""

    host: str
    outcome: HostOutcome
    in_service: InService
    reason: str
    wave: str
    batch: int | None
    cluster: str | None
    changes: tuple[VersionChange, ...]
    seconds: float | None
    away_seconds: float | None
    rebooted: bool
    notes: tuple[str, ...]
    place: Place
    updates: int
    """How many changes were planned."""
    pending: tuple[PendingUpdate, ...] | None
    """What was pending before the change; None where the host was not scanned, so that nobody knows."""
    began_change: bool
    """A change of its packages was begun, whatever became of it."""
    ended: datetime | None
    """When its outcome was found; None where nothing was done to it."""
    left_as_planned: bool = False
    """It was not begun because its time has not come, or the attempt was not about it."""

    @property
    def well(self) -> bool:
        """A good outcome, and in service."""
        return self.outcome in GOOD and self.in_service is InService.YES

    @property
    def waiting(self) -> bool:
        """A further attempt takes it, as planned; nothing was done to it."""
        return self.left_as_planned and self.outcome is HostOutcome.NOT_ATTEMPTED and self.in_service is InService.YES

    @property
    def needs_attention(self) -> bool:
        """Somebody must look at it."""
        return not self.well and not self.waiting


@dataclass(frozen=True)
class ClosedCve:
    """A CVE that verified hosts no longer have."""

    cve: str
    packages: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class LeftUpdate:
    """An update that was pending and not selected, and why."""

    package: str
    candidate: str
    reason: str
    is_security: bool
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Hold:
    """A package kept back on hosts. ``owner`` and ``expires`` are empty for one of the package manager itself."""

    package: str
    owner: str
    reason: str
    ticket: str
    expires: str
    expired: bool
    updates: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Waiver:
    """Hosts that are not patched until a day, and who answers for it; an expired one does nothing."""

    owner: str
    reason: str
    ticket: str
    expires: str
    expired: bool
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class ClosedGate:
    """A gate that did not pass on hosts; ``overridden`` says whether an override let it through."""

    gate: str
    verdict: str
    evidence: str
    overridden: bool
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Override:
    """A gate that lets changes through on hosts although it does not pass; ``effect`` is what it did in the plan."""

    gate: str
    owner: str
    reason: str
    ticket: str
    expires: str
    effect: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class ApprovalResult:
    """Who approved the plan for which purpose, by which key (empty in AWX), when and until when."""

    approver: str
    key: str
    how: str
    purpose: str
    created: datetime
    expires: datetime


@dataclass(frozen=True)
class BatchResult:
    """A batch of a wave: when it ran (None: it has not), and how many of its hosts came out how."""

    wave: str
    batch: int
    hosts: tuple[str, ...]
    began: datetime | None
    ended: datetime | None
    counts: dict[str, int]


@dataclass(frozen=True)
class AttemptResult:
    """One execution of a playbook on the plan; ``closed`` is None while it runs, or when its process died."""

    number: int
    purpose: str
    check_mode: bool
    who: str
    where: str
    revision: str
    dirty: bool | None
    job: str
    ansible_core: str
    collection: str
    opened: datetime
    closed: datetime | None
    in_order: bool
    """Whether it was closed with nothing of it left to look at."""
    limit: tuple[str, ...] | None
    executor: str
    """Who signed its opening, or started the workflow in AWX; empty where the policy asks for no approval."""
    executor_key: str
    ticket: str = ""
    """The id of the change's ticket that its opening names."""
    incomplete: bool = False
    """Its process ended before it was closed, and somebody else has closed it."""
    begun: tuple[datetime, ...] = ()
    """When it began each of the hosts that it began."""

    @property
    def state(self) -> AttemptState:
        """Whether it came to its end."""
        if self.closed is None:
            return AttemptState.OPEN
        return AttemptState.INCOMPLETE if self.incomplete else AttemptState.CLOSED


@dataclass(frozen=True)
class Report:
    """Everything a report shows of one plan. ``user_requests`` are counts that something else measured, or None."""

    tenant: str
    plan: str
    cycle: str
    created: str
    expires: str
    revision: str
    query: dict[str, str | None] | None
    """What found the population: inventory, hosts and limit; None in plans of before."""
    left_out: LeftOut | None
    """Whom the inventory has besides; None where it does not say it."""
    approval: str
    """How its policy wants it approved: ``none``, ``signature`` or ``awx``; empty where the plan does not say it."""
    missing: tuple[str, ...]
    """Hosts of earlier plans that the inventory no longer had."""
    hosts: tuple[HostResult, ...]
    counts: dict[str, int]
    cves: tuple[ClosedCve, ...]
    unknown_cves: int
    left: tuple[LeftUpdate, ...]
    holds: tuple[Hold, ...]
    waivers: tuple[Waiver, ...]
    gates: tuple[ClosedGate, ...]
    overrides: tuple[Override, ...]
    batches: tuple[BatchResult, ...]
    approvals: tuple[ApprovalResult, ...]
    attempts: tuple[AttemptResult, ...]
    ledger: Verification
    torn: int
    """Entries that were never written whole, and lie beside the ledger."""
    user_requests: dict[str, Any] | None
    troubles: tuple[str, ...] = field(default=())
    """What somebody must look at, one sentence each; empty when the plan is done and well."""

    @property
    def began(self) -> datetime | None:
        """When the first batch began."""
        return min((batch.began for batch in self.batches if batch.began), default=None)

    @property
    def ended(self) -> datetime | None:
        """When the last batch ended."""
        return max((batch.ended for batch in self.batches if batch.ended), default=None)

    @property
    def seconds(self) -> float | None:
        """From the first batch to the last."""
        return (self.ended - self.began).total_seconds() if self.began and self.ended else None

    @property
    def last_moment(self) -> datetime:
        """When the last thing happened that the record of the plan tells of."""
        attempts = [moment for attempt in self.attempts for moment in (attempt.opened, attempt.closed)]
        told = [*attempts, self.ended, *(approval.created for approval in self.approvals)]
        created = datetime.fromisoformat(self.created)
        return max((moment for moment in told if moment), default=created).astimezone(timezone.utc)

    @property
    def waiting(self) -> int:
        """How many hosts a further attempt takes, as planned."""
        return sum(host.waiting for host in self.hosts)

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        total, well = len(self.hosts), sum(host.well for host in self.hosts)
        verified = self.counts[HostOutcome.VERIFIED]
        waiting = f"; waiting: {self.waiting} hosts" if self.waiting else ""
        if not self.troubles:
            rest = f", {well - verified} needed no change" if well > verified else ""
            return f"All is well: {verified} of {total} hosts were patched and verified{rest}{waiting}."
        attention = sum(host.needs_attention for host in self.hosts)
        if not attention:
            whole = f"All {total} hosts are well" if well == total else f"{well} of {total} hosts are well{waiting}"
            return f"{whole}, but {len(self.troubles)} other matters need attention."
        return f"{attention} of {total} hosts need attention; {verified} were patched and verified{waiting}."
