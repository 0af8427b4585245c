# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the reports of a cycle from plans and ledgers alone. Runs on the controller alone."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import choose_plans
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import console
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.build import build_with_reports
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import ScopeKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats import html
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.plan_summary import summarise
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Wanted
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "stage": {"type": "str", "choices": ["plan", "result"], "default": "result"},
        "judge": {"type": "bool", "default": False},
        "user_requests": {"type": "dict", "default": {}},
        "cycle": {"type": "str"},
        "plans": {"type": "list", "elements": "dict", "default": []},
        "tenants": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        state = self.state(variables)
        chosen = choose_plans(state, cycle=arguments["cycle"], plans=arguments["plans"], tenants=arguments["tenants"])
        if self._task.check_mode:
            return {"changed": False, "reports": {}, "msg": "The reports would be made."}
        if arguments["stage"] == "plan":
            return self._summaries(state, chosen)
        return self._results(state, chosen, arguments)

    def _summaries(self, state: State, chosen: list[tuple[str, str]]) -> dict[str, t.Any]:
        made = {tenant: summarise(state, tenant, plan) for tenant, plan in chosen}
        for lines, path in made.values():
            self.show([*lines, f"details: {path}", ""])
        return {"changed": False, "reports": {tenant: str(path) for tenant, (_lines, path) in made.items()}}

    def _results(self, state: State, chosen: list[tuple[str, str]], arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        reports, troubles, now = {}, [], datetime.now(timezone.utc)
        for tenant, plan in chosen:
            wanted = Wanted(ScopeKind.PLAN, (tenant,), plan=plan)
            document, (report,) = build_with_reports(state, wanted, now, user_requests=arguments["user_requests"])
            path = state.put_report(tenant, plan, html.NAME, html.render(document).encode())
            reports[tenant] = str(path)
            self.show([*console.render(report).splitlines(), f"report: {path}", ""])
            troubles += [f"{tenant}: {trouble}" for trouble in report.troubles]
        result: dict[str, t.Any] = {"changed": False, "reports": reports}
        if arguments["judge"] and troubles:
            result.update(failed=True, msg="\n".join(troubles))
        return result
