# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the status of a plan shows: plain facts, with no word of layout."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt

LEFT = "left"
"""What a host is counted as whose turn has not come."""


class PlanState(StrEnum):
    """Where a plan stands."""

    PLANNED = "planned"
    STAGED = "staged"
    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"
    SPENT = "spent"
    INTERRUPTED = "interrupted"
    EXPIRED = "expired"
    COMPLETE = "complete"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Expectation:
    """By when a plan must have begun, or be complete."""

    by: datetime
    complete: bool

    @property
    def words(self) -> str:
        """What must be so, after "have"."""
        return "been complete" if self.complete else "begun"


@dataclass(frozen=True)
class HostInWork:
    """A host in the open attempt: ``doing`` says whether its phase goes on, or was the last that came to an end."""

    host: str
    phase: str
    doing: bool
    since: datetime


@dataclass(frozen=True)
class BatchStatus:
    """A batch: ``counts`` of its hosts by outcome, by phase of those in work, and of those that are left."""

    wave: str
    batch: int
    hosts: int
    left: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Waiting:
    """Why so many hosts that are left have not come to an end yet."""

    reason: str
    hosts: int


@dataclass(frozen=True)
class PlanStatus:
    """Everything that is shown of one plan. ``troubles`` are what somebody must look at, a clause each."""

    tenant: str
    plan: str
    cycle: str
    created: str
    expires: str
    now: datetime
    state: PlanState
    attempt: Attempt | None
    incomplete: tuple[Attempt, ...]
    """Attempts whose process ended before they were closed, and which somebody else has closed."""
    stop: str | None
    hosts: int
    counts: dict[str, int]
    batches: tuple[BatchStatus, ...]
    in_work: tuple[HostInWork, ...]
    spent: tuple[str, ...]
    allowed: int
    waiting: tuple[Waiting, ...]
    soaks_until: datetime | None
    measured_seconds: tuple[float, ...]
    estimated_end: datetime | None
    entries: int
    last_entry: datetime | None
    troubles: tuple[str, ...]

    @property
    def mean_seconds(self) -> float | None:
        """How long a verified host took on average; None when none was measured."""
        return sum(self.measured_seconds) / len(self.measured_seconds) if self.measured_seconds else None

    def as_data(self) -> dict[str, Any]:
        """The status as plain data, for other programs (docs/contracts.md)."""
        mean = self.mean_seconds
        return {
            "tenant": self.tenant,
            "plan": self.plan,
            "cycle": self.cycle,
            "created": self.created,
            "expires": self.expires,
            "state": self.state.value,
            "attempt": _attempt(self.attempt),
            "incomplete": [_attempt(attempt) for attempt in self.incomplete],
            "stop": self.stop,
            "hosts": self.hosts,
            "counts": self.counts,
            "batches": [vars(batch) for batch in self.batches],
            "in_work": [{**vars(host), "since": _moment(host.since)} for host in self.in_work],
            "budget": {"spent": list(self.spent), "allowed": self.allowed},
            "waiting": [vars(waiting) for waiting in self.waiting],
            "soaks_until": _moment(self.soaks_until),
            "pace": {"hosts": len(self.measured_seconds), "mean_seconds": None if mean is None else round(mean, 1)},
            "estimated_end": _moment(self.estimated_end),
            "ledger": {"entries": self.entries, "last_entry": _moment(self.last_entry)},
            "troubles": list(self.troubles),
        }


def read_expectation(by: str | None, complete: bool | None, now: datetime) -> Expectation | None:
    """What is expected of a plan; without a time it is expected now. A date means the end of that day (UTC).

    Raises FleetError of kind ``bad_time``.
    """
    if by is None:
        return None if complete is None else Expectation(now, complete)
    return Expectation(_deadline(by), bool(complete))


def _deadline(by: str) -> datetime:
    try:
        day = date.fromisoformat(by)
    except ValueError:
        day = None
    if day:
        return datetime.combine(day + timedelta(days=1), time(), timezone.utc)
    try:
        moment = datetime.fromisoformat(by)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise FleetError(
            f"patch_expected_by: {by!r} is neither a date nor a time with its zone.",
            kind="bad_time",
            remedy="Write 2026-11-11, or 2026-11-11T04:00:00Z.",
        )
    return moment


def _attempt(attempt: Attempt | None) -> dict[str, Any] | None:
    if attempt is None:
        return None
    return {
        "number": attempt.number,
        "purpose": attempt.purpose,
        "check_mode": attempt.check_mode,
        "controller": attempt.controller,
        "process": attempt.process,
        "opened": _moment(attempt.opened),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
