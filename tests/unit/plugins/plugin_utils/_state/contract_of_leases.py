# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every state promises about leases; see ``contract``."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import Lease, State
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import (
    HOSTILE,
    NOW,
    Store,
    at_once,
)


def nobody_is_dead(owner: str) -> bool:
    return False


def take(
    state: State, owner: str, *names: str, after: float = 0, is_dead: Callable[[str], bool] = nobody_is_dead
) -> Lease:
    now = NOW + timedelta(seconds=after)
    return state.acquire("tenant1", names, owner, seconds=60, now=now, is_dead=is_dead)


class Leases:
    def test_a_lease_has_one_owner_until_it_is_given_back(self, state: State) -> None:
        lease = take(state, "a", "host:web1", "cluster:web")
        assert (set(lease.names), lease.heartbeat, lease.taken_from) == ({"host:web1", "cluster:web"}, NOW, ())
        with pytest.raises(FleetError) as refused:
            take(state, "b", "host:web2", "cluster:web", after=59)
        assert refused.value.kind == "lease_held"
        assert refused.value.message == (
            "a has held cluster:web of tenant tenant1 since 2026-11-21T03:00:00+00:00; "
            "its last sign of life is of 2026-11-21T03:00:00+00:00."
        )
        assert state.leases("tenant1") == [lease]
        state.release("tenant1", "a")
        state.release("tenant1", "a")
        assert take(state, "b", "cluster:web").taken_from == ()

    def test_a_refusal_names_five_of_what_is_shared(self, state: State) -> None:
        hosts = [f"host:web{number}" for number in range(9)]
        take(state, "a", *hosts)
        with pytest.raises(FleetError, match=r"host:web0, host:web1, .*, host:web4 and 4 more of tenant") as refused:
            take(state, "b", *hosts)
        assert refused.value.data["names"] == hosts

    def test_leases_that_share_nothing_stand_side_by_side(self, state: State) -> None:
        take(state, "a", "host:web1")
        take(state, "b", "host:web2/../x", f"host:{HOSTILE}")
        state.acquire("tenant2", ["host:web1"], "b", seconds=60, now=NOW, is_dead=nobody_is_dead)
        assert {lease.owner for lease in state.leases("tenant1")} == {"a", "b"}

    def test_an_owner_has_one_lease_of_a_tenant(self, state: State) -> None:
        take(state, "a", "host:web1")
        with pytest.raises(FleetError) as refused:
            take(state, "a", "host:web2")
        assert refused.value.kind == "lease_held"
        take(state, "a", "host:web2", after=61)
        assert [lease.names for lease in state.leases("tenant1")] == [{"host:web2"}]

    def test_a_lease_without_a_sign_of_life_is_taken_over_and_its_owner_learns_it(self, state: State) -> None:
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

    def test_a_lease_of_the_dead_is_taken_over_at_once(self, state: State) -> None:
        take(state, "a", "host:web1")
        take(state, "b", "host:web2")
        assert take(state, "c", "host:web1", "host:web2", is_dead=lambda _owner: True).taken_from == ("a", "b")

    def test_what_is_not_shared_is_not_taken_over(self, state: State) -> None:
        take(state, "a", "host:web1")
        assert take(state, "b", "host:web2", is_dead=lambda _owner: True).taken_from == ()
        assert {lease.owner for lease in state.leases("tenant1")} == {"a", "b"}

    def test_a_sign_of_life_from_the_future_is_one(self, state: State) -> None:
        take(state, "a", "host:web1", after=3600)
        with pytest.raises(FleetError, match="a has held"):
            take(state, "b", "host:web1")
        assert take(state, "b", "host:web1", is_dead=lambda owner: owner == "a").taken_from == ("a",)

    def test_of_many_processes_at_once_one_gets_it(self, store: Store) -> None:
        won: Any = multiprocessing.Queue()
        at_once(race, *((store, f"p{number}", won) for number in range(8)))
        said = [won.get(timeout=5) for _racer in range(8)]
        assert said.count("lease_held") == 7
        held = [lease.owner for lease in store.open().leases("tenant1")]
        assert held == [owner for owner in said if owner != "lease_held"]


def race(store: Store, owner: str, won: Any) -> None:
    try:
        take(store.open(), owner, "cluster:web", f"host:{owner}")
    except FleetError as refused:
        won.put(refused.kind)
    else:
        won.put(owner)
