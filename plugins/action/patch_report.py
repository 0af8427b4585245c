# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the reports of a cycle from plans and ledgers alone. Runs on the controller alone."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import partial

from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import choose_plans
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import console
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.build import build_with_reports
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import ScopeKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.registry import check_formats
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.kept import USUAL, put_reports
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.plan_summary import summarise
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Wanted
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.guard import unless_sealed
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

AS_SEALED = "the plan is sealed, and its reports stay as they were sealed"


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "stage": {"type": "str", "choices": ["plan", "result"], "default": "result"},
        "judge": {"type": "bool", "default": False},
        "formats": {"type": "list", "elements": "str", "default": list(USUAL)},
        "user_requests": {"type": "dict", "default": {}},
        "cycle": {"type": "str"},
        "plans": {"type": "list", "elements": "dict", "default": []},
        "tenants": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        check_formats(arguments["formats"], of_a_plan=True)
        state = self.state(variables)
        chosen = choose_plans(state, cycle=arguments["cycle"], plans=arguments["plans"], tenants=arguments["tenants"])
        if self._task.check_mode:
            return {"changed": False, "reports": {}, "files": {}, "msg": "The reports would be made."}
        if arguments["stage"] == "plan":
            return self._summaries(state, chosen)
        return self._results(state, chosen, arguments)

    def _summaries(self, state: State, chosen: list[tuple[str, str]]) -> dict[str, t.Any]:
        made = {tenant: summarise(state, tenant, plan) for tenant, plan in chosen}
        for lines, path in made.values():
            self.show([*lines, f"details: {path or AS_SEALED}", ""])
        return {"changed": False, "reports": {tenant: path for tenant, (_lines, path) in made.items() if path}}

    def _results(self, state: State, chosen: list[tuple[str, str]], arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        files, troubles, now = {}, [], datetime.now(timezone.utc)
        for tenant, plan in chosen:
            wanted = Wanted(ScopeKind.PLAN, (tenant,), plan=plan)
            document, (report,) = build_with_reports(state, wanted, now, user_requests=arguments["user_requests"])
            put = partial(put_reports, state, tenant, plan, document, arguments["formats"])
            made = unless_sealed(state, tenant, plan, put)
            if made is not None:
                files[tenant] = made
            self.show([*console.render(report).splitlines(), f"report: {_shown(made) if made else AS_SEALED}", ""])
            troubles += [f"{tenant}: {trouble}" for trouble in report.troubles]
        reports = {tenant: _shown(made) for tenant, made in files.items()}
        result: dict[str, t.Any] = {"changed": False, "reports": reports, "files": files}
        if arguments["judge"] and troubles:
            result.update(failed=True, msg="\n".join(troubles))
        return result


def _shown(made: Mapping[str, list[str]]) -> str:
    """The path that people are told: the page, or the first file where none was asked for."""
    return (made.get("html") or next(iter(made.values())))[0]
