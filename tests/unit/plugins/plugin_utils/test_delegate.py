# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps of one task in real runs of ansible-playbook: each reaches the host it is for, by that host's own variables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible

# A task that asks its own host and another one the same, and returns both answers.
ASKING = """
from ansible.plugins.action import ActionBase

from ansible_collections.bankops.fleet.plugins.plugin_utils._delegate import run_delegated, run_here

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        module, question, other = (self._task.args[name] for name in ("module", "question", "other"))
        before = (self._task.action, dict(self._task.args), self._task.delegate_to, self._task.register)
        answers = {
            "here": run_here(self, module, question, task_vars),
            "there": run_delegated(self, module, question, other, task_vars),
        }
        after = (self._task.action, dict(self._task.args), self._task.delegate_to, self._task.register)
        return {**super().run(tmp, task_vars), "answers": answers, "left_as_it_was": before == after}
"""
WHERE = {"_raw_params": "/bin/sh -c 'echo $WHERE'"}
NOBODY: dict[str, Any] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}


def interpreter(folder: Path, host: str) -> str:
    """A Python of the host's own, by which its modules know where they are."""
    program = folder / f"python-of-{host}"
    program.write_text(f'#!/bin/sh\nWHERE={host} exec {sys.executable} "$@"\n')
    program.chmod(0o755)
    return str(program)


def ask(folder: Path, **balancer: Any) -> dict[str, Any]:
    """What web1 and its load balancer answer to a task for web1."""
    # The balancer's connection is templated, and by its own variables.
    own = {"ansible_connection": "{{ way }}", "ansible_python_interpreter": interpreter(folder, "lb1"), **balancer}
    hosts = {
        "web1": {
            "ansible_connection": "local",
            "ansible_python_interpreter": interpreter(folder, "web1"),
            "way": "ssh",
        },
        "lb1": {"way": "local", **own},
    }
    (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (folder / "action_plugins").mkdir()
    (folder / "action_plugins" / "ask.py").write_text(ASKING)
    tasks = [
        {
            "name": "Ask",
            "ask": {"module": "ansible.builtin.command", "question": WHERE, "other": "lb1"},
            "register": "asked",
            "when": "inventory_hostname == 'web1'",
        },
        {
            "name": "Keep the answers",
            "ansible.builtin.copy": {"content": "{{ asked | to_json }}", "dest": str(folder / "answers.json")},
            "delegate_to": "localhost",
        },
    ]
    (folder / "play.json").write_text(json.dumps([{"hosts": "web1", "gather_facts": False, "tasks": tasks}]))
    done = run_ansible(folder, "playbook", "-i", "inventory.json", "play.json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((folder / "answers.json").read_text())
    assert found["left_as_it_was"]
    answers: dict[str, Any] = found["answers"]
    return answers


def test_each_step_reaches_its_host_by_that_hosts_own_variables(tmp_path: Path) -> None:
    answers = ask(tmp_path)
    assert (answers["here"]["stdout"], answers["there"]["stdout"]) == ("web1", "lb1")


def test_a_host_that_cannot_be_reached_is_said_to_be_so_and_ends_no_task(tmp_path: Path) -> None:
    answers = ask(tmp_path, **NOBODY)
    assert answers["here"]["stdout"] == "web1"
    assert answers["there"]["unreachable"] is True
    assert "127.0.0.1" in answers["there"]["msg"]
