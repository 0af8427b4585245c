# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, addresses and ports of a lab are its own, and do not move."""

from __future__ import annotations

import ipaddress
from itertools import islice
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.lab.topology import (
    MOST_WEB_HOSTS,
    PORTS_PER_LAB,
    Place,
    candidates,
    lab_prefix,
    machine_id,
    topology,
)
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

PLACE = Place(first_port=20000, subnet="10.100.0.0/22")


def test_two_checkouts_and_two_labs_of_one_checkout_have_different_names() -> None:
    names = {lab_prefix(Path(checkout), lab) for checkout in ("/srv/one", "/srv/two") for lab in ("default", "other")}
    assert len(names) == 4


def test_a_checkout_keeps_its_names_and_its_first_choice_of_place() -> None:
    prefix = lab_prefix(Path("/srv/one"), "default")
    assert prefix == lab_prefix(Path("/srv/one"), "default")
    assert next(candidates(prefix)) == next(candidates(prefix))


@pytest.mark.parametrize("name", ["", "Default", "a-b", "1st", "../x", "a" * 17])
def test_a_name_that_podman_or_the_file_system_could_misread_is_refused(name: str) -> None:
    with pytest.raises(FleetError) as caught:
        lab_prefix(Path("/srv/one"), name)
    assert caught.value.kind == "bad_lab_name"


def test_the_places_a_lab_may_take_differ_in_ports_and_networks() -> None:
    places = list(candidates("fleet-12345678-default"))
    assert len({place.first_port for place in places}) == len(places)
    assert len({place.subnet for place in places}) == len(places)


def test_every_port_stays_below_those_of_outgoing_connections() -> None:
    assert all(place.first_port + PORTS_PER_LAB <= 32768 for place in candidates("fleet-12345678-default"))


def test_every_network_is_a_proper_private_one() -> None:
    for place in islice(candidates("fleet-abcdef01-default"), 20):
        assert ipaddress.ip_network(place.subnet).is_private


def test_the_default_lab_has_the_hosts_of_two_tenants() -> None:
    hosts = {host.name: host for host in topology(PLACE)}
    assert sorted(hosts) == sorted(["lb1", "web1", "web2", "web3", "kv1", "kv2", "kv3", "app1", "rpm1", "rpm2"])
    assert {host.tenant for host in hosts.values() if host.role in ("web", "kv")} == {"alpha"}
    assert {host.tenant for host in hosts.values() if host.role in ("app", "rpm")} == {"beta"}
    assert [name for name, host in hosts.items() if not host.patched] == ["lb1"]


def test_each_cluster_begins_with_a_canary() -> None:
    waves = {host.name: host.wave for host in topology(PLACE)}
    assert [name for name, wave in waves.items() if wave == "canary"] == ["kv1", "rpm1", "web1"]
    assert [name for name, wave in waves.items() if wave == "early"] == ["kv2", "app1", "web2"]


def test_no_two_hosts_of_the_largest_lab_share_an_address_or_a_port() -> None:
    hosts = topology(PLACE, web=MOST_WEB_HOSTS)
    ports = [host.ssh_port for host in hosts] + [outer for host in hosts for outer, _ in host.published]
    assert len(set(ports)) == len(ports)
    assert max(ports) < PLACE.first_port + PORTS_PER_LAB
    assert len({host.address for host in hosts}) == len(hosts)
    assert PLACE.gateway not in {host.address for host in hosts}


def test_a_part_of_a_lab_keeps_the_addresses_of_the_whole() -> None:
    whole = {host.name: host for host in topology(PLACE)}
    part = topology(PLACE, only=frozenset({"web2", "lb1"}))
    assert {host.name: host for host in part} == {name: whole[name] for name in ("lb1", "web2")}


def test_an_unknown_host_is_refused_by_name() -> None:
    with pytest.raises(FleetError, match="no host web9") as caught:
        topology(PLACE, only=frozenset({"web1", "web9"}))
    assert caught.value.kind == "unknown_host"


@pytest.mark.parametrize("web", [0, -1, MOST_WEB_HOSTS + 1])
def test_an_impossible_size_is_refused(web: int) -> None:
    with pytest.raises(FleetError) as caught:
        topology(PLACE, web=web)
    assert caught.value.kind == "bad_size"


def test_machine_ids_differ_and_survive_a_reset() -> None:
    first = machine_id("fleet-12345678-default", "web1")
    assert first == machine_id("fleet-12345678-default", "web1")
    assert first != machine_id("fleet-12345678-default", "web2")
    assert len(first) == 32
    assert int(first, 16)
