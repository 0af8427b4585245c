# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarting units after a change, and what is stale and needs a reboot then."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Dict, List, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._host.reboot import read_reboot
from ansible_collections.bankops.fleet.plugins.module_utils._host.stale import read_stale


class Restart(str, Enum):
    """Which units to restart."""

    NONE = "none"
    STALE = "stale"
    LISTED = "listed"


@dataclass(frozen=True)
class Restarted:
    """The units that were restarted, and ``[{"unit", "why"}]`` of those that failed.

    ``stale`` and ``reboot`` are as in the host's state, read afterwards.
    """

    restarted: List[str]
    failures: List[Dict[str, str]]
    stale: Dict[str, Any]
    reboot: Dict[str, Any]


def restart(commands: Commands, choice: Restart, listed: Sequence[str], root: Path) -> Restarted:
    """Restart the chosen units that run; one that fails does not keep the others from being restarted."""
    stale = read_stale(commands, root)
    chosen = {Restart.NONE: [], Restart.STALE: list(stale["units"]), Restart.LISTED: list(listed)}[choice]
    restarted: List[str] = []
    failures: List[Dict[str, str]] = []
    for unit in chosen:
        done = commands.run(["systemctl", "try-restart", "--", unit], timeout=300, check=False)
        if done.status == 0:
            restarted.append(unit)
        else:
            failures.append({"unit": unit, "why": (done.stderr or done.stdout).strip()[-500:]})
    if chosen:
        stale = read_stale(commands, root)
    return Restarted(restarted, failures, stale, read_reboot(commands, root))
