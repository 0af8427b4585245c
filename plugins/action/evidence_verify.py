# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verifies bundles, alone or against the state. Runs on the controller, or on an auditor's machine."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.chain import read_anchors
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.console import render
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import BUNDLES
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.verification import Wanted, verify_evidence
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

PLACES = ("fleet_state_dir", "fleet_store_url")
"""The variables that say where a state is."""


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "bundles": {"type": "path"},
        "signers": {"type": "path", "required": True},
        "approval_signers": {"type": "path"},
        "anchors": {"type": "list", "elements": "dict", "default": []},
        "state": {"type": "bool"},
        "current": {"type": "bool", "default": False},
        "tenants": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        now = datetime.now(timezone.utc)
        bundles = Path(arguments["bundles"]) if arguments["bundles"] else self.state_dir(variables) / BUNDLES
        state = self._state(arguments["state"], variables)
        wanted = Wanted(
            signers=Path(arguments["signers"]),
            approval_signers=Path(arguments["approval_signers"]) if arguments["approval_signers"] else None,
            anchors=read_anchors(arguments["anchors"]),
            tenants=arguments["tenants"],
            until=f"{now:%Y-%m}" if arguments["current"] else None,
            now=now,
        )
        found = verify_evidence(bundles, state, wanted)
        lines = render(found, str(bundles), with_state=state is not None)
        self.show(lines)
        result: dict[str, t.Any] = {
            "changed": False,
            "bundles": [bundle.as_data() for bundle in found.bundles],
            "waiting": [plan.as_data() for plan in found.open],
            "findings": [finding.as_data() for finding in found.findings],
            "compared_with_state": state is not None,
        }
        if found.findings:
            result.update(failed=True, msg=lines[-1])
        return result

    def _state(self, asked: bool | None, variables: dict[str, t.Any]) -> State | None:
        """The state to compare with; an auditor names none, and is not asked to say so."""
        if asked is False:
            return None
        state = self.state(variables)
        if state.tenants():
            return state
        named = [name for name in PLACES if self.variable(variables, name)]
        if asked or named:
            where = f"the state at {self.state_dir(variables)}" if named == ["fleet_state_dir"] else "the state"
            raise FleetError(
                f"The bundles are to be compared with the state, and {where} has no tenant.",
                kind="no_plan",
                remedy=f"Correct {' or '.join(named or PLACES)}, or verify the bundles alone: "
                "fleet_verify_state=false.",
            )
        return None
