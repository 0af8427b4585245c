# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every state promises of seals. Whoever has one inherits from this and gives it a fixture ``store``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical, decoded, digest_of_bytes
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.sealed import Closed, closed_by, files_beside
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

    def test_a_seal_and_those_who_write_meanwhile_never_disagree(self, state: State, store: Store) -> None:
        plan = publish(state)
        with ThreadPoolExecutor(4) as pool:
            work = [pool.submit(write, store.open(), plan) for write in (append_some, append_some, put_some)]
            work.append(pool.submit(seal_as_it_stands, store.open(), plan))
            for each in work:
                each.result(60)
        (sealed,) = state.seals("tenant1")
        closed, stands = closed_by(sealed), standing(state, plan)
        assert closed is not None
        assert (closed.count, closed.head) == (stands.count, stands.head)
        # What no seal names may have come later.
        assert closed.files.items() <= stands.files.items()
        assert {path for path in stands.files if path.startswith("approvals/")} <= closed.files.keys()

    def test_no_approval_is_put_beside_a_sealed_plan(self, store: Store, state: State) -> None:
        plan, other = publish(state, "web1"), publish(state, "web2")
        state.put_approval("tenant1", plan, b"yes", "alice")
        seal_as_it_stands(state, plan)
        for late in (state, store.open()):
            with pytest.raises(FleetError, match=r"sealed \(seal 1\): nothing can be added") as refused:
                late.put_approval("tenant1", plan, b"too late", "bob")
            assert refused.value.kind == "plan_sealed"
        assert state.approvals("tenant1", plan) == [(b"yes", "alice")]
        state.put_approval("tenant1", other, b"yes", "alice")

    def test_a_report_that_a_seal_names_stays_and_another_can_be_added(self, store: Store, state: State) -> None:
        plan, other = publish(state, "web1"), publish(state, "web2")
        state.put_report("tenant1", plan, "report.html", b"sealed")
        seal_as_it_stands(state, plan)
        for late in (state, store.open()):
            # Not even with the same bytes: nobody need know what they are.
            for content in (b"made anew", b"sealed"):
                with pytest.raises(FleetError, match=r"Report report\.html of .* stays as it was") as refused:
                    late.put_report("tenant1", plan, "report.html", content)
                assert refused.value.kind == "plan_sealed"
            with pytest.raises(FleetError, match=r"Report report\.html of .* stays as it was"):
                late.drop_report("tenant1", plan, "report.html")
            late.put_report("tenant1", plan, "sent.json", b"later")
        assert state.get_report("tenant1", plan, "report.html") == b"sealed"
        assert state.get_report("tenant1", plan, "sent.json") == b"later"
        state.put_report("tenant1", other, "report.html", b"made anew")

    @pytest.mark.parametrize(
        "meanwhile",
        [
            lambda state, plan: state.put_approval("tenant1", plan, b"no", "bob"),
            lambda state, plan: state.put_report("tenant1", plan, "report.html", b"made anew"),
            lambda state, plan: state.put_report("tenant1", plan, "report.json", b"{}"),
        ],
        ids=["an approval", "a report that was made anew", "a report more"],
    )
    def test_a_seal_of_other_files_than_stand_beside_the_plan_is_not_kept(
        self, state: State, meanwhile: Callable[[State, str], object]
    ) -> None:
        plan = publish(state)
        state.put_approval("tenant1", plan, b"yes", "alice")
        state.put_report("tenant1", plan, "report.html", b"what was hashed")
        hashed = seal_as(standing(state, plan))
        meanwhile(state, plan)
        with pytest.raises(FleetError, match=r"(approvals|reports)/") as refused:
            state.put_seal("tenant1", 1, hashed)
        assert (refused.value.kind, refused.value.remedy[:14]) == ("plan_moved", "Run this again")
        assert state.seals("tenant1") == []
        seal_as_it_stands(state, plan)


def seal_of(plan: str, count: int, head: str) -> dict[str, bytes]:
    """The files of a seal of a plan with nothing beside it, as far as a state reads them."""
    return seal_as(Closed(plan, count, head))


def seal_as(closed: Closed) -> dict[str, bytes]:
    """The files of a seal, as far as a state reads them."""
    said = {"plan": closed.plan, "ledger": {"count": closed.count, "head": closed.head}}
    sums = "".join(f"{closed.files[path]}  {path}\n" for path in sorted(closed.files))
    return {"seal.json": canonical(said), "SHA256SUMS": sums.encode()}


def standing(state: State, plan: str) -> Closed:
    """What a seal would say now."""
    found = [decoded(line)["hash"] for line in state.entries("tenant1", plan)]
    read = partial(state.get_report, "tenant1", plan)
    beside = files_beside(state.approvals("tenant1", plan), state.reports("tenant1", plan), read)
    files = {path: digest_of_bytes(content) for path, content in beside}
    return Closed(plan, len(found), found[-1] if found else "0" * 64, files)


def put_some(state: State, plan: str) -> None:
    """Put approvals and reports beside the plan, one after another, until a seal is in the way."""
    for number in range(10):
        try:
            state.put_report("tenant1", plan, f"report{number % 2}", b"%d" % number)
            state.put_approval("tenant1", plan, b"%d" % number, "alice")
        except FleetError as problem:
            if problem.kind != "plan_sealed":
                raise


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
    """Read and seal, again and again, as whoever is told that something moved does."""
    for _try in range(100):
        stands = standing(state, plan)
        try:
            return state.put_seal("tenant1", 1, seal_as(stands))
        except FleetError as problem:
            if problem.kind not in ("ledger_moved", "plan_moved"):
                raise
    raise AssertionError("It could never be sealed.")
