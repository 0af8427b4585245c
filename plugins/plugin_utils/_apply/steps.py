# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a host's way, and what may come next, decided from their results so far.

A step that never ran has no result, an empty one or None.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import Phase


class Step(StrEnum):
    """One step of a host's way, in order."""

    PREFLIGHT = "preflight"
    DRAIN = "drain"
    APPLY = "apply"
    REBOOT = "reboot"
    VERIFY = "verify"
    ROLLBACK = "rollback"
    VERIFY_AFTER_ROLLBACK = "verify_after_rollback"
    RETURN_TO_SERVICE = "return_to_service"

    @property
    def phase(self) -> Phase:
        """Under which phase the ledger has it."""
        return _PHASES.get(self) or Phase(self.value)


_PHASES = {Step.VERIFY_AFTER_ROLLBACK: Phase.VERIFY, Step.RETURN_TO_SERVICE: Phase.RETURN}

Result = Mapping[str, Any]
Steps = Mapping[str, Result | None]

ROLLBACK_BEGUN = "rollback_begun"
"""Kind of the refusal to apply what an earlier attempt was taking back already."""

# Failures of ``updates`` that come before any change; after every other one the packages may be other than before.
_UNTOUCHED = frozenset(
    (
        "bad_plan",
        "bad_transaction",
        "checksum_mismatch",
        "interrupted",
        "lock_held",
        "manager_missing",
        "manager_unsupported",
        "no_systemd",
        "no_time",
        "not_staged",
        "transaction_mismatch",
    )
)


def ran(steps: Steps, name: str) -> bool:
    """Whether the step was carried out at all."""
    result = steps.get(name) or {}
    return bool(result) and not result.get("skipped", False)


def went_well(steps: Steps, name: str) -> bool:
    """Whether the step was carried out and did not fail."""
    return ran(steps, name) and not (steps.get(name) or {}).get("failed", False)


def may_roll_back(steps: Steps) -> bool:
    """Packages were changed, or may have been: a host that went away during the change left no word of it."""
    apply = steps.get(Step.APPLY) or {}
    kind = (apply.get("fleet_failure") or {}).get("kind")
    if not ran(steps, Step.APPLY):
        return False
    if apply.get("fleet_refused", False):
        return bool(kind == ROLLBACK_BEGUN)
    if not apply.get("failed", False):
        # A change that an earlier attempt made counts, although this one only found it done.
        return bool(apply.get("changed", False)) or apply.get("before") != apply.get("after")
    return kind not in _UNTOUCHED


def was_refused(steps: Steps) -> bool:
    """The host itself refused the change before anything was changed, for a reason that may be gone the next time."""
    apply = steps.get(Step.APPLY) or {}
    kind = (apply.get("fleet_failure") or {}).get("kind")
    # What was interrupted has been tried to be finished, and is broken.
    return bool(apply.get("failed", False)) and kind in _UNTOUCHED - {"interrupted"}


def went_away(result: Result) -> bool:
    """The host does not answer, or is still at work: how the step ends is not known, and a further attempt sees it."""
    kind = (result.get("fleet_failure") or {}).get("kind")
    return bool(result.get("fleet_unreachable") or result.get("unreachable")) or kind == "still_running"


def may_return(steps: Steps) -> bool:
    """The host was drained, and is known to be well: verified, or rolled back and verified, or never changed."""
    if not went_well(steps, Step.DRAIN):
        return False
    if ran(steps, Step.ROLLBACK):
        return went_well(steps, Step.VERIFY_AFTER_ROLLBACK)
    if ran(steps, Step.VERIFY):
        return went_well(steps, Step.VERIFY)
    # Without a verification only a host that nothing has happened to may return.
    return not may_roll_back(steps) and not ran(steps, Step.REBOOT)
