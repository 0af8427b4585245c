# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of updates_stage: takes the transaction from the plan, under an attempt that may stage."""

from __future__ import annotations

import typing as t

from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import Phase


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {"plan": {"type": "str", "required": True}}

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        permit = self.permit(arguments["plan"], variables, purposes=("stage",))
        document, policy = permit.document, permit.document["policy"]
        permit.note_intent(Phase.STAGE, {"packages": len(document["transaction"])})
        result = self.on_target(
            "bankops.fleet.updates_stage",
            {
                "plan": arguments["plan"],
                "transaction": document["transaction"],
                "package_manager": document["manager"],
                "keep": policy["keep_versions"],
            },
            variables,
        )
        evidence = ("cves", "rollback", "bytes", "seconds", "msg", "fleet_failure")
        return {**result, "fleet_evidence": {key: result[key] for key in evidence if key in result}}
