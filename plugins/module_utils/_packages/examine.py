# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an attempt that died has left on a host: its runs, waited for where they are still at work."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, Dict

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._packages import unit
from ansible_collections.bankops.fleet.plugins.module_utils._packages.locks import SYSTEM_CLOCK, Clock
from ansible_collections.bankops.fleet.plugins.module_utils._packages.store import Store

RUNS = ("heal", "apply", "rollback")


class RunState(str, Enum):
    """How a run ended."""

    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


def examine(
    commands: Commands, plan: str, timeout: float, root: Path = Path("/"), clock: Clock = SYSTEM_CLOCK
) -> Dict[str, Dict[str, Any]]:
    """The runs of a plan on this host: ``{"apply": {"state", "status", "started"}}``; empty when nothing was begun.

    A run that is at work is waited for, for ``timeout`` seconds; ``status`` is null for one that was killed. Raises
    FleetError of kind ``still_running`` and ``bad_plan``.
    """
    store = Store.of(plan, root)
    found: Dict[str, Dict[str, Any]] = {}
    for name in RUNS:
        run = store.run(name)
        command = unit.read_command(run)
        if command is None:
            continue
        status = unit.wait(commands, run, timeout, clock)
        ended = RunState.COMPLETE if status == 0 else RunState.FAILED
        state = RunState.INTERRUPTED if status is None else ended
        found[name] = {"state": state.value, "status": status, "started": command["started"]}
    return found
