# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides a host's one outcome from the results of its steps. Runs on the controller alone, so no host can miss it."""

from __future__ import annotations

import typing as t

from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.outcome import decide
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome, InService

# A guard that refuses to begin a host says nothing about the host: a further attempt may begin it.
NOT_BEGUN = frozenset({"stopped", "budget_spent", "cluster_short"})


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "plan": {"type": "str", "required": True},
        "steps": {"type": "dict", "default": {}},
        "failure": {"type": "str", "default": ""},
        "not_attempted": {"type": "str"},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        state, plan = self.state(variables), arguments["plan"]
        tenant, host = str(self.variable(variables, "fleet_tenant")), str(variables["inventory_hostname"])
        document = state.get_host(tenant, plan, host)
        hooks = document["policy"]["hooks"]
        if self._task.check_mode:
            return {"changed": False, "hooks": hooks, "msg": "Check mode: nothing was done, so there is no outcome."}
        progress = read_progress(state.entries(tenant, plan))
        begun_now = progress.current is not None and host in progress.current.started
        decided = self._decide(arguments, resumed=not begun_now and progress.in_the_middle(host))
        return {
            "changed": False,
            "hooks": hooks,
            "msg": f"{decided['outcome']}: {decided['reason']}" if decided["reason"] else decided["outcome"],
            "fleet_outcome": {**decided, "holds": document["holds"]},
        }

    def _decide(self, arguments: dict[str, t.Any], *, resumed: bool) -> dict[str, str]:
        """``resumed``: an earlier attempt ended in the middle of the host's change, and this one has not begun it."""
        steps, failure = arguments["steps"], arguments["failure"]
        preflight = steps.get("preflight") or {}
        refused = (preflight.get("fleet_failure") or {}).get("kind") in NOT_BEGUN
        if arguments["not_attempted"] is not None or refused:
            reason = arguments["not_attempted"] or preflight["msg"]
            in_service = InService.UNKNOWN if resumed else InService.YES
            return {"outcome": HostOutcome.NOT_ATTEMPTED.value, "in_service": in_service.value, "reason": reason}
        if preflight and resumed:
            steps = {**steps, "preflight": {**preflight, "resumed": True}}
        decided = decide({name: result or None for name, result in steps.items()})
        # A hook that failed is no step of ours; what it said is the reason when no step has a better one.
        return {**decided, "reason": decided["reason"] or failure}
