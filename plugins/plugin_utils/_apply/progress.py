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
_PHASES = (Phase.OPEN, Phase.CLOSE, Phase.OUTCOME, Phase.PREFLIGHT, Phase.DRAIN)
_MARKS = (
    f'"outcome":"{EntryOutcome.INTENT.value}"'.encode(),
    *(f'"phase":"{phase.value}"'.encode() for phase in _PHASES),
)

SPENDING = frozenset({HostOutcome.UNREACHABLE, HostOutcome.FAILED, HostOutcome.ROLLED_BACK})
"""Outcomes that count against the failure budget."""

FINISHED = frozenset(HostOutcome) - {HostOutcome.UNREACHABLE, HostOutcome.NOT_ATTEMPTED}
"""Outcomes that no further attempt changes."""


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


@dataclass(frozen=True)
class Finished:
    """The outcome of a host, and when it was reached."""

    outcome: HostOutcome
    in_service: str
    reason: str
    time: datetime
    attempt: int


@dataclass
class Progress:
    """All attempts of a plan, in order, and the latest outcome of every host that has one."""

    attempts: list[Attempt] = field(default_factory=list)
    outcomes: dict[str, Finished] = field(default_factory=dict)

    @property
    def current(self) -> Attempt | None:
        """The attempt that is open, if one is."""
        return next((attempt for attempt in reversed(self.attempts) if not attempt.closed), None)

    def in_the_middle(self, host: str) -> bool:
        """Whether the last attempt that began the host never judged it: it may be drained and half changed."""
        begun = next((attempt for attempt in reversed(self.attempts) if host in attempt.started), None)
        return begun is not None and begun.purpose == "apply" and host not in begun.judged

    @property
    def spent(self) -> list[str]:
        """The hosts that count against the failure budget, sorted."""
        return sorted(host for host, finished in self.outcomes.items() if finished.outcome in SPENDING)


def read_progress(lines: Iterable[bytes]) -> Progress:
    """Read the ledger's lines; the chain itself is verified elsewhere."""
    progress = Progress()
    for line in lines:
        if not any(mark in line for mark in _MARKS):
            continue
        entry: dict[str, Any] = json.loads(line)
        attempt = progress.attempts[-1] if progress.attempts else None
        if entry["phase"] == Phase.OPEN:
            _take_opening(progress, entry)
        elif attempt and attempt.number == entry["attempt"] and entry["outcome"] == EntryOutcome.INTENT:
            attempt.started.add(entry["host"])
        elif attempt and attempt.number == entry["attempt"] and entry["phase"] in (Phase.PREFLIGHT, Phase.DRAIN):
            if entry["outcome"] in (EntryOutcome.OK, EntryOutcome.CHANGED):
                attempt.passed.add((entry["host"], Phase(entry["phase"])))
        elif entry["phase"] == Phase.CLOSE:
            for closing in progress.attempts:
                closing.closed = closing.closed or closing.number == entry["attempt"]
        elif entry["phase"] == Phase.OUTCOME:
            data = entry["data"]
            if attempt:
                attempt.judged.add(entry["host"])
            progress.outcomes[entry["host"]] = Finished(
                HostOutcome(entry["outcome"]),
                str(data.get("in_service", "unknown")),
                str(data.get("reason", "")),
                datetime.fromisoformat(entry["time"]),
                entry["attempt"],
            )
    return progress


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
