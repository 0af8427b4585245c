# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of host_state_info: the health checks come from the plan when one is named."""

from __future__ import annotations

import typing as t

from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.verification import verified

MODULE = "bankops.fleet.host_state_info"


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "plan": {"type": "str"},
        "before": {"type": "dict"},
        "checks": {"type": "list", "elements": "dict"},
        "timeout": {"type": "float"},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        given = {key: value for key, value in arguments.items() if key != "plan" and value is not None}
        if arguments["plan"] is None:
            return self.on_target(MODULE, given, variables)
        state, plan = self.state(variables), arguments["plan"]
        tenant, host = str(self.variable(variables, "fleet_tenant")), str(variables["inventory_hostname"])
        policy = state.get_host(tenant, plan, host)["policy"]
        planned = {
            "before": state.get_baseline(tenant, plan, host),
            "checks": policy["health_checks"],
            "timeout": policy["verify_timeout"],
        }
        return verified(
            self.on_target_persistently(MODULE, {**planned, **given}, variables, patience=policy["reconnect_timeout"])
        )
