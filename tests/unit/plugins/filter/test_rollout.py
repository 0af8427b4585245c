# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter: what is left of plans, read from the state; and Ansible makes exactly those batches of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.bankops.fleet.plugins.filter.rollout import FilterModule
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import record
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

ROOT = Path(__file__).resolve().parents[4]
rollout = FilterModule().filters()["rollout"]
HOSTS = ["web1", "web2", "web3", "app1", "kv1", "kv2"]
BATCHES = [["kv2"], ["web3", "app1"], ["web1", "web2", "kv1"]]


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    return FolderState(tmp_path / "state")


@pytest.fixture
def plan(state: FolderState) -> str:
    """A plan whose batches are not in the order of names or of the inventory."""
    with state.write_plan("tenant1") as writer:
        hosts = {host: {"digest": writer.put_host(host, {"format": 1, "host": host})} for host in HOSTS}
        waves = [{"name": "broad", "soak_minutes": 0, "batches": BATCHES}]
        digest = writer.finish({"format": 1, "tenant": "tenant1", "cycle": "2026-11", "waves": waves, "hosts": hosts})
    state.put_cycle("2026-11", [{"tenant": "tenant1", "plan": digest}])
    return digest


def finish(state: FolderState, plan: str, host: str, outcome: HostOutcome) -> None:
    data = {"in_service": "yes", "reason": "", "holds": []}
    common: dict[str, Any] = {"plan": plan, "attempt": 1, "cycle": "2026-11", "tenant": "tenant1"}
    record(state, host=host, phase=Phase.OUTCOME, outcome=outcome, data=data, **common)


def test_a_new_plan_is_left_whole(tmp_path: Path, plan: str) -> None:
    expected = {
        "hosts": ["kv2", "web3", "app1", "web1", "web2", "kv1"],
        "serial": [1, 2, 3],
        "missing": [],
        "batches": BATCHES,
    }
    assert rollout("2026-11", str(tmp_path / "state"), inventory=HOSTS) == expected
    assert rollout([{"tenant": "tenant1", "plan": plan}], str(tmp_path / "state"), inventory=HOSTS) == expected


def test_final_outcomes_finish_a_host_and_others_give_it_another_try(
    tmp_path: Path, state: FolderState, plan: str
) -> None:
    for host, outcome in zip(
        HOSTS,
        [HostOutcome.VERIFIED, HostOutcome.UNREACHABLE, HostOutcome.FAILED, HostOutcome.NOT_ATTEMPTED],
        strict=False,
    ):
        finish(state, plan, host, outcome)
    left = rollout("2026-11", str(tmp_path / "state"), inventory=HOSTS)
    assert left["batches"] == [["kv2"], ["app1"], ["web2", "kv1"]]
    finish(state, plan, "web2", HostOutcome.VERIFIED)
    assert rollout("2026-11", str(tmp_path / "state"), inventory=HOSTS)["batches"] == [["kv2"], ["app1"], ["kv1"]]


def test_the_limit_and_the_inventory_take_hosts_out_of_their_batches(tmp_path: Path, plan: str) -> None:
    left = rollout("2026-11", str(tmp_path / "state"), inventory=HOSTS[1:], limit=["web1", "web2", "kv1"])
    assert left == {"hosts": ["web2", "kv1"], "serial": [2], "missing": ["web1"], "batches": [["web2", "kv1"]]}


def test_nothing_left_is_no_host(tmp_path: Path, state: FolderState, plan: str) -> None:
    for host in HOSTS:
        finish(state, plan, host, HostOutcome.SKIPPED)
    left = rollout("2026-11", str(tmp_path / "state"), inventory=HOSTS)
    assert left == {"hosts": [], "serial": [1], "missing": [], "batches": []}


@pytest.mark.parametrize(
    ("plans", "said"),
    [
        ("2026-12", "Cycle 2026-12 has no plan"),
        ("november", "is no cycle"),
        ([{"tenant": "tenant1"}], "neither the name of a cycle nor a list of plans"),
        ([{"tenant": "tenant1", "plan": "a" * 64}], "this state has no such plan"),
    ],
)
def test_an_error_names_the_cause(tmp_path: Path, plan: str, plans: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        rollout(plans, str(tmp_path / "state"), inventory=HOSTS)


def test_ansible_makes_exactly_the_batches_of_the_plan(tmp_path: Path, state: FolderState, plan: str) -> None:
    """The one thing that no unit test of ours can promise: what Ansible itself does with hosts and serial."""
    finish(state, plan, "app1", HostOutcome.VERIFIED)
    inventory = {"all": {"hosts": {host: {"ansible_connection": "local"} for host in HOSTS}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    left = "('2026-11' | bankops.fleet.rollout(state_dir, inventory=groups['all']))"
    play = {
        "hosts": "{{ " + left + ".hosts }}",
        "serial": "{{ " + left + ".serial }}",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.debug": {"msg": "{{ ansible_play_batch }}"}, "run_once": True}],
    }
    (tmp_path / "ansible.cfg").touch()
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "ansible",
                "playbook",
                "-i",
                str(tmp_path / "hosts.yml"),
                str(tmp_path / "play.yml"),
            ),
            *("-e", json.dumps({"state_dir": str(tmp_path / "state")})),
        ],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    documents = [part[part.index("{") : part.index("\n}") + 2] for part in done.stdout.split(" => ")[1:]]
    assert [json.loads(document)["msg"] for document in documents] == [["kv2"], ["web3"], ["web1", "web2", "kv1"]]
