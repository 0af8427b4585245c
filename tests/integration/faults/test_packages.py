# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with packages ends in the old or the new versions, never between, while users go on working."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..conftest import RunningLab, said
from .aftermath import (
    BETWEEN_LOOK_AND_CHANGE,
    apply,
    assert_sound,
    install,
    installed,
    prepare,
    results,
    resume,
    users,
)

BOTH = {"web1": "verified", "web2": "verified"}
POOL = "/srv/fleet-repository/deb/pool"


@pytest.fixture(scope="module")
def fleet(start_lab: Callable[..., RunningLab]) -> RunningLab:
    """Two web servers behind the load balancer."""
    return start_lab("faultpackages", "--only", "lb1,web1,web2")


def lock_held_by(program: str, seconds: int) -> str:
    """A command that starts a program of this name, and ends when that has the package manager's lock."""
    code = (
        'import fcntl, pathlib, time; lock = open("/var/lib/dpkg/lock-frontend", "w"); '
        f'fcntl.lockf(lock, fcntl.LOCK_EX); pathlib.Path("/run/lock-taken").touch(); time.sleep({seconds})'
    )
    path = f"/usr/local/bin/{program}"
    return (
        f"printf '#!/usr/bin/python3\\n%s\\n' '{code}' >{path} && chmod 755 {path} && rm -f /run/lock-taken && "
        f"systemd-run --quiet --collect {path} && until [ -e /run/lock-taken ]; do sleep 0.1; done"
    )


def test_a_lock_that_is_given_back_is_waited_for_before_the_host_is_drained(fresh: RunningLab) -> None:
    cycle = "2026-11"
    prepare(fresh, cycle)
    fresh.ssh("web1", lock_held_by("site-tool", 20))
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode == 0
    assert_sound(fresh, cycle, BOTH)


def test_a_lock_that_is_given_back_in_time_is_waited_for(fresh: RunningLab) -> None:
    cycle = "2026-01"
    prepare(fresh, cycle, patch_hooks=BETWEEN_LOOK_AND_CHANGE)
    with users(fresh):
        applied = apply(fresh, cycle, fault=lock_held_by("site-tool", 4))
    assert applied.returncode == 0
    assert_sound(fresh, cycle, BOTH)


def test_a_lock_that_stays_leaves_the_host_untouched_and_back_in_service(fresh: RunningLab) -> None:
    cycle = "2026-02"
    prepare(fresh, cycle, patch_hooks=BETWEEN_LOOK_AND_CHANGE, patch_lock_timeout=2)
    with users(fresh):
        applied = apply(fresh, cycle, fault=lock_held_by("site-tool", 3600))
    assert applied.returncode != 0
    assert_sound(fresh, cycle, {"web1": "failed", "web2": "not_attempted"})
    web1 = results(fresh, cycle)["web1"]
    assert web1.in_service == "yes"
    assert "lock is still held by process" in web1.reason
    assert "site-tool" in web1.reason
    assert installed(fresh, "web1") == {"fleet-hello": "1.0", "fleet-tools": "1.0"}


def test_unattended_upgrades_beside_us_keep_the_host_as_it_is_until_they_are_done(fresh: RunningLab) -> None:
    cycle = "2026-03"
    prepare(fresh, cycle, patch_lock_timeout=2)
    fresh.ssh("web1", lock_held_by("unattended-upgrade", 3600))
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode != 0
    assert_sound(fresh, cycle, {"web1": "skipped", "web2": "not_attempted"})
    web1 = results(fresh, cycle)["web1"]
    assert "at work beside us" in web1.reason
    assert "unattended-upgrade" in web1.reason
    assert web1.in_service == "yes"
    fresh.ssh("web1", "pkill -f /usr/local/bin/unattended-upgrade")
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
    assert installed(fresh, "web1")["fleet-hello"] == "2.0"


def test_an_interrupted_dpkg_that_cannot_be_finished_stops_before_any_change(fresh: RunningLab) -> None:
    cycle = "2026-05"
    prepare(fresh, cycle)
    fresh.ssh("web1", f"dpkg --unpack {POOL}/lab-security/fleet-broken_2.0_all.deb")
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode != 0
    assert_sound(fresh, cycle, {"web1": "failed", "web2": "not_attempted"})
    web1 = results(fresh, cycle)["web1"]
    assert "could not be finished" in web1.reason
    assert web1.in_service == "yes"
    assert fresh.ssh("web1", "dpkg-query -W -f '${Version}' fleet-hello") == "1.0"


def test_a_broken_package_is_rolled_back_and_spends_the_budget(fresh: RunningLab) -> None:
    cycle = "2026-06"
    install(fresh, "web1", "fleet-broken=1.0")
    prepare(fresh, cycle)
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode != 0
    assert_sound(fresh, cycle, {"web1": "rolled_back", "web2": "not_attempted"})
    found = results(fresh, cycle)
    assert found["web1"].in_service == "yes"
    assert "budget" in found["web2"].reason
    assert installed(fresh, "web1") == {"fleet-broken": "1.0", "fleet-hello": "1.0", "fleet-tools": "1.0"}
    assert fresh.ssh("web1", "dpkg --audit") == ""


def test_a_service_that_does_not_come_back_is_brought_back_with_its_old_version(fresh: RunningLab) -> None:
    cycle = "2026-07"
    install(fresh, "web1", "fleet-fragile=1.0")
    prepare(fresh, cycle, patch_verify_timeout=5)
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode != 0
    assert_sound(fresh, cycle, {"web1": "rolled_back", "web2": "not_attempted"})
    web1 = results(fresh, cycle)["web1"]
    assert web1.in_service == "yes"
    assert "fleet-fragile.service" in web1.reason
    assert installed(fresh, "web1")["fleet-fragile"] == "1.0"
    assert fresh.ssh("web1", "systemctl is-active fleet-fragile") == "active"


def test_a_rollback_that_fails_leaves_the_host_out_of_service_and_says_so(fresh: RunningLab) -> None:
    cycle = "2026-08"
    install(fresh, "web1", "fleet-broken=1.0")
    prepare(fresh, cycle)
    fresh.ssh("web1", "for file in /var/lib/bankops-fleet/*/kept/*.deb; do echo damaged >>$file; done")
    with users(fresh):
        applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert_sound(fresh, cycle, {"web1": "failed", "web2": "not_attempted"})
        assert results(fresh, cycle)["web1"].in_service == "no"
        assert fresh.servers() == {"web1": "DRAIN", "web2": "UP"}
        assert "web1: failed, out of service" in said(applied)
        # Nobody comes and forgets it: the host waits for a person, and its cluster for the host.
        again = apply(fresh, cycle)
        assert again.returncode != 0
        assert_sound(fresh, cycle, {"web1": "failed", "web2": "not_attempted"})


def test_an_update_of_the_ssh_server_itself_is_seen_to_its_end(fresh: RunningLab) -> None:
    cycle = "2026-09"
    for host in BOTH:
        install(fresh, host, "fleet-access=1.0")
    prepare(fresh, cycle)
    with users(fresh):
        applied = apply(fresh, cycle)
    assert applied.returncode == 0
    assert_sound(fresh, cycle, BOTH)
    assert installed(fresh, "web1")["fleet-access"] == "2.0"
