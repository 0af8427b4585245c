# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs without Ansible: attempts that are opened and hosts that go their way, told as a callback tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt, Progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.results import OPENS_ATTEMPTS
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.narrator import Event, Narrator, Told
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outcomes import BATCH, HOST
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outlook import outlook_data

Waves = Mapping[str, Sequence[Sequence[str]]]


class ToldRun:
    """A run at a clock of its own; what its narrator says is in ``lines``."""

    def __init__(self) -> None:
        self.now = 0.0
        self.narrator = Narrator(self.now)
        self.lines: list[str] = []

    def open(
        self,
        waves: Waves,
        *,
        tenant: str = "north",
        purpose: str = "apply",
        progress: Progress | None = None,
        updates: int = 15,
        max_failed: int = 2,
    ) -> None:
        """Open an attempt on a plan of these waves; with 15 updates a host is estimated to take a minute."""
        batches = [list(batch) for all_ in waves.values() for batch in all_]
        hosts = {host: {"updates": updates} for batch in batches for host in batch}
        others = {host: {"updates": 0} for host in progress.outcomes} if progress else {}
        head = {
            "waves": [{"name": name, "batches": [list(batch) for batch in all_]} for name, all_ in waves.items()],
            "hosts": {**others, **hosts},
            "limits": {"max_failed": max_failed},
        }
        attempt = Attempt(1, purpose, "controller", 1, datetime.now(timezone.utc), batches, check_mode=False)
        outlook = outlook_data(head, attempt, progress or Progress())
        opened = {"plan": "ab" * 32, "attempt": 1, "tenant": tenant, "cycle": "2026-11", "outlook": outlook}
        self.result("localhost", OPENS_ATTEMPTS, {"fleet_attempts": [opened]})

    def start(self, host: str, module: str, phase: str | None = None) -> None:
        """A task begins on a host."""
        self.lines += [line.text for line in self.narrator.starts(self._event(host, module, phase))]

    def result(
        self,
        host: str,
        module: str,
        result: Mapping[str, Any],
        how: EntryOutcome = EntryOutcome.OK,
        *,
        check_mode: bool = False,
    ) -> Told:
        """A task ends on a host."""
        told = self.narrator.ends(self._event(host, module), how, result, check_mode=check_mode)
        self.lines += [line.text for line in told.lines]
        return told

    def batch(self, hosts: Sequence[str], result: Mapping[str, Any] | None = None) -> None:
        """A batch asks whether it may begin."""
        self.start(hosts[0], BATCH)
        self.result(hosts[0], BATCH, result or {"proceed": True})

    def change(self, host: str, seconds: float, result: Mapping[str, Any], *, check_mode: bool = False) -> Told:
        """A host goes its way, and nobody else meanwhile."""
        self.start(host, HOST)
        self.now += seconds
        return self.result(host, HOST, result, check_mode=check_mode)

    def close(self, hosts: Mapping[str, Mapping[str, str]], waiting: Sequence[str] = (), tenant: str = "north") -> None:
        """The attempt is closed."""
        closing = {"tenants": {tenant: {"hosts": hosts, "waiting": list(waiting)}}}
        self.result("localhost", OPENS_ATTEMPTS, closing)

    def summary(self) -> list[str]:
        """What is said at the end."""
        return [line.text for line in self.narrator.summary(self.now)]

    def _event(self, host: str, module: str, phase: str | None = None) -> Event:
        return Event(host, module, "Take the host through its change", phase, self.now)
