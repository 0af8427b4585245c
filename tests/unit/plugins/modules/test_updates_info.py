# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""updates_info: what the module passes on, and what it makes of failures and check mode."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._host import scan
from ansible_collections.bankops.fleet.plugins.modules import updates_info
from ansible_collections.bankops.fleet.tests.fakes.module_arguments import module_arguments


class Reader:
    """Stands for the package manager's engine: remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.failure: FleetError | None = None

    def read_packages(self, _commands: Commands, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        if self.failure:
            raise self.failure
        refreshed = asked["refresh"]
        return {"manager": "apt", "pending": [], "transaction": [], "refreshed": refreshed, "refresh_error": None}


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    packages = Reader()
    monkeypatch.setattr(scan, "read_packages", packages.read_packages)
    return packages


@pytest.fixture
def run(capsys: Any) -> Callable[..., dict[str, Any]]:
    def run_module(**arguments: Any) -> dict[str, Any]:
        with module_arguments(**arguments), pytest.raises(SystemExit):
            updates_info.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


def test_one_call_returns_state_packages_and_checks(reader: Reader, run: Any) -> None:
    result = run(checks=[{"type": "command", "argv": ["true"]}])
    assert result["changed"] is False
    assert result["state"]["machine_id"]
    assert result["packages"]["manager"] == "apt"
    assert [check["ok"] for check in result["checks"]] == [True]


def test_without_arguments_it_refreshes_and_selects_security_updates(reader: Reader, run: Any) -> None:
    run()
    selection: dict[str, Any] = {"classes": "security", "include": [], "exclude": [], "held": [], "aged": None}
    asked = {"manager": "auto", "refresh": True, "selection": selection, "planned": None, "lock_timeout": 0.0}
    assert reader.asked == asked


def test_the_selection_is_passed_on_whole(reader: Reader, run: Any) -> None:
    selection = {"classes": "all", "include": ["nginx*"], "exclude": ["linux-*"], "held": ["etcd"], "aged": ["a=1"]}
    planned = [{"name": "nginx", "arch": "amd64", "action": "upgrade", "installed": "1", "candidate": "2"}]
    asked = {"manager": "dnf", "refresh": False, "selection": selection, "planned": planned, "lock_timeout": 5.0}
    run(**asked)
    assert reader.asked == asked


def test_check_mode_does_not_refresh_and_says_so(reader: Reader, run: Any) -> None:
    result = run(_ansible_check_mode=True)
    assert reader.asked["refresh"] is False
    assert "Check mode does not refresh" in result["packages"]["refresh_error"]


def test_check_mode_has_nothing_to_say_where_no_refresh_was_asked_for(reader: Reader, run: Any) -> None:
    assert run(_ansible_check_mode=True, refresh=False)["packages"]["refresh_error"] is None


def test_a_failure_of_the_package_manager_names_its_kind(reader: Reader, run: Any) -> None:
    reader.failure = FleetError("dpkg is broken.", kind="command_failed", remedy="Repair it.")
    result = run()
    assert (result["failed"], result["msg"]) == (True, "dpkg is broken. Repair it.")
    assert result["fleet_failure"]["kind"] == "command_failed"


def test_a_wrong_check_is_refused_before_the_packages_are_read(reader: Reader, run: Any) -> None:
    result = run(checks=[{"type": "http"}])
    assert result["fleet_failure"]["kind"] == "bad_check"
    assert reader.asked == {}


def test_an_unknown_part_of_the_selection_is_refused(reader: Reader, run: Any) -> None:
    assert "excluded" in run(selection={"excluded": ["nginx"]})["msg"]


def test_only_what_a_plan_has_run_is_read_when_nothing_else_is_asked_for(
    reader: Reader, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"apply": {"state": "complete", "status": 0, "started": "2026-11-21T04:23:41Z"}}
    asked: list[Any] = []

    def examine(_commands: Commands, *given: Any) -> Any:
        asked.append(given)
        return found

    monkeypatch.setattr(updates_info, "examine", examine)
    result = run(plan="a" * 64, runs_only=True, timeout=5)
    assert {key: result[key] for key in ("runs", "changed")} == {"runs": found, "changed": False}
    assert asked == [("a" * 64, 5.0)]
    assert reader.asked == {}
    assert "packages" not in result
