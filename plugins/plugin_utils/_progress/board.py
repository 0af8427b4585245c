# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a run has come: what it was told by Ansible, and what follows from that. No word of layout."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.estimate import (
    batch_seconds,
    expected_batch_seconds,
    measured_factor,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outcomes import Done
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outlook import Batch, Outlook


@dataclass(frozen=True)
class InWork:
    """A host that something is done with, since when that goes on, and since when the host is on its way."""

    what: str
    since: float
    begun: float


@dataclass
class AttemptBoard:
    """One attempt. Hosts come to their ``done`` batch by batch."""

    outlook: Outlook
    batch_of: dict[str, Batch] = field(init=False)
    done: dict[str, Done] = field(default_factory=dict)
    factor: float | None = None
    """How much longer hosts take than was estimated; None before one was verified."""
    current: Batch | None = None
    """The batch that began last."""
    closed: bool = False
    _done_of_batch: Counter[Batch] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.batch_of = {host: batch for batch in self.outlook.batches for host in batch.hosts}

    def finish(self, host: str, done: Done, seconds: float | None) -> None:
        """Take what became of a host, and in how many seconds where that was measured."""
        batch = self.batch_of[host]
        if host not in self.done:
            self._done_of_batch[batch] += 1
        self.done[host] = done
        if done.outcome == HostOutcome.VERIFIED and seconds is not None:
            self.factor = max(self.factor or 0.0, measured_factor([(seconds, batch.hosts[host])]))

    def is_done(self, batch: Batch) -> bool:
        """Whether every host of a batch has come to an end."""
        return self._done_of_batch[batch] == len(batch.hosts)

    def wave(self, name: str) -> list[Batch]:
        """The batches of a wave that this attempt works on."""
        return [batch for batch in self.outlook.batches if batch.wave == name]

    def waves(self) -> dict[str, list[Batch]]:
        """All of them, by wave, in order."""
        return {name: self.wave(name) for name in dict.fromkeys(batch.wave for batch in self.outlook.batches)}

    def counts(self, batches: Iterable[Batch] | None = None) -> Counter[str]:
        """How many hosts have come to which end, of some batches or of the whole plan."""
        if batches is None:
            return Counter(self.outlook.before) + Counter(done.outcome for done in self.done.values())
        return Counter(self.done[host].outcome for batch in batches for host in batch.hosts if host in self.done)

    def done_of(self, batches: Iterable[Batch]) -> int:
        """How many hosts of these batches have come to an end."""
        return sum(self._done_of_batch[batch] for batch in batches)

    def spent(self) -> list[str]:
        """The hosts that count against the failure budget now, sorted."""
        now = {host for host, done in self.done.items() if done.spends(self.outlook.purpose)}
        return sorted((self.outlook.spent - self.done.keys()) | now)

    def expected_seconds(self, host: str) -> int:
        """How long a host takes, by the plan's estimate and by what was measured so far."""
        return math.ceil(self.batch_of[host].hosts[host] * (self.factor or 1.0))

    def seconds_left(self, in_work: Mapping[str, InWork], now: float) -> int:
        """Seconds of work before this attempt, at the pace measured so far; a soak is no work."""
        return math.ceil(
            sum(self._seconds_of(batch, in_work, now) for batch in self.outlook.batches if not self.is_done(batch))
        )

    def _seconds_of(self, batch: Batch, in_work: Mapping[str, InWork], now: float) -> float:
        left, factor = [host for host in batch.hosts if host not in self.done], self.factor or 1.0
        if batch is not self.current:
            return expected_batch_seconds(left, batch.hosts, factor)
        # What is in work has some of its time behind it, more than it was given if it is slow.
        gone = {host: now - in_work[host].begun if host in in_work else 0.0 for host in left}
        return max((max(0.0, batch.hosts[host] * factor - gone[host]) for host in left), default=0.0)


def planned_seconds(batches: Iterable[Batch]) -> int:
    """How long batches take one after the other, by the plan alone."""
    return sum(batch_seconds(list(batch.hosts), batch.hosts) for batch in batches)


@dataclass
class Board:
    """A whole run: its attempts, and everything that is in work. Moments are seconds of one clock that never jumps."""

    began: float
    play: str = ""
    task: str = ""
    in_work: dict[str, InWork] = field(default_factory=dict)
    attempts: list[AttemptBoard] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)
    """How the task that runs now ended on how many hosts."""
    _ways: dict[str, float] = field(default_factory=dict)
    """When the hosts on their way, which may be several tasks, were begun."""

    def starts_task(self, name: str) -> None:
        """A task begins, on whichever hosts."""
        self.task = name
        self.results.clear()

    def starts(self, host: str, what: str, now: float, *, way: bool = False) -> None:
        """A task begins on a host; ``what`` is its phase where it has one. A ``way`` lasts until ``arrives``."""
        if way:
            self._ways.setdefault(host, now)
        self.in_work[host] = InWork(what, now, self._ways.get(host, now))

    def goes_on(self, host: str, phase: str, now: float) -> None:
        """A worker said that a host in work comes to its next phase; of others it says so too late."""
        before = self.in_work.get(host)
        if before:
            self.in_work[host] = InWork(phase, now, before.begun)

    def ends(self, host: str, how: str) -> None:
        """A task has ended on a host."""
        self.results[how] += 1
        self.in_work.pop(host, None)

    def arrives(self, host: str, now: float) -> float | None:
        """A host has come to its end: how many seconds it was on its way; None when it never was."""
        begun = self._ways.pop(host, None)
        return None if begun is None else now - begun

    def attempt_of(self, host: str) -> AttemptBoard | None:
        """The open attempt that works on a host."""
        return next((each for each in self.open_attempts() if host in each.batch_of), None)

    def open_attempts(self) -> list[AttemptBoard]:
        """Attempts that this run has open."""
        return [each for each in self.attempts if not each.closed]
