# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No changing module can be talked into a change outside an open attempt, whatever of the play is jumped over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible

# Whoever connects fails with another message than a guard's: nobody listens there.
INVENTORY = {
    "all": {
        "hosts": {
            "web1": {
                "ansible_host": "127.0.0.1",
                "ansible_port": 9,
                "fleet_tenant": "alpha",
                "fleet_cluster": "web",
                "fleet_wave": "canary",
            }
        }
    }
}
CALLS: dict[str, dict[str, str]] = {
    "bankops.fleet.updates": {"state": "applied"},
    "bankops.fleet.updates_stage": {},
    "bankops.fleet.host_reboot": {},
    "bankops.fleet.haproxy_server": {"state": "drained"},
    "bankops.fleet.patch_host": {},
}
# How a run jumps over the task that opens the attempt, which has this tag.
JUMPS = [
    ("guard", ["--tags", "change"]),
    ("always", ["--skip-tags", "always"]),
    ("always", ["--start-at-task", "Change it"]),
]


@pytest.fixture
def plan(tmp_path: Path) -> str:
    """A plan that changes web1, on which nobody has opened an attempt."""
    with FolderState(tmp_path / "state").write_plan("alpha") as writer:
        document = writer.put_host("web1", {"format": 1, "host": "web1"})
        entry = {"digest": document, "wave": "canary", "cluster": "web", "decision": "patch", "reason": ""}
        return writer.finish(
            {
                "format": 1,
                "tenant": "alpha",
                "cycle": "2026-11",
                "expires": "2999-01-01T00:00:00Z",
                "waves": [{"name": "canary", "soak_minutes": 0, "batches": [["web1"]]}],
                "limits": {"max_failed": 0, "cluster_max_down": {"web": 1}},
                "hosts": {"web1": entry},
            }
        )


def refused(folder: Path, *tasks: dict[str, Any], arguments: Sequence[str] = ()) -> str:
    """What is printed by a run of these tasks on web1 that fails, and contacts nobody."""
    (folder / "inventory.yml").write_text(yaml.safe_dump(INVENTORY))
    (folder / "play.yml").write_text(json.dumps([{"hosts": "web1", "gather_facts": False, "tasks": tasks}]))
    state = f"fleet_state_dir={folder / 'state'}"
    done = run_ansible(folder, "playbook", "play.yml", "-i", "inventory.yml", "-e", state, *arguments)
    printed = done.stdout + done.stderr
    assert done.returncode == 2, printed
    assert "cannot be reached" not in printed
    return " ".join(printed.split())


@pytest.mark.parametrize("module", sorted(CALLS))
def test_without_an_attempt_a_changing_module_refuses_before_it_connects(
    tmp_path: Path, plan: str, module: str
) -> None:
    task = {"name": "Change it", module: {"plan": plan, **CALLS[module]}}
    assert "is open" in refused(tmp_path, task)


@pytest.mark.parametrize(("tag", "arguments"), JUMPS)
def test_no_way_of_jumping_over_tasks_jumps_over_the_guards(
    tmp_path: Path, plan: str, tag: str, arguments: list[str]
) -> None:
    opening = {
        "name": "Open an attempt",
        "bankops.fleet.patch_attempt": {"state": "open", "plans": [{"tenant": "alpha", "plan": plan}]},
        "tags": [tag],
    }
    # Each goes on where the one before was refused, so that one run asks them all.
    changes = [
        {"name": "Change it", module: {"plan": plan, **given}, "tags": ["change"], "ignore_errors": True}
        for module, given in CALLS.items()
    ]
    last = {"name": "Come to an end", "ansible.builtin.fail": {"msg": "the end"}, "tags": ["change"]}
    printed = refused(tmp_path, opening, *changes, last, arguments=arguments)
    assert printed.count("...ignoring") == len(CALLS)
    assert "the end" in printed
    assert printed.count(f"No attempt on plan {plan[:16]} is open") >= len(CALLS)
    assert list(FolderState(tmp_path / "state").entries("alpha", plan)) == []
