# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows how far the plans of a cycle have come, and fails when somebody must look. Runs on the controller alone."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone
from functools import partial

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import choose_plans
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.leases import living_lease
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.status import read_status
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.status_console import render
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.status_model import (
    Expectation,
    PlanStatus,
    read_expectation,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "expect": {"type": "str", "choices": ["begun", "complete"]},
        "expected_by": {"type": "str"},
        "cycle": {"type": "str"},
        "plans": {"type": "list", "elements": "dict", "default": []},
        "tenants": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        now, state = datetime.now(timezone.utc), self.state(variables)
        complete = None if arguments["expect"] is None else arguments["expect"] == "complete"
        expectation = read_expectation(arguments["expected_by"], complete, now)
        chosen = choose_plans(
            state,
            cycle=arguments["cycle"] or f"{now:%Y-%m}",
            plans=arguments["plans"],
            tenants=arguments["tenants"],
        )
        refuse_unknown(arguments["tenants"], [tenant for tenant, _plan in chosen])
        found = [status_of(state, tenant, plan, now, expectation) for tenant, plan in chosen]
        for status in found:
            self.show([*render(status), ""])
        troubles = [f"{status.tenant}: {trouble}" for status in found for trouble in status.troubles]
        result: dict[str, t.Any] = {"changed": False, "status": [status.as_data() for status in found]}
        if troubles:
            result.update(failed=True, msg="\n".join(troubles))
        return result


def status_of(state: State, tenant: str, plan: str, now: datetime, expectation: Expectation | None) -> PlanStatus:
    """The status of one plan. Raises FleetError as the state does."""

    def lives(attempt: Attempt) -> bool:
        return living_lease(state, tenant, attempt.owner, now) is not None

    return read_status(
        t.cast(t.Any, state.get_plan(tenant, plan)),
        plan,
        partial(state.entries, tenant, plan),
        now=now,
        living=lives,
        stop=state.stop_requested(tenant),
        expectation=expectation,
    )


def refuse_unknown(tenants: list[str], planned: list[str]) -> None:
    """Raise FleetError (``no_plan``) when a tenant that was asked for has no plan."""
    missing = sorted(set(tenants) - set(planned))
    if missing:
        raise FleetError(
            f"There is no plan of {', '.join(missing)}.",
            kind="no_plan",
            remedy="Correct patch_tenants, or run patch_plan.yml for them.",
        )
