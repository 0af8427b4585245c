# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of updates: the plan's transaction, the guards, the intent, and a connection that may break."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.guard import Permit
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.steps import ROLLBACK_BEGUN
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.calendar import window_end
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.estimate import measured_factor

APPLIED, ROLLED_BACK = "applied", "rolled_back"


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "plan": {"type": "str", "required": True},
        "state": {"type": "str", "choices": [APPLIED, ROLLED_BACK], "default": APPLIED},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        applying = arguments["state"] == APPLIED
        permit = self.permit(arguments["plan"], variables, purposes=("apply",) if applying else ("apply", "rollback"))
        document, policy = permit.document, permit.document["policy"]
        if applying:
            permit.require(Phase.PREFLIGHT, *([Phase.DRAIN] if policy["load_balancer"] else []))
            _refuse_rolled_back(permit)
        phase = Phase.APPLY if applying else Phase.ROLLBACK
        transaction = _left_of(document["transaction"], permit.attempt.remaining.get(permit.host, []))
        expected = round(document["estimated_seconds"] * measured_factor(permit.progress.measured))
        permit.note_intent(phase, {"state": arguments["state"], "packages": len(transaction)})
        result = self.on_target_persistently(
            "bankops.fleet.updates",
            {
                "plan": arguments["plan"],
                "state": arguments["state"],
                "transaction": transaction,
                "package_manager": document["manager"],
                # What a reboot starts anew need not be restarted first.
                "restart": "none" if applying and policy["reboot"] == "always" else policy["restart"],
                "lock_timeout": policy["lock_timeout"],
                "timeout": policy["timeout"],
                "reboot": policy["reboot"],
                # Check mode leaves no baseline, and changes nothing that could be verified.
                "verify": None if permit.attempt.check_mode else self._verification(permit),
                **(_limits(policy, expected) if applying and not permit.resumed else {}),
            },
            variables,
            patience=policy["reconnect_timeout"],
        )
        evidence = ("before", "after", "restarted", "reboot", "seconds", "reattached", "msg", "fleet_failure")
        return {**result, "fleet_evidence": {key: result[key] for key in evidence if key in result}}

    def _verification(self, permit: Permit) -> dict[str, t.Any]:
        """The look at the host that is taken in the same round trip, where no reboot follows."""
        policy = permit.document["policy"]
        return {
            "before": permit.state.get_baseline(permit.head["tenant"], permit.plan, permit.host),
            "checks": policy["health_checks"],
            "timeout": policy["verify_timeout"],
        }


def _limits(policy: dict[str, t.Any], expected: int) -> dict[str, t.Any]:
    """The end of the window in seconds from now, which is right whatever the host's own clock says."""
    now = datetime.now(timezone.utc)
    end = window_end(policy, now)
    return {"not_after": str(round((end - now).total_seconds())), "estimated_seconds": expected} if end else {}


def _refuse_rolled_back(permit: Permit) -> None:
    """What an earlier attempt was taking back is not applied again; the way goes on with the rollback.

    The host itself says so: an intent that never reached it has taken nothing back.
    """
    if "rollback" in permit.attempt.runs.get(permit.host, ()):
        raise FleetError(
            "An earlier attempt had begun to roll this host back.",
            kind=ROLLBACK_BEGUN,
            remedy="The rollback is finished now.",
        )


def _left_of(planned: list[dict[str, t.Any]], remaining: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """The planned changes that the preflight left to be made: what is done already, or was withdrawn, is left alone.

    Raises FleetError of kind ``transaction_mismatch`` when the preflight's record names anything else.
    """
    left = [change for change in planned if change in remaining]
    if len(left) != len(remaining):
        raise FleetError(
            "What the preflight left to be changed is not a part of the plan.",
            kind="transaction_mismatch",
            remedy="Look into the ledger of the plan; then run patch_apply.yml again.",
        )
    return left
