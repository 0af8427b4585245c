# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory of a lab, and the policy that is committed beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.lab import inventory
from ansible_collections.bankops.fleet.lab.topology import Place, topology

CHECKOUT = Path(inventory.__file__).resolve().parent.parent
HOSTS = topology(Place(first_port=20000, subnet="10.100.0.0/22"))
# What every inventory source sets, and every playbook may rely on.
HOST_VARIABLES = [
    "cloud",
    "account",
    "region",
    "zone",
    "instance_id",
    "os",
    "tenant",
    "environment",
    "cluster",
    "wave",
    "criticality",
    "transport",
]


@pytest.fixture
def data() -> dict[str, Any]:
    return inventory.inventory(HOSTS, "fleet-12345678-default", Path("/lab/id_ed25519"), Path("/lab/known_hosts"))


def test_every_host_carries_every_fleet_variable(data: dict[str, Any]) -> None:
    for variables in data["all"]["hosts"].values():
        assert {f"fleet_{name}" for name in HOST_VARIABLES} <= set(variables)
        assert all(variables[f"fleet_{name}"] for name in HOST_VARIABLES)


def test_the_load_balancer_is_no_part_of_the_patched_fleet(data: dict[str, Any]) -> None:
    groups = data["all"]["children"]
    assert list(groups["fleet_infrastructure"]["hosts"]) == ["lb1"]
    assert "lb1" not in groups["fleet"]["hosts"]
    assert set(groups["fleet"]["hosts"]) == set(groups["tenant_alpha"]["hosts"]) | set(groups["tenant_beta"]["hosts"])


def test_host_keys_are_checked(data: dict[str, Any]) -> None:
    options = data["all"]["vars"]["ansible_ssh_common_args"]
    assert "StrictHostKeyChecking=yes" in options
    assert 'UserKnownHostsFile="/lab/known_hosts"' in options


def test_the_written_file_says_what_was_meant(data: dict[str, Any]) -> None:
    assert yaml.safe_load(inventory.as_yaml(data)) == data


def test_the_script_says_the_same_as_the_file(data: dict[str, Any]) -> None:
    script = inventory.as_script_output(data)
    assert script["_meta"]["hostvars"] == data["all"]["hosts"]
    assert script["web"]["hosts"] == ["web1", "web2", "web3"]
    assert json.loads(json.dumps(script)) == script


def test_ssh_finds_a_host_key_by_its_port() -> None:
    line = inventory.known_hosts_line(HOSTS[0], "ssh-ed25519 AAAAC3 lb1\n")
    assert line == f"[127.0.0.1]:{HOSTS[0].ssh_port} ssh-ed25519 AAAAC3\n"


def test_every_committed_policy_belongs_to_a_group_of_the_lab(data: dict[str, Any]) -> None:
    files = list((CHECKOUT / "inventories/lab/group_vars").glob("*.yml"))
    assert files
    assert {file.stem for file in files} - {"all"} <= set(data["all"]["children"])


def test_the_etcd_check_asks_every_member() -> None:
    policy = yaml.safe_load((CHECKOUT / "inventories/lab/group_vars/kv.yml").read_text())
    (check,) = policy["patch_health_checks"]
    assert check["endpoints"] == [f"http://{host.name}:2379" for host in HOSTS if host.role == "kv"]
    assert check["minimum_healthy"] == len(check["endpoints"])
