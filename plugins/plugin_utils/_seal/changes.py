# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts a ledger says were changed, in which attempt, and when: each such word needs an approval."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.reconcile import RUNS

_CLAIMS = frozenset((HostOutcome.VERIFIED, HostOutcome.ROLLED_BACK, HostOutcome.FAILED))
"""Outcomes that speak of a change; a plan itself decides none of them."""
_CHANGING = frozenset((Phase.DRAIN, Phase.APPLY, Phase.RESTART, Phase.REBOOT, Phase.ROLLBACK, Phase.RETURN))
_STEPS = _CHANGING - {Phase.RETURN}
"""Steps that change a host. Whoever puts a server back to work, also by a task of their own, changes nothing of it."""
_STOPPED = tuple(f'"outcome":"{outcome.value}"'.encode() for outcome in (EntryOutcome.FAILED, EntryOutcome.UNREACHABLE))

_MARKS = (
    f'"outcome":"{EntryOutcome.INTENT.value}"'.encode(),
    *(f'"phase":"{phase.value}"'.encode() for phase in (Phase.OPEN, Phase.OUTCOME, Phase.RECONCILE, Phase.CLOSE)),
    # As they stand beside each other in a canonical line: most steps of a ledger changed nothing.
    *(f'"outcome":"{EntryOutcome.CHANGED.value}","phase":"{phase.value}"'.encode() for phase in sorted(_STEPS)),
)


@dataclass(frozen=True)
class Span:
    """The time in which a host was begun: a moment, unless only somebody who came later has said that it was."""

    earliest: datetime
    latest: datetime


@dataclass
class Changes:
    """``begun``: by attempt, when each host was begun.

    ``unopened``: by attempt, the hosts that were changed in one that was not opened for changes. ``late``: those that
    were begun in one that was closed already. ``unlearned``: the hosts of which a change was recorded as learned from
    them, and nothing was learned. ``openings``: the attempts that were opened in a way in which no attempt is.
    """

    begun: dict[int, dict[str, Span]] = field(default_factory=dict)
    unopened: dict[int, set[str]] = field(default_factory=dict)
    late: dict[int, set[str]] = field(default_factory=dict)
    unlearned: dict[int, set[str]] = field(default_factory=dict)
    openings: dict[int, str] = field(default_factory=dict)


def read_changes(lines: Callable[[], Iterable[bytes]]) -> Changes:
    """Read a ledger, which ``lines`` gives anew each time. Raises KeyError, TypeError and ValueError for no shape."""
    reader = _Reader()
    for entry in _entries(lines(), _MARKS):
        reader.take(entry)
    # Failed before anything was changed: rare, and it takes the other steps of these hosts to see that.
    untouched = _untouched(lines(), reader.failed.keys()) if reader.failed else set()
    for (attempt, host), (span, late) in reader.failed.items():
        if (attempt, host) not in untouched:
            reader.note(attempt, host, span, late=late)
    return reader.changes


class _Reader:
    def __init__(self) -> None:
        self.changes = Changes()
        self.failed: dict[tuple[int, str], tuple[Span, bool]] = {}
        """Hosts that failed without an intent, and whether that was after the end of their attempt."""
        self._opened: dict[int, datetime | None] = {}
        """When each attempt was opened; None for one that may not change anything."""
        self._closed: set[int] = set()
        self._simulated: set[int] = set()
        """Attempts in check mode, whose steps say what they would have changed."""
        self._learned: dict[tuple[int, str], set[str]] = {}

    def take(self, entry: dict[str, Any]) -> None:
        phase, outcome = entry["phase"], entry["outcome"]
        number, host, moment = entry["attempt"], entry["host"], datetime.fromisoformat(entry["time"])
        if phase == Phase.OPEN:
            self._take_opening(number, entry["data"], moment)
        elif phase == Phase.CLOSE:
            self._closed.add(number)
        elif phase == Phase.RECONCILE and outcome == EntryOutcome.OK:
            self._learned.setdefault((number, host), set()).update(entry["data"]["runs"])
        elif outcome == EntryOutcome.INTENT and phase in _CHANGING:
            self._take_intent(number, host, entry, moment)
        elif host in self.changes.begun.get(number, {}):
            # A run that slept while another closed its attempt still says what became of the hosts that it had begun.
            return
        elif phase == Phase.OUTCOME and outcome in _CLAIMS:
            span, late = Span(self._start(number, entry["data"], moment), moment), number in self._closed
            if outcome == HostOutcome.FAILED:
                self.failed.setdefault((number, host), (span, late))
            else:
                self.note(number, host, span, late=late)
        elif phase in _STEPS and outcome == EntryOutcome.CHANGED and number not in self._simulated:
            took = entry["data"].get("task") or {}
            self.note(number, host, Span(self._start(number, took, moment), moment), late=number in self._closed)

    def note(self, number: int, host: str, span: Span, *, late: bool) -> None:
        """The host was changed in this attempt."""
        if self._opened.get(number) is None:
            self.changes.unopened.setdefault(number, set()).add(host)
        elif late:
            self.changes.late.setdefault(number, set()).add(host)
        self.changes.begun.setdefault(number, {}).setdefault(host, span)

    def _take_opening(self, number: int, data: dict[str, Any], moment: datetime) -> None:
        if "opening" not in data:
            return
        if number in self._opened:
            self.changes.openings[number] = "it was opened twice"
        elif "recorder" in data:
            self.changes.openings[number] = "its opening passes for a word of the recorder"
        opening = data["opening"]
        if opening["check_mode"]:
            self._simulated.add(number)
        changes_hosts = opening["purpose"] != "stage" and not opening["check_mode"]
        self._opened.setdefault(number, moment if changes_hosts else None)

    def _take_intent(self, number: int, host: str, entry: dict[str, Any], moment: datetime) -> None:
        if not entry["data"].get("reconciled"):
            self.note(number, host, Span(moment, moment), late=number in self._closed)
            return
        # Written long after the host was begun, which was at any time since the attempt was opened.
        runs = {run for run, phase in RUNS.items() if phase == entry["phase"]}
        if not runs & self._learned.get((number, host), set()):
            self.changes.unlearned.setdefault(number, set()).add(host)
        self.note(number, host, Span(self._opened.get(number) or moment, moment), late=False)

    def _start(self, number: int, data: dict[str, Any], moment: datetime) -> datetime:
        """When a host's way began whose outcome alone is there: one that needs no change any more is only looked at."""
        seconds = data.get("seconds")
        taken = seconds if isinstance(seconds, (int, float)) and seconds > 0 else 0
        opened = self._opened.get(number) or moment
        since_opened = max(0.0, (moment - opened).total_seconds())
        return moment - timedelta(seconds=min(taken, since_opened))


def _untouched(lines: Iterable[bytes], failed: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    """Of hosts that failed and never changed anything, those of which a step says that it failed."""
    entries = (entry for entry in _entries(lines, _STOPPED) if entry["phase"] != Phase.OUTCOME)
    return {(entry["attempt"], entry["host"]) for entry in entries}.intersection(failed)


def _entries(lines: Iterable[bytes], marks: Collection[bytes]) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in lines if any(mark in line for mark in marks))
