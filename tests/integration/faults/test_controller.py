# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller that dies, is told to stop, cannot write or is started wrongly: what was begun is brought to an end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ..conftest import RunningLab, said
from .aftermath import (
    BOTH,
    NEITHER,
    apply,
    assert_chained,
    assert_sound,
    attempt_in_transaction,
    in_the_transaction,
    install,
    installed,
    let_transaction_go,
    play,
    prepare,
    reattached,
    results,
    resume,
    users,
)

HOSTS = ("lb1", "web1", "web2")


def phases(lab: RunningLab, cycle: str) -> set[str]:
    """What the ledger says was done or begun to hosts."""
    return {entry["phase"] for entry in lab.ledger("alpha", cycle) if entry["host"]}


def test_a_start_without_the_callback_changes_nothing(fresh: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    cycle = "2026-01"
    prepare(fresh, cycle)
    for wrong in ("ansible.posix.timer", "bankops.fleet.evidense"):
        monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", wrong)
        applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert "records" in said(applied)
        assert phases(fresh, cycle) <= {"stage", "outcome"}
    monkeypatch.delenv("ANSIBLE_CALLBACKS_ENABLED")
    assert_sound(fresh, cycle, NEITHER)
    resume(fresh, cycle, BOTH)


@pytest.mark.parametrize(
    ("cycle", "limit", "why"),
    [
        ("2025-01", "lb1", "that --limit lb1 leaves matches fleet_hosts"),
        ("2025-02", "!all", "leaves us with no hosts to target"),
    ],
)
def test_a_limit_that_leaves_nobody_changes_nothing(untouched: RunningLab, cycle: str, limit: str, why: str) -> None:
    prepare(untouched, cycle)
    applied = apply(untouched, cycle, "--limit", limit)
    assert applied.returncode != 0
    assert why in said(applied) + applied.stderr
    assert phases(untouched, cycle) <= {"stage", "outcome"}


def test_a_changed_plan_is_refused(fresh: RunningLab) -> None:
    cycle = "2026-02"
    prepare(fresh, cycle)
    folder = fresh.plan_folder("alpha", cycle)
    for file, old, new in (
        (folder / "plan.json", b'"max_failed":0', b'"max_failed":9'),
        (folder / "hosts" / "web1.json", b'"candidate":"2.0"', b'"candidate":"3.0"'),
    ):
        whole = file.read_bytes()
        assert old in whole
        file.chmod(0o600)
        file.write_bytes(whole.replace(old, new))
        tampered = apply(fresh, cycle)
        assert tampered.returncode != 0
        assert "it was changed after it was frozen" in said(tampered)
        assert "apply" not in phases(fresh, cycle)
        file.write_bytes(whole)
    resume(fresh, cycle, BOTH)


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
    stop = fresh.state / "STOP"
    with users(fresh):
        with in_the_transaction(fresh, "web1", stop.touch):
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
    with users(fresh):
        with attempt_in_transaction(fresh, cycle) as controller:
            os.kill(controller.pid, number)
            assert controller.wait(timeout=60) != 0
        # Nobody may take the second server while the first one is drained, nor say that the first is in service.
        other = apply(fresh, cycle, "--limit", "web2")
        assert other.returncode != 0
        assert_sound(fresh, cycle, NEITHER)
        assert results(fresh, cycle)["web1"].in_service == "unknown"
        let_transaction_go(fresh, "web1")
        resume(fresh, cycle, BOTH)
    assert reattached(fresh, cycle)["web1"]
    assert fresh.ssh("web1", "grep -c ' upgrade fleet-slow:all ' /var/log/dpkg.log") == "1"


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
    filler = lab.state / "filler"

    def fill() -> None:
        subprocess.run(["sh", "-c", f"cat /dev/zero >{filler}"], check=False, capture_output=True)

    with users(lab):
        with in_the_transaction(lab, "web1", fill):
            applied = apply(lab, cycle)
        assert applied.returncode != 0
        assert "No space left" in said(applied) + applied.stderr
        assert_chained(lab, cycle)
        assert "verified" not in lab.outcomes("alpha", cycle).values()
        assert play(lab, "patch_status.yml", patch_cycle=cycle).returncode != 0
        assert installed(lab, "web2")["fleet-hello"] == "1.0"
        filler.unlink()
        # The run has asked that nobody goes on before somebody has looked.
        (lab.state / "tenants" / "alpha" / "STOP").unlink()
        resume(lab, cycle, BOTH)
