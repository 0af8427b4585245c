# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The population: each machine is one host or excluded, and whoever no plan works on is counted with the reason."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible.plugins.inventory import to_safe_group_name
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import SensorHost
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    Cloud,
    Machine,
    Power,
    Scope,
    Transport,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.classify import (
    Host,
    LeftOut,
    Population,
    classify,
    mark_sensors,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.groups import GroupNames, groups_of
from ansible_collections.bankops.fleet.tests.fakes.machines import ACCOUNT, machine

from .strategies import configured, readings

EAST, WEST = Scope("production", ACCOUNT, "east"), Scope("audit", ACCOUNT, "east")


def population(*machines: Machine, **options: Any) -> Population:
    return classify({EAST: machines}, configured(**options))


def one(found: Machine, **options: Any) -> Host:
    (host,) = population(found, **options).hosts
    return host


def groups(host: Host) -> list[str]:
    return sorted(groups_of(host, GroupNames(to_safe_group_name)))


# Placement


@pytest.mark.parametrize(
    ("tags", "tenant"),
    [
        ({"tenant": "alpha"}, "alpha"),
        ({"Tenant": "alpha"}, "alpha"),
        ({"customer": "alpha"}, "alpha"),
        ({"Customer": "beta", "tenant": "alpha"}, "alpha"),
        ({"tenant": "", "customer": "alpha"}, "alpha"),
        ({"tenant": ""}, "unknown"),
        ({"TENANT": "alpha"}, "unknown"),
        ({"tenant": " ", "customer": " alpha\t"}, "alpha"),
        ({"tenant": "   "}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_the_first_tag_that_says_something_counts(tags: dict[str, str], tenant: str) -> None:
    assert one(machine(tags=tags)).placement.tenant == tenant


@pytest.mark.parametrize("tenant", ["../beta", "al pha", "-alpha", "a" * 64, "{{ alpha }}"])
def test_a_tenant_that_can_be_none_is_recorded_and_unassigned(tenant: str) -> None:
    host = one(machine(tags={"tenant": tenant}))
    assert (host.left_out, host.placement.refused_tenant) == (LeftOut.UNASSIGNED, tenant)
    assert not [group for group in groups(host) if group.startswith("tenant_")]


def test_a_mapping_replaces_the_usual_tags_of_a_part_and_leaves_the_others() -> None:
    placement = one(
        machine(tags={"CostCentre": "alpha", "tenant": "beta", "env": "test"}), mapping={"tenant": ["CostCentre"]}
    ).placement
    assert (placement.tenant, placement.environment) == ("alpha", "test")


def test_what_holds_for_a_source_holds_where_no_tag_says_otherwise() -> None:
    sources = [{"type": "aws", "name": "production", "placement": {"tenant": "alpha", "wave": "broad"}}]
    placement = one(machine(tags={"wave": "canary"}), sources=sources).placement
    assert (placement.tenant, placement.wave, placement.cluster) == ("alpha", "canary", "unknown")


def test_the_operating_system_is_what_a_tag_says_or_else_the_cloud() -> None:
    assert one(machine(os="ubuntu")).placement.os == "ubuntu"
    assert one(machine(os="ubuntu", tags={"os": "debian"})).placement.os == "debian"
    assert one(machine()).placement.os == "unknown"


# What a plan works on, and what not


def test_a_running_machine_with_a_tenant_and_an_address_is_what_a_plan_works_on() -> None:
    host = one(machine(tags={"tenant": "alpha", "wave": "canary", "cluster": "web", "env": "prod"}, os="debian"))
    assert (host.left_out, host.transport, host.address) == (None, "ssh", "10.0.0.1")
    assert groups(host) == [
        *("cloud_aws", "cluster_web", "environment_prod", "fleet", "os_debian"),
        *("region_eu_central_1", "tenant_alpha", "wave_canary"),
    ]


@pytest.mark.parametrize(
    ("given", "reason", "in_groups"),
    [
        ({"power": Power.STOPPED}, LeftOut.STOPPED, {"fleet_stopped"}),
        ({"power": Power.OTHER}, LeftOut.STOPPED, {"fleet_stopped"}),
        ({"tags": {}}, LeftOut.UNASSIGNED, {"fleet_unassigned"}),
        ({"private_ip": ""}, LeftOut.UNREACHABLE_TRANSPORT, {"fleet_unreachable_transport"}),
        ({"power": Power.STOPPED, "tags": {}}, LeftOut.STOPPED, {"fleet_stopped", "fleet_unassigned"}),
    ],
)
def test_the_others_are_grouped_and_counted_by_their_reason(
    given: dict[str, Any], reason: LeftOut, in_groups: set[str]
) -> None:
    found = population(machine(**given))
    (host,) = found.hosts
    assert host.left_out is reason
    assert {group for group in groups(host) if group.startswith("fleet")} == in_groups
    record = found.record("2026-11-21T04:00:00Z")
    assert (record["hosts"], record["planned"], record[reason.value]) == (1, 0, 1)


def test_a_host_that_stands_alone_is_in_no_cluster() -> None:
    assert not [group for group in groups(one(machine(tags={"cluster": "none"}))) if group.startswith("cluster_")]


@pytest.mark.parametrize(
    ("given", "options", "address", "transport"),
    [
        ({"public_ip": "192.0.2.1"}, {}, "10.0.0.1", "ssh"),
        ({"public_ip": "192.0.2.1"}, {"addresses": ["public_ip", "private_ip"]}, "192.0.2.1", "ssh"),
        ({"private_ip": "", "private_dns": "web1.internal"}, {}, "web1.internal", "ssh"),
        ({"private_ip": "", "name": "web1"}, {}, "", "unknown"),
        ({"private_ip": "", "name": "web1"}, {"addresses": ["name"]}, "web1", "ssh"),
        ({"private_ip": "", "managed_by": (Transport.SSM,)}, {}, "", "ssm"),
        ({"managed_by": (Transport.SSM,)}, {}, "10.0.0.1", "ssh"),
        ({"private_ip": "127.0.0.1"}, {}, "", "unknown"),
        ({"private_ip": "127.0.0.1", "public_ip": "192.0.2.1"}, {}, "192.0.2.1", "ssh"),
        ({"private_ip": "127.0.0.1"}, {"loopback": True}, "127.0.0.1", "ssh"),
        ({"private_ip": "", "name": "localhost"}, {"addresses": ["name"]}, "", "unknown"),
        ({"managed_by": (Transport.SSM,)}, {"transports": ["ssm", "ssh"]}, "10.0.0.1", "ssm"),
        ({"managed_by": (Transport.AZURE,)}, {"transports": ["ssm"]}, "10.0.0.1", "unknown"),
        ({"private_ip": "", "name": "-oProxyCommand=id"}, {"addresses": ["name"]}, "", "unknown"),
    ],
)
def test_the_first_fit_address_and_the_first_way_are_taken(
    given: dict[str, Any], options: dict[str, Any], address: str, transport: str
) -> None:
    host = one(machine(**given), **options)
    assert (host.address, host.transport) == (address, transport)


def test_a_file_may_say_that_a_host_is_reached_on_this_machine() -> None:
    (host,) = classify({Scope("a-file"): [machine(private_ip="127.0.0.1")]}, configured()).hosts
    assert host.address == "127.0.0.1"


def test_hosts_of_one_address_are_counted() -> None:
    found = population(machine("i-1"), machine("i-2"), machine("i-3", private_ip="10.0.0.3"))
    assert {address: len(hosts) for address, hosts in found.shared_addresses().items()} == {"10.0.0.1": 2}
    assert found.record("")["shared_addresses"] == 2


# Duplicates


def test_a_machine_that_two_sources_see_is_one_host() -> None:
    found = classify({EAST: [machine()], WEST: [machine()]}, configured())
    (host,) = found.hosts
    assert host.seen_by == (f"audit/{ACCOUNT}/east", f"production/{ACCOUNT}/east")
    assert "fleet_duplicate" in groups(host)
    assert found.record("")["duplicates"] == 1


def test_a_machine_that_comes_on_two_pages_of_one_scope_is_no_duplicate() -> None:
    (host,) = population(machine(), machine()).hosts
    assert not host.is_duplicate


def test_a_cloud_knows_better_than_a_file_whether_a_machine_runs() -> None:
    scopes = {Scope("a-file"): [machine()], EAST: [machine(power=Power.STOPPED)]}
    assert classify(scopes, configured()).hosts[0].machine.power is Power.STOPPED


def test_what_two_sources_know_of_a_machine_is_united() -> None:
    found = {EAST: [machine(private_ip="", managed_by=(Transport.SSM,))], WEST: [machine(tags={}, private_ip="")]}
    (host,) = classify(found, configured()).hosts
    assert (host.placement.tenant, host.transport, host.machine.managed_by) == ("alpha", "ssm", (Transport.SSM,))


@pytest.mark.parametrize("given", [{"tags": {"tenant": "beta"}}, {"region": "us-east-1"}, {"placement": {"wave": "b"}}])
def test_sources_that_contradict_each_other_are_both_named(given: dict[str, Any]) -> None:
    one = machine(tags={"tenant": "alpha", "wave": "a"})
    with pytest.raises(FleetError) as caught:
        classify({EAST: [one], WEST: [replace(one, **given)]}, configured())
    assert caught.value.kind == "bad_inventory"
    assert f"aws {ACCOUNT} i-1: " in caught.value.message
    for scope in ("audit", "production"):
        assert f"by {scope}/{ACCOUNT}/east" in caught.value.message


def reached(instance_id: str, **values: Any) -> Machine:
    """A machine that Systems Manager reaches and EC2 does not list."""
    return replace(machine(instance_id), managed_by=(Transport.SSM,), is_listed=False, tags={}, **values)


def test_whom_the_cloud_does_not_list_is_no_host_and_is_named() -> None:
    production = {"type": "aws", "name": "production", "placement": {"tenant": "alpha"}}
    found = population(machine("i-1"), reached("mi-1"), sources=[production])
    assert [host.machine.instance_id for host in found.hosts] == ["i-1"]
    record = found.record("")
    where = {"cloud": "aws", "account": ACCOUNT, "region": machine().region, "instance_id": "mi-1", "tenant": "alpha"}
    assert record["only_managed"] == {"count": 1, "machines": [where]}
    assert (record["machines"], record["hosts"]) == (1, 1)
    assert "only_managed" not in population(machine()).record("")


def test_whom_another_source_lists_is_a_host_and_whom_conditions_leave_out_is_counted() -> None:
    found = classify({EAST: [reached("i-1")], WEST: [machine("i-1")]}, configured())
    assert ([host.seen_by for host in found.hosts], found.only_managed) == ([(f"audit/{ACCOUNT}/east",)], [])
    excluded = population(reached("mi-1"), exclude=[{"account": ACCOUNT}])
    assert (excluded.excluded, excluded.only_managed) == (1, [])


def test_of_many_whom_nobody_lists_fifty_are_named() -> None:
    only = population(*(reached(f"mi-{number}") for number in range(51))).record("")["only_managed"]
    assert (only["count"], len(only["machines"])) == (51, 50)


def test_a_sensor_that_a_file_names_and_a_way_that_another_knows_are_united() -> None:
    asked = replace(machine(), not_managed_by=(Transport.SSM,))
    (host,) = classify({EAST: [asked], WEST: [replace(machine(), sensor_id="a1")]}, configured()).hosts
    assert (host.machine.sensor_id, host.machine.not_managed_by) == ("a1", (Transport.SSM,))
    (host,) = classify({EAST: [asked], WEST: [replace(machine(), managed_by=(Transport.SSM,))]}, configured()).hosts
    assert (host.machine.managed_by, host.machine.not_managed_by) == ((Transport.SSM,), ())


def test_one_id_in_two_accounts_or_clouds_is_two_machines() -> None:
    found = population(machine(), machine(account="2"), machine(cloud=Cloud.GCP))
    assert len(found.hosts) == 3


# Conditions


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({}, ["i-1", "i-2", "i-3"]),
        ({"include": [{"environment": "production"}]}, ["i-1"]),
        ({"include": [{"environment": "prod*"}]}, ["i-1"]),
        ({"include": [{"environment": ["production", "test"]}]}, ["i-1", "i-2"]),
        ({"include": [{"environment": "production"}, {"tag:Role": "db"}]}, ["i-1", "i-3"]),
        ({"include": [{"environment": "production", "tag:Role": "db"}]}, []),
        ({"exclude": [{"environment": "test"}]}, ["i-1", "i-3"]),
        ({"exclude": [{"tag:Role": "?*"}]}, ["i-1", "i-2"]),
        ({"include": [{"cloud": "aws"}], "exclude": [{"instance_id": "i-[12]"}]}, ["i-1", "i-2", "i-3"][2:]),
        ({"exclude": [{"environment": "unknown"}]}, ["i-1", "i-2"]),
        ({"exclude": [{"power": "running"}]}, []),
    ],
)
def test_conditions_choose_and_what_they_leave_out_is_counted(options: dict[str, Any], left: list[str]) -> None:
    found = population(
        machine("i-1", tags={"environment": "production"}),
        machine("i-2", tags={"environment": "test"}),
        machine("i-3", tags={"Role": "db"}),
        **options,
    )
    assert [host.machine.instance_id for host in found.hosts] == left
    assert found.excluded == 3 - len(left)


@settings(max_examples=30)
@given(readings, st.randoms(use_true_random=False))
def test_every_machine_is_one_host_or_excluded_and_the_counts_add_up_in_any_order(
    reading: dict[Scope, list[Machine]], chance: random.Random
) -> None:
    options = configured(exclude=[{"tag:Role": "web"}])
    found = classify(reading, options)
    identities = {each.identity for machines in reading.values() for each in machines}
    assert len({host.machine.identity for host in found.hosts}) == len(found.hosts)
    record = found.record("2026-11-21T04:00:00Z")
    assert record["machines"] == len(identities) == record["hosts"] + record["excluded"]
    assert record["hosts"] == record["planned"] + sum(record[reason.value] for reason in LeftOut)
    assert record["planned"] == sum("fleet" in groups(host) for host in found.hosts)
    for host in found.hosts:
        outside = {"fleet_stopped", "fleet_unassigned", "fleet_unreachable_transport"}.intersection(groups(host))
        assert ("fleet" in groups(host)) != bool(outside)
    shuffled = list(reading.items())
    chance.shuffle(shuffled)
    again = classify(dict(shuffled), options)
    assert {host.machine.identity: host for host in again.hosts} == {
        host.machine.identity: host for host in found.hosts
    }


# Sensors


def sensor(instance_id: str = "i-1", *, seen: int | None = 1, aid: str = "a1") -> SensorHost:
    return SensorHost(
        cid="c",
        aid=aid,
        hostname="web1",
        cloud="aws",
        account=ACCOUNT,
        instance_id=instance_id,
        agent_version="7.1",
        last_seen=datetime(2026, 11, seen, tzinfo=timezone.utc) if seen else None,
        status="normal",
        rfm=False,
        platform="Linux",
    )


def test_a_host_has_the_latest_sensor_of_its_machine_and_is_never_joined_by_its_name() -> None:
    found = population(machine("i-1"), machine("i-2", name="web1"))
    assert "sensors" not in found.record("")
    sensors = [
        sensor(seen=2, aid="new"),
        sensor(seen=1, aid="old"),
        sensor(seen=None, aid="never"),
        sensor("i-9", aid="b"),
    ]
    mark_sensors(found, sensors, whole=True)
    assert [host.sensor.aid if host.sensor else None for host in found.hosts] == ["new", None]
    assert [host.is_unprotected for host in found.hosts] == [False, True]
    assert "fleet_unprotected" in groups(found.hosts[1])
    record = found.record("")
    assert (record["sensors"], record["unprotected"]) == ({"read": 4, "elsewhere": 1}, 1)


def test_nobody_is_called_unprotected_when_not_all_sensors_are_known_or_when_it_does_not_run() -> None:
    found = population(machine("i-1"))
    mark_sensors(found, [], whole=False)
    assert not found.hosts[0].is_unprotected
    stopped = population(replace(machine("i-1"), power=Power.STOPPED))
    mark_sensors(stopped, [], whole=True)
    assert not stopped.hosts[0].is_unprotected


@pytest.mark.parametrize(("sensor_id", "unprotected"), [("", False), ("A-1", False), ("gone", True)])
def test_on_premises_a_host_has_the_sensor_that_its_file_names(sensor_id: str, unprotected: bool) -> None:
    at_home = replace(machine("core1"), cloud=Cloud.ONPREM, account="dc1", sensor_id=sensor_id)
    found = population(at_home)
    mark_sensors(found, [replace(sensor("unknown", aid="a1"), cloud="unknown", account="unknown")], whole=True)
    assert found.hosts[0].is_unprotected is unprotected
    assert bool(found.hosts[0].sensor) == (sensor_id == "A-1")


@pytest.mark.parametrize("sensor_id", ["a9", "b1"])
def test_a_file_that_contradicts_a_sensor_tells_nobody_that_a_host_is_protected_or_not(sensor_id: str) -> None:
    found = population(replace(machine("i-1"), sensor_id=sensor_id))
    mark_sensors(found, [sensor("i-1", aid="a1"), sensor("i-9", aid="b1")], whole=True)
    assert (found.hosts[0].sensor, found.hosts[0].is_unprotected) == (None, False)


def test_nobody_is_called_unprotected_who_cannot_be_joined_or_may_have_a_sensor() -> None:
    at_home = replace(machine("web1"), cloud=Cloud.ONPREM, account="")
    google = replace(machine("77"), cloud=Cloud.GCP, account="prod-web")
    found = population(at_home, google)
    by_number = replace(sensor("77"), cloud="gcp", account="578609343865", account_is_known=False)
    mark_sensors(found, [by_number], whole=True)
    assert [(host.sensor, host.is_unprotected) for host in found.hosts] == [(None, False)] * 2
    assert found.sensors == {"read": 1, "elsewhere": 0}
