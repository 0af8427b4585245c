# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a plan has come, read from its ledger alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_line
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import (
    AttemptState,
    EntryOutcome,
    HostOutcome,
    Phase,
)

# Lines with one of these decide; the others need not be parsed, which counts on a large ledger.
_PHASES = (
    Phase.OPEN,
    Phase.CLOSE,
    Phase.OUTCOME,
    Phase.STAGE,
    Phase.PREFLIGHT,
    Phase.DRAIN,
    Phase.SOAK,
    Phase.GATE,
    Phase.VERIFY,
)
_MARKS = (
    f'"outcome":"{EntryOutcome.INTENT.value}"'.encode(),
    *(f'"phase":"{phase.value}"'.encode() for phase in _PHASES),
)

_PREFLIGHT = f'"phase":"{Phase.PREFLIGHT.value}"'.encode()
# What is asked of any host of the plan: whether it came out well, and was still well after its wave had soaked.
_OUTCOME, _SOAK = (f'"phase":"{phase.value}"'.encode() for phase in (Phase.OUTCOME, Phase.SOAK))
_HOST = b'"host":'
# Keys are sorted: what decides stands behind the evidence, which may be long, and in fewer bytes than these.
_FIELDS_AFTER_DATA = 2048

SPENDING = frozenset({HostOutcome.UNREACHABLE, HostOutcome.FAILED, HostOutcome.ROLLED_BACK})
"""Outcomes that count against the failure budget."""

FINISHED = frozenset(HostOutcome) - {HostOutcome.UNREACHABLE, HostOutcome.SKIPPED, HostOutcome.NOT_ATTEMPTED}
"""Outcomes that no further attempt changes. What kept a host from being begun may be gone the next time."""


@dataclass(frozen=True)
class Intent:
    """What was about to be done to a host, and the evidence from before it."""

    phase: Phase
    attempt: int
    data: dict[str, Any]


@dataclass(frozen=True)
class Look:
    """How a host of a wave was, when somebody looked after the wave had soaked."""

    well: bool
    attempt: int
    time: datetime
    reason: str


@dataclass
class Attempt:
    """One execution of a playbook on a plan."""

    number: int
    purpose: str
    controller: str
    process: int
    opened: datetime
    batches: list[list[str]]
    check_mode: bool
    owner: str = ""
    """Who holds the leases of the attempt."""
    opening: dict[str, Any] = field(default_factory=dict)
    """What the opening entry says: the executor's signature, the change ticket."""
    recorder: bool = False
    closed: bool = False
    incomplete: bool = False
    """It was closed by somebody else, because its process ended before it came to that."""
    started: set[str] = field(default_factory=set)
    """Hosts with an intent to change in this attempt."""
    judged: set[str] = field(default_factory=set)
    """Hosts with an outcome of this attempt."""
    passed: set[tuple[str, Phase]] = field(default_factory=set)
    """The preflights and drains that went well in this attempt."""
    remaining: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What the preflight of a host left to be changed."""
    runs: dict[str, frozenset[str]] = field(default_factory=dict)
    """What the preflight of a resumed host found begun on it: ``apply``, ``rollback``, ``heal``."""
    gates: set[str] = field(default_factory=set)
    """The gates of the attempt as a whole that a hook has looked at and found open."""


@dataclass(frozen=True)
class Finished:
    """The outcome of a host, and when it was reached."""

    outcome: HostOutcome
    in_service: str
    reason: str
    time: datetime
    attempt: int
    by_plan: bool
    """The plan itself decided it, before anything was begun."""
    waiting: bool = False
    """It was left as it is because the plan goes that way: nobody need look at it."""
    seconds: float | None = None
    """How long the host took from its first step on."""
    estimated_seconds: int = 0

    @property
    def spends(self) -> bool:
        """Whether it counts against the failure budget, as one does that was skipped and may be out of service."""
        may_be_away = self.outcome is HostOutcome.SKIPPED and self.in_service != "yes"
        return self.outcome in SPENDING or may_be_away


@dataclass
class Progress:
    """All attempts of a plan, in order, and the latest outcome of every host that has one."""

    attempts: list[Attempt] = field(default_factory=list)
    outcomes: dict[str, Finished] = field(default_factory=dict)
    staged: set[str] = field(default_factory=set)
    unfinished: dict[str, list[Intent]] = field(default_factory=dict)
    """The intents for hosts that were begun and not judged since, or went away; the latest last."""
    proven: set[str] = field(default_factory=set)
    """Of these, hosts that were verified since the latest of these intents, but for the one to return to service."""
    looks: dict[str, Look] = field(default_factory=dict)
    """The latest look at each host of a wave that has soaked."""
    last_line: bytes | None = None

    @property
    def current(self) -> Attempt | None:
        """The attempt that is open, if one is."""
        return next((attempt for attempt in reversed(self.attempts) if not attempt.closed), None)

    def in_the_middle(self, host: str) -> bool:
        """Whether the host was begun and went away, or was never judged: it may be drained and half changed."""
        return host in self.unfinished

    def is_finished(self, host: str) -> bool:
        """Whether the host has an outcome that no further attempt changes."""
        done = self.outcomes.get(host)
        return done is not None and done.outcome in FINISHED and not self.in_the_middle(host)

    def began(self, host: str, phase: Phase) -> Intent | None:
        """The latest unfinished intent of this phase, if there is one."""
        return next((found for found in reversed(self.unfinished.get(host, [])) if found.phase is phase), None)

    @property
    def measured(self) -> list[tuple[float, int]]:
        """The measured and the estimated seconds of every verified host of which both are known."""
        return [
            (done.seconds, done.estimated_seconds)
            for done in self.outcomes.values()
            if done.outcome is HostOutcome.VERIFIED and done.seconds is not None and done.estimated_seconds > 0
        ]

    @property
    def spent(self) -> list[str]:
        """The hosts that count against the failure budget, sorted; of a rollback those that it could not bring back."""
        current = self.current
        if current and current.purpose == "rollback":
            own = {host: done for host, done in self.outcomes.items() if done.attempt == current.number}
            return sorted(host for host, done in own.items() if done.outcome in SPENDING - {HostOutcome.ROLLED_BACK})
        return sorted(host for host, done in self.outcomes.items() if done.spends and not done.by_plan)


def read_progress(lines: Iterable[bytes], host: str | None = None, neighbours: Iterable[str] = ()) -> Progress:
    """Read the ledger's lines; the chain itself is verified elsewhere.

    Who asks for one ``host`` learns its whole way, how far its ``neighbours`` went, and of all others the outcomes and
    looks alone: each host of a large plan asks several times, and most of the ledger is about the others' steps.
    """
    progress = Progress()
    decides = _decides if host is None else _deciding_for(host, neighbours)
    for line in lines:
        progress.last_line = line
        if decides(line):
            _take(progress, read_line(line))
    return progress


def _decides(line: bytes) -> bool:
    end = line[-_FIELDS_AFTER_DATA:]
    return any(mark in end for mark in _MARKS)


def _deciding_for(host: str, neighbours: Iterable[str]) -> Callable[[bytes], bool]:
    own, *others = (json.dumps(name, ensure_ascii=False).encode() for name in (host, *neighbours))
    near = {own, *others, b"null"}

    def decides(line: bytes) -> bool:
        # The entry's own host is the last: keys are sorted, and no quote within a text is written bare.
        end = line[line.rfind(_HOST) :]
        whose = end[len(_HOST) : end.find(b',"outcome":')]
        if whose not in near:
            return _OUTCOME in end or _SOAK in end
        # The others' preflights, the longest lines, say what is left to be changed of them alone.
        return any(mark in end for mark in _MARKS) and (whose == own or _PREFLIGHT not in end)

    return decides


def _take(progress: Progress, entry: dict[str, Any]) -> None:
    phase, outcome, host = entry["phase"], entry["outcome"], entry["host"]
    went_well = outcome in (EntryOutcome.OK, EntryOutcome.CHANGED)
    latest = progress.attempts[-1] if progress.attempts else None
    if phase == Phase.OPEN:
        _take_opening(progress, entry)
    elif phase == Phase.CLOSE:
        _take_close(progress, entry)
    elif phase == Phase.STAGE and went_well:
        progress.staged.add(host)
    elif phase == Phase.OUTCOME:
        _take_outcome(progress, entry)
    elif phase == Phase.SOAK:
        look = Look(
            went_well, entry["attempt"], datetime.fromisoformat(entry["time"]), str(entry["data"].get("msg", ""))
        )
        progress.looks[host] = look
    elif phase == Phase.GATE and went_well and latest and latest.number == entry["attempt"]:
        latest.gates.add(str(entry["data"].get("gate", "")))
    if latest and latest.number == entry["attempt"] and host is not None:
        _take_step(progress, latest, entry, went_well)


def _take_close(progress: Progress, entry: dict[str, Any]) -> None:
    """The first close counts: two that find a dead attempt at the same moment may both write one."""
    for attempt in progress.attempts:
        if attempt.number == entry["attempt"] and not attempt.closed:
            attempt.closed = True
            attempt.incomplete = entry["data"].get("state") == AttemptState.INCOMPLETE


def _take_step(progress: Progress, attempt: Attempt, entry: dict[str, Any], went_well: bool) -> None:
    """What an entry says about the way of a host in its attempt."""
    phase, host = entry["phase"], entry["host"]
    if phase == Phase.OUTCOME:
        attempt.judged.add(host)
        # An attempt that did not begin the host says nothing about what an earlier one left half done, unless it has
        # found that there was nothing left to do.
        began = host in attempt.started and entry["outcome"] not in (HostOutcome.UNREACHABLE, HostOutcome.NOT_ATTEMPTED)
        if began or entry["outcome"] in (HostOutcome.VERIFIED, HostOutcome.ROLLED_BACK):
            progress.unfinished.pop(host, None)
            progress.proven.discard(host)
    elif entry["outcome"] == EntryOutcome.INTENT:
        attempt.started.add(host)
        if attempt.purpose != "stage":
            progress.unfinished.setdefault(host, []).append(Intent(Phase(phase), entry["attempt"], entry["data"]))
            if phase != Phase.RETURN:
                progress.proven.discard(host)
    elif phase == Phase.VERIFY and went_well:
        progress.proven.add(host)
    elif phase in (Phase.PREFLIGHT, Phase.DRAIN) and went_well:
        attempt.passed.add((host, Phase(phase)))
        if phase == Phase.PREFLIGHT:
            attempt.remaining[host] = entry["data"].get("remaining", [])
            runs = entry["data"].get("runs")
            attempt.runs[host] = frozenset(runs) if isinstance(runs, dict) else frozenset()


def _take_outcome(progress: Progress, entry: dict[str, Any]) -> None:
    """Keep the outcome, unless it only says that the host was left as an earlier outcome has it: nothing got better."""
    data, outcome = entry["data"], HostOutcome(entry["outcome"])
    known = progress.outcomes.get(entry["host"])
    if outcome is HostOutcome.NOT_ATTEMPTED and known and known.outcome is not HostOutcome.NOT_ATTEMPTED:
        return
    progress.outcomes[entry["host"]] = Finished(
        outcome,
        str(data.get("in_service", "unknown")),
        str(data.get("reason", "")),
        datetime.fromisoformat(entry["time"]),
        entry["attempt"],
        bool(data.get("by_plan", False)),
        data.get("waiting") is True,
        data.get("seconds"),
        int(data.get("estimated_seconds", 0)),
    )


def _take_opening(progress: Progress, entry: dict[str, Any]) -> None:
    """An opening has two entries: the attempt's own, and the recorder's word that it is listening."""
    data = entry["data"]
    if "recorder" in data:
        for opened in progress.attempts:
            opened.recorder = opened.recorder or opened.number == entry["attempt"]
        return
    opening = data["opening"]
    progress.attempts.append(
        Attempt(
            number=entry["attempt"],
            purpose=opening["purpose"],
            controller=opening["controller"],
            process=opening["process"],
            opened=datetime.fromisoformat(entry["time"]),
            batches=opening["batches"],
            check_mode=opening["check_mode"],
            owner=str(opening.get("owner", "")),
            opening=opening,
        )
    )
