# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback ``bankops.fleet.progress`` in the place of the default one: what people rely on is still there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible

from .progress import OURS, PLAYBOOK

MARKS = {"ANSIBLE_CHECK_MODE_MARKERS": "1", "ANSIBLE_SHOW_CUSTOM_STATS": "1", "ANSIBLE_SHOW_TASK_PATH_ON_FAILURE": "1"}

# Returns its arguments as its result, so that a test can say what any module would have said.
ANSWER = """
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {**super().run(tmp, task_vars), **self._task.args}
"""
CHANGED = {"changed": True, "diff": {"before": "old\n", "after": "new\n", "before_header": "/etc/motd"}}
FAILED = {"failed": True, "msg": "it failed", "rc": 3, "stdout": "to stdout", "stderr": "to stderr"}
SECRET = {"msg": "planted-secret", "stdout": "planted-secret"}
DEPRECATION = {"msg": "an old thing", "version": "9.9", "collection_name": "bankops.fleet"}

# What people rely on in the default callback, each at least once.
FEATURES: list[dict[str, Any]] = [
    {"name": "Nothing to change", "answer": {}},
    {"name": "Change a file", "answer": CHANGED},
    {"name": "Change as if", "answer": CHANGED, "check_mode": True},
    {"name": "Say something", "ansible.builtin.debug": {"msg": "a message of the play"}},
    {"name": "Say a lot", "ansible.builtin.debug": {"msg": "item {{ item }}"}, "loop": ["one", "two"]},
    {"name": "Skip", "answer": {}, "when": False},
    {"name": "Skip some", "answer": CHANGED, "loop": [1, 2], "when": "item == 2"},
    {"name": "Keep a secret", "answer": SECRET, "no_log": True},
    {"name": "Keep secrets of a loop", "answer": SECRET, "loop": ["planted-secret"], "no_log": True},
    {"name": "Warn", "answer": {"warnings": ["a warning of a module"], "deprecations": [DEPRECATION]}},
    {"name": "Fail and go on", "answer": FAILED, "ignore_errors": True},
    {"name": "Fail in a loop", "answer": {"failed": "{{ item > 0 }}"}, "loop": [0, 4], "ignore_errors": True},
    {
        "name": "A block",
        "block": [{"name": "Fail in it", "ansible.builtin.fail": {"msg": "refused"}}],
        "rescue": [{"name": "Rescue", "ansible.builtin.debug": {"msg": "rescued"}}],
    },
    {"name": "Try again", "answer": FAILED, "retries": 1, "delay": 0, "until": False, "ignore_errors": True},
    {"name": "Include", "ansible.builtin.include_tasks": "included.yml"},
    {"name": "Keep a figure", "ansible.builtin.set_stats": {"data": {"figure": 42}}},
    {"name": "Unreachable", "answer": {"unreachable": True, "msg": "away"}, "ignore_unreachable": True},
    {"name": "Fail", "answer": {**FAILED, "stdout": "last words"}},
]
OK_AND_SKIPPED = [FEATURES[0], FEATURES[5]]


def features(
    folder: Path,
    *arguments: str,
    environment: dict[str, str],
    tasks: list[dict[str, Any]] = FEATURES,
    inventory: str = "all: {hosts: {localhost: {ansible_connection: local}}}",
) -> subprocess.CompletedProcess[str]:
    """Run tasks on one host, the first two in a play in check mode before."""
    for name, text in {
        "action_plugins/answer.py": ANSWER,
        "library/answer.py": "",
        "included.yml": '[{"name": "Included", "ansible.builtin.debug": {"msg": "from within"}}]',
        "inventory.yml": inventory,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755 if text.startswith("#!") else 0o644)
    play = {"name": "What people rely on", "hosts": "all", "gather_facts": False, "tasks": tasks}
    checked = {**play, "name": "In check mode", "check_mode": True, "tasks": tasks[:2]}
    # A line for each thing, so that the lines of a task are its own.
    (folder / "play.json").write_text(yaml.safe_dump([checked, play], sort_keys=False))
    return run_ansible(folder, *PLAYBOOK, *arguments, environment={**MARKS, **environment})


def comparable(done: subprocess.CompletedProcess[str], folder: Path) -> list[str]:
    """What was printed, but for the folder in which it ran."""
    return (done.stdout + done.stderr).replace(str(folder), "FOLDER").splitlines()


@pytest.fixture(scope="module")
def defaults(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the default callback shows of the features, with -v."""
    folder = tmp_path_factory.mktemp("default") / "run"
    done = features(folder, "-v", "--diff", environment={"ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"})
    assert done.returncode == 2, done.stdout + done.stderr
    return comparable(done, folder)


def test_verbose_it_shows_what_the_default_callback_shows(tmp_path: Path, defaults: list[str]) -> None:
    done = features(tmp_path / "run", "-v", "--diff", environment=OURS)
    assert comparable(done, tmp_path / "run") == defaults
    # The comparison would be worth nothing if they were not in it.
    shown = "\n".join(defaults)
    for feature in (
        "PLAY [In check mode] [CHECK MODE]",
        "TASK [Change as if] [CHECK MODE]",
        "-old",
        "+new",
        "a message of the play",
        "(item=two)",
        "skipping: [localhost]",
        "the output has been hidden",
        "[WARNING]: a warning of a module",
        "an old thing",
        "...ignoring",
        "to stderr",
        "FAILED - RETRYING",
        "included: ",
        "rescued=1",
        "CUSTOM STATS",
        "UNREACHABLE!",
        "last words",
        "task path: FOLDER/play.json",
        "ignored=",
    ):
        assert feature in shown, feature
    assert "planted-secret" not in shown


def test_quiet_it_leaves_out_what_nobody_need_look_at(tmp_path: Path, defaults: list[str]) -> None:
    done = features(tmp_path / "run", "--diff", environment=OURS)
    assert done.returncode == 2
    printed = comparable(done, tmp_path / "run")
    shown = "\n".join(printed)
    for left_out in (
        "Nothing to change",
        "ok: [localhost]\n",
        "skipping:",
        "included: ",
        "TASK [Skip]",
        "TASK [Include]",
    ):
        assert left_out not in shown, left_out
    for kept in (
        "PLAY [What people rely on]",
        "PLAY [In check mode] [CHECK MODE]",
        "-old",
        "+new",
        "a message of the play",
        "item two",
        "from within",
        "[WARNING]: a warning of a module",
        "an old thing",
        "FAILED! => ",
        "to stdout",
        "to stderr",
        "...ignoring",
        "failed: [localhost] (item=4)",
        "refused",
        "rescued",
        "UNREACHABLE!",
        "last words",
        "task path: FOLDER/play.json",
        "CUSTOM STATS",
        'RUN: { "figure": 42}',
    ):
        assert kept in shown, kept
    assert "planted-secret" not in shown
    recap = [line for line in defaults if line.startswith("localhost  ")]
    assert [line for line in printed if line.startswith("localhost  ")] == recap
    assert len(recap) == 1


def test_what_is_shown_of_ok_and_skipped_results_can_be_set(tmp_path: Path) -> None:
    asked = {"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "1", "ANSIBLE_DISPLAY_OK_HOSTS": "1", **OURS}
    shown = features(tmp_path / "asked", tasks=OK_AND_SKIPPED, environment=asked).stdout
    assert "skipping: [localhost]" in shown
    assert "ok: [localhost]\n" in shown
    not_asked = {"ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0", **OURS}
    shown = features(tmp_path / "not", "-v", tasks=OK_AND_SKIPPED, environment=not_asked).stdout
    assert "skipping:" not in shown
    assert "ok: [localhost]" in shown


@pytest.mark.parametrize("verbosity", [(), ("-vvv",)])
def test_what_failed_under_no_log_is_not_told_in_its_message_either(tmp_path: Path, verbosity: tuple[str, ...]) -> None:
    secretly = {"no_log": True, "ignore_errors": True}
    tasks = [
        {"name": "Fail with it", "answer": {**SECRET, "failed": True}, **secretly},
        {"name": "Fail in a loop", "answer": {**SECRET, "failed": True}, "loop": ["planted-secret"], **secretly},
    ]
    done = features(tmp_path / "run", *verbosity, tasks=tasks, environment=OURS)
    assert (done.stdout + done.stderr).count("FAILED!") >= 2
    assert "planted-secret" not in done.stdout + done.stderr


def test_nothing_that_a_host_says_or_is_called_moves_the_terminal(tmp_path: Path) -> None:
    hostile = "\x1b[2J\x1b]0;x\x07\x9b31m\r\u202e{{ 7 * 7 }}"
    name = f"web1{hostile}\nweb2 : ok=1"
    say = {"msg": hostile, "warnings": [hostile], "stdout": hostile}
    tasks: list[dict[str, Any]] = [
        {
            "name": "Change",
            "answer": {**CHANGED, "diff": {"before": hostile, "after": "new", "before_header": hostile}},
        },
        {"name": "Say", "ansible.builtin.debug": {"msg": "{{ said }}"}},
        {"name": "Say no text", "ansible.builtin.command": "printf '\\377\\033[2J'", "register": "bytes"},
        {"name": "Show it", "ansible.builtin.debug": {"var": "bytes.stdout"}},
        {"name": "Fail", "answer": {**FAILED, **say}, "ignore_errors": True},
        {"name": "Be away", "answer": {"unreachable": True, **say}, "ignore_unreachable": True},
        {"name": "Say too much", "ansible.builtin.debug": {"msg": "{{ 'x' * 1000000 }}"}},
    ]
    # As inventories of clouds are made: by programs, which ask nobody what a name looks like.
    variables = {"ansible_connection": "local", "said": {"__ansible_unsafe": hostile}}
    found = json.dumps({"all": {"hosts": [name]}, "_meta": {"hostvars": {name: variables}}})
    inventory = f"#!/bin/sh\ncat <<'END'\n{found}\nEND\n"
    lax = {"ANSIBLE_MODULE_STRICT_UTF8_RESPONSE": "0", **OURS}
    done = features(tmp_path / "run", "-v", "--diff", tasks=tasks, environment=lax, inventory=inventory)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout + done.stderr
    assert printed.replace("\n", "").replace("\t", "").isprintable()
    assert not any(line.startswith("web2") for line in printed.splitlines())
    assert "characters left out" in printed
    assert "{{ 7 * 7 }}" in printed
