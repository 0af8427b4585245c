# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the policy of all hosts of the play at once. Runs on the controller alone."""

from __future__ import annotations

import typing as t

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {"cycle": {"type": "str"}}

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        if not arguments["cycle"]:
            raise FleetError(
                "patch_cycle is not set.",
                kind="no_cycle",
                remedy="Name the cycle to plan, e.g. -e patch_cycle=2026-11.",
            )
        policies = self.policies(arguments["cycle"], variables)
        tenants = sorted({policy.tenant for policy in policies.values()})
        return {"changed": False, "hosts": len(policies), "tenants": tenants}
