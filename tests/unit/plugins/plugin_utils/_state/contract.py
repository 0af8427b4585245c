# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every state promises. Whoever has one to test inherits from these classes and gives them a fixture ``store``."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import record, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database import beside

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=timezone.utc)
OF_NO_REPORT = (
    *("plan.json", "ledger.jsonl", "hosts", "approvals", ".hidden", "../x", "/x", "x/", "x/../y", "x/y/z", "x//y"),
    *(
        "hosts/web1.json",
        "approvals/1.json",
        "baselines/x",
        "plan.json/x",
        "ledger.jsonl.torn-0001",
        "x/.hidden",
        "x\ny",
    ),
)
HOSTILE = "web/../1 'x' \"; -- ü \u202e%s {{ 1 }}\0"


@dataclass(frozen=True)
class Store:
    """A state that is empty at first, and can be opened by many at once."""

    open: Callable[[], State]


def publish(state: State, *hosts: str, plan_format: Any = 1, tenant: str = "tenant1") -> str:
    with state.write_plan(tenant) as writer:
        entries = {host: {"digest": writer.put_host(host, {"format": 1, "host": host})} for host in hosts}
        return writer.finish({"format": plan_format, "hosts": entries})


def at_once(work: Callable[..., None], *arguments: tuple[Any, ...]) -> None:
    """Run ``work`` in one process for each tuple of arguments, all at once; none may fail."""
    workers = [multiprocessing.Process(target=work, args=each) for each in arguments]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0


@pytest.fixture
def state(store: Store) -> State:
    return store.open()


class Plans:
    def test_a_plan_is_found_by_its_digest(self, state: State) -> None:
        plan = publish(state, "web1", "db/1", HOSTILE)
        assert sorted(state.get_plan("tenant1", plan)["hosts"]) == ["db/1", HOSTILE, "web1"]
        for host in ("db/1", HOSTILE):
            assert state.get_host("tenant1", plan, host) == {"format": 1, "host": host}

    def test_a_plan_that_was_never_finished_leaves_nothing(self, state: State) -> None:
        with pytest.raises(TypeError), state.write_plan("tenant1") as writer:
            writer.put_host("web1", {"format": {1, 2}})
        with state.write_plan("tenant1") as writer:
            writer.put_host("web1", {"format": 1})
        assert state.plans("tenant1") == []

    def test_a_document_is_read_back_and_replaced_before_the_plan_is_published(self, state: State) -> None:
        # Some are so long that they do not wait in memory for the end.
        long = "x" * 3_000_000
        with state.write_plan("tenant1") as writer:
            for number in range(4):
                writer.put_host(f"web{number}", {"format": 1, "log": f"{number}{long}"})
            assert writer.get_host("web0")["log"].startswith("0x")
            digests = {f"web{number}": writer.put_host(f"web{number}", {"format": 1}) for number in range(4)}
            assert writer.get_host("web0") == {"format": 1}
            assert state.plans("tenant1") == []
            plan = writer.finish({"format": 1, "hosts": {host: {"digest": it} for host, it in digests.items()}})
        assert state.get_host("tenant1", plan, "web3") == {"format": 1}

    def test_the_same_plan_twice_is_one_plan(self, state: State) -> None:
        first = publish(state, "web1")
        state.append("tenant1", first, lambda _last: b"{}")
        assert publish(state, "web1") == first
        assert list(state.entries("tenant1", first)) == [b"{}"]
        assert state.plans("tenant1") == [first]

    def test_a_head_must_name_the_documents_that_were_put(self, state: State) -> None:
        with pytest.raises(ValueError, match="exactly the documents"), state.write_plan("tenant1") as writer:
            writer.finish({"format": 1, "hosts": {"web1": {"digest": "0" * 64}}})

    @pytest.mark.parametrize("plan_format", [0, 2, True, "1", None])
    def test_a_format_that_no_version_wrote_is_refused(self, state: State, plan_format: Any) -> None:
        plan = publish(state, plan_format=plan_format)
        with pytest.raises(FleetError, match="format is") as refused:
            state.get_plan("tenant1", plan)
        assert refused.value.kind == "plan_newer"

    def test_what_is_not_there_says_so(self, state: State) -> None:
        absent = "a" * 64
        for read in (
            lambda: state.get_plan("tenant1", absent),
            lambda: state.entries("tenant1", absent),
            lambda: state.append("tenant1", absent, lambda _last: b"{}"),
            lambda: state.approvals("tenant1", absent),
            lambda: state.put_report("tenant1", absent, "report.html", b""),
            lambda: state.drop_report("tenant1", absent, "report.html"),
            lambda: state.get_baseline("tenant1", absent, "web1"),
            lambda: state.get_host_document("tenant1", publish(state, "web1"), "web2", absent),
        ):
            with pytest.raises(FleetError) as caught:
                read()
            assert caught.value.kind == "plan_missing"
        with pytest.raises(FleetError, match="Cycle 2026-11 has no plan"):
            state.get_cycle("2026-11")
        with pytest.raises(FleetError, match="does not name web2"):
            state.get_host("tenant1", publish(state, "web1"), "web2")

    @pytest.mark.parametrize("tenant", ["", ".", "..", "../x", "a/b", "a\0b", "-x", "a\n", "x" * 64, "ä"])
    def test_what_is_no_tenant_reaches_nothing(self, state: State, tenant: str) -> None:
        for use in (
            lambda: state.get_plan(tenant, "a" * 64),
            lambda: state.first_seen(tenant, [], TODAY),
            lambda: state.leases(tenant),
            lambda: state.stop_requested(tenant),
            lambda: state.plans(tenant),
            lambda: state.seals(tenant),
        ):
            with pytest.raises(FleetError, match="is no tenant"):
                use()

    def test_tenants_and_their_plans_are_found(self, state: State) -> None:
        assert state.tenants() == []
        plans = sorted([publish(state, "web1"), publish(state, "web2")])
        publish(state, "web1", tenant="tenant0")
        assert state.tenants() == ["tenant0", "tenant1"]
        assert state.plans("tenant1") == plans
        assert state.plans("tenant2") == []


class Cycles:
    def test_a_cycle_keeps_the_order_of_its_tenants(self, state: State) -> None:
        first, second, third = "1" * 64, "2" * 64, "3" * 64
        state.put_cycle("2026-11", [{"tenant": "b", "plan": first}, {"tenant": "a", "plan": second}])
        now = state.put_cycle("2026-11", [{"tenant": "0", "plan": first}, {"tenant": "b", "plan": third}])
        assert now == state.get_cycle("2026-11")
        assert now["cycle"] == "2026-11"
        assert [(entry["tenant"], entry["plan"]) for entry in now["plans"]] == [
            ("b", third),
            ("a", second),
            ("0", first),
        ]

    def test_cycles_come_in_the_order_of_their_months_and_numbers(self, state: State) -> None:
        assert state.cycles() == []
        for cycle in ("2026-11-e10", "2026-12", "2026-11-e2", "2025-12-e1", "2026-11"):
            state.put_cycle(cycle, [])
        assert state.cycles() == ["2025-12-e1", "2026-11", "2026-11-e2", "2026-11-e10", "2026-12"]


class Kept:
    """Dates, stops, reports, approvals, baselines and seals."""

    def test_an_update_keeps_the_day_on_which_it_was_first_seen(self, state: State) -> None:
        long = f"{HOSTILE}{'x' * 100_000}=1"
        state.first_seen("tenant1", ["openssl=2", long], TODAY)
        later = state.first_seen("tenant1", ["openssl=2", "nginx=2"], TODAY + timedelta(days=3))
        assert later == {"openssl=2": "2026-11-21", long: "2026-11-21", "nginx=2": "2026-11-24"}
        assert state.first_seen("tenant1", [], TODAY) == later
        assert state.first_seen("tenant2", [], TODAY) == {}

    def test_a_request_to_stop_is_one_tenants(self, state: State) -> None:
        publish(state)
        assert state.stop_requested("tenant1") is None
        asked = state.request_stop("tenant1", f"the disk is full {HOSTILE}")
        assert state.stop_requested("tenant1") == asked == state.request_stop("tenant1", "it is still full")
        assert state.stop_requested("tenant2") is None

    def test_a_request_to_stop_that_cannot_be_written_is_no_request(self, state: State) -> None:
        with pytest.raises(FleetError) as caught:
            state.request_stop("never-planned", "the disk is full")
        assert caught.value.kind == "state_error"
        assert state.stop_requested("never-planned") is None

    def test_reports_stand_beside_their_plan_and_never_replace_it(self, state: State) -> None:
        plan = publish(state, "web1")
        state.append("tenant1", plan, lambda _last: b"{}")
        state.put_report("tenant1", plan, "summary.md", b"# Draft\n")
        assert "summary.md" in state.put_report("tenant1", plan, "summary.md", b"# Plan\n")
        assert state.get_report("tenant1", plan, "summary.md") == b"# Plan\n"
        assert state.reports("tenant1", plan) == ["summary.md"]
        with pytest.raises(FleetError) as caught:
            state.get_report("tenant1", plan, "report.html")
        assert caught.value.kind == "report_missing"
        for name in OF_NO_REPORT:
            for use in (state.get_report, state.drop_report, partial(state.put_report, content=b"x")):
                with pytest.raises(FleetError) as refused:
                    use("tenant1", plan, name)
                assert refused.value.kind == "bad_name", name

    def test_reports_may_have_a_folder_and_be_taken_away(self, state: State) -> None:
        plan, other = publish(state, "web1"), publish(state, "web2")
        for name in ("csv/hosts.csv", "csv/cves.csv", "report.html"):
            state.put_report("tenant1", plan, name, name.encode())
        state.put_report("tenant1", other, "csv/hosts.csv", b"of the other")
        state.put_approval("tenant1", plan, b"yes", "alice")
        state.put_baseline("tenant1", plan, "web1", {})
        assert state.reports("tenant1", plan) == ["csv/cves.csv", "csv/hosts.csv", "report.html"]
        assert state.get_report("tenant1", plan, "csv/hosts.csv") == b"csv/hosts.csv"
        for _again in range(2):
            state.drop_report("tenant1", plan, "csv/hosts.csv")
        state.drop_report("tenant1", plan, "report.html")
        assert state.reports("tenant1", plan) == ["csv/cves.csv"]
        assert state.reports("tenant1", other) == ["csv/hosts.csv"]
        with pytest.raises(FleetError) as missing:
            state.get_report("tenant1", plan, "csv/hosts.csv")
        assert missing.value.kind == "report_missing"

    def test_a_report_of_any_length_is_read_whole(self, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = publish(state)
        monkeypatch.setattr(beside, "_PIECE_BYTES", 3)
        for content in (b"", b"ab", b"abc", b"abcd", bytes(range(256))):
            state.put_report("tenant1", plan, "report.json", content)
            assert state.get_report("tenant1", plan, "report.json") == content

    def test_approvals_stand_beside_their_plan_in_their_order(self, state: State) -> None:
        plan = publish(state)
        assert state.approvals("tenant1", plan) == []
        for number in range(1, 12):
            state.put_approval("tenant1", plan, f"{number}".encode(), f"signature {number}")
        assert state.approvals("tenant1", plan) == [(f"{n}".encode(), f"signature {n}") for n in range(1, 12)]

    def test_two_approvals_at_once_are_both_kept(self, state: State) -> None:
        plan = publish(state)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: state.put_approval("tenant1", plan, b"%d" % n, str(n)), range(20)))
        kept = state.approvals("tenant1", plan)
        assert sorted(int(statement) for statement, _signature in kept) == list(range(20))
        assert all(statement == signature.encode() for statement, signature in kept)

    def test_a_baseline_is_read_as_it_was_put_last(self, state: State) -> None:
        plan = publish(state)
        with pytest.raises(FleetError) as missing:
            state.get_baseline("tenant1", plan, "web/1")
        assert (missing.value.kind, missing.value.remedy[:24]) == ("baseline_missing", "Restore it from a backup")
        state.put_baseline("tenant1", plan, "web/1", {"units": {"failed": []}})
        state.put_baseline("tenant1", plan, "web/1", {"units": {"failed": ["nginx.service"]}})
        assert state.get_baseline("tenant1", plan, "web/1") == {"units": {"failed": ["nginx.service"]}}


class Ledger:
    def test_the_builder_gets_the_last_line(self, state: State) -> None:
        plan = publish(state)
        seen: list[bytes | None] = []

        def build(last: bytes | None) -> bytes:
            seen.append(last)
            return str(len(seen) - 1).encode()

        for _number in range(3):
            state.append("tenant1", plan, build)
        assert seen == [None, b"0", b"1"]
        assert list(state.entries("tenant1", plan)) == [b"0", b"1", b"2"]

    def test_a_long_line_is_read_back_whole(self, state: State) -> None:
        plan, long = publish(state), b"x" * 200_000
        state.append("tenant1", plan, lambda _last: long)
        assert state.append("tenant1", plan, lambda last: str(len(last or b"")).encode()) == b"200000"
        assert [len(line) for line in state.entries("tenant1", plan)] == [200_000, 6]

    def test_a_reader_gets_what_was_there_when_it_asked(self, state: State) -> None:
        plan = publish(state)
        for _number in range(20):
            state.append("tenant1", plan, lambda last: b"%d" % (int(last or 0) + 1))
        lines = state.entries("tenant1", plan)
        state.append("tenant1", plan, lambda _last: b"later")
        assert [int(line) for line in lines] == list(range(1, 21))

    def test_a_builder_that_fails_writes_nothing(self, state: State) -> None:
        plan = publish(state)

        def fail(last: bytes | None) -> bytes:
            raise RuntimeError

        with pytest.raises(RuntimeError):
            state.append("tenant1", plan, fail)
        for build in (lambda _last: b"two\nlines", lambda _last: b""):
            with pytest.raises(ValueError, match="no line feed"):
                state.append("tenant1", plan, build)
        assert list(state.entries("tenant1", plan)) == []
        assert state.torn("tenant1", plan) == []

    def test_many_processes_append_one_after_the_other(self, store: Store) -> None:
        plan = publish(store.open())
        at_once(record_some, *((store, plan, worker, 15) for worker in range(8)))
        lines = list(store.open().entries("tenant1", plan))
        assert len(lines) == 8 * 15
        assert verify(lines).ok

    def test_a_process_that_dies_in_an_append_leaves_no_lock(self, store: Store) -> None:
        plan = publish(store.open())
        worker = multiprocessing.Process(target=die_in_an_append, args=(store, plan))
        worker.start()
        worker.join(60)
        assert worker.exitcode == 9
        assert store.open().append("tenant1", plan, lambda _last: b"still works") == b"still works"

    def test_a_state_that_was_open_before_a_fork_is_used_by_both(self, store: Store) -> None:
        state = store.open()
        plan = publish(state)
        at_once(record_through, *((state, plan, worker) for worker in range(3)))
        record_through(state, plan, 3)
        assert verify(state.entries("tenant1", plan)).count == 4


def record_some(store: Store, plan: str, worker: int, count: int) -> None:
    state = store.open()
    for _ in range(count):
        record_through(state, plan, worker)


def record_through(state: State, plan: str, worker: int) -> None:
    about = {"attempt": 1, "cycle": "2026-11", "tenant": "tenant1", "host": f"web{worker}"}
    record(state, plan=plan, phase=Phase.HOOK, outcome=EntryOutcome.OK, data={}, **about)  # type: ignore[arg-type]


def die_in_an_append(store: Store, plan: str) -> None:
    store.open().append("tenant1", plan, lambda _last: os._exit(9))


class Dates:
    def test_many_processes_record_dates_without_losing_one(self, store: Store) -> None:
        keys = [[f"p{worker // 2}-{number}=1" for number in range(10)] for worker in range(4)]
        at_once(see, *((store, mine) for mine in keys))
        assert set(store.open().first_seen("tenant1", [], TODAY)) == {key for mine in keys for key in mine}


def see(store: Store, keys: list[str]) -> None:
    state = store.open()
    for key in keys:
        state.first_seen("tenant1", [key], TODAY)
