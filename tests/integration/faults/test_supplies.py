# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change needs and does not find: a repository, the planned version, room on a disk."""

from __future__ import annotations

import pytest

from ..conftest import RunningLab, said
from .aftermath import (
    APP_UNTOUCHED,
    BETWEEN_LOOK_AND_CHANGE,
    again_changes_nothing,
    apply,
    assert_sound,
    in_the_transaction,
    install,
    installed,
    intended,
    play,
    prepare,
    results,
    resume,
)

HOSTS = ("app1",)
VERIFIED, SKIPPED, FAILED = ({"app1": outcome} for outcome in ("verified", "skipped", "failed"))
SOURCES = "/etc/apt/sources.list.d/fleet-lab.sources"
ROOM = 400
"""Megabytes; staging refuses to leave less than 256 of them free."""

SMALL = {"/": 10, "/boot": 2, "/var": 5}


def away(lab: RunningLab) -> None:
    """The repository cannot be reached any more."""
    lab.ssh("app1", "mount -t tmpfs nothing /srv/fleet-repository")


def back(lab: RunningLab) -> None:
    """It can be reached again."""
    lab.ssh("app1", "umount /srv/fleet-repository")


def offer(lab: RunningLab, suites: str) -> None:
    """The repository has these suites; without ``lab-security`` the planned versions are withdrawn."""
    lab.ssh("app1", f"sed -i 's/^Suites: .*/Suites: {suites}/' {SOURCES} && apt-get update -qq")


def mount_small(lab: RunningLab, path: str, megabytes: int) -> None:
    """A file system of its own below a path, with what was there and some room."""
    lab.ssh(
        "app1",
        f"mount -t tmpfs -o size=$(( $(du -sm {path} | cut -f1) + {megabytes} ))m,mode=755 small /mnt && "
        f"cp -a {path}/. /mnt/ && mount --move /mnt {path}",
    )


def fill(path: str) -> str:
    """A command that leaves no room on the file system of a path."""
    return f"cat /dev/zero >{path}/filler 2>/dev/null; true"


def test_a_repository_that_cannot_be_reached_makes_a_plan_that_does_not_know(fresh: RunningLab) -> None:
    cycle = "2026-01"
    away(fresh)
    planned = play(fresh, "patch_plan.yml", patch_cycle=cycle)
    assert planned.returncode == 0
    assert "could not be refreshed" in said(planned)
    applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode != 0
    assert_sound(fresh, cycle, SKIPPED, tenant="beta")
    again_changes_nothing(fresh, cycle, SKIPPED, tenant="beta")
    # What the plan itself decided is for another plan to decide anew.
    back(fresh)
    prepare(fresh, cycle, patch_replace=True)
    resume(fresh, cycle, VERIFIED, tenant="beta")


def test_a_repository_that_went_away_before_the_staging_leaves_the_host_as_it_is(fresh: RunningLab) -> None:
    cycle = "2026-02"
    assert play(fresh, "patch_plan.yml", patch_cycle=cycle).returncode == 0
    away(fresh)
    staged = play(fresh, "patch_stage.yml", patch_cycle=cycle)
    assert staged.returncode != 0
    assert "The download failed" in said(staged)
    back(fresh)
    applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode != 0
    assert_sound(fresh, cycle, SKIPPED, tenant="beta")
    assert "Nothing was staged on this host" in results(fresh, cycle, "beta")["app1"].reason
    assert play(fresh, "patch_stage.yml", patch_cycle=cycle).returncode == 0
    resume(fresh, cycle, VERIFIED, tenant="beta")


def test_a_repository_that_went_away_after_the_staging_is_not_missed(fresh: RunningLab) -> None:
    cycle = "2026-10"
    prepare(fresh, cycle)
    away(fresh)
    resume(fresh, cycle, VERIFIED, tenant="beta")


def test_a_version_that_was_withdrawn_before_the_staging_is_not_replaced_by_another(fresh: RunningLab) -> None:
    cycle = "2026-03"
    assert play(fresh, "patch_plan.yml", patch_cycle=cycle).returncode == 0
    offer(fresh, "lab")
    staged = play(fresh, "patch_stage.yml", patch_cycle=cycle)
    assert staged.returncode != 0
    assert "No repository of this host has the planned version any more" in said(staged)
    applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode != 0
    assert_sound(fresh, cycle, SKIPPED, tenant="beta")
    again_changes_nothing(fresh, cycle, SKIPPED, tenant="beta")


def test_a_version_that_was_withdrawn_after_the_staging_is_not_installed(fresh: RunningLab) -> None:
    cycle = "2026-04"
    prepare(fresh, cycle)
    offer(fresh, "lab")
    applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode != 0
    assert_sound(fresh, cycle, SKIPPED, tenant="beta")
    app1 = results(fresh, cycle, "beta")["app1"]
    assert "fleet-hello is still at 1.0, and 2.0 is not offered any more" in app1.reason
    assert app1.in_service == "yes"
    assert not intended(fresh, cycle, "app1", "apply", tenant="beta")
    offer(fresh, "lab lab-security")
    resume(fresh, cycle, VERIFIED, tenant="beta")


def test_what_somebody_has_done_by_hand_already_is_left_out(fresh: RunningLab) -> None:
    cycle = "2026-09"
    prepare(fresh, cycle)
    fresh.ssh("app1", "apt-get update -qq && apt-get install -qqy --only-upgrade fleet-hello")
    applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode == 0
    assert_sound(fresh, cycle, VERIFIED, tenant="beta")
    preflight = next(entry for entry in fresh.ledger("beta", cycle) if entry["phase"] == "preflight")
    assert [change["name"] for change in preflight["data"]["vanished"]] == ["fleet-hello"]


@pytest.mark.parametrize("path", ["/var", "/boot"])
def test_a_full_disk_is_seen_before_anything_is_changed(fresh: RunningLab, path: str) -> None:
    cycle = "2026-05" if path == "/var" else "2026-06"
    mount_small(fresh, path, ROOM)
    prepare(fresh, cycle, patch_minimum_free_mb=SMALL)
    fresh.ssh("app1", fill(path))
    applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode != 0
    assert_sound(fresh, cycle, SKIPPED, tenant="beta")
    assert f"{path} has 0 MB free" in results(fresh, cycle, "beta")["app1"].reason
    fresh.ssh("app1", f"rm {path}/filler")
    resume(fresh, cycle, VERIFIED, tenant="beta")


def test_a_boot_that_fills_up_during_the_change_is_taken_back_and_named(fresh: RunningLab) -> None:
    cycle = "2026-07"
    install(fresh, "app1", "linux-image-fleet=6.1.98", "linux-image-6.1.0-98-fleet")
    mount_small(fresh, "/boot", 10)
    changed = {"patch_minimum_free_mb": SMALL, "patch_reboot": "never", "patch_verify_timeout": 5}
    prepare(fresh, cycle, patch_hooks=BETWEEN_LOOK_AND_CHANGE, **changed)
    applied = apply(fresh, cycle, tenant="beta", fault=fill("/boot"))
    assert applied.returncode != 0
    # The old versions are back, and the disk is still full, so nobody says that the host is well.
    assert_sound(fresh, cycle, FAILED, tenant="beta")
    assert "disk_low /boot" in results(fresh, cycle, "beta")["app1"].reason
    assert installed(fresh, "app1") == APP_UNTOUCHED
    assert fresh.ssh("app1", "dpkg --audit; ls /boot").split() == [
        "config-6.1.0-98-fleet",
        "filler",
        "vmlinuz-6.1.0-98-fleet",
    ]
    again_changes_nothing(fresh, cycle, FAILED, tenant="beta")


def test_a_var_that_fills_up_during_the_change_is_a_failure_that_is_seen(fresh: RunningLab) -> None:
    cycle = "2026-08"
    install(fresh, "app1", "fleet-slow=1.0")
    mount_small(fresh, "/var", ROOM)
    prepare(fresh, cycle, patch_minimum_free_mb=SMALL, patch_verify_timeout=5)
    # Whatever becomes free is taken again, so that nobody finds room for a moment.
    refill = f"systemd-run --quiet sh -c 'while sleep 0.05; do cat /dev/zero >>/var/filler; done'; {fill('/var')}"
    with in_the_transaction(fresh, "app1", lambda: fresh.ssh("app1", refill)):
        applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode != 0
    assert_sound(fresh, cycle, FAILED, tenant="beta")
    app1 = results(fresh, cycle, "beta")["app1"]
    assert "No space left" in app1.reason
    assert app1.in_service == "unknown"
    again_changes_nothing(fresh, cycle, FAILED, tenant="beta")
