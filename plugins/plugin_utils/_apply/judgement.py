# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's way in one attempt comes to, also where it was not begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.guard import NOT_BEGUN, WAITING
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.steps import Step, Steps
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.outcome import decide
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome, InService

_LASTING = frozenset({HostOutcome.FAILED, HostOutcome.VERIFIED, HostOutcome.ROLLED_BACK, HostOutcome.UNREACHABLE})
"""Outcomes of a host whose packages were changed, or may have been."""


def not_attempted(reason: str, *, resumed: bool, waiting: bool = False) -> dict[str, Any]:
    """The outcome of a host that was left as it is. ``resumed``: an earlier attempt left it half changed.

    ``waiting`` says that this goes as planned, so that nobody need look at it.
    """
    in_service = InService.UNKNOWN if resumed else InService.YES
    outcome = {"outcome": HostOutcome.NOT_ATTEMPTED.value, "in_service": in_service.value, "reason": reason}
    return {**outcome, "waiting": True} if waiting and not resumed else outcome


def judge(steps: Steps, *, resumed: bool, failure: str = "") -> dict[str, Any]:
    """``{"outcome", "in_service", "reason"}`` of a host. ``failure`` is what something between the steps said."""
    preflight: Mapping[str, Any] = steps.get(Step.PREFLIGHT) or {}
    kind = (preflight.get("fleet_failure") or {}).get("kind")
    if preflight.get("fleet_refused") and kind in NOT_BEGUN:
        return not_attempted(str(preflight["msg"]), resumed=resumed, waiting=kind in WAITING)
    if preflight and resumed:
        steps = {**steps, Step.PREFLIGHT.value: {**preflight, "resumed": True}}
    decided = decide(steps)
    # A hook that failed is no step of ours; what it said is the reason when no step has a better one.
    return {**decided, "reason": decided["reason"] or failure}


def settle(decided: dict[str, Any], steps: Steps, progress: Progress, host: str) -> dict[str, Any]:
    """The outcome to record, where an earlier attempt has changed the host, or left it in the middle of its change.

    An attempt that came no further than to look or to drain makes nothing of that undone: the earlier outcome stands,
    or, where the drain may have lasted, the host has failed.
    """
    known = progress.outcomes.get(host)
    came_no_further = not set(steps) - {Step.PREFLIGHT, Step.DRAIN}
    weak = decided["outcome"] in (HostOutcome.SKIPPED, HostOutcome.UNREACHABLE)
    if known is None or known.outcome not in _LASTING or not weak or not came_no_further:
        return decided
    if known.outcome is HostOutcome.UNREACHABLE and not progress.in_the_middle(host):
        return decided
    if Step.DRAIN not in steps or decided["in_service"] == InService.YES:
        return {**decided, "outcome": HostOutcome.NOT_ATTEMPTED.value}
    lasting = HostOutcome.UNREACHABLE if known.outcome is HostOutcome.UNREACHABLE else HostOutcome.FAILED
    return {**decided, "outcome": lasting.value}
