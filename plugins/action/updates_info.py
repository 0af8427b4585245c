# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of updates_info: scans by the host's policy for a cycle, or compares a host with its plan."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.packing import pack
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.preflight import (
    PreflightVerdict,
    evaluate,
    regardless,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.selection import selection

MODULE = "bankops.fleet.updates_info"
PASSED_ON = ("manager", "refresh", "selection", "checks")


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "cycle": {"type": "str"},
        "plan": {"type": "str"},
        "manager": {"type": "str"},
        "refresh": {"type": "bool"},
        "selection": {"type": "dict"},
        "checks": {"type": "list", "elements": "dict"},
        "compact": {"type": "bool", "default": False},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        given = {key: arguments[key] for key in PASSED_ON if arguments[key] is not None}
        if arguments["plan"] is not None:
            return self._preflight(arguments["plan"], variables)
        if arguments["cycle"] is not None:
            given = {**self._scan_arguments(arguments["cycle"], variables), **given}
        scan = self.on_target(MODULE, given, variables)
        if not arguments["compact"] or scan.get("failed"):
            return scan
        return {"changed": False, "warnings": scan.get("warnings", []), "packed": pack(scan)}

    def _scan_arguments(self, cycle: str, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the policy of this host selects in this cycle."""
        host = str(variables["inventory_hostname"])
        policy = self.policies_of([host], cycle, variables)[host]
        today = datetime.now(timezone.utc).date()
        first_seen = self.state(variables).first_seen(policy.tenant, (), today)
        return {
            "manager": policy.package_manager,
            "selection": selection(policy, first_seen, today),
            "checks": list(policy.health_checks),
        }

    def _preflight(self, plan: str, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read the host once more, and say whether it is still the host that was planned for."""
        permit = self.permit(plan, variables)
        document, policy = permit.document, permit.document["policy"]
        taking_back = permit.attempt.purpose == "rollback"
        if not permit.staged:
            raise FleetError(
                "Nothing was staged on this host.",
                kind="not_staged",
                remedy="Run patch_stage.yml for it, then this again.",
            )
        arguments = {
            "manager": document["manager"],
            "refresh": False,
            "selection": document["selection"],
            "checks": policy["health_checks"],
            "planned": document["transaction"],
        }
        if permit.resumed:
            # What an earlier attempt has started is waited for, and its result is evidence.
            arguments |= {"plan": plan, "timeout": policy["timeout"]}
            answer = self.on_target_persistently(MODULE, arguments, variables, patience=policy["reconnect_timeout"])
        else:
            # Here nobody is kept from the host yet; what is waited for later keeps it drained meanwhile.
            arguments["lock_timeout"] = 0 if permit.attempt.check_mode or taking_back else policy["lock_timeout"]
            answer = self.on_target(MODULE, arguments, variables)
        scan = {**answer, "resumed": permit.resumed}
        if scan.get("failed"):
            return scan
        found = evaluate(document, scan, datetime.now(timezone.utc))
        if permit.resumed or taking_back:
            found = regardless(found, document, "an earlier attempt ended in the middle of its change" * permit.resumed)
        verdict = found.as_data()
        evidence = {**verdict, "gates": permit.gates, **({"runs": _runs(scan)} if permit.resumed else {})}
        result = {**scan, "preflight": verdict, "policy": policy, "fleet_evidence": evidence}
        if found.verdict is PreflightVerdict.BLOCKED:
            why = "; ".join(f"{gate['name']}: {gate['evidence']}" for gate in found.blocks)
            blocked = FleetError(f"Preflight: {why}", kind="preflight_blocked")
            return {**result, **blocked.as_result(), "failed": True}
        if not permit.resumed and not taking_back and not permit.attempt.check_mode:
            # What a resumed host was like before its change is what the first attempt saw.
            permit.state.put_baseline(permit.head["tenant"], plan, permit.host, scan["state"])
        return result


def _runs(scan: dict[str, t.Any]) -> dict[str, t.Any]:
    """What an earlier attempt has begun on the host, as far as the host's word has the form of it."""
    said = scan.get("runs")
    return {run: said[run] for run in ("heal", "apply", "rollback") if run in said} if isinstance(said, dict) else {}
