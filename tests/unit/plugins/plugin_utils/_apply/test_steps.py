# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may come next on a host's way: who is rolled back, and who may return to service."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.steps import Step, may_return, may_roll_back
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import Phase

DRAINED, WELL = {"changed": True}, {"changed": False, "settled": True}
CHANGED, BROKEN = {"changed": True}, {"failed": True, "fleet_failure": {"kind": "change_failed"}}
WORSE = {"failed": True, "settled": False}


def failed(kind: str) -> dict[str, Any]:
    return {"failed": True, "fleet_failure": {"kind": kind}}


@pytest.mark.parametrize(
    ("apply", "expected"),
    [
        ({}, False),
        ({"skipped": True}, False),
        ({"changed": False}, False),
        ({"changed": False, "before": {"a:all": "1"}, "after": {"a:all": "1"}}, False),
        # An earlier attempt made the change, and this one only found it done.
        ({"changed": False, "before": {"a:all": "1"}, "after": {"a:all": "2"}}, True),
        (CHANGED, True),
        (BROKEN, True),
        (failed("restart_failed"), True),
        (failed("still_running"), True),
        ({"failed": True, "fleet_unreachable": True, "fleet_failure": {"kind": "unreachable"}}, True),
        # The module crashed, and nobody knows when.
        ({"failed": True, "msg": "MODULE FAILURE"}, True),
        (failed("lock_held"), False),
        (failed("transaction_mismatch"), False),
        # A guard on the controller refused, so the host was never asked.
        ({**failed("step_missing"), "fleet_refused": True}, False),
        # An earlier attempt was taking back what is not applied again.
        ({**failed("rollback_begun"), "fleet_refused": True}, True),
        # The same word of a host is a failure that nobody knows the end of.
        (failed("rollback_begun"), True),
    ],
)
def test_a_transaction_is_rolled_back_unless_it_is_certain_that_nothing_changed(
    apply: dict[str, Any], expected: bool
) -> None:
    assert may_roll_back({"apply": apply}) is expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({}, False),
        ({"drain": {"skipped": True}, "apply": CHANGED, "verify": WELL}, False),
        ({"drain": {"failed": True}}, False),
        ({"drain": DRAINED, "apply": CHANGED, "verify": WELL}, True),
        ({"drain": DRAINED, "apply": CHANGED, "verify": WORSE}, False),
        ({"drain": DRAINED, "apply": CHANGED}, False),
        ({"drain": DRAINED, "apply": CHANGED, "reboot": failed("reboot_timeout")}, False),
        ({"drain": DRAINED, "apply": failed("lock_held")}, True),
        ({"drain": DRAINED}, True),
        ({"drain": DRAINED, "apply": BROKEN, "rollback": CHANGED, "verify_after_rollback": WELL}, True),
        ({"drain": DRAINED, "apply": BROKEN, "rollback": CHANGED, "verify_after_rollback": WORSE}, False),
        ({"drain": DRAINED, "apply": BROKEN, "rollback": {"failed": True}}, False),
        ({"drain": DRAINED, "apply": {"changed": False}, "reboot": CHANGED, "verify": WORSE}, False),
    ],
)
def test_only_a_drained_host_that_is_known_to_be_well_returns(steps: dict[str, Any], expected: bool) -> None:
    assert may_return(steps) is expected


def test_every_step_has_a_phase_of_the_record() -> None:
    assert {step: step.phase for step in Step} == {
        Step.PREFLIGHT: Phase.PREFLIGHT,
        Step.DRAIN: Phase.DRAIN,
        Step.APPLY: Phase.APPLY,
        Step.REBOOT: Phase.REBOOT,
        Step.VERIFY: Phase.VERIFY,
        Step.ROLLBACK: Phase.ROLLBACK,
        Step.VERIFY_AFTER_ROLLBACK: Phase.VERIFY,
        Step.RETURN_TO_SERVICE: Phase.RETURN,
    }
