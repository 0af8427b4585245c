# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may come next on a host's way, decided from the results of its steps so far.

``steps`` maps the names of the steps (preflight, drain, apply, reboot, verify, rollback, verify_after_rollback,
return_to_service) to the results of their tasks; a step that never ran is absent, empty or None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Steps = Mapping[str, Mapping[str, Any] | None]


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
    apply = steps.get("apply") or {}
    if not ran(steps, "apply") or apply.get("fleet_refused", False):
        return False
    if not apply.get("failed", False):
        # A change that an earlier attempt made counts, although this one only found it done.
        return bool(apply.get("changed", False)) or apply.get("before") != apply.get("after")
    return (apply.get("fleet_failure") or {}).get("kind") not in _UNTOUCHED


def may_return(steps: Steps) -> bool:
    """The host was drained, and is known to be well: verified, or rolled back and verified, or never changed."""
    if not went_well(steps, "drain"):
        return False
    if ran(steps, "rollback"):
        return went_well(steps, "verify_after_rollback")
    if ran(steps, "verify"):
        return went_well(steps, "verify")
    # Without a verification only a host that nothing has happened to may return.
    return not may_roll_back(steps) and not ran(steps, "reboot")
