# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of haproxy_server: under a plan, the server is the plan's, and the intent is written first."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.results import intended


class ActionModule(FleetAction):
    # Without a plan the module is a tool of its own; with and without, it checks the other arguments itself.
    ARGUMENTS: t.ClassVar[dict[str, t.Any] | None] = None

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        plan = arguments.pop("plan", None)
        said: dict[str, t.Any] = {}
        if plan is not None:
            permit = self.permit(str(plan), variables)
            balancer = permit.document["policy"]["load_balancer"]
            planned = {key: value for key, value in balancer.items() if key != "host" and value is not None}
            arguments = {**planned, **arguments}
            draining = arguments["state"] == "drained"
            if draining:
                permit.require(Phase.PREFLIGHT)
            permit.note_intent(Phase.DRAIN if draining else Phase.RETURN, {"server": arguments["server"]})
            if not permit.attempt.check_mode:
                said = {"fleet_intended": intended(permit.plan, permit.attempt.number)}
        result = self.on_target("bankops.fleet.haproxy_server", arguments, variables)
        if plan is not None and draining and not permit.resumed and _was_out_of_service(result):
            raise FleetError(
                f"Server {arguments['server']} was out of service already, and not by this plan.",
                kind="already_out_of_service",
                remedy="Ask who took it out; return it, then run patch_apply.yml again.",
                data={"not_put_back": True},
            )
        evidence = ("server", "before", "after", "healthy", "waited", "msg", "fleet_failure")
        return {**result, **said, "fleet_evidence": {key: result[key] for key in evidence if key in result}}

    def unreachable(self, problem: AnsibleConnectionFailure) -> dict[str, t.Any]:
        # It is the load balancer that cannot be reached, and not the host this task is for.
        return {
            **super().unreachable(problem),
            "fleet_unreachable": False,
            "msg": f"The load balancer cannot be reached: {problem}",
        }


def _was_out_of_service(result: dict[str, t.Any]) -> bool:
    before = result.get("before")
    return not result.get("failed") and isinstance(before, dict) and before.get("admin_state") != "ready"
