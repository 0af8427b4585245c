# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signs of life go on as long as the process lives, and a lease that somebody took is not overlooked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.heartbeat import Heartbeat
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

LONG_AGO = datetime(2026, 11, 21, 3, 0, tzinfo=timezone.utc)


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    state = FolderState(tmp_path)
    with state.write_plan("north") as writer:
        writer.finish({"format": 1, "tenant": "north", "hosts": {}})
    state.acquire("north", ["host:web1"], "me", seconds=60, now=LONG_AGO, is_dead=lambda _owner: False)
    return state


@pytest.fixture
def heartbeat(state: FolderState) -> Iterator[Heartbeat]:
    heartbeat = Heartbeat(FolderState, every=0.02)
    yield heartbeat
    heartbeat.end()


def opened(root: Path, owner: str = "me") -> dict[str, Any]:
    return {"fleet_attempts": [{"tenant": "north", "owner": owner, "state_dir": str(root)}]}


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def last_sign(state: FolderState) -> datetime:
    (lease,) = state.leases("north")
    return lease.heartbeat


def collect(heartbeat: Heartbeat, complaints: list[str]) -> bool:
    """Add what the heartbeat complains about; whether there is anything by now."""
    complaints += heartbeat.complaints()
    return bool(complaints)


def test_signs_of_life_begin_with_the_opening_and_end_with_the_close(
    heartbeat: Heartbeat, state: FolderState, tmp_path: Path
) -> None:
    heartbeat.follow(opened(tmp_path))
    until(lambda: last_sign(state) > LONG_AGO)
    before = last_sign(state)
    until(lambda: last_sign(state) > before)
    heartbeat.expect_change()
    heartbeat.follow({"fleet_closed": [{"tenant": "north", "owner": "me"}]})
    # What was on its way may still arrive.
    time.sleep(0.1)
    state.renew("north", "me", now=LONG_AGO)
    time.sleep(0.2)
    assert last_sign(state) == LONG_AGO


def test_a_lease_that_somebody_took_is_complained_about_once_and_asks_to_stop(
    heartbeat: Heartbeat, state: FolderState, tmp_path: Path
) -> None:
    heartbeat.follow(opened(tmp_path))
    state.release("north", "me")
    until(lambda: state.stop_requested("north"))
    complaints: list[str] = []
    until(lambda: collect(heartbeat, complaints))
    time.sleep(0.1)
    assert len(complaints) == 1
    assert "me no longer holds its lease of tenant north" in complaints[0]
    assert f"As long as {tmp_path}/tenants/north/STOP is there" in complaints[0]
    assert heartbeat.complaints() == []


def test_a_lease_that_is_being_given_back_is_not_lost(heartbeat: Heartbeat, state: FolderState, tmp_path: Path) -> None:
    heartbeat.follow(opened(tmp_path))
    heartbeat.expect_change()
    state.release("north", "me")
    time.sleep(0.2)
    heartbeat.follow({"fleet_closed": [{"tenant": "north", "owner": "me"}]})
    time.sleep(0.1)
    assert (heartbeat.complaints(), state.stop_requested("north")) == ([], None)


def test_what_a_close_gave_back_before_it_failed_is_not_lost(
    heartbeat: Heartbeat, state: FolderState, tmp_path: Path
) -> None:
    heartbeat.follow(opened(tmp_path))
    heartbeat.expect_change()
    state.release("north", "me")
    heartbeat.follow({"failed": True, "msg": "the ledger cannot be written"})
    time.sleep(0.1)
    assert state.stop_requested("north") is None


def test_after_a_failure_that_gave_nothing_back_a_loss_is_still_seen(
    heartbeat: Heartbeat, state: FolderState, tmp_path: Path
) -> None:
    heartbeat.follow(opened(tmp_path))
    heartbeat.expect_change()
    heartbeat.follow({"failed": True, "msg": "the gate is closed"})
    state.release("north", "me")
    until(lambda: state.stop_requested("north"))


def test_a_state_that_cannot_be_touched_is_said_and_tried_again(
    heartbeat: Heartbeat, state: FolderState, tmp_path: Path
) -> None:
    leases = tmp_path / "tenants/north/leases"
    leases.rename(tmp_path / "aside")
    leases.write_text("no folder")
    heartbeat.follow(opened(tmp_path))
    complaints: list[str] = []
    until(lambda: collect(heartbeat, complaints))
    assert "No sign of life could be given" in complaints[0]
    leases.unlink()
    (tmp_path / "aside").rename(leases)
    until(lambda: last_sign(state) > LONG_AGO)


def test_children_that_are_forked_all_the_time_are_not_stopped_by_it(
    heartbeat: Heartbeat, state: FolderState, tmp_path: Path
) -> None:
    heartbeat.follow(opened(tmp_path))
    for _number in range(100):
        child = os.fork()
        if child == 0:
            # What a worker does of ours: it reads and writes the same state.
            try:
                FolderState(tmp_path).release("north", "another")
                status = 0 if FolderState(tmp_path).leases("north") else 1
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
    assert heartbeat.complaints() == []
