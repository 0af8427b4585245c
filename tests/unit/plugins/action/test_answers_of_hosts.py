# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a managed host answers is data: it sets no variable, and speaks for nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction

ANSWER = {
    "changed": True,
    "state": {"machine_id": "m1"},
    "fleet_failure": {"kind": "lock_held"},
    "ansible_facts": {"patch_exclude": ["*"]},
    "add_host": {"host_name": "evil"},
    "fleet_results": {"web3": {"failed": False}},
    "fleet_attempts": [{"plan": "0" * 64}],
    "fleet_outcome": {"outcome": "verified"},
    "fleet_evidence": {"before": {}},
    "fleet_unreachable": False,
}


class Asking(FleetAction):
    """An action that does nothing of its own."""

    def act(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        return {}


def test_orders_in_an_answer_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def answered(self: FleetAction, **_asked: Any) -> dict[str, Any]:
        return dict(ANSWER)

    monkeypatch.setattr(FleetAction, "_execute_module", answered)
    action = Asking.__new__(Asking)
    taken = action.on_target("bankops.fleet.updates_info", {}, {})
    assert taken == {key: ANSWER[key] for key in ("changed", "state", "fleet_failure")}
