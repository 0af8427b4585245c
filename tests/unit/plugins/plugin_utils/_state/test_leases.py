# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leases: nothing has two owners, the dead give way, and a sign of life leaves nothing locked."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import Lease
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=timezone.utc)


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    return FolderState(tmp_path / "state")


def nobody_is_dead(owner: str) -> bool:
    return False


def take(
    state: FolderState, owner: str, *names: str, after: float = 0, is_dead: Callable[[str], bool] = nobody_is_dead
) -> Lease:
    now = NOW + timedelta(seconds=after)
    return state.acquire("tenant1", names, owner, seconds=60, now=now, is_dead=is_dead)


def test_a_lease_has_one_owner_until_it_is_given_back(state: FolderState) -> None:
    lease = take(state, "a", "host:web1", "cluster:web")
    assert (set(lease.names), lease.heartbeat, lease.taken_from) == ({"host:web1", "cluster:web"}, NOW, ())
    with pytest.raises(FleetError) as refused:
        take(state, "b", "host:web2", "cluster:web", after=59)
    assert refused.value.kind == "lease_held"
    assert refused.value.message == (
        "a has held cluster:web of tenant tenant1 since 2026-11-21T03:00:00+00:00; "
        "its last sign of life is of 2026-11-21T03:00:00+00:00."
    )
    assert [held.owner for held in state.leases("tenant1")] == ["a"]
    state.release("tenant1", "a")
    state.release("tenant1", "a")
    assert take(state, "b", "cluster:web").taken_from == ()


def test_a_refusal_names_five_of_what_is_shared(state: FolderState) -> None:
    hosts = [f"host:web{number}" for number in range(9)]
    take(state, "a", *hosts)
    with pytest.raises(FleetError, match=r"host:web0, host:web1, .*, host:web4 and 4 more of tenant") as refused:
        take(state, "b", *hosts)
    assert refused.value.data["names"] == hosts


def test_leases_that_share_nothing_stand_side_by_side(state: FolderState) -> None:
    take(state, "a", "host:web1")
    take(state, "b", "host:web2/../x", "host:ü")
    state.acquire("tenant2", ["host:web1"], "b", seconds=60, now=NOW, is_dead=nobody_is_dead)
    assert {lease.owner for lease in state.leases("tenant1")} == {"a", "b"}


def test_an_owner_has_one_lease_of_a_tenant(state: FolderState) -> None:
    take(state, "a", "host:web1")
    with pytest.raises(FleetError) as refused:
        take(state, "a", "host:web2")
    assert refused.value.kind == "lease_held"


def test_a_lease_without_a_sign_of_life_is_taken_over_and_its_owner_learns_it(state: FolderState) -> None:
    take(state, "a", "host:web1")
    state.renew("tenant1", "a", now=NOW + timedelta(seconds=50))
    with pytest.raises(FleetError, match="a has held"):
        take(state, "b", "host:web1", after=110)
    assert take(state, "b", "host:web1", after=111).taken_from == ("a",)
    with pytest.raises(FleetError) as lost:
        state.renew("tenant1", "a", now=NOW)
    assert lost.value.kind == "lease_lost"
    state.release("tenant1", "a")
    assert [(held.owner, held.taken_from) for held in state.leases("tenant1")] == [("b", ("a",))]


def test_a_lease_of_the_dead_is_taken_over_at_once(state: FolderState) -> None:
    take(state, "a", "host:web1")
    take(state, "b", "host:web2")
    assert take(state, "c", "host:web1", "host:web2", is_dead=lambda _owner: True).taken_from == ("a", "b")


def test_what_is_not_shared_is_not_taken_over(state: FolderState) -> None:
    take(state, "a", "host:web1")
    assert take(state, "b", "host:web2", is_dead=lambda _owner: True).taken_from == ()
    assert {lease.owner for lease in state.leases("tenant1")} == {"a", "b"}


def test_a_sign_of_life_from_the_future_is_one(state: FolderState) -> None:
    take(state, "a", "host:web1", after=3600)
    with pytest.raises(FleetError, match="a has held"):
        take(state, "b", "host:web1")
    assert take(state, "b", "host:web1", is_dead=lambda owner: owner == "a").taken_from == ("a",)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"names":3,"owner":"a","acquired":"x"}'])
def test_a_lease_that_cannot_be_read_gives_nothing_away(state: FolderState, tmp_path: Path, content: str) -> None:
    take(state, "a", "host:web1")
    (path,) = (tmp_path / "state/tenants/tenant1/leases").glob("*.json")
    path.write_text(content)
    with pytest.raises(FleetError) as refused:
        take(state, "b", "host:web2")
    assert refused.value.kind == "state_damaged"


def race(root: Path, owner: str, won: Any) -> None:
    state = FolderState(root)
    try:
        take(state, owner, "cluster:web", f"host:{owner}")
    except FleetError as refused:
        won.put(refused.kind)
    else:
        won.put(owner)


def test_of_many_processes_at_once_one_gets_it(state: FolderState, tmp_path: Path) -> None:
    won: Any = multiprocessing.Queue()
    racers = [multiprocessing.Process(target=race, args=(tmp_path / "state", f"p{i}", won)) for i in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(30)
        assert racer.exitcode == 0
    said = [won.get(timeout=5) for _racer in racers]
    assert said.count("lease_held") == 7
    assert [lease.owner for lease in state.leases("tenant1")] == [owner for owner in said if owner != "lease_held"]


def test_a_child_that_outlives_its_parent_keeps_nothing_locked(state: FolderState, tmp_path: Path) -> None:
    """As a worker of ansible-playbook does whose parent was killed while it renewed."""

    def fork_while_renewing() -> None:
        take(state, "a", "host:web1")
        for _number in range(50):
            state.renew("tenant1", "a", now=NOW)
            if os.fork() == 0:
                time.sleep(3)
                os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

    parent = multiprocessing.Process(target=fork_while_renewing)
    parent.start()
    parent.join(30)
    begun = time.monotonic()
    assert take(state, "b", "host:web1", is_dead=lambda owner: owner == "a").taken_from == ("a",)
    state.release("tenant1", "b")
    assert time.monotonic() - begun < 2
