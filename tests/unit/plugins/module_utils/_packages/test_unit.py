# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The transient unit: its script, run by a real shell, and what is read from what it leaves."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands, Completed
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages import unit
from ansible_collections.bankops.fleet.plugins.module_utils._packages.store import Run


class Systemd(Commands):
    """Runs a transient unit's command at once, as systemd would, with the dollar signs as systemd reads them."""

    def __init__(self) -> None:
        self.argv: list[str] = []
        self.states = ["inactive"]

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        if argv[0] == "systemctl":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return Completed(0 if state else 1, f"ActiveState={state}\n" if state else "", "")
        self.argv = list(argv)
        folder = next(word.rpartition("=")[2] for word in argv if "WorkingDirectory" in word)
        command = [word.replace("$$", "$") for word in argv[list(argv).index("--") + 1 :]]
        subprocess.run(command, cwd=folder, check=False)
        return Completed(0, "", "")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "apply", "bankops-fleet-0123456789abcdef-apply.service")


def start(systemd: Systemd, run: Run, *argv: str, marks: Sequence[str] = (), marker: str = "echo") -> None:
    unit.start(
        systemd,
        run,
        argv,
        environment={"LC_ALL": "C.UTF-8"},
        mark_command=[marker, "auto"],
        marks=marks,
        facts={"before": {"a:all": "1"}},
    )


def test_output_and_status_are_left_behind(run: Run) -> None:
    start(Systemd(), run, "/bin/sh", "-c", "echo out; echo err >&2; exit 7")
    assert unit.read_output(run) == "out\nerr\n"
    assert unit.read_result(run) == 7
    command = unit.read_command(run)
    assert command is not None
    assert command["before"] == {"a:all": "1"}
    assert command["unit"] == run.unit


def test_arguments_reach_the_program_as_they_are(run: Run) -> None:
    start(Systemd(), run, "printf", "%s|", "a b", "$HOME", "*", "; exit 3", "")
    assert unit.read_output(run) == "a b|$HOME|*|; exit 3||"
    assert unit.read_result(run) == 0


def test_marks_are_given_back_even_after_a_failure(run: Run) -> None:
    start(Systemd(), run, "false", marks=["libssl3:amd64", "zlib1g:amd64"])
    assert unit.read_output(run) == "auto libssl3:amd64 zlib1g:amd64\n"
    assert unit.read_result(run) == 1


def test_marks_that_could_not_be_given_back_are_a_failure(run: Run) -> None:
    start(Systemd(), run, "true", marks=["x"], marker="false")
    assert unit.read_result(run) == 1


def test_a_reboot_waits_for_the_change_instead_of_killing_it(run: Run) -> None:
    systemd = Systemd()
    start(systemd, run, "true")
    assert "--property=SendSIGKILL=no" in systemd.argv
    assert "--property=KillSignal=SIGCONT" in systemd.argv
    assert "--collect" in systemd.argv


def test_a_systemd_that_does_not_answer_is_no_end_of_the_change(run: Run, time: Any) -> None:
    systemd = Systemd()
    systemd.states = ["active", "", "active", "", "inactive"]
    assert unit.wait(systemd, run, 60, time.clock) is None
    assert time.seconds > 0


def test_waiting_ends_at_the_deadline(run: Run, time: Any) -> None:
    systemd = Systemd()
    systemd.states = ["active"]
    with pytest.raises(FleetError) as caught:
        unit.wait(systemd, run, 60, time.clock)
    assert caught.value.kind == "still_running"
    assert time.seconds == pytest.approx(60, abs=1)
