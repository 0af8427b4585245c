# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change needs and does not find: a repository, the planned version, room on a disk."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..conftest import RunningLab, said
from .aftermath import BETWEEN_LOOK_AND_CHANGE, apply, assert_sound, install, installed, prepare, results, resume

SOURCES = "/etc/apt/sources.list.d/fleet-lab.sources"
OLD = {"fleet-hello": "1.0", "fleet-lib": "1.0", "fleet-service": "1.0", "fleet-tools": "1.0"}
ROOM = 400
"""Megabytes; staging refuses to leave less than 256 of them free."""

SMALL = {"/": 10, "/boot": 2, "/var": 5}


@pytest.fixture(scope="module")
def fleet(start_lab: Callable[..., RunningLab]) -> RunningLab:
    """One host, of tenant beta."""
    return start_lab("faultsupplies", "--only", "app1")


def away(lab: RunningLab) -> None:
    """The repository cannot be reached any more."""
    lab.ssh("app1", f"sed -i 's#/srv/fleet-repository#/srv/nowhere#' {SOURCES}")


def back(lab: RunningLab) -> None:
    """It can be reached again."""
    lab.ssh("app1", f"sed -i 's#/srv/nowhere#/srv/fleet-repository#' {SOURCES}")


def withdraw(lab: RunningLab) -> None:
    """The repository has the planned versions no longer."""
    lab.ssh("app1", f"sed -i 's/^Suites: .*/Suites: lab/' {SOURCES}")


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
    planned = fresh.play("patch_plan.yml", patch_cycle=cycle)
    assert "could not be refreshed" in said(planned)
    applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode != 0
    assert_sound(fresh, cycle, {"app1": "skipped"}, tenant="beta")
    assert installed(fresh, "app1") == OLD


def test_a_repository_that_went_away_before_the_staging_leaves_the_host_as_it_is(fresh: RunningLab) -> None:
    cycle = "2026-02"
    assert fresh.play("patch_plan.yml", patch_cycle=cycle).returncode == 0
    away(fresh)
    fresh.play("patch_stage.yml", patch_cycle=cycle)
    back(fresh)
    applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode != 0
    assert_sound(fresh, cycle, {"app1": "skipped"}, tenant="beta")
    assert "stage" in results(fresh, cycle, "beta")["app1"].reason
    assert installed(fresh, "app1") == OLD
    assert fresh.play("patch_stage.yml", patch_cycle=cycle).returncode == 0
    resume(fresh, cycle, {"app1": "verified"}, tenant="beta")


def test_a_version_that_was_withdrawn_before_the_staging_is_not_replaced_by_another(fresh: RunningLab) -> None:
    cycle = "2026-03"
    assert fresh.play("patch_plan.yml", patch_cycle=cycle).returncode == 0
    withdraw(fresh)
    fresh.ssh("app1", "apt-get update -qq")
    fresh.play("patch_stage.yml", patch_cycle=cycle)
    applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode != 0
    assert_sound(fresh, cycle, {"app1": "skipped"}, tenant="beta")
    assert installed(fresh, "app1") == OLD


def test_a_version_that_was_withdrawn_after_the_staging_is_left_alone(fresh: RunningLab) -> None:
    cycle = "2026-04"
    prepare(fresh, cycle)
    withdraw(fresh)
    fresh.ssh("app1", "apt-get update -qq")
    apply(fresh, cycle, tenant="beta")
    assert_sound(fresh, cycle, {"app1": "unchanged"}, tenant="beta")
    assert installed(fresh, "app1") == OLD
    preflight = [entry for entry in fresh.ledger("beta", cycle) if entry["phase"] == "preflight"][-1]
    assert {change["name"] for change in preflight["data"]["vanished"]} >= {"fleet-hello", "fleet-service"}


def test_what_somebody_has_done_by_hand_already_is_left_out(fresh: RunningLab) -> None:
    cycle = "2026-09"
    prepare(fresh, cycle)
    fresh.ssh("app1", "apt-get update -qq && apt-get install -qqy --only-upgrade fleet-hello")
    applied = apply(fresh, cycle, tenant="beta")
    assert applied.returncode == 0
    assert_sound(fresh, cycle, {"app1": "verified"}, tenant="beta")
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
    assert_sound(fresh, cycle, {"app1": "skipped"}, tenant="beta")
    assert f"{path} has 0 MB free" in results(fresh, cycle, "beta")["app1"].reason
    assert installed(fresh, "app1") == OLD
    fresh.ssh("app1", f"rm {path}/filler")
    resume(fresh, cycle, {"app1": "verified"}, tenant="beta")


def test_a_boot_that_fills_up_during_the_change_is_taken_back_and_named(fresh: RunningLab) -> None:
    cycle = "2026-07"
    install(fresh, "app1", "linux-image-fleet=6.1.98", "linux-image-6.1.0-98-fleet")
    mount_small(fresh, "/boot", 10)
    changed = {"patch_minimum_free_mb": SMALL, "patch_reboot": "never", "patch_verify_timeout": 5}
    prepare(fresh, cycle, patch_hooks=BETWEEN_LOOK_AND_CHANGE, **changed)
    applied = apply(fresh, cycle, tenant="beta", fault=fill("/boot"))
    assert applied.returncode != 0
    # The old versions are back, and the disk is still full, so nobody says that the host is well.
    assert_sound(fresh, cycle, {"app1": "failed"}, tenant="beta")
    assert "disk_low /boot" in results(fresh, cycle, "beta")["app1"].reason
    assert installed(fresh, "app1") == OLD
    assert fresh.ssh("app1", "dpkg --audit; ls /boot").split() == [
        "config-6.1.0-98-fleet",
        "filler",
        "vmlinuz-6.1.0-98-fleet",
    ]


def test_a_var_that_fills_up_during_the_change_is_a_failure_that_is_seen(fresh: RunningLab) -> None:
    cycle = "2026-08"
    mount_small(fresh, "/var", ROOM)
    prepare(fresh, cycle, patch_minimum_free_mb=SMALL, patch_hooks=BETWEEN_LOOK_AND_CHANGE, patch_verify_timeout=5)
    applied = apply(fresh, cycle, tenant="beta", fault=fill("/var"))
    assert applied.returncode != 0
    found = results(fresh, cycle, "beta")["app1"]
    assert_sound(fresh, cycle, {"app1": str(found.outcome)}, tenant="beta")
    assert str(found.outcome) in ("failed", "rolled_back")
    assert "No space left" in found.reason
    fresh.ssh("app1", "rm /var/filler")
    assert installed(fresh, "app1") == OLD
