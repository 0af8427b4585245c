# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts of files beside those of clouds: they keep what their files say, and are machines like the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import to_safe_group_name

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    Cloud,
    Machine,
    Power,
    Scope,
    Transport,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.static import StaticSource
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory import populate
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.classify import Population
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.configuration import read_configuration
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.engine import named_population, read_sources
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.groups import GroupNames
from ansible_collections.bankops.fleet.tests.fakes.machines import machine

NAME = "clouds.multicloud.yml"
ONPREM = """
all:
  vars: {site: north}
web:
  vars: {fleet_tenant: alpha, fleet_cluster: web, patch_holds: "{{ held }}"}
  children:
    front:
      hosts:
        web1: {fleet_wave: canary, ansible_host: 10.0.0.1, fleet_tags: {Role: front, Rack: 7}}
        web2: {}
controllers:
  hosts:
    localhost: {ansible_connection: local}
"""


def source(folder: Path, *contents: str, **options: Any) -> StaticSource:
    """A source of files ``0.yml``, ``1.yml``, …"""
    names = []
    for number, content in enumerate(contents):
        names.append(f"{number}.yml" if ":" in content else f"{number}.ini")
        (folder / names[-1]).write_text(content)
    entry = {"type": "static", "files": names, **options}
    (found,) = read_configuration({"sources": [entry]}, str(folder / NAME), DataLoader()).files
    return found


def machines(found: StaticSource) -> dict[str, Machine]:
    (scope,) = found.scopes(Deadline.after(10))
    return {each.name: each for each in found.machines(scope, Deadline.after(10))}


def test_a_host_of_a_file_is_a_machine_of_our_own() -> None:
    assert Scope("static") == StaticSource("static", (), None).scopes(Deadline.after(1))[0]


def test_what_its_variables_say_of_it_is_what_a_cloud_says(tmp_path: Path) -> None:
    found = machines(source(tmp_path, ONPREM))
    assert found.keys() == {"web1", "web2"}, "the controller is no machine of the fleet"
    web1, web2 = found["web1"], found["web2"]
    assert (web1.cloud, web1.power, web1.instance_id, web1.private_ip) == (
        *(Cloud.ONPREM, Power.RUNNING),
        *("web1", "10.0.0.1"),
    )
    assert web1.tags == {"Role": "front", "Rack": "7"}
    assert (web1.placement["tenant"], web1.placement["wave"]) == ("alpha", "canary")
    assert (web2.private_ip, web2.placement["wave"]) == ("web2", "")


def test_a_host_may_say_that_it_is_a_machine_of_a_cloud(tmp_path: Path) -> None:
    text = (
        "db1 fleet_cloud=gcp fleet_account=project fleet_region=europe-west3 fleet_zone=a fleet_instance_id=42 "
        "fleet_power=stopped fleet_transport=gcp fleet_os=debian fleet_name=database fleet_sensor_id=a1b2\n"
    )
    one = machines(source(tmp_path, text))["database"]
    assert one.identity == ("gcp", "project", "42")
    assert (one.power, one.managed_by, one.os, one.region, one.sensor_id) == (
        Power.STOPPED,
        (Transport.GCP,),
        "debian",
        "europe-west3",
        "a1b2",
    )


def test_a_list_of_names_is_an_inventory_file_too(tmp_path: Path) -> None:
    assert machines(source(tmp_path, "db1\ndb2\n")).keys() == {"db1", "db2"}


def test_a_template_is_not_evaluated_and_says_nothing(tmp_path: Path) -> None:
    one = machines(source(tmp_path, "db1 fleet_tenant=\"{{ lookup('pipe', 'id') }}\"\n"))["db1"]
    assert one.placement["tenant"] == ""


def test_identities_are_written_as_their_clouds_do(tmp_path: Path) -> None:
    text = "web1 fleet_cloud=azure fleet_account=AB-1 fleet_instance_id=CD-2\nPC1 fleet_account=DC1\n"
    found = source(tmp_path, text)
    assert [each.identity for each in machines(found).values()] == [("azure", "ab-1", "cd-2"), ("onprem", "DC1", "PC1")]
    assert {"fleet_account", "fleet_instance_id"}.isdisjoint(found.own["web1"])
    assert "fleet_account" in found.own["PC1"]


CLAIM = "db1 fleet_cloud=aws fleet_account=1 fleet_instance_id=i-1 ansible_host=db1.lan "


def joined(folder: Path, text: str, seen: Machine) -> InventoryData:
    """The inventory of a file beside a cloud that lists a machine."""
    source(folder, text)
    configuration = read_configuration(
        {"sources": [{"type": "static", "files": ["0.ini"]}]}, str(folder / NAME), DataLoader()
    )
    reading = read_sources(configuration)
    reading.machines[Scope("cloud", "1", "east")] = [seen]
    population = named_population(reading, configuration, GroupNames(to_safe_group_name), reserved=(), earlier={})
    inventory = InventoryData()
    (found,) = configuration.files
    populate.add_files(inventory, found.inventory, ())
    populate.add_hosts(inventory, population.hosts, own=found.own, raw=False)
    return inventory


def test_groups_and_variables_of_a_host_that_a_cloud_lists_say_the_same(tmp_path: Path) -> None:
    seen = machine("i-1", account="1", power=Power.STOPPED)
    inventory = joined(tmp_path, CLAIM + "fleet_power=running fleet_wave=canary\n", seen)
    variables = inventory.hosts["db1"].vars
    assert (variables["fleet_power"], variables["fleet_tenant"], variables["fleet_wave"]) == (
        *("stopped", "alpha"),
        "canary",
    )
    assert variables["ansible_host"] == "db1.lan"
    groups = {group.name for group in inventory.hosts["db1"].get_groups()}
    assert {"fleet_stopped", "fleet_duplicate", "tenant_alpha", "wave_canary"} <= groups
    assert "fleet" not in groups


@pytest.mark.parametrize("said", ["fleet_tenant=beta", "fleet_region=us-east-1"])
def test_a_file_that_contradicts_the_cloud_is_refused(tmp_path: Path, said: str) -> None:
    with pytest.raises(FleetError) as caught:
        joined(tmp_path, CLAIM + said + "\n", machine("i-1", account="1"))
    assert said.partition("=")[2] + " by static" in caught.value.message


def filled(folder: Path, *contents: str, **options: Any) -> tuple[InventoryData, Population]:
    source(folder, *contents)
    entry = {"type": "static", "files": sorted(path.name for path in folder.glob("[0-9].*"))}
    configuration = read_configuration({"sources": [entry], **options}, str(folder / NAME), DataLoader())
    population = named_population(
        read_sources(configuration), configuration, GroupNames(to_safe_group_name), reserved=(), earlier={}
    )
    inventory = InventoryData()
    (found,) = configuration.files
    names = {host.name for host in population.hosts}
    populate.add_files(inventory, found.inventory, found.own.keys() - names)
    populate.add_hosts(inventory, population.hosts, own=found.own, raw=False)
    inventory.reconcile_inventory()
    return inventory, population


def test_groups_and_variables_of_the_files_stay_and_ours_are_added(tmp_path: Path) -> None:
    inventory, population = filled(tmp_path, ONPREM)
    assert inventory.groups["all"].vars["site"] == "north"
    assert inventory.groups["web"].vars["patch_holds"] == "{{ held }}"
    assert [host.name for host in inventory.groups["web"].get_hosts()] == ["web1", "web2"]
    assert [group.name for group in inventory.groups["web"].child_groups] == ["front"]
    assert {host.name for host in inventory.groups["fleet"].get_hosts()} == {"web1", "web2"}
    assert {host.name for host in inventory.groups["tenant_alpha"].get_hosts()} == {"web1", "web2"}
    assert {host.name for host in inventory.groups["controllers"].get_hosts()} == {"localhost"}
    web1 = inventory.hosts["web1"].vars
    assert (web1["fleet_cloud"], web1["fleet_transport"], web1["fleet_environment"]) == ("onprem", "ssh", "unknown")
    # What a group of the file says is said by the group, so that group_vars still can say otherwise.
    assert "fleet_tenant" not in web1
    assert web1["fleet_tags"] == {"Role": "front", "Rack": 7}
    assert population.record("now")["planned"] == 2


def test_a_template_of_a_file_stays_one_and_is_counted_as_unassigned(tmp_path: Path) -> None:
    inventory, population = filled(tmp_path, 'db1 fleet_tenant="{{ owner }}"\n')
    assert inventory.hosts["db1"].vars["fleet_tenant"] == "{{ owner }}"
    assert population.record("now")["unassigned"] == 1
    assert [host.name for host in inventory.groups["fleet_unassigned"].get_hosts()] == ["db1"]


def test_a_host_whose_file_gives_it_no_name_of_a_tenant_is_unassigned_everywhere(tmp_path: Path) -> None:
    inventory, _population = filled(tmp_path, 'db1 fleet_tenant="al pha"\n')
    variables = inventory.hosts["db1"].vars
    assert (variables["fleet_tenant"], variables["fleet_refused_tenant"]) == ("unknown", "al pha")


def test_a_host_that_the_conditions_exclude_is_not_in_the_inventory(tmp_path: Path) -> None:
    inventory, population = filled(tmp_path, ONPREM, exclude=[{"wave": "canary"}])
    assert "web1" not in inventory.hosts
    assert population.excluded == 1


def test_one_machine_under_two_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FleetError) as caught:
        filled(tmp_path, "db1 fleet_instance_id=42\ndb2 fleet_instance_id=42\n")
    assert "host db2 is another machine elsewhere, or has another name" in caught.value.message


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("fleet: {hosts: {db1: {}}}", "db1 is in the group fleet"),
        ("fleet: {hosts: {localhost: {}}}", "localhost is in the group fleet"),
        ("tenant_beta: {hosts: {db1: {fleet_tenant: alpha}}}", "db1 is in the group tenant_beta"),
        ("tenant_alpha: {children: {web: {hosts: {db1: {fleet_tenant: alpha}}}}}", "web is in the group tenant_alpha"),
        ("web: {hosts: {fleet: {}}}", "host fleet is called like a group"),
    ],
)
def test_no_file_puts_a_host_where_its_variables_do_not(tmp_path: Path, content: str, what: str) -> None:
    with pytest.raises(FleetError, match=what):
        filled(tmp_path, content)


def test_a_group_of_ours_may_be_in_a_file_with_the_hosts_that_are_in_it(tmp_path: Path) -> None:
    content = "tenant_alpha: {hosts: {db1: {}, db2: {fleet_wave: x}}, vars: {fleet_tenant: alpha, owner: us}}"
    inventory, _population = filled(tmp_path, content, exclude=[{"wave": "x"}])
    assert inventory.groups["tenant_alpha"].vars["owner"] == "us"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("db1 fleet_cloud=mainframe\n", "host db1: fleet_cloud is mainframe"),
        ("db1 fleet_power=on\n", "host db1: fleet_power is on"),
        ("web: {hosts: {db1: {fleet_power: on}}}\n", "host db1: fleet_power is True"),
        ("db1 fleet_transport=telnet\n", "host db1: fleet_transport is telnet"),
        ("[web\ndb1\n", "0.ini: "),
        ("db1 fleet_incomplete={}\n", "0.ini: host db1: fleet_incomplete is what an inventory is found to be"),
        ("all: {vars: {fleet_population: 5}}", "0.yml: group all: fleet_population is what an inventory"),
        ("web: {vars: {fleet_merged_groups: [1]}}", "0.yml: group web: fleet_merged_groups is what an inventory"),
        ("db1 fleet_sensor=x\n", "0.ini: host db1: fleet_sensor is what an inventory is found to be"),
        ("web: {hosts: [\n", "0.yml: "),
    ],
)
def test_what_cannot_be_used_is_named_with_its_file_or_host(tmp_path: Path, content: str, what: str) -> None:
    with pytest.raises(FleetError) as caught:
        filled(tmp_path, content)
    assert caught.value.kind == "source_failed"
    assert what in caught.value.message


def test_files_that_are_not_there_or_would_read_themselves_are_refused(tmp_path: Path) -> None:
    entry = {"type": "static", "files": ["missing.yml", NAME]}
    with pytest.raises(FleetError) as caught:
        read_configuration({"sources": [entry, {"type": "static"}]}, str(tmp_path / NAME), DataLoader())
    assert [line.partition(": ")[2] for line in caught.value.message.splitlines()] == [
        f"sources[0].files: missing.yml: is no file. It is looked for in {tmp_path}.",
        f"sources[0].files: {NAME}: is a file of this plugin. Write its sources into this one.",
        "sources[1].files: is missing. Write a list of inventory files.",
    ]
