# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that goes away in the middle of its change is said to be away, and brought to an end when it is back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..conftest import RunningLab, said
from .aftermath import (
    BOTH,
    apply,
    assert_sound,
    boots,
    container,
    count_boots,
    hold_transaction,
    install,
    installed,
    let_go_after_opening,
    meanwhile,
    prepare,
    reattached,
    results,
    resume,
    users,
    wait_for,
    wait_for_transaction,
)

HOSTS = ("lb1", "web1", "web2")
# Nothing of the host comes up before this is done, nor does its boot count.
HELD_BOOT = """[Service]
ExecStartPre=/bin/sh -c 'while [ -e /var/lib/boot-held ]; do sleep 0.1; done'
"""
FIRST_OF_A_BOOT = "/etc/systemd/system/systemd-tmpfiles-setup.service.d"


def podman(*arguments: str) -> None:
    subprocess.run(["podman", *arguments], check=True, capture_output=True)


@contextmanager
def gone(lab: RunningLab, host: str, when: Callable[[], object]) -> Iterator[None]:
    """The host answers nobody any more from when ``when`` returns; at the end it does again."""
    name = container(lab, host)
    paused = []

    def vanish() -> None:
        when()
        podman("pause", name)
        paused.append(name)

    try:
        with meanwhile(vanish):
            yield
    finally:
        # What could not be paused would hide behind the failure of this.
        for each in paused:
            podman("unpause", each)


@contextmanager
def held_boot(lab: RunningLab, host: str) -> Iterator[None]:
    """A host that reboots meanwhile does not come up before the end.

    It holds itself, so that no moment need be found at which it is down already and not yet up again.
    """
    lab.ssh(host, f'mkdir -p {FIRST_OF_A_BOOT} && printf %s "{HELD_BOOT}" >{FIRST_OF_A_BOOT}/held.conf')
    lab.ssh(host, "touch /var/lib/boot-held")
    try:
        yield
    finally:
        podman("exec", container(lab, host), "rm", "/var/lib/boot-held")
    wait_for(lambda: lab.ssh(host, "echo up", check=False) == "up")


def test_a_host_that_vanishes_in_its_transaction_is_not_forgotten(fresh: RunningLab) -> None:
    cycle = "2026-01"
    install(fresh, "web1", "fleet-slow=1.0")
    prepare(fresh, cycle, patch_reconnect_timeout=5)
    hold_transaction(fresh, "web1")
    with users(fresh):
        with gone(fresh, "web1", lambda: wait_for_transaction(fresh, "web1")):
            applied = apply(fresh, cycle)
            assert applied.returncode != 0
            assert_sound(fresh, cycle, {"web1": "unreachable", "web2": "not_attempted"})
            assert results(fresh, cycle)["web1"].in_service == "no"
            assert "web1: unreachable, out of service" in said(applied)
        # The transaction is still at work when the next attempt comes, which waits for its end.
        with let_go_after_opening(fresh, cycle, "web1"):
            resume(fresh, cycle, BOTH)
    assert installed(fresh, "web1")["fleet-slow"] == "2.0"
    assert reattached(fresh, cycle) == {"web1": True, "web2": False}


def test_a_host_that_does_not_return_from_its_reboot_is_not_rebooted_twice(fresh: RunningLab) -> None:
    cycle = "2026-02"
    count_boots(fresh, *BOTH)
    prepare(fresh, cycle, patch_reboot="always", patch_reboot_timeout=30, patch_reconnect_timeout=5)
    with users(fresh):
        with held_boot(fresh, "web1"):
            applied = apply(fresh, cycle)
            assert applied.returncode != 0
            assert_sound(fresh, cycle, {"web1": "unreachable", "web2": "not_attempted"})
            web1 = results(fresh, cycle)["web1"]
            assert web1.in_service == "no"
            assert "has not come back from its reboot" in web1.reason
        resume(fresh, cycle, BOTH)
    assert {host: boots(fresh, host) for host in BOTH} == dict.fromkeys(BOTH, 1)


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
