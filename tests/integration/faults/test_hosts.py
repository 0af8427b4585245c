# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that goes away in the middle of its change is said to be away, and brought to an end when it is back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ..conftest import RunningLab, said
from .aftermath import (
    apply,
    assert_sound,
    container,
    hold_transaction,
    install,
    installed,
    intended,
    let_transaction_go,
    meanwhile,
    prepare,
    results,
    resume,
    users,
    wait_for,
    wait_for_transaction,
)

BOTH = {"web1": "verified", "web2": "verified"}


@pytest.fixture(scope="module")
def fleet(start_lab: Callable[..., RunningLab]) -> RunningLab:
    """Two web servers behind the load balancer."""
    return start_lab("faulthosts", "--only", "lb1,web1,web2")


def podman(*arguments: str) -> None:
    subprocess.run(["podman", *arguments], check=True, capture_output=True)


@contextmanager
def gone(lab: RunningLab, host: str, when: Callable[[], object]) -> Iterator[None]:
    """The host answers nobody any more from when ``when`` returns; at the end it does again."""
    name = container(lab, host)

    def vanish() -> None:
        when()
        podman("pause", name)

    try:
        with meanwhile(vanish):
            yield
    finally:
        podman("unpause", name)


def test_a_host_that_vanishes_in_its_transaction_is_not_forgotten(fresh: RunningLab) -> None:
    cycle = "2026-01"
    install(fresh, "web1", "fleet-slow=1.0")
    prepare(fresh, cycle, patch_reconnect_timeout=5)
    hold_transaction(fresh, "web1")

    def let_go_when_it_is_opened() -> None:
        before = len(fresh.ledger("alpha", cycle))
        wait_for(lambda: len(fresh.ledger("alpha", cycle)) > before)
        let_transaction_go(fresh, "web1")

    with users(fresh):
        with gone(fresh, "web1", lambda: wait_for_transaction(fresh, "web1")):
            applied = apply(fresh, cycle)
            assert applied.returncode != 0
            assert_sound(fresh, cycle, {"web1": "unreachable", "web2": "not_attempted"})
            assert results(fresh, cycle)["web1"].in_service == "no"
            assert "web1: unreachable, out of service" in said(applied)
        # The transaction is still at work when the next attempt comes, which waits for its end.
        with meanwhile(let_go_when_it_is_opened):
            resume(fresh, cycle, BOTH)
    assert installed(fresh, "web1")["fleet-slow"] == "2.0"
    results_of_apply = [
        entry
        for entry in fresh.ledger("alpha", cycle)
        if entry["phase"] == "apply" and entry["outcome"] in ("ok", "changed")
    ]
    assert [entry["data"]["reattached"] for entry in results_of_apply] == [True, False]


def test_a_host_that_does_not_return_from_its_reboot_is_not_rebooted_twice(fresh: RunningLab) -> None:
    cycle = "2026-02"
    prepare(fresh, cycle, patch_reboot="always", patch_reboot_timeout=8, patch_reconnect_timeout=5)
    with users(fresh):
        with gone(fresh, "web1", lambda: wait_for(lambda: intended(fresh, cycle, "web1", "reboot"))):
            applied = apply(fresh, cycle)
            assert applied.returncode != 0
            found = results(fresh, cycle)
            assert_sound(fresh, cycle, {"web1": str(found["web1"].outcome), "web2": "not_attempted"})
            assert found["web1"].in_service == "no"
            assert "has not come back from its reboot" in found["web1"].reason
            assert str(found["web1"].outcome) == "unreachable"
        resume(fresh, cycle, BOTH, patch_reboot_timeout=60)


def test_a_host_that_is_switched_off_before_its_turn_costs_nothing_but_itself(fresh: RunningLab) -> None:
    cycle = "2026-03"
    prepare(fresh, cycle)
    with gone(fresh, "web1", lambda: None):
        # The load balancer needs a moment to notice, which is not ours to answer for.
        wait_for(lambda: fresh.servers()["web1"].startswith("DOWN"))
        with users(fresh):
            applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert_sound(fresh, cycle, {"web1": "unreachable", "web2": "not_attempted"})
        assert results(fresh, cycle)["web1"].in_service == "unknown"
    wait_for(lambda: fresh.servers()["web1"] == "UP")
    with users(fresh):
        resume(fresh, cycle, BOTH)


def test_a_reboot_is_made_and_proven(fresh: RunningLab) -> None:
    cycle = "2026-04"
    started = fresh.ssh("web1", "cut -d' ' -f22 /proc/1/stat")
    prepare(fresh, cycle, "--limit", "web1", patch_reboot="always")
    with users(fresh):
        applied = apply(fresh, cycle, "--limit", "web1")
    assert applied.returncode == 0
    assert_sound(fresh, cycle, {"web1": "verified"})
    assert fresh.ssh("web1", "cut -d' ' -f22 /proc/1/stat") != started
