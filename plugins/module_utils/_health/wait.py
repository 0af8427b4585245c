# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until a host is healthy: its checks pass and nothing is worse than before."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Mapping, Optional

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._health.checks import run_checks
from ansible_collections.bankops.fleet.plugins.module_utils._host.compare import what_got_worse
from ansible_collections.bankops.fleet.plugins.module_utils._host.state import read_state


class Clock:
    """The time as waiting needs it; tests give their own."""

    def now(self) -> float:
        """Seconds that only go forward."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` go by."""
        time.sleep(seconds)


def wait_for_health(
    checks: List[Dict[str, Any]],
    commands: Commands,
    *,
    before: Optional[Mapping[str, Any]] = None,
    timeout: float = 0,
    interval: float = 2,
    read: Callable[[Commands], Dict[str, Any]] = read_state,
    clock: Optional[Clock] = None,
) -> Dict[str, Any]:
    """``{"state", "worse", "checks", "settled", "attempts", "seconds"}`` of the last look.

    Looks until all checks are ok and nothing is worse than ``before`` (``settled``), or ``timeout`` seconds are over;
    at 0 it looks once. A look that has begun is finished, so it may take longer by the longest check's own timeout.
    Raises FleetError of kind ``bad_check`` for wrong definitions.
    """
    clock = clock or Clock()
    started = clock.now()
    attempts = 0
    while True:
        attempts += 1
        results = run_checks(checks, commands)
        state = read(commands)
        worse = what_got_worse(before, state) if before is not None else []
        settled = not worse and all(result["ok"] for result in results)
        elapsed = clock.now() - started
        if settled or elapsed >= timeout:
            return {
                "state": state,
                "worse": worse,
                "checks": results,
                "settled": settled,
                "attempts": attempts,
                "seconds": round(elapsed, 3),
            }
        clock.sleep(min(interval, timeout - elapsed))
