# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signs of life of the attempts that an ansible-playbook process has open.

They come from a thread, because a task may take an hour, while the process forks a worker for every task. A lock that
the thread holds at that moment would stay locked in the worker for ever. So the thread takes none that a worker needs:
it touches files, and leaves what it has to say to whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class _Held:
    """A lease by tenant and owner: an owner has at most one of each tenant."""

    tenant: str
    owner: str


class Heartbeat:
    """Renews leases for as long as the process lives, and finds out when one was lost."""

    def __init__(self, open_state: Callable[[Path], State], every: float = EVERY_SECONDS) -> None:
        self._open_state = open_state
        self._every = every
        # Replaced as a whole, never changed, so that the thread needs no lock to read it.
        self._held: dict[_Held, State] = {}
        self._changing = False
        self._complaints: SimpleQueue[str] = SimpleQueue()
        self._complained: set[str] = set()
        self._ended = Event()
        self._thread: Thread | None = None

    def expect_change(self) -> None:
        """A task that opens or closes attempts begins: until its result is known, a lease that is gone is not lost."""
        self._changing = True

    def follow(self, result: Mapping[str, Any]) -> None:
        """Take over what the result of ``patch_attempt`` says was opened or closed."""
        opened = {
            _Held(str(attempt["tenant"]), str(attempt["owner"])): self._open_state(Path(attempt["state_dir"]))
            for attempt in result.get("fleet_attempts") or []
        }
        closed = {_Held(str(attempt["tenant"]), str(attempt["owner"])) for attempt in result.get("fleet_closed") or []}
        if result.get("failed", False):
            closed |= self._given_back()
        self._held = {held: state for held, state in {**self._held, **opened}.items() if held not in closed}
        self._changing = False
        if self._held and self._thread is None:
            self._thread = Thread(target=self._beat, name="bankops.fleet heartbeat", daemon=True)
            self._thread.start()

    def _given_back(self) -> set[_Held]:
        """What a task gave back before it failed, without a word of it."""
        try:
            owners = {held: {lease.owner for lease in state.leases(held.tenant)} for held, state in self._held.items()}
        except FleetError as problem:
            self._complain(f"Nobody knows which leases are left: {problem}")
            return set()
        return {held for held, found in owners.items() if held.owner not in found}

    def complaints(self) -> list[str]:
        """What went wrong since the last time somebody asked."""
        found = []
        while True:
            try:
                found.append(self._complaints.get_nowait())
            except Empty:
                return found

    def end(self) -> None:
        """Give no further sign of life."""
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.wait(self._every):
            for held, state in self._held.items():
                self._renew(held, state)

    def _renew(self, held: _Held, state: State) -> None:
        try:
            state.renew(held.tenant, held.owner, now=datetime.now(timezone.utc))
        except FleetError as problem:
            # In this order: a change ends by letting go first.
            if problem.kind != "lease_lost":
                self._complain(f"No sign of life could be given: {problem}")
            elif not self._changing and held in self._held:
                self._lose(held, state, problem)

    def _lose(self, held: _Held, state: State, problem: FleetError) -> None:
        self._held = {other: its for other, its in self._held.items() if other != held}
        try:
            stop = state.request_stop(held.tenant, f"{problem}\nTake this request back when only one is at work.")
            self._complain(f"{problem} As long as {stop} is there, no further host is begun.")
        except FleetError as second:
            self._complain(f"{problem} The request to stop could not be written: {second}")

    def _complain(self, sentence: str) -> None:
        if sentence not in self._complained:
            self._complained.add(sentence)
            self._complaints.put(sentence)
