# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small plan in a real state folder, for the tests of attempts and guards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, Runner, open_attempt, open_book
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.scans import OPENSSL
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._plan.fleets import policy as policy_of

NOW = datetime.now(timezone.utc)
WAVES = {"canary": ["web1"], "broad": ["web2", "web3"]}
DEFAULTS = policy_of().as_data()


def make_book(
    root: Path,
    *,
    expires: datetime = NOW + timedelta(hours=1),
    max_failed: int = 0,
    soak_minutes: int = 30,
    policy: Mapping[str, Any] | None = None,
    **decisions: str,
) -> Book:
    """Plan web1 (canary), web2 and web3 (broad, one at a time) of tenant alpha; ``decisions`` are other than patch.

    ``policy`` is what the frozen one says other than the defaults.
    """
    state = FolderState(root)
    frozen = {**DEFAULTS, **(policy or {})}
    with state.write_plan("alpha") as writer:
        hosts: dict[str, Any] = {}
        for wave, names in WAVES.items():
            for name in names:
                digest = writer.put_host(name, _document(name, frozen))
                hosts[name] = {
                    "digest": digest,
                    "wave": wave,
                    "cluster": "web",
                    "decision": decisions.get(name, "patch"),
                    "reason": decisions.get(name, ""),
                    "updates": 1,
                }
        patched = [name for name in hosts if hosts[name]["decision"] == "patch"]
        plan = writer.finish(
            {
                "format": 1,
                "tenant": "alpha",
                "cycle": "2026-11",
                "created": NOW.isoformat(),
                "expires": expires.isoformat(),
                "waves": [
                    {
                        "name": wave,
                        "soak_minutes": soak_minutes,
                        "batches": [[name] for name in names if name in patched],
                    }
                    for wave, names in WAVES.items()
                ],
                "limits": {"max_failed": max_failed, "cluster_max_down": {"web": 1}},
                "hosts": hosts,
            }
        )
    return open_book(state, "alpha", plan)


def _document(host: str, policy: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": 1,
        "host": host,
        "tenant": "alpha",
        "manager": "apt",
        "transaction": [OPENSSL],
        "holds": [],
        "policy": policy,
        "estimated_seconds": 60,
    }


def runner(process: int, *, check_mode: bool = False, host: str = "controller") -> Runner:
    """The ansible-playbook process ``process``, on this machine unless ``host`` is another."""
    owner = this_owner(process) if host == "controller" else f"{host}:{process}:1:boot/1"
    return Runner(process, {"host": host}, check_mode, owner)


def open_(
    book: Book, process: int = 0, *, purpose: str = "apply", limit: set[str] | None = None, **more: Any
) -> Attempt:
    """An attempt of this process, or of another."""
    return open_attempt(
        book,
        purpose=purpose,
        runner=runner(process or os.getpid(), check_mode=bool(more.get("check_mode"))),
        inventory=set(more.get("inventory", book.head["hosts"])),
        limit=limit,
        now=NOW,
        proof=more.get("proof"),
    )


def dead_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def listen(book: Book, attempt: int) -> None:
    """What the evidence callback writes when it sees an attempt open."""
    book.write(attempt, None, Phase.OPEN, EntryOutcome.OK, {"recorder": {"pid": 1}})


def finish(book: Book, attempt: int, host: str, outcome: HostOutcome, in_service: str = "yes") -> None:
    """A host's outcome, as patch_host writes it."""
    book.write(attempt, host, Phase.OUTCOME, outcome, {"in_service": in_service, "reason": "", "holds": []})


def line(
    host: str | None,
    phase: Phase,
    outcome: EntryOutcome | HostOutcome,
    *,
    attempt: int = 1,
    minute: int = 0,
    **data: Any,
) -> bytes:
    """A line of a ledger, written at a minute after NOW."""
    time = (NOW + timedelta(minutes=minute)).isoformat()
    entry = {"host": host, "phase": phase.value, "outcome": outcome.value, "attempt": attempt, "time": time}
    return canonical({**entry, "data": data})


def opening_line(attempt: int = 1, *, purpose: str = "apply") -> bytes:
    """The line of an attempt that opens."""
    opening = {
        "purpose": purpose,
        "controller": "controller",
        "process": 1,
        "batches": [["web1"], ["web2"], ["web3"]],
        "check_mode": False,
    }
    return line(None, Phase.OPEN, EntryOutcome.OK, attempt=attempt, opening=opening)
