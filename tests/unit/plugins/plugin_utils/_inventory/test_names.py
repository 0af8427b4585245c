# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of hosts: preferred ones, safe ones, and none for two machines."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry, Faults
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.names import (
    USUAL,
    Preference,
    host_names,
    is_address,
    is_own_address,
    read_hostnames,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.host_names import is_plain_name
from ansible_collections.bankops.fleet.tests.fakes.machines import ACCOUNT, machine

from .strategies import machines

PREFERRED = tuple(map(Preference, USUAL))


def named(*found: Machine, **given: Any) -> list[str]:
    return host_names(found, PREFERRED, **{"reserved": (), "taken": {}, **given})


def preferences(*hostnames: Any) -> tuple[Preference, ...]:
    faults = Faults("file.yml")
    found = read_hostnames(Entry(faults, "", {"hostnames": list(hostnames)}))
    faults.refuse()
    return found


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"name": "web1"}, "web1"),
        ({"name": "", "private_dns": "ip-10-0-0-1.internal"}, "ip-10-0-0-1.internal"),
        ({"name": ""}, "i-1"),
        ({"name": "web 1/a"}, "web_1_a"),
        ({"name": "../../etc/passwd"}, "x.._.._etc_passwd"),
        ({"name": "-oProxyCommand=id"}, "x-oProxyCommand_id"),
        ({"name": "{{ lookup('pipe','id') }}"}, "___lookup__pipe___id_____"),
        ({"name": "web[1:99]"}, "web_1_99_"),
        ({"name": "!web,db*"}, "_web_db_"),
        ({"name": "wéb"}, "w_b"),
        ({"name": "localhost"}, "localhost_i-1"),
        ({"name": "127.0.0.1"}, "127.0.0.1_i-1"),
        ({"name": "all"}, "all_i-1"),
        ({"name": "x" * 500}, "x" * 120),
    ],
)
def test_a_machine_is_named_as_it_is_called_where_that_is_safe(given: dict[str, str], name: str) -> None:
    assert named(machine(**given)) == [name]


def test_machines_of_one_name_all_get_their_ids_and_the_others_do_not() -> None:
    found = [machine("i-1", name="web"), machine("i-2", name="web"), machine("i-3", name="db")]
    assert named(*found) == ["web_i-1", "web_i-2", "db"]


def test_names_that_only_their_unsafe_characters_told_apart_are_told_apart() -> None:
    assert named(machine("i-1", name="web 1"), machine("i-2", name="web/1")) == ["web_1_i-1", "web_1_i-2"]


def test_a_machine_that_is_named_like_another_ones_way_out_does_not_take_its_place() -> None:
    found = [machine("i-1", name="web"), machine("i-2", name="web"), machine("i-3", name="web_i-1")]
    assert named(*found) == [f"web_i-1_{ACCOUNT}", "web_i-2", "web_i-1_i-3"]


def test_one_id_in_two_accounts_is_two_names() -> None:
    assert named(machine(name="web"), machine(name="web", account="2")) == [f"web_i-1_{ACCOUNT}", "web_i-1_2"]


def test_the_name_of_a_group_is_no_name_of_a_host() -> None:
    assert named(machine(name="fleet"), reserved={"fleet"}) == ["fleet_i-1"]


def test_the_name_of_another_machine_that_was_there_before_is_taken() -> None:
    other, same = ("aws", ACCOUNT, "i-9"), ("aws", ACCOUNT, "i-1")
    assert named(machine(name="web"), taken={"web": other}) == ["web_i-1"]
    assert named(machine(name="web"), taken={"web": same}) == ["web"]


@given(st.lists(machines, max_size=12, unique_by=lambda each: each.identity), st.randoms(use_true_random=False))
def test_every_machine_has_a_plain_name_of_its_own_in_any_order(found: list[Machine], chance: random.Random) -> None:
    reserved = {"fleet", "cloud_aws", "tenant_a"}
    names = named(*found, reserved=reserved)
    assert len(set(names)) == len(found)
    assert all(map(is_plain_name, names))
    assert not reserved.intersection(names)
    by_identity = dict(zip([each.identity for each in found], names, strict=True))
    chance.shuffle(found)
    assert named(*found, reserved=reserved) == [by_identity[each.identity] for each in found]


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("tag:Hostname", "from-a-tag"),
        ("tag:Missing", ""),
        ("tag:Missing,Hostname", "from-a-tag"),
        ("tag:Role=web", "Role_web"),
        ("tag:Role=db", ""),
        ("private-ip-address", "10.0.0.1"),
        ("ip-address", "192.0.2.1"),
        ("dns-name", "public.example.com"),
        ("private-dns-name", "private.example.com"),
        ("instance-id", "i-1"),
        ({"name": "tag:Hostname", "prefix": "tag:Role"}, "web_from-a-tag"),
        ({"name": "tag:Hostname", "prefix": "aws", "separator": "-"}, "aws-from-a-tag"),
        ({"name": "tag:Hostname", "prefix": "aws", "separator": ""}, "awsfrom-a-tag"),
        ({"name": "tag:Hostname", "prefix": "tag:Missing"}, "from-a-tag"),
        ({"name": "tag:Missing", "prefix": "aws"}, ""),
    ],
)
def test_hostnames_are_those_that_users_of_aws_ec2_write(hostname: Any, name: str) -> None:
    found = machine(
        tags={"Hostname": "from-a-tag", "Role": "web"},
        public_ip="192.0.2.1",
        public_dns="public.example.com",
        private_dns="private.example.com",
    )
    assert preferences(hostname)[0].name(found) == name


def test_the_first_hostname_that_a_machine_has_is_its_name() -> None:
    wanted = preferences("tag:Missing", "private_ip", "name")
    assert host_names([machine()], wanted, reserved=(), taken={}) == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("address", "fit"),
    [
        ("10.0.0.1", True),
        ("2001:db8::1", True),
        ("::1", True),
        ("web-1.example.com", True),
        ("", False),
        ("-oProxyCommand=id", False),
        ("root@10.0.0.1", False),
        ("web 1", False),
        ("web\n1", False),
        ("$(id)", False),
    ],
)
def test_what_ssh_would_take_for_something_else_is_no_address(address: str, fit: bool) -> None:
    assert is_address(address) is fit


@pytest.mark.parametrize(
    ("address", "own"),
    [
        *((each, True) for each in ("127.0.0.1", "127.8.9.1", "127.1", "0x7f000001", "2130706433", "0", "0.0.0.0")),
        *((each, True) for each in ("::1", "::", "::ffff:127.0.0.1", "localhost", "LocalHost.", "a.localhost")),
        *((each, True) for each in ("localhost.localdomain", "ip6-localhost")),
        *((each, False) for each in ("10.0.0.1", "2001:db8::1", "web1", "localhost1.example.com", "128.0.0.1", "")),
    ],
)
def test_this_machine_itself_is_known_in_every_way_to_write_it(address: str, own: bool) -> None:
    assert is_own_address(address) is own
