# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback ``bankops.fleet.progress`` in real runs: into a pipe, on a terminal, and as AWX runs it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.tests.fakes.controller import ansible_on_terminal, run_ansible
from ansible_collections.bankops.fleet.tests.fakes.patched_fleet import PatchedFleet, failed
from ansible_collections.bankops.fleet.tests.fakes.terminal import OnTerminal, Terminal

from .progress import OURS, PLAYBOOK

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
