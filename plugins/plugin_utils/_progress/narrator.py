# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows a run task by task, keeps its board, and has a line for what is worth one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.results import OPENS_ATTEMPTS
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress import lines
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.board import AttemptBoard, Board
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outcomes import (
    BATCH,
    HOST,
    STAGE,
    Done,
    done_at_close,
    done_by,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outlook import read_outlook

WAYS = frozenset((HOST, STAGE))
"""Modules that take a host its way, so that the host is on it from their task on."""

TOLD = WAYS | {BATCH, OPENS_ATTEMPTS}
"""Modules of whose tasks there may be a line; those of others only move the board."""


@dataclass(frozen=True)
class Line:
    """A line for people; ``well`` is false where somebody must look."""

    text: str
    well: bool = True


@dataclass(frozen=True)
class Event:
    """A task that begins or has ended on a host, at a moment of a clock that never jumps."""

    host: str
    module: str
    task: str
    phase: str | None
    now: float


@dataclass(frozen=True)
class Told:
    """What is said of a result. ``whole`` means that nothing else need be said of it."""

    lines: tuple[Line, ...] = ()
    whole: bool = False


class Narrator:
    """Knows a run by its events alone."""

    def __init__(self, now: float) -> None:
        self.board = Board(began=now)

    def starts(self, event: Event) -> list[Line]:
        """A task begins on a host."""
        self.board.starts(event.host, event.phase or event.task, event.now, way=event.module in WAYS)
        attempt = self.board.attempt_of(event.host)
        if event.module == STAGE and attempt and attempt.current is None:
            # Nobody asks whether a batch may be staged.
            attempt.current = attempt.batch_of[event.host]
        if event.module != BATCH or attempt is None:
            return []
        attempt.current = attempt.batch_of[event.host]
        return [Line(lines.batch_begins(attempt.current))]

    def ends(self, event: Event, how: EntryOutcome, result: Mapping[str, Any], *, check_mode: bool) -> Told:
        """A task has ended on a host."""
        self.board.ends(event.host, how.value)
        failed = how in (EntryOutcome.FAILED, EntryOutcome.UNREACHABLE)
        if event.module == OPENS_ATTEMPTS and not failed:
            return Told(tuple(self._attempts(result, event.now)))
        attempt = self.board.attempt_of(event.host)
        if attempt is None:
            return Told()
        if event.module == BATCH:
            return Told(tuple(self._refused(attempt, event.host, result)))
        done = done_by(event.module, result, failed=failed, check_mode=check_mode)
        if done is None:
            return Told()
        return Told(tuple(self._finish(attempt, event.host, done, event.now)), whole=not failed)

    def summary(self, now: float) -> list[Line]:
        """How the attempts of the run ended; one that was never closed was interrupted."""
        told = []
        for attempt in self.board.attempts:
            text = lines.summary(attempt, now - self.board.began, interrupted=not attempt.closed)
            well = attempt.closed and all(done.well for done in attempt.done.values())
            told += [Line(line, well) for line in text]
        return told

    def _attempts(self, result: Mapping[str, Any], now: float) -> Iterator[Line]:
        for opened in result.get("fleet_attempts") or []:
            attempt = AttemptBoard(read_outlook(opened))
            self.board.attempts.append(attempt)
            yield Line(lines.opening(attempt))
        for tenant, closed in (result.get("tenants") or {}).items():
            for attempt in self.board.open_attempts():
                if attempt.outlook.tenant == tenant:
                    yield from self._close(attempt, done_at_close(closed), now)

    def _close(self, attempt: AttemptBoard, closed: Mapping[str, Done], now: float) -> Iterator[Line]:
        """The closing has an outcome for those that the attempt never came to, and for those that never came back."""
        missing = {host: done for host, done in closed.items() if host in attempt.batch_of and host not in attempt.done}
        never_begun = {host: done for host, done in missing.items() if done.outcome == HostOutcome.NOT_ATTEMPTED}
        for host, done in missing.items():
            if host in never_begun:
                attempt.finish(host, done, None)
            else:
                yield from self._finish(attempt, host, done, now)
        for text in lines.not_attempted(never_begun):
            yield Line(text, well=all(done.waiting for done in never_begun.values()))
        attempt.closed = True

    def _finish(self, attempt: AttemptBoard, host: str, done: Done, now: float) -> Iterator[Line]:
        seconds, batch = self.board.arrives(host, now), attempt.batch_of[host]
        first = host not in attempt.done
        attempt.finish(host, done, seconds)
        for text in lines.host_is_done(host, done, batch, seconds):
            yield Line(text, done.well)
        if first and all(map(attempt.is_done, attempt.wave(batch.wave))):
            yield Line(lines.wave_is_done(attempt, batch))

    def _refused(self, attempt: AttemptBoard, host: str, result: Mapping[str, Any]) -> Iterator[Line]:
        if result.get("proceed") is False:
            batch = attempt.batch_of[host]
            yield Line(lines.batch_refused(batch, str(result.get("msg", ""))), well=bool(result.get("waiting")))
