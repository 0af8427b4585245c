# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gates of a tenant, as patch_plan reads them from inventory and command line in a real run of ansible-playbook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible
from ansible_collections.bankops.fleet.tests.fakes.scans import scan

CYCLE = "2026-11"
HOSTS = ("web1", "web2")
PLAY = {
    "name": "Plan",
    "hosts": "fleet",
    "gather_facts": False,
    "tasks": [
        {
            "name": "Freeze a plan for each tenant",
            "bankops.fleet.patch_plan": {"cycle": CYCLE},
            "run_once": True,
            "delegate_to": "localhost",
        }
    ],
}
TICKET: dict[str, Any] = {"patch_change_ticket": {"pattern": "CHG[0-9]{7}"}}


def plan(
    folder: Path,
    *arguments: str,
    hosts: tuple[str, ...] = HOSTS,
    besides: Mapping[str, Any] | None = None,
    **variables: Any,
) -> dict[str, Any]:
    """Plan hosts of tenant alpha; what the plan says of the tenant's gates on the first host, and what was printed.

    ``besides`` are groups of other hosts.
    """
    common = {
        "fleet_tenant": "alpha",
        "fleet_cluster": "none",
        "fleet_wave": "broad",
        "fleet_state_dir": str(folder / "state"),
    }
    found = {host: {"fleet_scan": scan(f"machine-of-{host}")} for host in hosts}
    inventory = {"fleet": {"hosts": found, "vars": {**common, **variables}}}
    (folder / "inventory.json").write_text(json.dumps({"all": {"children": {**inventory, **(besides or {})}}}))
    (folder / "plays.json").write_text(json.dumps([PLAY]))
    run = run_ansible(folder, "playbook", "-i", "inventory.json", "plays.json", *arguments)
    assert run.returncode == 0, run.stdout
    state = FolderState(folder / "state")
    (entry,) = state.get_cycle(CYCLE)["plans"]
    gates = state.get_host("alpha", entry["plan"], hosts[0])["gates"]
    said = {gate["name"]: (gate["verdict"], gate["evidence"]) for gate in gates}
    return {**said, "head": state.get_plan("alpha", entry["plan"]), "stdout": run.stdout}


def test_hosts_that_left_the_inventory_are_missed_until_somebody_answers_for_it(tmp_path: Path) -> None:
    assert plan(tmp_path)["population"] == ("pass", "no earlier plan")
    for _time in range(2):
        again = plan(tmp_path, hosts=("web2",))
        assert again["population"][0] == "block"
        assert "1 of 2 hosts of plan" in again["stdout"]
        assert again["head"]["missing"] == ["web1"]
    gone = {"gate": "population", "owner": "operations", "reason": "decommissioned", "expires": "2099-12-31"}
    answered = plan(tmp_path, hosts=("web2",), patch_overrides=[gone])
    assert answered["head"]["missing"] == []
    assert "override of population by operations until 2099-12-31 (decommissioned): lets through" in answered["stdout"]
    assert plan(tmp_path, hosts=("web2",))["population"][0] == "pass"


def test_a_limit_makes_nobody_missing(tmp_path: Path) -> None:
    plan(tmp_path)
    assert plan(tmp_path, "--limit", "web1")["head"]["missing"] == []


def test_an_inventory_that_is_incomplete_says_so_in_the_plan(tmp_path: Path) -> None:
    found = plan(tmp_path, fleet_incomplete={"azure": "credentials expired"})
    assert found["population"][0] == "unknown"
    assert "the inventory is incomplete: azure: credentials expired" in found["stdout"]


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({"patch_ticket": "CHG0031337"}, "pass"),
        ({"patch_ticket": {"alpha": "INC1"}}, "block"),
    ],
)
def test_a_ticket_that_is_given_must_be_one(tmp_path: Path, given: dict[str, Any], verdict: str) -> None:
    assert plan(tmp_path, "-e", json.dumps(given), **TICKET)["ticket"][0] == verdict


def test_whom_the_inventory_has_besides_is_in_the_plan(tmp_path: Path) -> None:
    assert "left_out" not in plan(tmp_path)["head"]
    besides = {
        group: {"hosts": {f"{group}-{tenant}": {"fleet_tenant": tenant} for tenant in ("alpha", "beta")}}
        for group in ("fleet_stopped", "fleet_unreachable_transport", "fleet_unassigned")
    }
    found = plan(tmp_path, besides=besides)
    assert found["head"]["left_out"] == {
        "stopped": ["fleet_stopped-alpha"],
        "unreachable_transport": ["fleet_unreachable_transport-alpha"],
        "unassigned": 2,
    }
    assert "not in the plan by the inventory: 1 stopped (fleet_stopped-alpha), 1 without a transport" in found["stdout"]
