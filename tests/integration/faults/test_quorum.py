# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster that is not whole loses no further member."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..conftest import RunningLab
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

ALL = dict.fromkeys(("kv1", "kv2", "kv3"), "verified")


@pytest.fixture(scope="module")
def fleet(start_lab: Callable[..., RunningLab]) -> RunningLab:
    """An etcd quorum."""
    return start_lab("faultquorum", "--only", "kv1,kv2,kv3")


def test_a_member_that_is_unwell_keeps_its_neighbours_from_being_touched(fresh: RunningLab) -> None:
    cycle = "2026-01"
    prepare(fresh, cycle)
    with users(fresh):
        fresh.ssh("kv3", "systemctl stop etcd")
        applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert_sound(fresh, cycle, {"kv1": "skipped", "kv2": "not_attempted", "kv3": "not_attempted"})
        assert "the etcd cluster is whole" in results(fresh, cycle)["kv1"].reason
        assert installed(fresh, "kv1")["fleet-hello"] == "1.0"
        fresh.ssh("kv3", "systemctl start etcd")
        resume(fresh, cycle, ALL)


def test_a_member_that_falls_ill_in_the_middle_ends_the_way_of_the_others(fresh: RunningLab) -> None:
    cycle = "2026-02"
    install(fresh, "kv1", "fleet-slow=1.0")
    prepare(fresh, cycle, patch_verify_timeout=5)
    hold_transaction(fresh, "kv1")

    def fall_ill_in_the_middle() -> None:
        wait_for_transaction(fresh, "kv1")
        fresh.ssh("kv3", "systemctl stop etcd")
        let_transaction_go(fresh, "kv1")

    with users(fresh):
        with meanwhile(fall_ill_in_the_middle):
            applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert_sound(fresh, cycle, {"kv1": "failed", "kv2": "not_attempted", "kv3": "not_attempted"})
    kv1 = results(fresh, cycle)["kv1"]
    assert kv1.in_service == "unknown"
    assert "the etcd cluster is whole" in kv1.reason
    assert installed(fresh, "kv2")["fleet-hello"] == "1.0"
