# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The population: nobody drops out of a cycle because an inventory did not see him, or because he was forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import FrozenPlan, freeze_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import LeftOut
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import (
    describe_left_out,
    left_out,
    look_at_population,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

from .fleets import NOW, SOURCE, policies, scanned

HOSTS = [f"web{number}" for number in range(1, 9)]
OVERRIDE = {"gate": "population", "owner": "operations", "reason": "decommissioned", "expires": "2027-12-31"}


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    return FolderState(tmp_path)


def look(state: FolderState, inventory: list[str], incomplete: Any = None) -> tuple[str, str]:
    found = look_at_population(state, "tenant1", incomplete=[None, incomplete], inventory=inventory).gate
    return found["verdict"], found["evidence"]


def plan(
    state: FolderState, cycle: str, hosts: list[str], created: datetime = NOW, inventory: Any = None, **variables: Any
) -> FrozenPlan:
    """Plan ``hosts`` of an ``inventory`` (of them alone), as the playbook does."""
    population = look_at_population(state, "tenant1", incomplete=[], inventory=inventory or hosts)
    frozen = freeze_plan(
        state,
        tenant="tenant1",
        cycle=cycle,
        hosts=scanned(policies(**{host: dict(variables) for host in hosts})),
        created=created,
        revision="abc",
        source=SOURCE,
        population=population,
    )
    state.put_cycle(cycle, [{"tenant": "tenant1", "plan": frozen.plan}])
    return frozen


def test_the_first_plan_has_nobody_to_miss(state: FolderState) -> None:
    assert look(state, HOSTS) == ("pass", "no earlier plan")


def test_an_inventory_that_has_everybody_passes(state: FolderState) -> None:
    before = plan(state, "2026-10", HOSTS)
    assert look(state, [*HOSTS, "new1"]) == (
        "pass",
        f"all 8 hosts of plan {before.plan[:16]} of 2026-10 are in the inventory",
    )


def test_hosts_that_are_gone_are_named(state: FolderState) -> None:
    before = plan(state, "2026-10", HOSTS)
    assert look(state, HOSTS[6:]) == (
        "block",
        f"6 of 8 hosts of plan {before.plan[:16]} of 2026-10 are not in the inventory: "
        "web1, web2, web3, web4, web5 and 1 more; decommissioned? say so by an override of population",
    )


def test_another_tenants_plan_says_nothing(state: FolderState) -> None:
    plan(state, "2026-10", HOSTS)
    gate = look_at_population(state, "tenant2", incomplete=[], inventory=[]).gate
    assert gate["evidence"] == "no earlier plan"


@pytest.mark.parametrize(
    ("incomplete", "said"),
    [
        ("azure: credentials expired", "azure: credentials expired"),
        (["eu-central-1", "eu-west-1"], "eu-central-1, eu-west-1"),
        ({"aws": "throttled"}, "aws: throttled"),
        (True, "True"),
    ],
)
def test_an_inventory_that_says_it_is_incomplete_is_unknown(state: FolderState, incomplete: Any, said: str) -> None:
    assert look(state, HOSTS, incomplete) == ("unknown", f"the inventory is incomplete: {said}")


@pytest.mark.parametrize("incomplete", [None, "", [], {}, False])
def test_an_inventory_that_names_nothing_is_whole(state: FolderState, incomplete: Any) -> None:
    assert look(state, HOSTS, incomplete)[0] == "pass"


def test_planning_again_does_not_make_the_missing_forgotten(state: FolderState) -> None:
    plan(state, "2026-10", HOSTS)
    later = NOW + timedelta(hours=1)
    again = plan(state, "2026-11", HOSTS[1:], created=later)
    assert again.head["missing"] == ["web1"]
    assert again.head["hosts"]["web2"]["decision"] == "patch"
    assert look(state, HOSTS[1:])[0] == "block"
    assert plan(state, "2026-12", HOSTS[1:], created=later + timedelta(hours=1)).head["missing"] == ["web1"]


def test_an_override_lets_the_missing_go(state: FolderState) -> None:
    plan(state, "2026-10", HOSTS)
    again = plan(state, "2026-11", HOSTS[1:], created=NOW + timedelta(hours=1), patch_overrides=[OVERRIDE])
    assert again.head["missing"] == []
    gates = {gate["name"]: gate for gate in state.get_host("tenant1", again.plan, "web2")["gates"]}
    assert gates["population"]["verdict"] == "block"
    assert gates["population"]["override"]["owner"] == "operations"
    assert look(state, HOSTS[1:])[0] == "pass"


def test_a_host_outside_the_limit_is_not_missing(state: FolderState) -> None:
    plan(state, "2026-10", HOSTS)
    assert plan(state, "2026-11", HOSTS[:2], created=NOW + timedelta(hours=1), inventory=HOSTS).head["missing"] == []


def test_of_the_plans_of_a_month_the_latest_made_counts(state: FolderState) -> None:
    plan(state, "2026-10", HOSTS)
    plan(state, "2026-11-e1", HOSTS[:3], created=NOW + timedelta(hours=1))
    ordinary = plan(state, "2026-11", HOSTS, created=NOW + timedelta(hours=2))
    assert ordinary.plan[:16] in look(state, HOSTS)[1]


def test_a_plan_that_cannot_be_read_is_unknown(state: FolderState, tmp_path: Path) -> None:
    before = plan(state, "2026-10", HOSTS)
    (tmp_path / "tenants/tenant1/plans" / before.plan / "plan.json").unlink()
    verdict, evidence = look(state, HOSTS)
    assert verdict == "unknown"
    assert evidence.startswith("the plan before cannot be read: ")


def test_whom_the_inventory_has_besides_is_said_of_the_tenant_alone_and_once() -> None:
    groups = {
        "fleet_stopped": ["db2", "db1", "other1"],
        "fleet_unreachable_transport": ["db1", "web9"],
        "fleet_unassigned": ["lost1", "lost2"],
    }
    tenants = {"other1": "beta"}
    found = left_out(groups, "alpha", lambda host: tenants.get(host, "alpha"))
    assert found == {"stopped": ["db1", "db2"], "unreachable_transport": ["web9"], "unassigned": 2}
    assert describe_left_out(found) == "2 stopped (db1, db2), 1 without a transport (web9), 2 of no tenant"


def test_an_inventory_that_does_not_say_whom_it_has_besides_is_no_whole_one() -> None:
    assert left_out({"fleet": ["web1"]}, "alpha", str) is None


def test_many_that_are_left_out_are_counted_and_some_named() -> None:
    found: LeftOut = {
        "stopped": [f"web{number}" for number in range(9)],
        "unreachable_transport": [],
        "unassigned": 0,
    }
    said = "9 stopped (web0, web1, web2, web3, web4 and 4 more), 0 without a transport, 0 of no tenant"
    assert describe_left_out(found) == said
