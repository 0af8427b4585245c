# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What shipping promises on every database. Who has one inherits from this, and gives it a fixture ``harbour``."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import is_dead, this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries, record, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._store import shipping
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.shipping import ship_all
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import Spool, spools_in
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import NOW, at_once, publish
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract_of_seals import seal_of

TENANT = "north"


@dataclass(frozen=True)
class Harbour:
    """A database, and a machine's folder of spools beside it."""

    open: Callable[[], SpooledState]
    folder: Path

    def spool(self, plan: str, owner: str | None = None) -> Spool:
        """A new spool for a plan, of this process or of another."""
        spool = Spool.create(self.folder, owner or this_owner(os.getpid()))
        spool.begin(TENANT, plan, self.open().read_head(TENANT, plan)[0])
        return spool

    def entries(self, plan: str) -> list[dict[str, Any]]:
        return list(read_entries(self.open().entries(TENANT, plan)))


@pytest.fixture
def plan(harbour: Harbour) -> str:
    return publish(harbour.open(), "web1", tenant=TENANT)


def write(spool: Spool, plan: str, *said: object, phase: Phase = Phase.HOOK, outcome: Any = EntryOutcome.OK) -> None:
    """What the callback does: a record for each thing that is said."""
    for data in said:
        record(
            spool,
            plan=plan,
            attempt=1,
            cycle="2026-11",
            tenant=TENANT,
            host="web1",
            phase=phase,
            outcome=outcome,
            data={"said": data},
        )


def said(harbour: Harbour, plan: str) -> list[Any]:
    return [entry["data"].get("said") for entry in harbour.entries(plan)]


def dead_owner() -> str:
    """The owner that a process was which has ended."""
    child = multiprocessing.Process(target=time.sleep, args=(60,))
    child.start()
    owner = this_owner(int(child.pid or 0))
    child.kill()
    child.join()
    return owner


class Shipping:
    def test_what_the_callback_wrote_is_in_the_ledger_before_whatever_reads_or_writes_it(
        self, harbour: Harbour, plan: str
    ) -> None:
        spool, state = harbour.spool(plan), harbour.open()
        write(spool, plan, 1, 2)
        assert said(harbour, plan) == [1, 2]
        write(spool, plan, 3)
        write(state, plan, 4)  # type: ignore[arg-type]
        assert said(harbour, plan) == [1, 2, 3, 4]
        assert verify(state.entries(TENANT, plan)).ok
        records = {entry["data"]["said"]: entry for entry in read_entries(spool.entries(TENANT, plan))}
        for entry in harbour.entries(plan)[:3]:
            assert entry["data"]["recorded"] == records[entry["data"]["said"]]["time"]
            assert datetime.fromisoformat(entry["time"]) >= datetime.fromisoformat(entry["data"]["recorded"])
        assert "recorded" not in harbour.entries(plan)[3]["data"]

    def test_a_shipper_that_dies_after_taking_in_has_doubled_nothing(
        self, harbour: Harbour, plan: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool = harbour.spool(plan)
        write(spool, plan, *range(5))
        with monkeypatch.context() as dying:
            dying.setattr(Spool, "mark_shipped", lambda *_arguments: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                ship_all(harbour.open(), harbour.folder)
        write(spool, plan, 5)
        assert ship_all(harbour.open(), harbour.folder) == 1
        assert ship_all(harbour.open(), harbour.folder) == 0
        assert said(harbour, plan) == list(range(6))

    def test_a_long_spool_is_shipped_in_segments(
        self, harbour: Harbour, plan: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shipping, "SEGMENT", 3)
        write(harbour.spool(plan), plan, *range(7))
        assert ship_all(harbour.open(), harbour.folder) == 7
        assert said(harbour, plan) == list(range(7))

    def test_eight_processes_that_ship_the_same_spools_take_each_record_once(self, harbour: Harbour, plan: str) -> None:
        for number in range(4):
            write(harbour.spool(plan), plan, *(f"{number}-{record}" for record in range(25)))
        at_once(ship_everything, *((harbour,) for _process in range(8)))
        assert Counter(said(harbour, plan)) == {f"{n}-{r}": 1 for n in range(4) for r in range(25)}
        assert verify(harbour.open().entries(TENANT, plan)).ok

    @pytest.mark.parametrize("seed", [1, 2])
    def test_a_shipper_killed_at_any_moment_loses_and_doubles_nothing(
        self, harbour: Harbour, plan: str, seed: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shipping, "SEGMENT", 2)
        moments = random.Random(seed)  # noqa: S311
        spool = harbour.spool(plan)
        for number in range(8):
            write(spool, plan, *range(number * 6, number * 6 + 6))
            shipper = multiprocessing.Process(target=ship_everything, args=(harbour,))
            shipper.start()
            time.sleep(moments.random() * 0.06)
            os.kill(int(shipper.pid or 0), signal.SIGKILL)
            shipper.join()
        ship_everything(harbour)
        assert said(harbour, plan) == list(range(48))
        assert verify(harbour.open().entries(TENANT, plan)).ok

    def test_what_a_dead_process_left_is_shipped_by_the_next_attempt_and_its_spool_removed(
        self, harbour: Harbour, plan: str
    ) -> None:
        spool = harbour.spool(plan, dead_owner())
        write(spool, plan, "last words")
        torn = b'{"attempt":1,"da'
        with (spool.root / "tenants" / TENANT / "plans" / plan / "ledger.jsonl").open("ab") as ledger:
            ledger.write(torn)
        state = harbour.open()
        state.acquire(TENANT, ["plan:x"], this_owner(os.getpid()), seconds=60, now=NOW, is_dead=is_dead)
        assert not spool.root.exists()
        assert said(harbour, plan) == ["last words"]
        assert state.torn(TENANT, plan) == [torn]

    def test_a_spool_of_a_living_process_stays(self, harbour: Harbour, plan: str) -> None:
        spool = harbour.spool(plan)
        write(spool, plan, 1)
        assert ship_all(harbour.open(), harbour.folder) == 1
        write(spool, plan, 2)
        assert ship_all(harbour.open(), harbour.folder) == 1
        assert said(harbour, plan) == [1, 2]

    def test_a_request_to_stop_reaches_everybody_and_is_taken_back_once(self, harbour: Harbour, plan: str) -> None:
        spool, state = harbour.spool(plan), harbour.open()
        assert spool.request_stop(TENANT, "the disk is full") == "the request to stop of tenant north"
        asked = state.stop_requested(TENANT)
        assert asked is not None
        assert "in table stops of" in asked
        take_back(state)
        assert state.stop_requested(TENANT) is None

    def test_a_callback_that_can_write_nothing_stops_all_the_same(
        self, harbour: Harbour, plan: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool = harbour.spool(plan)
        with monkeypatch.context() as full:
            full.setattr(os, "write", lambda *_arguments: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(FleetError):
                write(spool, plan, 1)
            spool.request_stop(TENANT, "the disk is full")
        assert harbour.open().stop_requested(TENANT)

    @pytest.mark.parametrize(
        ("changed", "why"),
        [
            ((b'"seq":2', b'"seq":3'), "records 2 to 2 are missing"),
            ((b'"tenant":"north"', b'"tenant":"south"'), "among the records of another plan"),
            ((b'"outcome":"ok","phase":"hook"', b'"outcome":"verified","phase":"outcome"'), "'verified'"),
        ],
    )
    def test_a_spool_that_was_changed_is_refused_and_named(
        self, harbour: Harbour, plan: str, changed: tuple[bytes, bytes], why: str
    ) -> None:
        spool = harbour.spool(plan)
        write(spool, plan, 1, 2)
        ledger = spool.root / "tenants" / TENANT / "plans" / plan / "ledger.jsonl"
        ledger.write_bytes(ledger.read_bytes().replace(*changed))
        with pytest.raises(FleetError, match=why) as refused:
            harbour.entries(plan)
        assert refused.value.kind == "spool_damaged"
        assert spool.name in refused.value.message
        spool.root.rename(harbour.folder / "aside")
        assert harbour.entries(plan) == []

    def test_what_comes_after_the_seal_is_kept_aside_once_and_keeps_nobody_from_reading(
        self, harbour: Harbour, plan: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shipping, "SEGMENT", 2)
        spool, state = harbour.spool(plan, dead_owner()), harbour.open()
        write(spool, plan, "in time")
        (head,) = (entry["hash"] for entry in harbour.entries(plan))
        state.put_seal(TENANT, 1, seal_of(plan, 1, head))
        write(spool, plan, *range(3))
        with monkeypatch.context() as dying:
            dying.setattr(Spool, "mark_shipped", lambda *_arguments: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                ship_all(state, harbour.folder)
        assert said(harbour, plan) == ["in time"]
        write(spool, plan, "last words")
        late = list(spool.entries(TENANT, plan))[1:]
        assert ship_all(harbour.open(), harbour.folder) == 0
        assert said(harbour, plan) == ["in time"]
        assert harbour.open().torn(TENANT, plan) == late
        assert not spool.root.exists()

    def test_no_outcome_of_a_host_is_taken_from_a_spool(self, harbour: Harbour, plan: str) -> None:
        spool = harbour.spool(plan)
        write(spool, plan, 1, phase=Phase.OUTCOME, outcome=HostOutcome.VERIFIED)
        with pytest.raises(FleetError, match="'verified' is not a valid"):
            ship_all(harbour.open(), harbour.folder)

    def test_a_spool_of_another_database_is_not_lost(self, harbour: Harbour, plan: str) -> None:
        spool = harbour.spool(plan, dead_owner())
        spool.begin(TENANT, "b" * 64, b"{}")
        write(spool, "b" * 64, 1)
        with pytest.raises(FleetError) as refused:
            ship_all(harbour.open(), harbour.folder)
        assert refused.value.kind == "spool_left"
        assert f"{spool.root} has records, and plan bbbb" in refused.value.message
        assert [left.name for left in spools_in(harbour.folder)] == [spool.name]


def ship_everything(harbour: Harbour) -> None:
    ship_all(harbour.open(), harbour.folder)


def take_back(state: SpooledState) -> None:
    """As somebody does who has found out why, by hand."""
    with state._database.writing() as connection:
        connection.exec_driver_sql(f"DELETE FROM stops WHERE tenant = '{TENANT}'")  # noqa: S608
