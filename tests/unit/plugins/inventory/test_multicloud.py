# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin in Ansible's own programs, where they differ from version to version.

What hostile tags do, what Ansible makes of a failure, and how it keeps its cache. More is in ``tests/services``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.cache import pack
from ansible_collections.bankops.fleet.tests.fakes.machines import ACCOUNT, REGION, machine
from ansible_collections.bankops.fleet.tests.fakes.multicloud_programs import Programs, text

SCOPE = Scope("aws", ACCOUNT, REGION)
BROKEN = {Scope("aws", "broken", "eu-west-1"): [], SCOPE: [machine()]}
ATTACK = "{{ lookup('pipe', 'touch %s') }}"
PLAYBOOK = """
- name: Show everything that came from a cloud
  hosts: all
  gather_facts: false
  connection: local
  tasks:
    - name: Show
      ansible.builtin.debug:
        msg: "{{ [fleet_tags, fleet_name, fleet_refused_tenant, fleet_raw, joined, fleet_resource] }}"
    - name: Show as variables
      ansible.builtin.debug:
        var: hostvars[inventory_hostname]
"""


@pytest.fixture
def lab(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def hostile(lab: Programs, harm: Path) -> Machine:
    """A machine whose every text would leave a file behind, were it evaluated."""
    attack = ATTACK % harm
    block = "{% set x = " + attack[3:-3] + " %}"
    lab.cloud(
        {
            SCOPE: [
                machine(
                    name=attack,
                    tags={
                        "tenant": attack,
                        attack: "key",
                        "Block": block,
                        "a": "{",
                        "b": attack[1:],
                    },
                    resource=f"#jinja2:variable_start_string:'[%'\n[% {attack[3:-3]} %]",
                    raw={"Deep": [{attack: attack}]},
                )
            ]
        },
        raw=True,
        compose={"joined": "fleet_tags.a ~ fleet_tags.b"},
        keyed_groups=[{"prefix": "tag", "key": "fleet_tags"}],
        groups={"of_the_attack": "'touch' in fleet_name"},
    )
    (lab.folder / "play.yml").write_text(PLAYBOOK)
    return machine(name=attack)


def test_a_hostile_tag_stays_text_in_a_playbook(lab: Programs) -> None:
    harm = lab.folder / "harm"
    hostile(lab, harm)
    run = lab.run("ansible-playbook", "-i", str(lab.inventory), "play.yml", ANSIBLE_STDOUT_CALLBACK="default")
    assert run.returncode == 0, run.stdout + run.stderr
    assert not harm.exists()
    assert run.stdout.count(f"lookup('pipe', 'touch {harm}')") >= 8


def test_a_hostile_tag_stays_text_on_the_way_through_the_inventory_of_awx(lab: Programs) -> None:
    harm = lab.folder / "harm"
    attack = hostile(lab, harm).name
    listing = lab.list("--export")
    (name,) = listing["_meta"]["hostvars"]
    variables = listing["_meta"]["hostvars"][name]
    assert variables["fleet_refused_tenant"] == {"__ansible_unsafe": attack}
    assert text(variables["fleet_tags"])["a"] == "{"
    # What AWX itself must understand is no mapping.
    assert (variables["ansible_host"], variables["fleet_power"]) == ("10.0.0.1", "running")
    assert listing["of_the_attack"]["hosts"] == [name]
    assert name.isprintable()
    assert "{" not in name
    # AWX keeps what it was told, and hands it to its jobs by a script.
    script = lab.folder / "awx.sh"
    (lab.folder / "listing.json").write_text(json.dumps(listing))
    script.write_text(f"#!/bin/sh\ncat {lab.folder}/listing.json\n")
    script.chmod(0o755)
    run = lab.run("ansible-playbook", "-i", str(script), "play.yml", ANSIBLE_STDOUT_CALLBACK="default")
    assert run.returncode == 0, run.stdout + run.stderr
    assert not harm.exists()
    assert f"lookup('pipe', 'touch {harm}')" in run.stdout


def test_where_ansible_only_warns_the_hosts_of_others_say_that_the_inventory_is_incomplete(lab: Programs) -> None:
    lab.cloud(BROKEN)
    (lab.folder / "others.ini").write_text("[fleet]\ndb1\n")
    listing = lab.list("-i", "others.ini")
    assert listing["_meta"]["hostvars"].keys() == {"db1"}
    ((file, reason),) = text(listing["_meta"]["hostvars"]["db1"]["fleet_incomplete"]).items()
    assert file == str(lab.inventory)
    assert "source aws, broken, eu-west-1: ec2:DescribeInstances: the request was throttled" in reason


def test_an_empty_file_is_noticed_where_the_plugin_is_asked_first(lab: Programs) -> None:
    lab.inventory.touch()
    (lab.folder / "others.ini").write_text("[fleet]\ndb1\n")
    (lab.folder / "machines").write_text(pack("now", {}))
    listing = lab.list("-i", "others.ini", ANSIBLE_INVENTORY_ENABLED="bankops.fleet.multicloud,auto,yaml,ini")
    ((_file, reason),) = text(listing["_meta"]["hostvars"]["db1"]["fleet_incomplete"]).items()
    assert "sources: names no source" in reason


def test_the_cache_is_used_flushed_and_nobody_elses_to_read(lab: Programs) -> None:
    lab.cloud({SCOPE: [machine()]}, cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection="kept")
    first, second = lab.list(), lab.list()
    assert first == second
    assert lab.asked() == 1
    assert {path.stat().st_mode & 0o777 for path in (lab.folder / "kept").iterdir()} == {0o600}
    (lab.folder / "play.yml").write_text(PLAYBOOK)
    lab.run("ansible-playbook", "-i", str(lab.inventory), "--list-hosts", "--flush-cache", "play.yml")
    assert lab.asked() == 2


def test_what_is_incomplete_is_not_kept_in_the_cache(lab: Programs) -> None:
    options = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": "kept"}
    lab.cloud(BROKEN, on_error="mark", **options)
    lab.list()
    assert list((lab.folder / "kept").iterdir()) == []
