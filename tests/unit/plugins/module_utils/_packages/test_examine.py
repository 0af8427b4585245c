# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an attempt that died left on a host is found, waited for where it still works, and never taken for a success."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands, Completed
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.examine import examine

PLAN = "0123456789abcdef" * 4
STARTED = "2026-11-24T01:02:03Z"


class Host(Commands):
    """A host on which units of the plan may run; one that runs ends after ``looks`` looks at it, with ``status``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "var/lib/bankops-fleet" / PLAN[:16]
        self.running: dict[str, tuple[int, int | None]] = {}

    def begin(self, name: str, *, status: int | None = None, plan_is_known: bool = True) -> None:
        """A run that has ended with ``status``, or was killed and left none."""
        run = self.folder / name
        run.mkdir(parents=True)
        if plan_is_known:
            (run / "command.json").write_text(json.dumps({"argv": ["apt-get"], "started": STARTED}))
        self._leave(name, status)

    def work(self, name: str, *, looks: int, status: int | None) -> None:
        """A run that is still at work."""
        self.begin(name)
        self.running[f"bankops-fleet-{PLAN[:16]}-{name}.service"] = (looks, status)

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        unit = argv[-1]
        if unit not in self.running:
            return Completed(0, "ActiveState=inactive\n", "")
        looks, status = self.running[unit]
        self.running[unit] = (looks - 1, status)
        if looks == 1:
            del self.running[unit]
            self._leave(unit.removesuffix(".service").rpartition("-")[2], status)
        return Completed(0, "ActiveState=active\n", "")

    def _leave(self, name: str, status: int | None) -> None:
        if status is not None:
            (self.folder / name / "result").write_text(f"{status}\n")


@pytest.fixture
def dead(tmp_path: Path) -> Host:
    """A host that the controller has lost."""
    return Host(tmp_path)


def look(host: Host, time: Any, timeout: float = 60) -> dict[str, dict[str, Any]]:
    return examine(host, PLAN, timeout, host.root, time.clock)


def test_a_host_on_which_nothing_was_begun_has_no_runs(dead: Host, time: Any) -> None:
    assert look(dead, time) == {}


@pytest.mark.parametrize(("status", "state"), [(0, "complete"), (100, "failed"), (None, "interrupted")])
def test_a_run_that_is_over_says_how_it_ended(dead: Host, time: Any, status: int | None, state: str) -> None:
    dead.begin("apply", status=status)
    assert look(dead, time) == {"apply": {"state": state, "status": status, "started": STARTED}}
    assert time.seconds == 0


@pytest.mark.parametrize(("status", "state"), [(0, "complete"), (100, "failed"), (None, "interrupted")])
def test_a_run_that_is_at_work_is_waited_for(dead: Host, time: Any, status: int | None, state: str) -> None:
    dead.work("apply", looks=5, status=status)
    assert look(dead, time)["apply"]["state"] == state
    assert time.seconds > 0


def test_every_run_of_the_plan_is_found(dead: Host, time: Any) -> None:
    dead.begin("heal", status=0)
    dead.begin("apply", status=100)
    dead.work("rollback", looks=3, status=0)
    found = {name: run["state"] for name, run in look(dead, time).items()}
    assert found == {"heal": "complete", "apply": "failed", "rollback": "complete"}


def test_a_run_that_was_not_started_yet_is_none(dead: Host, time: Any) -> None:
    dead.begin("apply", plan_is_known=False)
    assert look(dead, time) == {}


def test_who_works_on_after_the_deadline_is_left_alone_and_named(dead: Host, time: Any) -> None:
    dead.work("apply", looks=1_000_000, status=0)
    with pytest.raises(FleetError) as refused:
        look(dead, time)
    assert refused.value.kind == "still_running"
    assert time.seconds == pytest.approx(60, abs=1)


def test_what_is_no_plan_is_refused(dead: Host, time: Any) -> None:
    with pytest.raises(FleetError) as refused:
        examine(dead, "../../etc", 60, dead.root, time.clock)
    assert refused.value.kind == "bad_plan"
