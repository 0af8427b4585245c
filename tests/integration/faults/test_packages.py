# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with packages ends in the old or the new versions, never between, while users go on working."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..conftest import RunningLab, said
from .aftermath import (
    BETWEEN_LOOK_AND_CHANGE,
    BOTH,
    UNTOUCHED,
    again_changes_nothing,
    apply,
    assert_sound,
    install,
    installed,
    intended,
    meanwhile,
    prepare,
    results,
    resume,
    users,
    wait_for,
)

HOSTS = ("lb1", "web1", "web2")
POOL = "/srv/fleet-repository/deb/pool"
HELLO = f"{POOL}/lab-security/fleet-hello_2.0_all.deb"
# Has the lock until the file is removed; then it installs what it was given, as apt does, before it lets go.
LOCK_HOLDER = """#!/usr/bin/python3
import fcntl, os, pathlib, subprocess, sys, time
lock = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
held = pathlib.Path("/run/lock-held")
held.touch()
while held.exists():
    time.sleep(0.1)
if sys.argv[1:]:
    subprocess.run(["dpkg", "--install", *sys.argv[1:]], env=dict(os.environ, DPKG_FRONTEND_LOCKED="1"), check=True)
"""
GIVE_BACK = "rm -f /run/lock-held"


def lock_held_by(program: str, *packages: str) -> str:
    """A command that starts a program of this name, and ends when that has the package manager's lock."""
    path = f"/usr/local/bin/{program}"
    return (
        f"cat >{path} <<'END'\n{LOCK_HOLDER}END\n"
        f"chmod 755 {path} && systemd-run --quiet --collect {path} {' '.join(packages)} && "
        "until [ -e /run/lock-held ]; do sleep 0.1; done"
    )


def wait_for_module(lab: RunningLab, host: str, module: str) -> None:
    """Wait until a module has been at work on the host for a second, so that a lock has kept it waiting."""
    payload = f"/tmp/ansible_bankops.fleet.{module}_payload_*"
    lab.ssh(host, f"timeout 60 sh -c 'until ls -d {payload}; do sleep 0.1; done' && sleep 1")


def seconds(lab: RunningLab, cycle: str, host: str, phase: str) -> float:
    """How long a step of the host took."""
    steps = (entry["data"] for entry in lab.ledger("alpha", cycle) if (entry["host"], entry["phase"]) == (host, phase))
    return float(next(data["task"]["seconds"] for data in steps if "task" in data))


def test_a_lock_that_is_given_back_is_waited_for_before_the_host_is_drained(fresh: RunningLab) -> None:
    cycle = "2026-11"
    prepare(fresh, cycle)
    fresh.ssh("web1", lock_held_by("site-tool"))

    def give_back() -> None:
        try:
            wait_for_module(fresh, "web1", "updates_info")
            assert not intended(fresh, cycle, "web1", "drain")
        finally:
            fresh.ssh("web1", GIVE_BACK)

    with users(fresh), meanwhile(give_back):
        applied = apply(fresh, cycle)
    assert applied.returncode == 0
    assert_sound(fresh, cycle, BOTH)
    assert seconds(fresh, cycle, "web1", "preflight") > 1


@contextmanager
def given_back_during_the_change(lab: RunningLab, cycle: str) -> Iterator[None]:
    """The lock that was taken after the look at ``web1`` is given back when its change has waited for it."""

    def give_back() -> None:
        try:
            wait_for(lambda: intended(lab, cycle, "web1", "apply"))
            wait_for_module(lab, "web1", "updates")
            assert installed(lab, "web1") == UNTOUCHED
        finally:
            lab.ssh("web1", GIVE_BACK)

    with meanwhile(give_back):
        yield


def test_a_lock_that_is_taken_after_the_look_is_waited_for(fresh: RunningLab) -> None:
    cycle = "2026-01"
    prepare(fresh, cycle, "--limit", "web1", patch_hooks=BETWEEN_LOOK_AND_CHANGE)
    with users(fresh), given_back_during_the_change(fresh, cycle):
        applied = apply(fresh, cycle, fault=lock_held_by("site-tool"))
    assert applied.returncode == 0
    assert_sound(fresh, cycle, {"web1": "verified"})
    assert seconds(fresh, cycle, "web1", "apply") > 1


def test_what_unattended_upgrades_install_meanwhile_is_not_installed_again(fresh: RunningLab) -> None:
    cycle = "2026-12"
    prepare(fresh, cycle, "--limit", "web1", patch_hooks=BETWEEN_LOOK_AND_CHANGE)
    with users(fresh), given_back_during_the_change(fresh, cycle):
        applied = apply(fresh, cycle, fault=lock_held_by("unattended-upgrade", HELLO))
    assert applied.returncode == 0
    assert_sound(fresh, cycle, {"web1": "verified"})


def test_a_lock_that_stays_leaves_the_host_untouched_and_back_in_service(fresh: RunningLab) -> None:
    cycle = "2026-02"
    prepare(fresh, cycle, patch_hooks=BETWEEN_LOOK_AND_CHANGE, patch_lock_timeout=2)
    with users(fresh):
        applied = apply(fresh, cycle, fault=lock_held_by("site-tool"))
    assert applied.returncode != 0
    assert_sound(fresh, cycle, {"web1": "skipped", "web2": "not_attempted"})
    web1 = results(fresh, cycle)["web1"]
    assert web1.in_service == "yes"
    assert "lock is still held by process" in web1.reason
    assert "site-tool" in web1.reason
    fresh.ssh("web1", GIVE_BACK)
    resume(fresh, cycle, BOTH, fault="true")


def test_unattended_upgrades_beside_us_keep_the_host_as_it_is_until_they_are_done(fresh: RunningLab) -> None:
    cycle = "2026-03"
    prepare(fresh, cycle, patch_lock_timeout=2)
    fresh.ssh("web1", lock_held_by("unattended-upgrade"))
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode != 0
    assert_sound(fresh, cycle, {"web1": "skipped", "web2": "not_attempted"})
    web1 = results(fresh, cycle)["web1"]
    assert "at work beside us" in web1.reason
    assert "unattended-upgrade" in web1.reason
    assert web1.in_service == "yes"
    fresh.ssh("web1", GIVE_BACK)
    resume(fresh, cycle, BOTH)


def test_an_interrupted_dpkg_is_finished_first(fresh: RunningLab) -> None:
    cycle = "2026-04"
    prepare(fresh, cycle)
    fresh.ssh("web1", f"dpkg --unpack {POOL}/lab/fleet-tools_2.0_all.deb")
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode == 0
    assert_sound(fresh, cycle, BOTH)
    assert installed(fresh, "web1") == {"fleet-hello": "2.0", "fleet-tools": "2.0"}


def test_a_part_of_the_plan_that_was_interrupted_is_finished(fresh: RunningLab) -> None:
    cycle = "2026-10"
    prepare(fresh, cycle)
    fresh.ssh("web1", f"dpkg --unpack {POOL}/lab-security/fleet-hello_2.0_all.deb")
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode == 0
    assert_sound(fresh, cycle, BOTH)


def test_an_interrupted_dpkg_that_cannot_be_finished_stops_before_any_change(fresh: RunningLab) -> None:
    cycle = "2026-05"
    expected = {"web1": "failed", "web2": "not_attempted"}
    prepare(fresh, cycle)
    fresh.ssh("web1", f"dpkg --unpack {POOL}/lab-security/fleet-broken_2.0_all.deb")
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode != 0
    assert_sound(fresh, cycle, expected)
    web1 = results(fresh, cycle)["web1"]
    assert "could not be finished" in web1.reason
    assert web1.in_service == "yes"
    again_changes_nothing(fresh, cycle, expected)


def test_a_broken_package_is_rolled_back_and_spends_the_budget(fresh: RunningLab) -> None:
    cycle = "2026-06"
    expected = {"web1": "rolled_back", "web2": "not_attempted"}
    install(fresh, "web1", "fleet-broken=1.0")
    prepare(fresh, cycle)
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode != 0
    assert_sound(fresh, cycle, expected)
    found = results(fresh, cycle)
    assert found["web1"].in_service == "yes"
    assert "budget" in found["web2"].reason
    assert fresh.ssh("web1", "dpkg --audit") == ""
    again_changes_nothing(fresh, cycle, expected)


def test_a_service_that_does_not_come_back_is_brought_back_with_its_old_version(fresh: RunningLab) -> None:
    cycle = "2026-07"
    expected = {"web1": "rolled_back", "web2": "not_attempted"}
    install(fresh, "web1", "fleet-fragile=1.0")
    prepare(fresh, cycle, patch_verify_timeout=5)
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode != 0
    assert_sound(fresh, cycle, expected)
    web1 = results(fresh, cycle)["web1"]
    assert web1.in_service == "yes"
    assert "fleet-fragile.service" in web1.reason
    assert fresh.ssh("web1", "systemctl is-active fleet-fragile") == "active"
    again_changes_nothing(fresh, cycle, expected)


def test_a_rollback_that_fails_leaves_the_host_out_of_service_and_says_so(fresh: RunningLab) -> None:
    cycle = "2026-08"
    expected = {"web1": "failed", "web2": "not_attempted"}
    install(fresh, "web1", "fleet-broken=1.0")
    prepare(fresh, cycle)
    fresh.ssh("web1", "for file in /var/lib/bankops-fleet/*/kept/*.deb; do echo damaged >>$file; done")
    with users(fresh):
        applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert_sound(fresh, cycle, expected)
        assert results(fresh, cycle)["web1"].in_service == "no"
        assert fresh.servers() == {"web1": "DRAIN", "web2": "UP"}
        assert "web1: failed, out of service" in said(applied)
        # Nobody comes and forgets it: the host waits for a person, and its cluster for the host.
        again_changes_nothing(fresh, cycle, expected)


def test_an_update_of_the_ssh_server_itself_is_seen_to_its_end(fresh: RunningLab) -> None:
    cycle = "2026-09"
    for host in BOTH:
        install(fresh, host, "fleet-access=1.0")
    server = "systemctl show -P MainPID ssh.service"
    before = {host: fresh.ssh(host, server) for host in BOTH}
    prepare(fresh, cycle)
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode == 0
    assert_sound(fresh, cycle, BOTH)
    assert all(fresh.ssh(host, server) != before[host] for host in BOTH)
