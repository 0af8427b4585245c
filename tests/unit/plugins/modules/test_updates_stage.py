# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""updates_stage: what the module passes on, and what it makes of failures."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.modules import updates_stage
from ansible_collections.bankops.fleet.tests.fakes.module_arguments import module_arguments

PLAN = "ab" * 32
ENTRY = {"name": "openssl", "arch": "amd64", "action": "upgrade", "installed": "1", "candidate": "2"}


@pytest.fixture
def run(capsys: Any) -> Callable[..., dict[str, Any]]:
    def run_module(**arguments: Any) -> dict[str, Any]:
        with module_arguments(**{"plan": PLAN, "transaction": [ENTRY], **arguments}), pytest.raises(SystemExit):
            updates_stage.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


def test_the_engine_gets_the_arguments_and_gives_the_result(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    told: dict[str, Any] = {}

    def stage(_commands: object, **arguments: Any) -> dict[str, Any]:
        told.update(arguments)
        return {"changed": True, "staged": []}

    monkeypatch.setattr(updates_stage, "stage", stage)
    assert run(keep=False, package_manager="dnf", _ansible_check_mode=True)["changed"] is True
    assert told == {
        "plan": PLAN,
        "transaction": [ENTRY],
        "manager": "dnf",
        "keep": False,
        "minimum_free": 256,
        "check_mode": True,
    }


def test_a_failure_keeps_its_kind(monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    def stage(_commands: object, **_arguments: Any) -> dict[str, Any]:
        raise FleetError("It is gone.", kind="candidate_gone", remedy="Make a new plan.")

    monkeypatch.setattr(updates_stage, "stage", stage)
    result = run()
    assert result["failed"] is True
    assert result["fleet_failure"]["kind"] == "candidate_gone"
