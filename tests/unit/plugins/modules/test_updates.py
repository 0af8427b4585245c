# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""updates: what the module passes on, and what it makes of failures."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.change import Order
from ansible_collections.bankops.fleet.plugins.module_utils._packages.restart import Restart
from ansible_collections.bankops.fleet.plugins.modules import updates
from ansible_collections.bankops.fleet.tests.fakes.module_arguments import module_arguments

ENTRY = {"name": "openssl", "arch": "amd64", "action": "upgrade", "installed": "1", "candidate": "2"}


class Engine:
    """Stands for the package engine: remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Order]] = []
        self.failure: FleetError | None = None

    def verb(self, name: str) -> Callable[..., dict[str, Any]]:
        def carry_out(_commands: object, order: Order) -> dict[str, Any]:
            self.told.append((name, order))
            if self.failure:
                raise self.failure
            return {"changed": True, "diff": {"before": "openssl 1\n", "after": "openssl 2\n"}}

        return carry_out


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr(updates, "apply", engine.verb("apply"))
    monkeypatch.setattr(updates, "roll_back", engine.verb("roll_back"))
    return engine


@pytest.fixture
def run(capsys: Any) -> Callable[..., dict[str, Any]]:
    def run_module(**arguments: Any) -> dict[str, Any]:
        with module_arguments(**{"plan": "ab" * 32, "transaction": [ENTRY], **arguments}), pytest.raises(SystemExit):
            updates.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


def test_the_order_is_what_was_asked_for(engine: Engine, run: Any) -> None:
    result = run(restart="listed", restart_units=["nginx.service"], lock_timeout=5, not_after="2026-11-21T04:00:00Z")
    assert result["changed"] is True
    assert result["diff"]["after"] == "openssl 2\n"
    verb, order = engine.told[0]
    assert verb == "apply"
    assert (order.transaction, order.restart, order.restart_units) == ([ENTRY], Restart.LISTED, ["nginx.service"])
    assert (order.lock_timeout, order.not_after, order.check_mode) == (5.0, "2026-11-21T04:00:00Z", False)


def test_rolling_back_is_the_other_verb(engine: Engine, run: Any) -> None:
    run(state="rolled_back")
    assert engine.told[0][0] == "roll_back"


def test_check_mode_reaches_the_engine(engine: Engine, run: Any) -> None:
    run(_ansible_check_mode=True)
    assert engine.told[0][1].check_mode is True


def test_a_failure_keeps_its_kind_and_data(engine: Engine, run: Any) -> None:
    engine.failure = FleetError("It is locked.", kind="lock_held", remedy="Wait.", data={"locks": []})
    result = run()
    assert result["failed"] is True
    assert result["msg"] == "It is locked. Wait."
    assert result["fleet_failure"] == {"kind": "lock_held", "remedy": "Wait.", "data": {"locks": []}}


def test_an_unknown_action_is_refused_by_the_arguments(engine: Engine, run: Any) -> None:
    result = run(transaction=[{**ENTRY, "action": "destroy"}])
    assert result["failed"] is True
    assert "destroy" in result["msg"]
    assert engine.told == []
