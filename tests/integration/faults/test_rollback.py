# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A finished plan that turns out badly later is taken back on request: what was named, and nobody else."""

from __future__ import annotations

from typing import Any

from ..conftest import RunningLab, said
from .aftermath import BOTH, Done, apply, assert_sound, drains, installed, play, prepare, results, users

HOSTS = ("lb1", "web1", "web2")


def roll_back(lab: RunningLab, cycle: str, **extra: Any) -> Done:
    return play(lab, "patch_rollback.yml", patch_cycle=cycle, patch_tenants=["alpha"], **extra)


def test_hosts_that_are_named_and_then_all_go_back_to_their_old_versions(fresh: RunningLab) -> None:
    cycle = "2026-01"
    before = {host: installed(fresh, host) for host in BOTH}
    prepare(fresh, cycle)
    with users(fresh):
        assert apply(fresh, cycle).returncode == 0
        entries = len(fresh.ledger("alpha", cycle))
        for hosts, why in (
            ({}, "patch_rollback_hosts is not set"),
            ({"patch_rollback_hosts": []}, "patch_rollback_hosts is not set"),
            ({"patch_rollback_hosts": ["web1", "web9"]}, "No plan of this cycle has web9"),
        ):
            refused = roll_back(fresh, cycle, **hosts)
            assert refused.returncode != 0
            assert why in said(refused)
        assert len(fresh.ledger("alpha", cycle)) == entries
        named = roll_back(fresh, cycle, patch_rollback_hosts=["web1"])
        assert named.returncode == 0
        assert "web1: rolled_back, in service: on request" in said(named)
        assert_sound(fresh, cycle, {"web1": "rolled_back", "web2": "verified"})
        everyone = roll_back(fresh, cycle, patch_rollback_hosts="all")
        assert everyone.returncode == 0
        assert_sound(fresh, cycle, dict.fromkeys(BOTH, "rolled_back"))
    assert {host: installed(fresh, host) for host in BOTH} == before
    # Out of service once for the change, and once for the way back.
    assert {host: drains(fresh, host) for host in BOTH} == dict.fromkeys(BOTH, 2)
    assert {done.in_service for done in results(fresh, cycle).values()} == {"yes"}
