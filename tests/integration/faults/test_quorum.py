# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster that is not whole loses no further member."""

from __future__ import annotations

from ..conftest import RunningLab
from .aftermath import (
    again_changes_nothing,
    apply,
    assert_sound,
    in_the_transaction,
    install,
    intended,
    prepare,
    results,
    resume,
    users,
)

HOSTS = ("kv1", "kv2", "kv3")
ALL = dict.fromkeys(HOSTS, "verified")


def test_a_member_that_is_unwell_keeps_its_neighbours_from_being_touched(fresh: RunningLab) -> None:
    cycle = "2026-01"
    prepare(fresh, cycle, patch_reboot="always")
    with users(fresh):
        fresh.ssh("kv3", "systemctl stop etcd")
        applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert_sound(fresh, cycle, {"kv1": "skipped", "kv2": "not_attempted", "kv3": "not_attempted"})
        assert "the etcd cluster is whole" in results(fresh, cycle)["kv1"].reason
        fresh.ssh("kv3", "systemctl start etcd")
        # Each member is away for a while now, and never two of them.
        resume(fresh, cycle, ALL)


def test_a_member_that_falls_ill_in_the_middle_ends_the_way_of_the_others(fresh: RunningLab) -> None:
    cycle = "2026-02"
    expected = {"kv1": "failed", "kv2": "not_attempted", "kv3": "not_attempted"}
    install(fresh, "kv1", "fleet-slow=1.0")
    prepare(fresh, cycle, patch_verify_timeout=5, patch_reboot="always")
    with users(fresh):
        with in_the_transaction(fresh, "kv1", lambda: fresh.ssh("kv3", "systemctl stop etcd")):
            applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert_sound(fresh, cycle, expected)
        kv1 = results(fresh, cycle)["kv1"]
        assert kv1.in_service == "unknown"
        assert "the etcd cluster is whole" in kv1.reason
        # Rebooting it would have taken the quorum.
        assert not intended(fresh, cycle, "kv1", "reboot")
        again_changes_nothing(fresh, cycle, expected)
