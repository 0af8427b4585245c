# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides once for a batch whether it may start, and waits for a short soak. Runs on the controller alone."""

from __future__ import annotations

import time
import typing as t
from datetime import datetime, timezone

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction, display
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.batch import Turn, turn_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.guard import refuse_new_hosts
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt, read_progress


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {"plan": {"type": "str", "required": True}}

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        state, plan = self.state(variables), arguments["plan"]
        tenant = str(self.variable(variables, "fleet_tenant"))
        hosts = [str(host) for host in self.variable(variables, "ansible_play_batch")]
        simulated = bool(self._task.check_mode)
        # Whatever refuses, refuses this batch; the batches of other tenants go on.
        try:
            head = state.get_plan(tenant, plan)
            progress = read_progress(state.entries(tenant, plan))
            policy = state.get_host(tenant, plan, hosts[0])["policy"]
            refuse_new_hosts(state, head, progress, hosts)
            turn = turn_of(head, progress, hosts, datetime.now(timezone.utc), simulated=simulated)
        except FleetError as refusal:
            return {**refusal.as_result(), "proceed": False, "first_of_wave": False, "last_of_wave": False, "hooks": {}}
        result = {
            "proceed": True,
            "msg": "",
            "wave": turn.wave,
            "batch": turn.batch,
            "first_of_wave": turn.first_of_wave,
            "last_of_wave": turn.last_of_wave,
            "hooks": {point: files for point, files in policy["hooks"].items() if files},
            "hook_context": self._hook_context(head, plan, progress.current, turn, hosts),
        }
        waiting = self._soak(turn, policy["soak_wait_minutes"])
        return {**result, "proceed": not waiting, "msg": waiting}

    def _soak(self, turn: Turn, patience_minutes: float) -> str:
        """Wait until the wave before has soaked; the reason why not, when that would take longer than patience."""
        if turn.soaked_at is None:
            return ""
        remaining = (turn.soaked_at - datetime.now(timezone.utc)).total_seconds()
        if remaining > patience_minutes * 60:
            return f"the wave before {turn.wave} soaks until {turn.soaked_at:%Y-%m-%dT%H:%M:%SZ}"
        while remaining > 0:
            display.display(f"Wave {turn.wave} waits {remaining:.0f} s for the soak of the wave before.")
            time.sleep(min(remaining, 60))
            remaining = (turn.soaked_at - datetime.now(timezone.utc)).total_seconds()
        return ""

    def _hook_context(
        self, head: dict[str, t.Any], plan: str, attempt: Attempt | None, turn: Turn, hosts: list[str]
    ) -> dict[str, t.Any]:
        return {
            "cycle": head["cycle"],
            "tenant": head["tenant"],
            "plan": plan,
            "attempt": attempt.number if attempt else None,
            "wave": turn.wave,
            "batch": turn.batch,
            "hosts": hosts,
        }
