# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One host's way: preflight, drain, apply, reboot, verify, return. What fails on the way is rolled back.

Every step is done by a function of the caller's, which also records it; here is only decided which comes next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.steps import (
    Result,
    Step,
    Steps,
    may_return,
    may_roll_back,
    went_away,
    went_well,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.preflight import PreflightVerdict

# What the steps before a verification came to, when an earlier attempt took them.
_DONE_BEFORE: dict[Step, dict[str, Result]] = {
    Step.VERIFY: {Step.APPLY: {"changed": False}},
    Step.VERIFY_AFTER_ROLLBACK: {
        Step.APPLY: {"failed": True, "msg": "An earlier attempt rolled this host back."},
        Step.ROLLBACK: {"changed": False},
    },
}


@dataclass
class Way:
    """The steps of one host. ``policy`` is the one frozen in the plan, ``simulated`` says check mode.

    ``rebooting`` says that an earlier attempt had begun to reboot the host, so it is seen that this has happened.
    ``proven`` is the verification with which an earlier attempt found the host well, when all that was left was to
    return it to service; it may serve already, and then is not drained once more.
    """

    do: Callable[[Step], Result]
    policy: Mapping[str, Any]
    simulated: bool = False
    rebooting: bool = False
    proven: Step | None = None

    def look(self) -> dict[str, Result]:
        """Compare the host with its plan; nothing is changed."""
        steps: dict[str, Result] = {}
        self._take(steps, Step.PREFLIGHT)
        return steps

    def change(self, steps: dict[str, Result]) -> None:
        """Go on from a preflight that lets the host proceed; the further results are added to ``steps``."""
        if self._was_done(steps):
            return
        if self.policy["load_balancer"] and not self._take(steps, Step.DRAIN):
            return
        if not self._forward(steps) and may_roll_back(steps) and not _is_away(steps) and not self.simulated:
            self._back(steps, reboot=False)
        self._give_back(steps)

    def take_back(self, steps: dict[str, Result]) -> None:
        """Bring the versions from before the plan back, on request; goes on like ``change``."""
        if self.policy["load_balancer"] and not self._take(steps, Step.DRAIN):
            return
        self._back(steps, reboot=True)
        self._give_back(steps)

    def _was_done(self, steps: dict[str, Result]) -> bool:
        """Whether the host is as an earlier attempt had proven it, and still well; it is then returned to service."""
        if self.proven is None or self.simulated or not _has_stayed(steps, self.proven):
            return False
        looked: dict[str, Result] = {}
        if not self._take(looked, self.proven):
            return False
        steps.update({**_DONE_BEFORE[self.proven], **looked})
        if self.policy["load_balancer"]:
            self._take(steps, Step.RETURN_TO_SERVICE)
        return True

    def _forward(self, steps: dict[str, Result]) -> bool:
        if not self._take(steps, Step.APPLY):
            return False
        if self._wants_reboot(steps[Step.APPLY]) and not self._take(steps, Step.REBOOT):
            return False
        return self.simulated or self._take(steps, Step.VERIFY)

    def _back(self, steps: dict[str, Result], *, reboot: bool) -> None:
        if not self._take(steps, Step.ROLLBACK) or self.simulated:
            return
        if reboot and self._wants_reboot(steps[Step.ROLLBACK]) and not self._take(steps, Step.REBOOT):
            return
        self._take(steps, Step.VERIFY_AFTER_ROLLBACK)

    def _give_back(self, steps: dict[str, Result]) -> None:
        if may_return(steps):
            self._take(steps, Step.RETURN_TO_SERVICE)

    def _wants_reboot(self, changed: Result) -> bool:
        wanted = self.policy["reboot"]
        required = bool((changed.get("reboot") or {}).get("required"))
        return self.rebooting or wanted == "always" or (wanted == "if_required" and required)

    def _take(self, steps: dict[str, Result], step: Step) -> bool:
        steps[step] = self.do(step)
        return went_well(steps, step)


def _is_away(steps: Steps) -> bool:
    """Nothing can be done about the host now; a further attempt resumes it."""
    latest = next(reversed(list(steps.values())), None)
    return went_away(latest or {})


def _has_stayed(steps: Steps, proven: Step) -> bool:
    """Whether nothing of the plan is pending any more; after a rollback all of it must be."""
    found = (steps.get(Step.PREFLIGHT) or {}).get("preflight") or {}
    # Of a host in the middle of its change the preflight says that the whole transaction remains.
    planned, vanished = found.get("remaining", []), found.get("vanished", [])
    if not planned:
        return False
    return not vanished if proven is Step.VERIFY_AFTER_ROLLBACK else all(change in vanished for change in planned)


def proceeds(steps: Steps) -> bool:
    """Whether the preflight lets the host go on to be changed."""
    found = (steps.get(Step.PREFLIGHT) or {}).get("preflight") or {}
    return went_well(steps, Step.PREFLIGHT) and found.get("verdict") == PreflightVerdict.PROCEED
