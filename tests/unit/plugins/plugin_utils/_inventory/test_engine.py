# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From sources to a population with names, from the cache where there is one."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from ansible.inventory.data import InventoryData
from ansible.plugins.inventory import to_safe_group_name
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    Cloud,
    Machine,
    Power,
    Scope,
    Source,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory import populate
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.cache import pack, unpack
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.classify import Population
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.configuration import Configuration
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.engine import (
    Reading,
    missing,
    named_population,
    read_sources,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.groups import GroupNames
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.sightings import hosts_before
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import incomplete_gate, parts_of
from ansible_collections.bankops.fleet.tests.fakes.machines import FakeSource, failure, fleet, machine

from .strategies import configured, readings

EAST, WEST = Scope("cloud", "1", "east"), Scope("cloud", "1", "west")


def reading_from(*sources: Source, **options: Any) -> Configuration:
    return replace(configured(**options), clouds=sources)


class Memory:
    """A cache of one text."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text

    def get(self) -> str | None:
        return self.text

    def put(self, text: str) -> None:
        self.text = text


# Reading


def test_all_failures_are_one_error_and_nothing_is_read() -> None:
    sources = (FakeSource(content={EAST: [failure(EAST)], WEST: [machine()]}), fleet("other", machine()))
    described = [{"type": "aws", "name": "other"}, {"type": "aws", "name": "cloud"}]
    with pytest.raises(FleetError) as caught:
        read_sources(reading_from(*sources, sources=described))
    assert caught.value.kind == "source_failed"
    assert "- clouds.multicloud.yml: sources[1]: source cloud, 1, east: " in caught.value.message


def test_with_mark_the_rest_is_there_and_what_is_missing_is_named() -> None:
    sources = (FakeSource(content={EAST: [failure(EAST)], WEST: [machine()]}),)
    reading = read_sources(reading_from(*sources, on_error="mark"))
    assert list(reading.machines) == [WEST]
    assert missing(reading.problems) == {"source cloud, 1, east": "ec2:DescribeInstances: the request was throttled"}


def test_a_marked_inventory_is_unknown_to_the_gate_of_the_plan() -> None:
    inventory = InventoryData()
    reading = read_sources(reading_from(FakeSource(content={EAST: [failure(EAST)]}), on_error="mark"))
    populate.mark_incomplete(inventory, missing(reading.problems))
    gate = incomplete_gate(parts_of([inventory.groups["all"].vars["fleet_incomplete"]]))
    assert gate["verdict"] == "unknown"
    assert "source cloud, 1, east: ec2:DescribeInstances: the request was throttled" in gate["evidence"]


def test_a_machine_without_an_id_is_an_answer_that_cannot_be_used() -> None:
    reading = read_sources(reading_from(fleet("cloud", machine(), machine("", name="web")), on_error="mark"))
    assert reading.machines == {}
    assert "the machine web has no id" in reading.problems[0].message


# The cache


def test_what_was_kept_is_read_and_says_when_that_was() -> None:
    memory, source = Memory(), FakeSource(content={EAST: [machine()]})
    first = read_sources(reading_from(source), memory)
    second = read_sources(reading_from(source), memory)
    assert source.asked == [EAST]
    assert (second.machines, second.read) == (first.machines, first.read)


def test_whoever_wants_it_fresh_reads_anew_and_keeps_that() -> None:
    memory, source = Memory(pack("2020-01-01T00:00:00Z", {})), FakeSource(content={EAST: [machine()]})
    assert read_sources(reading_from(source), memory, fresh=True).machines == {EAST: [machine()]}
    assert memory.text
    assert unpack(memory.text)[1] == {EAST: [machine()]}


def test_what_has_not_all_clouds_is_read_anew() -> None:
    one, other = FakeSource(content={EAST: [machine()]}), fleet("other", machine("i-2"))
    others: list[dict[Scope, list[Machine]]] = [{}, {EAST: []}, {EAST: [], Scope("other"): [], Scope("gone"): []}]
    for kept in others:
        assert len(read_sources(reading_from(one, other), Memory(pack("now", kept))).machines) == 2
    assert read_sources(reading_from(one), Memory(pack("then", {EAST: []}))).read == "then"


def test_what_is_incomplete_is_not_kept() -> None:
    memory = Memory()
    source = FakeSource(content={EAST: [machine()], WEST: [failure(WEST)]})
    read_sources(reading_from(source, on_error="mark"), memory)
    assert memory.text is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"read": "now", "scopes": [[["a"], [[1]]]]}', "null", "["])
def test_what_is_no_cache_of_ours_is_read_anew(text: str) -> None:
    memory = Memory(text)
    assert read_sources(reading_from(FakeSource(content={EAST: [machine()]})), memory).machines == {EAST: [machine()]}
    assert memory.text != text


# Names


def named(machines: dict[Scope, list[Machine]], configuration: Configuration | None = None) -> Population:
    return named_population(
        Reading("now", machines), configuration or configured(), GroupNames(to_safe_group_name), reserved=(), earlier={}
    )


@settings(max_examples=30)
@given(readings, st.randoms(use_true_random=False))
def test_every_machine_is_a_host_of_the_inventory_and_the_order_of_sources_changes_nothing(
    reading: dict[Scope, list[Machine]], chance: random.Random
) -> None:
    found = named(reading)
    inventory = filled(found)
    identities = {each.identity for machines in reading.values() for each in machines}
    assert len(inventory.hosts) == len(identities) == len({each.identity for each in hosts_before(inventory).values()})
    assert {host.name for host in found.hosts} == inventory.hosts.keys()
    assert not inventory.hosts.keys() & inventory.groups.keys()
    shuffled = list(reading.items())
    chance.shuffle(shuffled)
    names = [(host.name, host.machine.identity) for host in named(dict(shuffled)).hosts]
    assert names == [(host.name, host.machine.identity) for host in found.hosts]


def test_two_tenants_are_not_made_one_by_the_name_of_their_group() -> None:
    one, other = machine("i-1", tags={"tenant": "web-1"}), machine("i-2", tags={"tenant": "web.1"})
    with pytest.raises(FleetError, match=r"tenant_web_1 would stand for several tenants: web-1, web\.1"):
        named({EAST: [one, other]})


def filled(found: Population) -> InventoryData:
    inventory = InventoryData()
    populate.add_hosts(inventory, found.hosts, own={}, raw=False)
    inventory.reconcile_inventory()
    return inventory


# Into Ansible's inventory


def test_a_host_has_its_variables_and_groups() -> None:
    one = machine(
        tags={"tenant": "alpha", "Role": "db"}, resource="arn:x", scaling_group="asg", os="debian", raw={"Type": "t3"}
    )
    inventory = InventoryData()
    populate.add_hosts(inventory, named({EAST: [one]}).hosts, own={}, raw=True)
    variables = dict(inventory.hosts["name-of-i-1"].vars)
    assert {variables.pop(name, None) for name in ("inventory_file", "inventory_dir")} == {None}
    assert variables == {
        "ansible_host": "10.0.0.1",
        "fleet_account": "111111111111",
        "fleet_cloud": "aws",
        "fleet_cluster": "unknown",
        "fleet_criticality": "unknown",
        "fleet_environment": "unknown",
        "fleet_instance_id": "i-1",
        "fleet_name": "name-of-i-1",
        "fleet_os": "debian",
        "fleet_power": "running",
        "fleet_raw": {"Type": "t3"},
        "fleet_region": "eu-central-1",
        "fleet_resource": "arn:x",
        "fleet_scaling_group": "asg",
        "fleet_tags": {"tenant": "alpha", "Role": "db"},
        "fleet_tenant": "alpha",
        "fleet_transport": "ssh",
        "fleet_wave": "unknown",
        "fleet_zone": "eu-central-1a",
    }
    assert [host.name for host in inventory.groups["fleet"].get_hosts()] == ["name-of-i-1"]
    assert inventory.groups["fleet_stopped"].get_hosts() == []
    assert "fleet_unprotected" not in inventory.groups


def is_template_to_ansible(text: Any) -> bool:
    """Whether Ansible would evaluate a text, had somebody chosen its signs for his templates."""
    try:
        from ansible._internal._datatag._tags import TrustedAsTemplate
    except ImportError:
        return type(text) is str
    return bool(TrustedAsTemplate.is_tagged_on(text))


@pytest.mark.parametrize(
    "text",
    ["{{ x }}", "{% x %}", "{# x #}", "#jinja2: x", "[[ x ]]", "<% x %>", "$(x)", "a\nb", "{", "x(y)", "a|b", "'"],
)
def test_what_might_be_a_template_is_none(text: str) -> None:
    for found in (populate.as_data(text), populate.as_data({"a": [text]})["a"][0]):
        assert found == text
        assert not is_template_to_ansible(found)


@given(st.text())
def test_every_text_comes_through_as_it_was_and_only_harmless_ones_as_plain_ones(text: str) -> None:
    found = populate.as_data(text)
    assert str(found) == text
    if is_template_to_ansible(found):
        assert not set(text) & set("{}[]()<>%#$|'\"`\\\n\r")


def test_numbers_and_nothing_stay_what_they_are() -> None:
    assert populate.as_data({"a": [1, 1.5, True, None]}) == {"a": [1, 1.5, True, None]}


def test_what_is_incomplete_is_added_to_what_others_said() -> None:
    inventory = InventoryData()
    inventory.set_variable("all", "fleet_incomplete", "the mainframe")
    populate.mark_incomplete(inventory, {"source a": "x"})
    populate.mark_incomplete(inventory, {"source b": "y"})
    assert inventory.groups["all"].vars["fleet_incomplete"] == {
        "another inventory source": "the mainframe",
        "source a": "x",
        "source b": "y",
    }


def test_no_host_and_no_group_says_that_nothing_is_missing_when_something_is() -> None:
    inventory = InventoryData()
    inventory.add_host("db1", inventory.add_group("dbs"))
    for holder, said in (("db1", {}), ("dbs", "the mainframe")):
        inventory.set_variable(holder, "fleet_incomplete", said)
    populate.mark_incomplete(inventory, {"source a": "x"})
    assert inventory.hosts["db1"].vars["fleet_incomplete"] == {"source a": "x"}
    assert inventory.groups["dbs"].vars["fleet_incomplete"] == {
        "another inventory source": "the mainframe",
        "source a": "x",
    }


def test_what_others_call_a_record_is_none() -> None:
    inventory = InventoryData()
    inventory.set_variable("all", "fleet_population", 5)
    inventory.set_variable("all", "fleet_merged_groups", [1])
    populate.record_population(inventory, {"inventory": "one"})
    populate.record_merged_groups(inventory, {"tenant_a": ["a", "b"]})
    assert inventory.groups["all"].vars["fleet_population"] == [{"inventory": "one"}]
    assert inventory.groups["all"].vars["fleet_merged_groups"] == {"tenant_a": ["a", "b"]}


def test_what_every_host_has_grows_with_no_number_of_failures_or_names() -> None:
    inventory = InventoryData()
    populate.mark_incomplete(inventory, {f"source {number}": "x" for number in range(400)})
    populate.record_merged_groups(inventory, {f"tenant_{number}": ["a", "b"] for number in range(400)})
    found = inventory.groups["all"].vars
    assert found["fleet_incomplete"]["others"] == "350 more parts of the sources"
    assert (len(found["fleet_incomplete"]), len(found["fleet_merged_groups"])) == (51, 50)


def test_every_file_has_a_record_of_its_population() -> None:
    inventory = InventoryData()
    for file in ("one", "two"):
        populate.record_population(inventory, {"inventory": file})
        populate.record_merged_groups(inventory, {f"tenant_{file}": ["a", "b"]})
    assert inventory.groups["all"].vars["fleet_population"] == [{"inventory": "one"}, {"inventory": "two"}]
    assert inventory.groups["all"].vars["fleet_merged_groups"] == {"tenant_one": ["a", "b"], "tenant_two": ["a", "b"]}


def second(inventory: InventoryData, *machines: Machine) -> list[tuple[str, str]]:
    """The names that machines of a second inventory get."""
    found = named_population(
        Reading("now", {WEST: list(machines)}),
        configured(),
        GroupNames(to_safe_group_name),
        reserved=inventory.groups,
        earlier=hosts_before(inventory),
    )
    populate.add_hosts(inventory, found.hosts, own={}, raw=False)
    return [(host.name, host.machine.instance_id) for host in found.hosts]


def test_two_files_do_not_make_one_host_of_two_machines() -> None:
    inventory = filled(named({EAST: [machine("i-1", name="web")]}))
    assert second(inventory, machine("i-2", name="web"), machine("i-1", name="web")) == [
        ("web", "i-1"),
        ("web_i-2", "i-2"),
    ]


def test_a_machine_of_two_files_is_a_duplicate_and_they_must_not_contradict_each_other() -> None:
    inventory = filled(named({EAST: [machine("i-1", name="web")]}))
    second(inventory, machine("i-1"))
    assert [host.name for host in inventory.groups["fleet_duplicate"].get_hosts()] == ["web"]
    assert inventory.hosts["web"].vars["fleet_seen_by"] == ["an earlier inventory", "cloud/1/west"]
    for other in (machine("i-1", tags={"tenant": "beta"}), machine("i-1", power=Power.STOPPED)):
        with pytest.raises(FleetError, match=r"(tenant is beta|power is stopped) here, and .* in an earlier inventory"):
            second(inventory, other)


def test_a_tag_takes_no_host_of_another_inventory() -> None:
    inventory = InventoryData()
    inventory.add_host("db")
    inventory.set_variable("db", "fleet_tenant", "beta")
    assert second(inventory, machine("i-1", name="db")) == [("db_i-1", "i-1")]


@pytest.mark.parametrize("holder", ["db", "ours"])
def test_a_host_of_another_inventory_that_says_which_machine_it_is_is_that_machine(holder: str) -> None:
    inventory = InventoryData()
    inventory.add_host("db", inventory.add_group("ours"))
    said = {"fleet_cloud": "azure", "fleet_account": "AB", "fleet_instance_id": "CD", "fleet_tenant": "{{ owner }}"}
    for name, value in said.items():
        inventory.set_variable(holder, name, value)
    assert second(inventory, machine("cd", cloud=Cloud.AZURE, account="ab", name="x")) == [("db", "cd")]
    assert [host.name for host in inventory.groups["fleet_duplicate"].get_hosts()] == ["db"]
