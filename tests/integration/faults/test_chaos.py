# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cycle whose controller is killed again and again, at any moment, ends as one that nobody disturbed."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from ..conftest import RunningLab
from .aftermath import apply_until, boots, count_boots, drains, installed, prepare, resume, users

SERVERS = ("web1", "web2")
PATCHED = (*SERVERS, "kv1", "kv2", "kv3")
HOSTS = ("lb1", *PATCHED)
ENTRIES = 7 * len(PATCHED) + 4 * len(SERVERS)
"""What a way with a reboot writes into the ledger, and drain and return of a server besides."""


def random_moment(lab: RunningLab, cycle: str, chance: random.Random, kills: int) -> Callable[[], bool]:
    """Becomes true some entries of the ledger further on, and a part of a second later.

    All the moments together are before the end of the cycle: at each opening two entries are none of a host.
    """
    ledger = lab.plan_folder("alpha", cycle) / "ledger.jsonl"
    entries = ledger.read_bytes().count(b"\n") + chance.randint(1, ENTRIES // kills + 2)
    later = chance.uniform(0, 0.5)

    def has_come() -> bool:
        if ledger.read_bytes().count(b"\n") < entries:
            return False
        time.sleep(later)
        return True

    return has_come


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.long)])
def test_a_controller_killed_at_random_moments_leads_to_the_same_end(fresh: RunningLab, kills: int) -> None:
    seed = int(os.environ.get("FLEET_CHAOS_SEED", time.time_ns() % 1_000_000))
    print(f"The moments of this run come again with FLEET_CHAOS_SEED={seed}")
    chance, cycle = random.Random(seed), f"2026-{kills:02}"  # noqa: S311  nothing is secret about them
    count_boots(fresh, *PATCHED)
    prepare(fresh, cycle, patch_reboot="always")
    with users(fresh):
        for _kill in range(kills):
            apply_until(fresh, cycle, random_moment(fresh, cycle, chance, kills))
        resume(fresh, cycle, dict.fromkeys(PATCHED, "verified"))
    told = Counter(entry["host"] for entry in fresh.ledger("alpha", cycle) if entry["phase"] == "outcome")
    assert told == dict.fromkeys(PATCHED, 1)
    assert {host: boots(fresh, host) for host in PATCHED} == dict.fromkeys(PATCHED, 1)
    assert {host: drains(fresh, host) for host in SERVERS} == dict.fromkeys(SERVERS, 1)
    assert {host: installed(fresh, host)["fleet-hello"] for host in PATCHED} == dict.fromkeys(PATCHED, "2.0")
    assert fresh.servers() == dict.fromkeys(SERVERS, "UP")
