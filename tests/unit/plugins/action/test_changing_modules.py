# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No changing module can be talked into a change outside an open attempt: its controller half refuses by itself."""

from __future__ import annotations

import json
from pathlib import Path

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
CALLS = {
    "bankops.fleet.updates": {"state": "applied"},
    "bankops.fleet.updates_stage": {},
    "bankops.fleet.host_reboot": {},
    "bankops.fleet.haproxy_server": {"state": "drained"},
}


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


@pytest.mark.parametrize("module", sorted(CALLS))
def test_without_an_attempt_a_changing_module_refuses_before_it_connects(
    tmp_path: Path, plan: str, module: str
) -> None:
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(INVENTORY))
    task = {"name": "Change it", module: {"plan": plan, **CALLS[module]}}
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "web1", "gather_facts": False, "tasks": [task]}]))
    state = f"fleet_state_dir={tmp_path / 'state'}"
    arguments = ["play.yml", "-i", "inventory.yml", "-e", state, "--skip-tags", "always"]
    done = run_ansible(tmp_path, "playbook", *arguments)
    printed = done.stdout + done.stderr
    assert done.returncode == 2, printed
    assert "is open" in " ".join(printed.split())
    assert "cannot be reached" not in printed
