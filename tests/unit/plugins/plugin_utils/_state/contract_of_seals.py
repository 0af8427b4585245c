# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every state promises of seals. Whoever has one inherits from this and gives it a fixture ``store``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical, decoded
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.sealed import Closed, closed_by
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import Store, publish


class Seals:
    def test_seals_follow_one_another_and_none_is_replaced(self, state: State) -> None:
        state.put_seal("tenant1", 1, {"seal.json": b"one"})
        for number, kind in ((1, "seal_exists"), (3, "seal_gap"), (0, "seal_gap")):
            with pytest.raises(FleetError) as caught:
                state.put_seal("tenant1", number, {"seal.json": b"other"})
            assert caught.value.kind == kind
        for number in range(2, 12):
            state.put_seal("tenant1", number, {"seal.json": f"{number}".encode(), "seal.json.sig": b"signature"})
        assert [int(seal["seal.json"]) for seal in state.seals("tenant1")[1:]] == list(range(2, 12))
        assert state.seals("tenant2") == []

    def test_what_a_seal_closes_takes_nothing_more(self, store: Store, state: State) -> None:
        plan, other = publish(state, "web1"), publish(state, "web2")
        for ledger in (plan, other):
            state.append("tenant1", ledger, lambda _last: b'{"hash":"aa"}')
        elsewhere = store.open()
        state.put_seal("tenant1", 1, {"seal.json": b"one"})
        state.put_seal("tenant1", 2, seal_of(plan, 1, "aa"))
        for late in (state, elsewhere):
            with pytest.raises(FleetError, match=r"sealed \(seal 2\): nothing can be added") as refused:
                late.append("tenant1", plan, lambda _last: b"late")
            assert refused.value.kind == "plan_sealed"
        assert list(state.entries("tenant1", plan)) == [b'{"hash":"aa"}']
        assert state.append("tenant1", other, lambda _last: b"more") == b"more"

    @pytest.mark.parametrize(("count", "head"), [(1, "aa"), (2, "aa"), (1, "bb"), (0, "0" * 64)])
    def test_a_seal_that_says_another_ledger_than_stands_is_not_kept(self, state: State, count: int, head: str) -> None:
        plan = publish(state)
        state.append("tenant1", plan, lambda _last: b'{"hash":"aa"}')
        state.append("tenant1", plan, lambda _last: b'{"hash":"bb"}')
        with pytest.raises(FleetError) as refused:
            state.put_seal("tenant1", 1, seal_of(plan, count, head))
        assert (refused.value.kind, refused.value.remedy[:14]) == ("ledger_moved", "Run this again")
        assert state.seals("tenant1") == []
        state.append("tenant1", plan, lambda _last: b'{"hash":"cc"}')
        state.put_seal("tenant1", 1, seal_of(plan, 3, "cc"))

    def test_a_ledger_without_an_entry_is_closed_as_well(self, state: State) -> None:
        plan = publish(state)
        state.put_seal("tenant1", 1, seal_of(plan, 0, "0" * 64))
        with pytest.raises(FleetError) as refused:
            state.append("tenant1", plan, lambda _last: b"late")
        assert refused.value.kind == "plan_sealed"
        assert state.reports("tenant1", plan) == []

    def test_a_seal_and_those_who_append_meanwhile_never_disagree(self, state: State, store: Store) -> None:
        plan = publish(state)
        with ThreadPoolExecutor(3) as pool:
            work = [pool.submit(append_some, store.open(), plan) for _writer in range(2)]
            work.append(pool.submit(seal_as_it_stands, store.open(), plan))
            for each in work:
                each.result(60)
        (sealed,) = state.seals("tenant1")
        assert closed_by(sealed) == ledger_of(state, plan)


def seal_of(plan: str, count: int, head: str) -> dict[str, bytes]:
    """The files of a seal, as far as a state reads them."""
    return {"seal.json": canonical({"plan": plan, "ledger": {"count": count, "head": head}})}


def ledger_of(state: State, plan: str) -> Closed:
    found = [decoded(line)["hash"] for line in state.entries("tenant1", plan)]
    return Closed(plan, len(found), found[-1] if found else "0" * 64)


def append_some(state: State, plan: str) -> None:
    """Append entries one after another, until a seal is in the way."""

    def following(last: bytes | None) -> bytes:
        return canonical({"hash": f"{int(decoded(last)['hash']) + 1 if last else 1}"})

    for _number in range(10):
        try:
            state.append("tenant1", plan, following)
        except FleetError as problem:
            if problem.kind != "plan_sealed":
                raise


def seal_as_it_stands(state: State, plan: str) -> None:
    """Read and seal, again and again, as whoever is told ``ledger_moved`` does."""
    for _try in range(50):
        stands = ledger_of(state, plan)
        try:
            return state.put_seal("tenant1", 1, seal_of(plan, stands.count, stands.head))
        except FleetError as problem:
            if problem.kind != "ledger_moved":
                raise
    raise AssertionError("It could never be sealed.")
