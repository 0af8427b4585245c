# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller with its state in a database is killed; what it spooled, and what its hosts know, is not lost."""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._store import open_state

from ..conftest import RunningLab
from .aftermath import apply, apply_until, installed, play, prepare

HOSTS = ("lb1", "web1", "web2")
SERVERS = HOSTS[1:]
KILLS = 10
ENTRIES = 24
"""What the ways of two servers write into a ledger, about."""


class Store:
    """The state in a database, and the ledger of alpha's plan in one cycle."""

    def __init__(self, lab: RunningLab, cycle: str) -> None:
        self.lab, self.cycle = lab, cycle
        self.url = f"sqlite:///{lab.state / 'store.db'}"

    @property
    def state(self) -> State:
        """Opened anew, as every task does."""
        return open_state(self.lab.state, self.url)

    @property
    def plan(self) -> str:
        """The digest of the plan."""
        (plan,) = (entry["plan"] for entry in self.state.get_cycle(self.cycle)["plans"] if entry["tenant"] == "alpha")
        return str(plan)

    def lines(self) -> list[bytes]:
        """What the database has of the ledger."""
        return list(self.state.entries("alpha", self.plan))

    def spooled(self) -> list[dict[str, Any]]:
        """Every record that callbacks have written into spools which are still there."""
        ledgers = sorted(self.lab.state.glob(f"spool/*/tenants/alpha/plans/{self.plan}/ledger.jsonl"))
        # What has no line feed was not written whole, and nobody went on because of it.
        return [json.loads(line) for ledger in ledgers for line in ledger.read_bytes().split(b"\n")[:-1]]

    def random_moment(self, chance: random.Random) -> Callable[[], bool]:
        """Becomes true some entries further on, and a part of a second later."""
        entries, later = len(self.lines()) + chance.randint(1, ENTRIES // 3), chance.uniform(0, 0.5)

        def has_come() -> bool:
            if len(self.lines()) < entries:
                return False
            time.sleep(later)
            return True

        return has_come


def _told(entry: dict[str, Any], time_of_record: str) -> tuple[Any, ...]:
    return entry["attempt"], entry["host"], entry["phase"], entry["outcome"], time_of_record


def test_after_reconciling_everything_spooled_is_in_the_store_and_no_attempt_is_open(fresh: RunningLab) -> None:
    seed = int(os.environ.get("FLEET_CHAOS_SEED", time.time_ns() % 1_000_000))
    print(f"The moments of this run come again with FLEET_CHAOS_SEED={seed}")
    chance, cycle = random.Random(seed), "2026-10"  # noqa: S311  nothing is secret about them
    store = Store(fresh, cycle)
    prepare(fresh, cycle, fleet_store_url=store.url)
    written: Counter[tuple[Any, ...]] = Counter()
    for kill in range(1, KILLS + 1):
        apply_until(fresh, cycle, store.random_moment(chance), fleet_store_url=store.url)
        written |= Counter(_told(record, record["time"]) for record in store.spooled())
        done = play(fresh, "evidence_reconcile.yml", fleet_store_url=store.url, patch_cycle=cycle)
        assert done.returncode == 0
        entries = [json.loads(line) for line in store.lines()]
        kept = Counter(_told(entry, entry["data"]["recorded"]) for entry in entries if "recorded" in entry["data"])
        assert written <= kept, "spooled, and not in the store"
        assert max(kept.values(), default=1) == 1, "in the store twice"
        assert verify(store.lines()).ok
        progress = read_progress(store.lines())
        assert progress.current is None
        closed = [
            entry for entry in entries if entry["phase"] == "close" and entry["data"].get("state") == "incomplete"
        ]
        assert len(closed) == kill
    assert apply(fresh, cycle, fleet_store_url=store.url).returncode == 0
    outcomes = {host: str(done.outcome) for host, done in read_progress(store.lines()).outcomes.items()}
    assert outcomes == dict.fromkeys(SERVERS, "verified")
    assert {host: installed(fresh, host)["fleet-hello"] for host in SERVERS} == dict.fromkeys(SERVERS, "2.0")
    assert fresh.servers() == dict.fromkeys(SERVERS, "UP")
    # The spool of a process is removed by whoever comes after its end.
    assert play(fresh, "evidence_reconcile.yml", fleet_store_url=store.url, patch_cycle=cycle).returncode == 0
    assert not list(fresh.state.glob("spool/*/tenants"))
