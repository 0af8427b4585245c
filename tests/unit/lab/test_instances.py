# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of a lab's hosts is in which cloud, and who is there besides."""

from __future__ import annotations

from ansible_collections.bankops.fleet.lab.instances import AWS_ACCOUNT, instances
from ansible_collections.bankops.fleet.lab.topology import Place, topology

HOSTS = topology(Place(first_port=20000, subnet="10.100.0.0/22"))
PREFIX = "fleet-12345678-default"
FOUND = {instance.name: instance for instance in instances(HOSTS, PREFIX)}


def test_every_patched_host_is_in_one_cloud_and_each_tenant_in_its_own() -> None:
    clouds: dict[str, set[str]] = {}
    for host in HOSTS:
        if host.patched:
            clouds.setdefault(host.tenant, set()).add(FOUND[host.name].cloud)
    assert clouds == {"alpha": {"aws", "azure"}, "beta": {"gcp"}}
    assert len(FOUND) == len(instances(HOSTS, PREFIX))
    assert FOUND.keys() - {host.name for host in HOSTS if host.patched} == {"old1", "stray1"}


def test_a_host_is_where_it_was_whoever_else_is_there() -> None:
    few = topology(Place(first_port=20000, subnet="10.100.0.0/22"), web=9, only=frozenset({"web2", "kv2", "rpm1"}))
    for instance in instances(few, PREFIX):
        known = FOUND[instance.name]
        assert (instance.id, instance.cloud, instance.account, instance.place) == (
            known.id,
            known.cloud,
            known.account,
            known.place,
        )


def test_a_cluster_is_spread_over_regions_or_zones() -> None:
    assert [FOUND[f"web{number}"].place for number in (1, 2, 3)] == ["eu-central-1", "eu-west-1", "eu-central-1"]
    assert [FOUND[f"kv{number}"].place for number in (1, 2, 3)] == ["1", "2", "3"]
    assert FOUND["web1"].account == AWS_ACCOUNT


def test_hosts_carry_their_place_in_the_fleet_and_the_way_to_them_as_tags() -> None:
    assert FOUND["rpm2"].tags == {
        "tenant": "beta",
        "environment": "lab",
        "cluster": "rpm",
        "wave": "broad",
        "criticality": "medium",
        "os": "debian12",
        "role": "rpm",
        "ssh-port": "20016",
    }


def test_there_is_something_to_be_found_besides() -> None:
    assert [instance.name for instance in FOUND.values() if not instance.running] == ["old1"]
    assert [instance.name for instance in FOUND.values() if "tenant" not in instance.tags] == ["stray1"]
    assert [instance.name for instance in FOUND.values() if not instance.protected] == ["web3"]


def test_another_lab_has_other_machines() -> None:
    others = {instance.name: instance.id for instance in instances(HOSTS, "fleet-12345678-other")}
    assert all(instance.id != others[name] for name, instance in FOUND.items() if instance.id)
