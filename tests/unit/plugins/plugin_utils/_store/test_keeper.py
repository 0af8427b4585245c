# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leases in a database: kept by a process of their own as long as the callback lives, and a loss is not overlooked."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Event, Thread

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import is_dead, this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.heartbeat import Heartbeat
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import Lease
from ansible_collections.bankops.fleet.plugins.plugin_utils._store import spool
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.keeper import Order, keep, start_keeper
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import Spool, callback_state
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import publish
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.databases import without_keeper

NAMES = ["plan:x", "host:web1"]


class Run:
    """A process as ansible-playbook is one, and the state it works on."""

    def __init__(self, folder: Path) -> None:
        self.url, self.folder = f"sqlite:///{folder / 'state.db'}", folder / "local"
        self.state = without_keeper(self.url, self.folder)
        self.plan = publish(self.state, "web1", tenant="north")
        self.process = subprocess.Popen(["sleep", "60"])
        self.owner = this_owner(self.process.pid)

    def open(self) -> Spool:
        """Take a lease; the spool that came with it."""
        now = datetime.now(timezone.utc)
        self.state.acquire("north", NAMES, self.owner, seconds=60, now=now, is_dead=is_dead)
        found = callback_state(self.state.evidence_dir("north", self.plan, self.owner))
        assert isinstance(found, Spool)
        return found

    def order(self, kept: Spool) -> Order:
        return Order(self.url, kept.root, "north", self.owner)

    def lease(self) -> Lease:
        (lease,) = self.state.leases("north")
        return lease

    def sign_of_life(self, kept: Spool, after: float) -> datetime:
        """What the callback does, at a moment that no clock would show by chance."""
        moment = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=after)
        kept.renew("north", self.owner, now=moment)
        return moment


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.process.kill()
    run.process.wait()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def keepers(kept: Spool) -> list[int]:
    """The processes whose log is the spool's: a keeper holds it open."""
    log = str(kept.root / "keeper.log")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "fd/2") == log:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_a_keeper_carries_signs_of_life_over_and_ends_with_the_lease(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.state, "_keep", start_keeper)
    kept = run.open()
    (process,) = keepers(kept)
    assert os.getsid(process) == process
    for told in ("cmdline", "environ"):
        assert b"sqlite" not in Path(f"/proc/{process}/{told}").read_bytes()
    moment = run.sign_of_life(kept, after=100)
    until(lambda: run.lease().heartbeat == moment)
    # That it wrote is seen by the callback, whose next sign of life is no error.
    run.sign_of_life(kept, after=0)
    run.state.release("north", run.owner)
    until(lambda: not keepers(kept))
    assert kept.leases("north") == []
    assert run.state.stop_requested("north") is None
    assert (kept.root / "keeper.log").read_text() == ""


def test_a_keeper_ends_with_its_owner_and_leaves_the_lease_to_whoever_takes_it_over(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.state, "_keep", start_keeper)
    kept = run.open()
    run.process.kill()
    run.process.wait()
    until(lambda: not keepers(kept))
    assert run.lease().owner == run.owner
    now = datetime.now(timezone.utc)
    mine = this_owner(os.getpid())
    monkeypatch.setattr(run.state, "_keep", lambda _order: None)
    assert run.state.acquire("north", NAMES, mine, seconds=60, now=now, is_dead=is_dead).taken_from == (run.owner,)


def test_a_keeper_that_cannot_begin_opens_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_vain(order: Order) -> None:
        start_keeper(Order("sqlite:////proc/state.db", order.spool, order.tenant, order.owner))

    monkeypatch.setattr(run.state, "_keep", in_vain)
    with pytest.raises(FleetError, match="could not begin: The state cannot be used") as refused:
        run.open()
    assert refused.value.kind == "keeper_failed"
    assert run.state.leases("north") == []


def test_an_order_shows_no_url() -> None:
    assert "secret" not in repr(Order("postgresql://fleet:secret@db/fleet", Path("/"), "north", "me"))


@pytest.fixture
def kept(run: Run) -> Iterator[Spool]:
    """A lease that is kept by a thread, so that a test need not wait for a process."""
    kept, began = run.open(), Event()
    state = without_keeper(run.url, run.folder)
    thread = Thread(target=keep, args=(run.order(kept), state, began.set), kwargs={"every": 0.02})
    thread.start()
    assert began.wait(20)
    yield kept
    kept.release("north", run.owner)
    thread.join(20)
    assert not thread.is_alive()


def collect(heartbeat: Heartbeat, complaints: list[str]) -> bool:
    complaints += heartbeat.complaints()
    return bool(complaints)


def test_a_lease_that_somebody_took_over_is_complained_about_and_stops_the_tenant(run: Run, kept: Spool) -> None:
    heartbeat = Heartbeat(callback_state, every=0.02)
    heartbeat.follow({"fleet_attempts": [{"tenant": "north", "owner": run.owner, "state_dir": str(kept.root)}]})
    try:
        # As another machine does.
        super(SpooledState, run.state).release("north", run.owner)
        complaints: list[str] = []
        until(lambda: collect(heartbeat, complaints))
    finally:
        heartbeat.end()
    assert f"{run.owner} no longer holds its lease of tenant north" in complaints[0]
    assert "As long as the request to stop of tenant north is there, no further host is begun." in complaints[0]
    assert run.state.stop_requested("north")


def test_a_process_that_sleeps_gives_no_sign_of_life_to_the_database_either(run: Run, kept: Spool) -> None:
    moment = run.sign_of_life(kept, after=-50)
    until(lambda: run.lease().heartbeat == moment)
    time.sleep(0.2)
    assert run.lease().heartbeat == moment


def test_whoever_looks_while_a_trouble_is_noted_sees_no_sign_of_life(run: Run) -> None:
    kept, stop = run.open(), Event()
    kept.note_beat("away")
    last = (kept.root / "keeper").stat().st_mtime_ns

    def note() -> None:
        while not stop.is_set():
            kept.note_beat("away")

    thread = Thread(target=note)
    thread.start()
    try:
        for _look in range(2000):
            assert (kept.root / "keeper").stat().st_mtime_ns == last
            assert (kept.root / "keeper").read_text() == "away"
    finally:
        stop.set()
        thread.join(20)


def test_a_database_that_is_away_is_complained_about_until_it_is_back(
    run: Run, kept: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(spool, "KEEPER_SILENCE", 0.3)

        def renew(*_arguments: object, **_more: object) -> None:
            raise FleetError("The server is away.", kind="store_unreachable")

        away.setattr(SpooledState, "renew", renew)
        until((kept.root / "keeper").read_text)
        time.sleep(0.5)
        with pytest.raises(FleetError, match=r"None has reached the database since .* The server is away\.") as silent:
            run.sign_of_life(kept, after=0)
        assert silent.value.kind == "keeper_silent"
    until(lambda: not (kept.root / "keeper").read_text())
    moment = run.sign_of_life(kept, after=10)
    until(lambda: run.lease().heartbeat == moment)
