# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a plan has come, read from its ledger alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import (
    EntryOutcome,
    HostOutcome,
    Phase,
)

# Lines with one of these decide; the others need not be parsed, which counts on a large ledger.
_PHASES = (Phase.OPEN, Phase.CLOSE, Phase.OUTCOME, Phase.STAGE, Phase.PREFLIGHT, Phase.DRAIN)
_MARKS = (
    f'"outcome":"{EntryOutcome.INTENT.value}"'.encode(),
    *(f'"phase":"{phase.value}"'.encode() for phase in _PHASES),
)

SPENDING = frozenset({HostOutcome.UNREACHABLE, HostOutcome.FAILED, HostOutcome.ROLLED_BACK})
"""Outcomes that count against the failure budget."""

FINISHED = frozenset(HostOutcome) - {HostOutcome.UNREACHABLE, HostOutcome.SKIPPED, HostOutcome.NOT_ATTEMPTED}
"""Outcomes that no further attempt changes. What kept a host from being begun may be gone the next time."""


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
    recorder: bool = False
    closed: bool = False
    started: set[str] = field(default_factory=set)
    """Hosts with an intent to change in this attempt."""
    judged: set[str] = field(default_factory=set)
    """Hosts with an outcome of this attempt."""
    passed: set[tuple[str, Phase]] = field(default_factory=set)
    """The preflights and drains that went well in this attempt."""
    remaining: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What the preflight of a host left to be changed."""


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


@dataclass
class Progress:
    """All attempts of a plan, in order, and the latest outcome of every host that has one."""

    attempts: list[Attempt] = field(default_factory=list)
    outcomes: dict[str, Finished] = field(default_factory=dict)
    staged: set[str] = field(default_factory=set)

    @property
    def current(self) -> Attempt | None:
        """The attempt that is open, if one is."""
        return next((attempt for attempt in reversed(self.attempts) if not attempt.closed), None)

    def in_the_middle(self, host: str) -> bool:
        """Whether the host was begun and went away, or was never judged: it may be drained and half changed."""
        applied = (attempt for attempt in reversed(self.attempts) if attempt.purpose == "apply")
        begun = next((attempt for attempt in applied if host in attempt.started), None)
        if begun is None:
            return False
        done = self.outcomes.get(host)
        return host not in begun.judged or (done is not None and done.outcome is HostOutcome.UNREACHABLE)

    @property
    def spent(self) -> list[str]:
        """The hosts that count against the failure budget, sorted."""
        return sorted(host for host, done in self.outcomes.items() if done.outcome in SPENDING and not done.by_plan)


def read_progress(lines: Iterable[bytes]) -> Progress:
    """Read the ledger's lines; the chain itself is verified elsewhere."""
    progress = Progress()
    for line in lines:
        if not any(mark in line for mark in _MARKS):
            continue
        _take(progress, json.loads(line))
    return progress


def _take(progress: Progress, entry: dict[str, Any]) -> None:
    phase, outcome, host = entry["phase"], entry["outcome"], entry["host"]
    went_well = outcome in (EntryOutcome.OK, EntryOutcome.CHANGED)
    if phase == Phase.OPEN:
        _take_opening(progress, entry)
    elif phase == Phase.CLOSE:
        for attempt in progress.attempts:
            attempt.closed = attempt.closed or attempt.number == entry["attempt"]
    elif phase == Phase.STAGE and went_well:
        progress.staged.add(host)
    elif phase == Phase.OUTCOME:
        _take_outcome(progress, entry)
    latest = progress.attempts[-1] if progress.attempts else None
    if latest and latest.number == entry["attempt"] and host is not None:
        _take_step(latest, phase, outcome, entry, went_well)


def _take_step(attempt: Attempt, phase: str, outcome: str, entry: dict[str, Any], went_well: bool) -> None:
    """What an entry says about the way of a host in its attempt."""
    host = entry["host"]
    if phase == Phase.OUTCOME:
        attempt.judged.add(host)
    elif outcome == EntryOutcome.INTENT:
        attempt.started.add(host)
    elif phase in (Phase.PREFLIGHT, Phase.DRAIN) and went_well:
        attempt.passed.add((host, Phase(phase)))
        if phase == Phase.PREFLIGHT:
            attempt.remaining[host] = entry["data"].get("remaining", [])


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
        )
    )
