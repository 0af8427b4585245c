# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback ``bankops.fleet.progress`` in real runs: into a pipe, on a terminal, and as AWX runs it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.tests.fakes.controller import ansible_on_terminal, run_ansible
from ansible_collections.bankops.fleet.tests.fakes.patched_fleet import PatchedFleet, failed
from ansible_collections.bankops.fleet.tests.fakes.terminal import OnTerminal, Terminal

# Without the evidence callback: there is no ledger in these runs.
OURS = dict.fromkeys(("ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_CALLBACKS_ENABLED"), "bankops.fleet.progress")
MARKS = {"ANSIBLE_CHECK_MODE_MARKERS": "1", "ANSIBLE_SHOW_CUSTOM_STATS": "1", "ANSIBLE_SHOW_TASK_PATH_ON_FAILURE": "1"}
PLAYBOOK = ("playbook", "-i", "inventory.yml", "play.json")
WAVES = {"canary": [["web1"]], "early": [["web2", "web3"], ["db1"]]}
BROKEN = failed(
    "verify: nginx.service is not active\x1b[2J",
    msg="nginx.service is not active\x1b[2J\nsee \u202eits journal",
    log="Job for nginx.service failed.\r\nAborting.",
    remedy="Look at the host.",
)

# As ansible-runner derives its callback, which AWX uses, from the one that was asked for.
AWX_DISPLAY = """
import os
from ansible.plugins.loader import callback_loader

DOCUMENTATION = '''
    callback: awx_display
    type: stdout
    short_description: stands in for the callback of ansible-runner
    extends_documentation_fragment: [default_callback]
'''

Original = callback_loader.get(os.environ["ORIGINAL_STDOUT_CALLBACK"]).__class__


class CallbackModule(Original):
    CALLBACK_NAME = "awx_display"
"""

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


def fleet(folder: Path, *tasks: dict[str, Any], seconds: float = 0.0) -> PatchedFleet:
    made = PatchedFleet(folder, WAVES, {"web3": BROKEN})
    made.write_play(*tasks, phases=["preflight", "drain", "apply"] if seconds else None, seconds=seconds)
    return made


def without_times(text: str) -> list[str]:
    return [re.sub(r"(, |after )\d+ s\b", r"\g<1>0 s", line.rstrip()) for line in text.splitlines()]


SAID = """\
PLAY [Open an attempt that applies]
Tenant north, cycle 2026-11, plan 1a2b3c4d5e6f7a8b: attempt 1 (apply) has 4 hosts of 4 in 2 waves before it, about 3 min; failure budget 0 of 2 spent.
PLAY [Patch the fleet]
Tenant north: wave canary, batch 1 of 1, begins with 1 host, about 1 min: web1
web1: verified, in service (wave canary batch 1, 0 s)
Tenant north: wave canary is done: 1 host, 1 verified; failure budget 0 of 2 spent.
Tenant north: wave early, batch 1 of 2, begins with 2 hosts, about 1 min: web2, web3
web2: verified, in service (wave early batch 1, 0 s)
web3: failed, out of service (wave early batch 1, 0 s): verify: nginx.service is not active?[2J
    verify:
      nginx.service is not active?[2J
      see ?its journal
      | Job for nginx.service failed.
      | Aborting.
      Remedy: Look at the host.
Tenant north: wave early, batch 2 of 2, begins with 1 host, about 1 min: db1
db1: verified, in service (wave early batch 2, 0 s)
Tenant north: wave early is done: 3 hosts, 2 verified, 1 failed; failure budget 1 of 2 spent.
PLAY [Close the attempt]
Tenant north: attempt 1 (apply) ended after 0 s: 4 hosts, 3 verified, 1 failed; failure budget 1 of 2 spent.
  - web3: failed, out of service: verify: nginx.service is not active?[2J

PLAY RECAP *********************************************************************
db1                        : ok=2    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0
web1                       : ok=4    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0
web2                       : ok=2    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0
web3                       : ok=1    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0
""".splitlines()  # noqa: E501  as it is printed


def in_order(lines: list[str]) -> list[str]:
    """Two hosts of a batch come out in any order; here the first one first."""
    at = [place for place, line in enumerate(lines) if line.startswith(("web2: ", "web3: "))]
    if len(at) == 2 and lines[at[0]].startswith("web3"):
        block = lines[at[0] : at[1]]
        return [*lines[: at[0]], lines[at[1]], *block, *lines[at[1] + 1 :]]
    return lines


def test_without_a_terminal_there_is_a_line_for_each_host_batch_and_wave(tmp_path: Path) -> None:
    fleet(tmp_path)
    done = run_ansible(tmp_path, *PLAYBOOK, environment=OURS)
    assert done.returncode == 0
    lines = [line for line in in_order(without_times(done.stdout)) if line]
    assert lines == [line for line in SAID if line]
    assert done.stdout.replace("\n", "").isprintable()


def test_of_two_playbooks_each_has_its_own_summary(tmp_path: Path) -> None:
    fleet(tmp_path)
    done = run_ansible(tmp_path, *PLAYBOOK, "play.json", environment=OURS)
    assert done.returncode == 0
    lines = without_times(done.stdout)
    summary = next(line for line in SAID if "ended after" in line)
    assert lines.count(summary) == 2
    assert sum(line.startswith("web3: failed") for line in lines) == 2


def at_terminal(folder: Path, *arguments: str, size: tuple[int, int] = (100, 30), **environment: str) -> OnTerminal:
    return ansible_on_terminal(folder, *PLAYBOOK, *arguments, environment={**OURS, **environment}, size=size)


def seen(printed: str, columns: int) -> list[str]:
    terminal = Terminal(columns)
    terminal.feed(printed)
    return terminal.lines


def test_on_a_terminal_there_is_a_view_while_it_runs_and_the_same_lines_above_it(tmp_path: Path) -> None:
    fleet(tmp_path, seconds=0.8)
    # The other callback has something to say, too: that it cannot write.
    run = at_terminal(tmp_path, size=(160, 40), ANSIBLE_CALLBACKS_ENABLED="bankops.fleet.evidence")
    run.wait_for("web2  drain")
    # Whatever was drawn last may be cut in the middle of a line.
    view = "\n".join(seen(run.text.rpartition("\n")[0], 160))
    assert re.search(r"north +1 of 4 hosts, about \d+ (s|min) of work left", view), view
    assert re.search(r"wave canary +done +1 of 1", view)
    assert re.search(r"wave early +batch 1 of 2 +0 of 3", view)
    assert "1 verified; failure budget 0 of 2 spent" in view
    run.resize(60, 20)
    run.wait_for("web2: verified")
    run.resize(160, 40)
    assert run.finish() == 0
    # No colours, for nobody wants them in this test, and no cursor that stays hidden when the run is killed.
    assert set(re.findall(r"\x1b\[([0-9;?]*[A-Za-z])", run.text)) <= {"J", *(f"{number}A" for number in range(20))}
    assert run.settings_after == run.settings
    lines = without_times("\n".join(seen(run.text, 160)))
    told = {line for line in SAID if not line.startswith("PLAY RECAP")}
    assert told <= set(lines), told - set(lines)
    assert any(re.match(r" ?\[ERROR\]: bankops.fleet.evidence: ", line) for line in lines)
    # Nothing is left of the view but what a narrower terminal has wrapped.
    assert sum("failure budget 0 of 2 spent" in line and not line.startswith("Tenant") for line in lines) <= 1


def test_ctrl_c_leaves_a_sane_terminal_and_says_how_far_it_came(tmp_path: Path) -> None:
    fleet(tmp_path, seconds=2)
    run = at_terminal(tmp_path, size=(160, 30))
    run.wait_for("web1  drain")
    run.press(b"\x03")
    assert run.finish() != 0
    assert run.settings_after == run.settings
    lines = seen(run.text, 160)
    assert any("User interrupted execution" in line for line in lines)
    assert "attempt 1 (apply) was interrupted after" in "".join(lines)
    assert "4 left" in "".join(lines)
    assert not any(line.startswith("in work") for line in lines)
    assert lines[-1] == ""


def test_nothing_is_drawn_over_a_question(tmp_path: Path) -> None:
    ask = {"name": "Ask", "ansible.builtin.pause": {"prompt": "May it go on?"}, "when": "inventory_hostname == 'web1'"}
    fleet(tmp_path, ask, seconds=0.6)
    run = at_terminal(tmp_path, size=(160, 30))
    run.wait_for("May it go on?")
    asked = len(run.text)
    run.read_for(2)
    assert "in work" not in run.text[asked:]
    run.press(b"yes\r")
    run.wait_for("web2  preflight")
    assert run.finish() == 0


@pytest.mark.parametrize("kind", ["dumb", "awx"])
def test_where_the_output_is_kept_there_is_nothing_but_lines(tmp_path: Path, kind: str) -> None:
    fleet(tmp_path)
    environment = {"TERM": "dumb"}
    if kind == "awx":
        (tmp_path / "callbacks").mkdir()
        (tmp_path / "callbacks" / "awx_display.py").write_text(AWX_DISPLAY)
        environment = {
            "ANSIBLE_STDOUT_CALLBACK": "awx_display",
            "ORIGINAL_STDOUT_CALLBACK": "bankops.fleet.progress",
            "ANSIBLE_CALLBACK_PLUGINS": str(tmp_path / "callbacks"),
            "AWX_ISOLATED_DATA_DIR": str(tmp_path),
        }
    run = at_terminal(tmp_path, size=(200, 30), **environment)
    assert run.finish() == 0
    # The terminal's own ends of lines, and no other carriage return.
    printed = run.text.replace("\r\n", "\n")
    assert printed.replace("\n", "").isprintable()
    stars = re.compile(r"\*+")
    lines = [stars.sub("*", line) for line in in_order(without_times(printed)) if line]
    assert lines == [stars.sub("*", line) for line in SAID if line]


def test_colours_are_those_of_ansible(tmp_path: Path) -> None:
    fleet(tmp_path)
    run = at_terminal(tmp_path, size=(200, 30), ANSIBLE_FORCE_COLOR="1", FLEET_PROGRESS_LIVE="no")
    assert run.finish() == 0
    assert "\x1b[0;31mweb3: failed, out of service" in run.text
    assert set(re.findall(r"\x1b[^m]*m", run.text)) == {"\x1b[0m", "\x1b[0;31m", "\x1b[0;33m"}
