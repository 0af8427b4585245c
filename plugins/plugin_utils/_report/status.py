# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a plan has come at this moment, also while another process applies it: read from plan and ledger alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import (
    Attempt,
    Finished,
    Progress,
    read_progress,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import Verification, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.estimate import (
    expected_batch_seconds,
    measured_factor,
    rough_seconds,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Decision, PlanHead
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.status_model import (
    LEFT,
    BatchStatus,
    Expectation,
    HostInWork,
    PlanState,
    PlanStatus,
    Waiting,
)

GOOD = frozenset({HostOutcome.VERIFIED, HostOutcome.UNCHANGED})
_ABOUT_THE_ATTEMPT = (Phase.SOAK, Phase.GATE, Phase.RECONCILE)
"""Entries that are no step of a host's way."""


def read_status(
    head: PlanHead,
    plan: str,
    lines: Callable[[], Iterable[bytes]],
    *,
    now: datetime,
    living: Callable[[Attempt], bool],
    stop: str | None,
    expectation: Expectation | None = None,
) -> PlanStatus:
    """The status of a plan.

    ``lines`` gives its ledger anew each time; ``living`` says whether an open attempt's process lives; ``stop`` is what
    asks the tenant's attempts to stop. Nothing is read from a ledger that does not verify.
    """
    ledger = verify(lines())
    progress = read_progress(lines()) if ledger.ok else Progress()
    return _Reader(head, plan, progress, ledger, now, living, stop).status(lines, expectation)


class _Reader:
    """What the questions to one plan have in common."""

    def __init__(
        self,
        head: PlanHead,
        plan: str,
        progress: Progress,
        ledger: Verification,
        now: datetime,
        living: Callable[[Attempt], bool],
        stop: str | None,
    ) -> None:
        self._head, self._plan, self._progress, self._ledger = head, plan, progress, ledger
        self._now, self._stop = now, stop
        self._open = progress.current
        self._lives = self._open is not None and living(self._open)
        self._left = {
            host
            for host, entry in head["hosts"].items()
            if entry["decision"] == Decision.PATCH and not progress.is_finished(host)
        }
        applied = [each for each in progress.attempts if each.purpose == "apply" and not each.check_mode]
        self._applied = bool(applied)
        self._begun = any(each.started for each in applied) or (self._applied and not self._left)
        self._expired = datetime.fromisoformat(head["expires"]) <= now

    def status(self, lines: Callable[[], Iterable[bytes]], expectation: Expectation | None) -> PlanStatus:
        """Everything that is shown."""
        in_work = self._in_work(lines()) if self._open else {}
        batches = tuple(self._batches(in_work))
        state = self._state()
        soaks_until = self._soaks_until()
        return PlanStatus(
            tenant=self._head["tenant"],
            plan=self._plan,
            cycle=self._head["cycle"],
            created=self._head["created"],
            expires=self._head["expires"],
            now=self._now,
            state=state,
            attempt=self._open,
            incomplete=tuple(each for each in self._progress.attempts if each.incomplete),
            stop=self._stop,
            hosts=len(self._head["hosts"]),
            counts=dict(Counter(self._count(host, in_work) for host in self._head["hosts"])),
            batches=batches,
            in_work=tuple(in_work.values()),
            spent=tuple(self._progress.spent),
            allowed=int(self._head["limits"]["max_failed"]),
            waiting=tuple(self._waiting(in_work)),
            soaks_until=soaks_until,
            measured_seconds=tuple(seconds for seconds, _estimated in self._measured()),
            estimated_end=self._estimated_end(in_work) if self._ledger.ok and self._left else None,
            entries=self._ledger.count,
            last_entry=self._last_entry(),
            troubles=tuple(self._troubles(state, expectation, in_work)),
        )

    def _state(self) -> PlanState:
        if not self._ledger.ok:
            return PlanState.UNKNOWN
        if self._open:
            return PlanState.RUNNING if self._lives else PlanState.INTERRUPTED
        if self._applied and not self._left:
            return PlanState.COMPLETE
        if self._expired:
            return PlanState.EXPIRED
        if self._stop:
            return PlanState.STOPPED
        # A host that is tried again does not stand in its own way.
        if len(set(self._progress.spent) - self._left) > self._head["limits"]["max_failed"]:
            return PlanState.SPENT
        if self._applied:
            return PlanState.WAITING
        return PlanState.STAGED if self._progress.staged else PlanState.PLANNED

    def _count(self, host: str, in_work: Mapping[str, HostInWork]) -> str:
        """What a host is counted as: the phase it is in, its outcome, or that it is left."""
        if host in in_work:
            return in_work[host].phase
        done, decision = self._progress.outcomes.get(host), self._head["hosts"][host]["decision"]
        if done and done.outcome is not HostOutcome.NOT_ATTEMPTED:
            return done.outcome.value
        return LEFT if decision == Decision.PATCH else decision

    def _in_work(self, lines: Iterable[bytes]) -> dict[str, HostInWork]:
        """The hosts that the open attempt has come to, and to no end, each with its latest entry."""
        attempt = self._open
        found: dict[str, HostInWork] = {}
        if attempt is None or attempt.purpose == "stage" or attempt.check_mode:
            return found
        mark = f'"attempt":{attempt.number},'.encode()
        for line in lines:
            entry = json.loads(line) if mark in line else {}
            host = entry.get("host")
            if host is None or entry["attempt"] != attempt.number or entry["phase"] in _ABOUT_THE_ATTEMPT:
                continue
            if entry["phase"] == Phase.OUTCOME:
                found.pop(host, None)
            else:
                doing = entry["outcome"] == EntryOutcome.INTENT
                found[host] = HostInWork(host, entry["phase"], doing, datetime.fromisoformat(entry["time"]))
        return found

    def _batches(self, in_work: Mapping[str, HostInWork]) -> Iterable[BatchStatus]:
        for wave in self._head["waves"]:
            for number, batch in enumerate(wave["batches"], start=1):
                counts = Counter(self._count(host, in_work) for host in batch)
                left = sum(host in self._left for host in batch)
                yield BatchStatus(wave["name"], number, len(batch), left, dict(counts))

    def _waiting(self, in_work: Mapping[str, HostInWork]) -> Iterable[Waiting]:
        """Why the hosts that are left were not begun or did not come to an end, the most frequent reason first."""
        outcomes = self._progress.outcomes
        reasons = Counter(outcomes[host].reason for host in self._left if host in outcomes and host not in in_work)
        for reason, hosts in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
            yield Waiting(reason, hosts)

    def _soaks_until(self) -> datetime | None:
        """When the wave before the one whose turn it is has soaked; None when nothing soaks."""
        soaked: datetime | None = None
        for wave in self._head["waves"]:
            hosts = [host for batch in wave["batches"] for host in batch]
            if not hosts:
                continue
            if any(host in self._left for host in hosts):
                return soaked if soaked and soaked > self._now else None
            soaked = self._last(hosts) + timedelta(minutes=wave["soak_minutes"])
        return None

    def _last(self, hosts: Iterable[str]) -> datetime:
        return max(self._progress.outcomes[host].time for host in hosts)

    def _measured(self) -> list[tuple[float, int]]:
        """The measured and the roughly estimated seconds of the verified hosts; the plan's head has no better ones."""
        return [
            (done.seconds, self._rough(host))
            for host, done in self._progress.outcomes.items()
            if done.outcome is HostOutcome.VERIFIED and done.seconds is not None and host in self._head["hosts"]
        ]

    def _rough(self, host: str) -> int:
        return rough_seconds(self._head["hosts"][host]["updates"])

    def _estimated_end(self, in_work: Mapping[str, HostInWork]) -> datetime:
        """When the last host would be done if everything went on at once, at the pace measured so far."""
        factor, clock = measured_factor(self._measured()), self._now
        ready = clock
        for wave in self._head["waves"]:
            hosts = [host for batch in wave["batches"] for host in batch]
            left = [[host for host in batch if host in self._left] for batch in wave["batches"]]
            if any(left):
                clock = max(clock, ready)
                clock += timedelta(seconds=sum(self._batch_seconds(batch, in_work, factor) for batch in left if batch))
            if hosts:
                ready = (clock if any(left) else self._last(hosts)) + timedelta(minutes=wave["soak_minutes"])
        return clock

    def _batch_seconds(self, batch: list[str], in_work: Mapping[str, HostInWork], factor: float) -> float:
        """What is left of a batch; of one in work the time since its latest step has gone by."""
        whole = expected_batch_seconds(batch, {host: self._rough(host) for host in batch}, factor)
        gone = [self._now - in_work[host].since for host in batch if host in in_work]
        return max(0.0, whole - max(gone).total_seconds()) if gone else whole

    def _last_entry(self) -> datetime | None:
        line = self._progress.last_line
        return datetime.fromisoformat(json.loads(line)["time"]) if line else None

    def _troubles(
        self, state: PlanState, expectation: Expectation | None, in_work: Mapping[str, HostInWork]
    ) -> Iterable[str]:
        yield from (f"the ledger does not verify: {problem}" for problem in self._ledger.problems)
        if not self._ledger.ok:
            return
        if state is PlanState.INTERRUPTED and self._open:
            yield (
                f"attempt {self._open.number} ({self._open.purpose}) of {self._open.controller} is open, and its "
                f"process does not live; run patch_{self._open.purpose}.yml again, which resumes it"
            )
        if self._expired and not self._applied:
            yield f"it was never applied, and expired at {self._head['expires']}"
        elif self._expired and self._left:
            yield f"it expired at {self._head['expires']}, and {len(self._left)} hosts are left"
        if expectation and expectation.by <= self._now and not self._is_met(expectation):
            yield f"it should have {expectation.words} by {expectation.by:%Y-%m-%d %H:%M} UTC"
        for host in sorted(self._head["hosts"]):
            reason = None if host in in_work and self._lives else self._unwell(host)
            if reason:
                yield f"{host}: {reason}"

    def _is_met(self, expectation: Expectation) -> bool:
        """An attempt that a gate kept from every host is no beginning."""
        return self._applied and not self._left if expectation.complete else self._begun

    def _unwell(self, host: str) -> str | None:
        """Why somebody must look at a host; None when it is well, or merely has not had its turn."""
        done, look = self._progress.outcomes.get(host), self._progress.looks.get(host)
        if self._progress.in_the_middle(host):
            return "its change was begun, and its outcome is not known"
        if done is None:
            return None
        if done.outcome is HostOutcome.VERIFIED and look and not look.well and look.time >= done.time:
            return f"verified, and not well any more: {look.reason}"
        had_no_turn = done.outcome is HostOutcome.NOT_ATTEMPTED and host in self._left
        if done.in_service == "yes" and (done.outcome in GOOD or had_no_turn):
            return None
        return _sentence(done)


def _sentence(done: Finished) -> str:
    service = {"yes": "in service", "no": "out of service"}.get(done.in_service, "perhaps out of service")
    return f"{done.outcome.value.replace('_', ' ')}, {service}{f': {done.reason}' if done.reason else ''}"
