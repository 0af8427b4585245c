# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seals the plans that are at their end, and makes their bundles. Runs on the controller alone."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction, controller_process
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import BUNDLES
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.plans import plans_asked_for
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.sealing import Sealed, Sealer, foresee, seal_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.shipping import ship_all

NOT_YET = ("attempt_open", "plan_not_ended")
"""Refusals that only say that it is too early."""


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "key": {"type": "raw", "no_log": False},
        "signers": {"type": "path"},
        "bundles": {"type": "path"},
        "cycle": {"type": "str"},
        "plans": {"type": "list", "elements": "dict", "default": []},
        "tenants": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        state, now = self.state(variables), datetime.now(timezone.utc)
        # What is shipped later would be missing under the seal.
        taken_in = 0 if self._task.check_mode else ship_all(state, self.state_dir(variables))
        sealer = Sealer(
            keys=arguments["key"],
            signers=Path(arguments["signers"]) if arguments["signers"] else None,
            bundles=Path(arguments["bundles"]) if arguments["bundles"] else self.state_dir(variables) / BUNDLES,
            owner=this_owner(controller_process()),
        )
        named = {key: arguments[key] for key in ("cycle", "plans", "tenants")}
        changed = taken_in > 0
        seals: list[dict[str, t.Any]] = []
        waiting: list[dict[str, t.Any]] = []
        problems: list[dict[str, t.Any]] = []
        for tenant, plan in plans_asked_for(state, **named):
            try:
                if self._task.check_mode:
                    changed = self._foresee(state, tenant, plan, sealer, now) or changed
                    continue
                sealed = self._seal(state, tenant, plan, sealer, now)
            except FleetError as problem:
                # The plans of other tenants, and of other cycles, are sealed all the same.
                early = problem.kind in NOT_YET and not (arguments["cycle"] or arguments["plans"])
                (waiting if early else problems).append(_refused(tenant, plan, problem))
                self.show([f"{tenant}: plan {plan[:16]} is not sealed: {printable(problem.message)}"])
            else:
                changed = changed or sealed.is_made
                seals.append(sealed.as_data())
        result: dict[str, t.Any] = {"changed": changed, "seals": seals, "waiting": waiting, "refused": problems}
        if problems:
            # Of a key that is missing every plan says the same.
            said = dict.fromkeys(f"{each['tenant']}: {each['msg']}" for each in problems)
            result.update(failed=True, msg="\n".join(said))
        return result

    def _foresee(self, state: State, tenant: str, plan: str, sealer: Sealer, now: datetime) -> bool:
        """Say what would be done with a plan, if anything would."""
        would = foresee(state, tenant, plan, sealer, now)
        if would:
            self.show([f"{tenant}: plan {plan[:16]} {would}."])
        return would is not None

    def _seal(self, state: State, tenant: str, plan: str, sealer: Sealer, now: datetime) -> Sealed:
        sealed = seal_plan(state, tenant, plan, sealer, now)
        seal = sealed.seal
        what = "sealed" if sealed.is_new else "was sealed before"
        self.show(
            [
                f"{tenant}: plan {plan[:16]} of cycle {seal.cycle} {what}: seal {seal.number}, {seal.why}",
                f"  root:   {sealed.root}",
                f"  bundle: {sealed.bundle}",
                "  verify: by the program in docs/auditors.md, with sha256sum and ssh-keygen alone",
            ]
        )
        return sealed


def _refused(tenant: str, plan: str, problem: FleetError) -> dict[str, t.Any]:
    return {"tenant": tenant, "plan": plan, "kind": problem.kind, "msg": problem.as_result()["msg"]}
