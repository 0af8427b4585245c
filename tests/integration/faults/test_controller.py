# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller that dies, is told to stop, cannot write or is started wrongly: what was begun is brought to an end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ..conftest import RunningLab, said
from .aftermath import (
    apply,
    assert_sound,
    hold_transaction,
    install,
    installed,
    let_transaction_go,
    meanwhile,
    prepare,
    results,
    resume,
    users,
    wait_for_transaction,
)

BOTH = {"web1": "verified", "web2": "verified"}
NEITHER = {"web1": "not_attempted", "web2": "not_attempted"}
UNTOUCHED = {"fleet-hello": "1.0", "fleet-tools": "1.0"}


@pytest.fixture(scope="module")
def fleet(start_lab: Callable[..., RunningLab]) -> RunningLab:
    """Two web servers behind the load balancer."""
    return start_lab("faultcontroller", "--only", "lb1,web1,web2")


@pytest.fixture
def untouched(fleet: RunningLab) -> Iterator[RunningLab]:
    """The same lab for what must change no host, so that none of them needs to be made anew."""
    yield fleet
    for host in BOTH:
        assert installed(fleet, host) == UNTOUCHED
    assert fleet.servers() == {"web1": "UP", "web2": "UP"}


def phases(lab: RunningLab, cycle: str) -> set[str]:
    """What the ledger says was done or begun to hosts."""
    return {entry["phase"] for entry in lab.ledger("alpha", cycle) if entry["host"]}


def test_a_start_without_the_callback_changes_nothing(untouched: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    cycle = "2026-01"
    prepare(untouched, cycle)
    for wrong in ("ansible.posix.timer", "bankops.fleet.evidense"):
        monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", wrong)
        applied = apply(untouched, cycle)
        assert applied.returncode != 0
        assert "records" in said(applied)
        assert phases(untouched, cycle) <= {"stage", "outcome"}
    monkeypatch.delenv("ANSIBLE_CALLBACKS_ENABLED")
    assert_sound(untouched, cycle, NEITHER)


@pytest.mark.parametrize(
    ("number", "flags"),
    [
        (11, ["--start-at-task", "Take the host through its change"]),
        (12, ["--start-at-task", "Take the batch through the change"]),
        (13, ["--tags", "nobody-has-this-tag"]),
        (14, ["--limit", "lb1"]),
        (15, ["--limit", "!all"]),
    ],
)
def test_flags_that_jump_over_the_beginning_change_nothing(
    untouched: RunningLab, number: int, flags: list[str]
) -> None:
    cycle = f"2025-{number - 10:02}"
    prepare(untouched, cycle)
    apply(untouched, cycle, *flags)
    assert phases(untouched, cycle) <= {"stage", "outcome"}


def test_a_changed_plan_is_refused(untouched: RunningLab) -> None:
    cycle = "2026-02"
    prepare(untouched, cycle)
    head = untouched.plan_folder("alpha", cycle) / "plan.json"
    document = untouched.plan_folder("alpha", cycle) / "hosts" / "web1.json"
    for file, old, new in (
        (head, b'"max_failed":0', b'"max_failed":9'),
        (document, b'"candidate":"2.0"', b'"candidate":"3.0"'),
    ):
        whole = file.read_bytes()
        assert old in whole
        file.chmod(0o600)
        file.write_bytes(whole.replace(old, new))
        tampered = apply(untouched, cycle)
        assert tampered.returncode != 0
        assert "it was changed after it was frozen" in said(tampered)
        assert "apply" not in phases(untouched, cycle)
        file.write_bytes(whole)


@pytest.mark.parametrize("whose", ["all", "tenant"])
def test_a_stop_file_keeps_every_host_as_it_is(untouched: RunningLab, whose: str) -> None:
    cycle = "2026-03" if whose == "all" else "2026-04"
    prepare(untouched, cycle)
    stop = (untouched.state if whose == "all" else untouched.state / "tenants" / "alpha") / "STOP"
    stop.touch()
    applied = apply(untouched, cycle)
    stop.unlink()
    assert applied.returncode != 0
    assert_sound(untouched, cycle, NEITHER)
    assert "asks to stop" in results(untouched, cycle)["web1"].reason


def test_a_stop_file_in_the_middle_lets_the_host_in_work_be_finished(fresh: RunningLab) -> None:
    cycle = "2026-05"
    install(fresh, "web1", "fleet-slow=1.0")
    prepare(fresh, cycle)
    hold_transaction(fresh, "web1")
    stop = fresh.state / "STOP"

    def stop_in_the_middle() -> None:
        wait_for_transaction(fresh, "web1")
        stop.touch()
        let_transaction_go(fresh, "web1")

    with users(fresh):
        with meanwhile(stop_in_the_middle):
            applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert_sound(fresh, cycle, {"web1": "verified", "web2": "not_attempted"})
        assert "asks to stop" in results(fresh, cycle)["web2"].reason
        stop.unlink()
        resume(fresh, cycle, BOTH)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_controller_that_is_ended_in_the_middle_is_followed_by_one_that_goes_on(
    fresh: RunningLab, number: signal.Signals
) -> None:
    cycle = f"2026-{number.value:02}" if number == signal.SIGKILL else "2026-10"
    install(fresh, "web1", "fleet-slow=1.0")
    prepare(fresh, cycle)
    hold_transaction(fresh, "web1")
    with users(fresh):
        controller = fresh.start("patch_apply.yml", patch_cycle=cycle, patch_tenants=["alpha"])
        wait_for_transaction(fresh, "web1")
        os.kill(controller.pid, number)
        assert controller.wait() != 0
        # Nobody may take the second server while the first one is drained, nor say that the first is in service.
        other = apply(fresh, cycle, "--limit", "web2")
        assert other.returncode != 0
        assert_sound(fresh, cycle, NEITHER)
        assert results(fresh, cycle)["web1"].in_service == "unknown"
        let_transaction_go(fresh, "web1")
        resume(fresh, cycle, BOTH)
    assert installed(fresh, "web1")["fleet-slow"] == "2.0"
    results_of_apply = [
        entry
        for entry in fresh.ledger("alpha", cycle)
        if (entry["phase"], entry["host"]) == ("apply", "web1") and entry["outcome"] != "intent"
    ]
    assert [entry["data"]["reattached"] for entry in results_of_apply] == [True]


@pytest.fixture
def small_state(fleet: RunningLab, tmp_path: Path) -> Iterator[RunningLab]:
    """The lab with its state on a small file system."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "small", str(tmp_path)], check=True)
    yield replace(fleet, state=tmp_path)
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk_under_the_ledger_begins_no_further_host(fresh: RunningLab, small_state: RunningLab) -> None:
    cycle, lab = "2026-12", small_state
    install(lab, "web1", "fleet-slow=1.0")
    prepare(lab, cycle)
    hold_transaction(lab, "web1")
    filler = lab.state / "filler"

    def fill_in_the_middle() -> None:
        wait_for_transaction(lab, "web1")
        subprocess.run(["sh", "-c", f"cat /dev/zero >{filler}"], check=False, capture_output=True)
        let_transaction_go(lab, "web1")

    with users(lab):
        with meanwhile(fill_in_the_middle):
            applied = apply(lab, cycle)
        assert applied.returncode != 0
        assert "No space left" in said(applied) + applied.stderr
        assert installed(lab, "web2")["fleet-hello"] == "1.0"
        filler.unlink()
        # The run has asked that nobody goes on before somebody has looked.
        (lab.state / "tenants" / "alpha" / "STOP").unlink()
        resume(lab, cycle, BOTH)
