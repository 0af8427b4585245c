# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin in Ansible's own programs: failures, and what users build on its variables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Cloud, Power, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.machines import ACCOUNT, REGION, machine
from ansible_collections.bankops.fleet.tests.fakes.multicloud_programs import Programs, text
from ansible_collections.bankops.fleet.tests.fakes.scans import scan

SCOPE = Scope("aws", ACCOUNT, REGION)
BROKEN = {Scope("aws", "broken", "eu-west-1"): [], SCOPE: [machine()]}

PLAN = {
    "name": "Plan",
    "hosts": "fleet",
    "gather_facts": False,
    "tasks": [
        {
            "name": "Freeze a plan for each tenant",
            "bankops.fleet.patch_plan": {"cycle": "2026-11"},
            "run_once": True,
            "delegate_to": "localhost",
        }
    ],
}


@pytest.fixture
def lab(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def test_a_source_that_fails_makes_the_inventory_fail(lab: Programs) -> None:
    lab.cloud(BROKEN)
    run = lab.run("ansible-inventory", "-i", str(lab.inventory), "--list", ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1")
    assert run.returncode != 0
    said = " ".join(run.stderr.split())
    assert "source aws, broken, eu-west-1: ec2:DescribeInstances: the request was throttled. Try again later." in said
    assert "name-of-i-1" not in run.stdout


def test_a_bad_file_says_what_is_wrong_with_it_and_gives_no_host(lab: Programs) -> None:
    lab.cloud({}, on_eror="mark")
    run = lab.run("ansible-inventory", "-i", str(lab.inventory), "--list", ANSIBLE_INVENTORY_UNPARSED_FAILED="1")
    assert run.returncode != 0
    assert "on_eror: is no option. Did you mean on_error?" in " ".join(run.stderr.split())


def test_with_mark_the_rest_is_used_and_marked(lab: Programs) -> None:
    lab.cloud(BROKEN, on_error="mark")
    listing = lab.list()
    assert listing["fleet"]["hosts"] == ["name-of-i-1"]
    variables = text(listing["_meta"]["hostvars"]["name-of-i-1"])
    assert variables["fleet_incomplete"] == {
        "source aws, broken, eu-west-1": "ec2:DescribeInstances: the request was throttled"
    }
    (record,) = variables["fleet_population"]
    assert (record["inventory"], record["machines"], record["planned"]) == (str(lab.inventory), 1, 1)


def test_variables_and_groups_of_ones_own_are_made_as_with_other_inventories(lab: Programs) -> None:
    lab.cloud(
        {
            SCOPE: [
                machine("i-1", name="web1", tags={"tenant": "alpha", "Role": "web"}, raw={"Type": "t3.micro"}),
                machine("i-2", name="db1", tags={"Role": ""}, power=Power.STOPPED, cloud=Cloud.AZURE),
            ]
        },
        raw=True,
        compose={"ansible_user": "'root' if fleet_tenant == 'alpha' else 'admin'", "nothing": "undefined_variable"},
        groups={"webs": "fleet_tags.Role == 'web'", "roots": "ansible_user == 'root'"},
        keyed_groups=[
            {"prefix": "role", "key": "fleet_tags.Role", "default_value": "none", "parent_group": "roles"},
            {"prefix": "tag", "key": "fleet_tags", "trailing_separator": False},
            {"key": "fleet_raw.Type", "separator": ""},
        ],
    )
    listing = lab.list("--export")
    groups = {name: sorted(each["hosts"]) for name, each in listing.items() if "hosts" in each}
    for group in ("webs", "roots", "role_web", "tag_Role_web", "tag_tenant_alpha", "t3_micro", "tenant_alpha", "fleet"):
        assert groups[group] == ["web1"], group
    assert groups["role_none"] == groups["tag_Role"] == groups["fleet_stopped"] == ["db1"]
    assert sorted(listing["roles"]["children"]) == ["role_none", "role_web"]
    users = {name: text(each["ansible_user"]) for name, each in listing["_meta"]["hostvars"].items()}
    assert users == {"web1": "root", "db1": "admin"}


def test_no_tag_puts_a_host_among_those_of_a_plan_or_of_another_tenant(lab: Programs) -> None:
    roles = {"i-1": "fleet", "i-2": "tenant_beta", "i-3": "web1"}
    machines = [machine(each, tags={"Role": role}) for each, role in roles.items()]
    lab.cloud(
        {SCOPE: [*machines, machine("i-4", name="web1"), machine("i-5", tags={"tenant": "beta"})]},
        keyed_groups=[{"key": "fleet_tags.Role", "separator": "", "parent_group": "fleet_stopped"}],
        groups={"wave_canary": "true"},
    )
    listing = lab.list()
    assert listing["fleet"]["hosts"] == ["name-of-i-5", "web1"]
    assert listing["tenant_beta"]["hosts"] == ["name-of-i-5"]
    assert sorted(listing["x_fleet_stopped"]["children"]) == ["x_fleet", "x_tenant_beta", "x_web1"]
    assert "wave_canary" not in listing


def test_strict_makes_an_error_of_what_cannot_be_evaluated(lab: Programs) -> None:
    lab.cloud({SCOPE: [machine()]}, compose={"x": "undefined_variable"}, strict=True)
    run = lab.run("ansible-inventory", "-i", str(lab.inventory), "--list", ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1")
    assert run.returncode != 0
    assert "Could not set x for host name-of-i-1" in " ".join(run.stderr.split())


def test_limits_hosts_and_graphs_are_ansibles_own(lab: Programs) -> None:
    lab.cloud({SCOPE: [machine("i-1", name="web1"), machine("i-2", name="web2")]})
    assert lab.list("--limit", "web1")["_meta"]["hostvars"].keys() == {"web1"}
    run = lab.run("ansible-inventory", "-i", str(lab.inventory), "--host", "web2")
    assert text(json.loads(run.stdout))["fleet_instance_id"] == "i-2"
    graph = lab.run("ansible-inventory", "-i", str(lab.inventory), "--graph", "fleet").stdout
    assert graph.split() == ["@fleet:", "|--web1", "|--web2"]


def test_the_plan_of_a_marked_inventory_is_blocked_and_says_whom_it_has_besides(lab: Programs) -> None:
    common = {"fleet_tenant": "alpha", "fleet_cluster": "none", "fleet_wave": "broad"}
    hosts = {"db1": {**common, "fleet_scan": scan("machine-of-db1")}, "db2": {**common, "fleet_power": "stopped"}}
    (lab.folder / "datacentre.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    (lab.folder / "play.yml").write_text(json.dumps([PLAN]))
    lab.cloud(
        {Scope("aws", "broken", "eu-west-1"): [], SCOPE: [machine(tags={})]},
        sources=[{"type": "aws"}, {"type": "static", "files": ["datacentre.yml"]}],
        on_error="mark",
    )
    run = lab.run("ansible-playbook", "-i", str(lab.inventory), "-e", f"fleet_state_dir={lab.folder}/state", "play.yml")
    assert run.returncode == 0, run.stdout + run.stderr
    state = FolderState(lab.folder / "state")
    (entry,) = state.get_cycle("2026-11")["plans"]
    head = state.get_plan("alpha", entry["plan"])
    assert head["left_out"] == {"stopped": ["db2"], "unreachable_transport": [], "unassigned": 1}
    assert head["hosts"].keys() == {"db1"}
    gate = next(gate for gate in state.get_host("alpha", entry["plan"], "db1")["gates"] if gate["name"] == "population")
    assert gate["verdict"] == "unknown"
    assert "source aws, broken, eu-west-1: ec2:DescribeInstances: the request was throttled" in gate["evidence"]
    assert "gate population says unknown: the inventory is incomplete" in run.stdout
