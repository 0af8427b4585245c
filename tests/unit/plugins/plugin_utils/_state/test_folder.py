# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state in a folder: nothing half-written is ever read as whole, and nothing leaves the folder."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import decode_host, encode_host

TODAY = date(2026, 11, 21)


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    return FolderState(tmp_path / "state")


def publish(state: State, *hosts: str, plan_format: int = 1, tenant: str = "tenant1") -> str:
    with state.write_plan(tenant) as writer:
        entries = {host: {"digest": writer.put_host(host, {"format": 1, "host": host})} for host in hosts}
        return writer.finish({"format": plan_format, "hosts": entries})


def plan_file(tmp_path: Path, plan: str) -> Path:
    return tmp_path / "state/tenants/tenant1/plans" / plan / "plan.json"


# Plans


def test_a_plan_is_found_by_its_digest(state: FolderState) -> None:
    plan = publish(state, "web1", "db/1")
    assert sorted(state.get_plan("tenant1", plan)["hosts"]) == ["db/1", "web1"]
    assert state.get_host("tenant1", plan, "db/1") == {"format": 1, "host": "db/1"}


def test_the_state_is_for_its_owner_alone(state: FolderState, tmp_path: Path) -> None:
    plan = publish(state, "web1")
    state.append("tenant1", plan, lambda _last: b"{}")
    for path in (tmp_path / "state").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_plan_that_was_never_finished_leaves_nothing(state: FolderState, tmp_path: Path) -> None:
    with pytest.raises(TypeError), state.write_plan("tenant1") as writer:
        writer.put_host("web1", {"format": {1, 2}})
    assert list((tmp_path / "state/tenants/tenant1/plans").iterdir()) == []


def test_the_same_plan_twice_is_one_plan(state: FolderState) -> None:
    first = publish(state, "web1")
    state.append("tenant1", first, lambda _last: b"{}")
    assert publish(state, "web1") == first
    assert list(state.entries("tenant1", first)) == [b"{}"]


def test_a_head_must_name_the_documents_that_were_put(state: FolderState) -> None:
    with pytest.raises(ValueError, match="exactly the documents"), state.write_plan("tenant1") as writer:
        writer.finish({"format": 1, "hosts": {"web1": {"digest": "0" * 64}}})


def test_a_changed_plan_is_refused(state: FolderState, tmp_path: Path) -> None:
    plan = publish(state, "web1")
    path = plan_file(tmp_path, plan)
    path.write_bytes(path.read_bytes().replace(b"web1", b"web2"))
    with pytest.raises(FleetError) as caught:
        state.get_plan("tenant1", plan)
    assert caught.value.kind == "plan_changed"
    assert str(path) in caught.value.message


def test_a_changed_host_document_is_refused(state: FolderState, tmp_path: Path) -> None:
    plan = publish(state, "web1")
    path = plan_file(tmp_path, plan).parent / "hosts/web1.json"
    path.write_bytes(b'{"format":1,"host":"web9"}')
    with pytest.raises(FleetError) as caught:
        state.get_host("tenant1", plan, "web1")
    assert caught.value.kind == "plan_changed"


def test_a_plan_from_a_newer_version_is_refused(state: FolderState, tmp_path: Path) -> None:
    plan = publish(state, "web1", plan_format=2)
    with pytest.raises(FleetError) as caught:
        state.get_plan("tenant1", plan)
    assert caught.value.kind == "plan_newer"
    assert caught.value.as_result()["msg"] == (
        f"{plan_file(tmp_path, plan)}: format is 2, and this version of bankops.fleet reads plans of format 1. "
        "Use the version of bankops.fleet that made the plan, or make a new plan with this one."
    )


@pytest.mark.parametrize("plan_format", [0, True, "1", None])
def test_a_format_that_no_version_wrote_is_refused(state: FolderState, plan_format: Any) -> None:
    plan = publish(state, plan_format=plan_format)
    with pytest.raises(FleetError, match="format is"):
        state.get_plan("tenant1", plan)


def test_what_is_not_there_says_so(state: FolderState) -> None:
    for read in (
        lambda: state.get_plan("tenant1", "a" * 64),
        lambda: state.entries("tenant1", "a" * 64),
        lambda: state.append("tenant1", "a" * 64, lambda _last: b"{}"),
    ):
        with pytest.raises(FleetError) as caught:
            read()
        assert caught.value.kind == "plan_missing"
    with pytest.raises(FleetError, match="Cycle 2026-11 has no plan"):
        state.get_cycle("2026-11")
    with pytest.raises(FleetError, match="does not name web2"):
        state.get_host("tenant1", publish(state, "web1"), "web2")


@pytest.mark.parametrize("tenant", ["", ".", "..", "../x", "a/b", "a\0b", "-x", "a\n", "x" * 64, "ä"])
def test_a_tenant_cannot_leave_its_folder(state: FolderState, tenant: str) -> None:
    for use in (
        lambda: state.get_plan(tenant, "a" * 64),
        lambda: state.first_seen(tenant, [], TODAY),
        lambda: state.leases(tenant),
        lambda: state.stop_requested(tenant),
    ):
        with pytest.raises(FleetError, match="is no tenant"):
            use()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), st.text(max_size=20))
def test_any_host_has_a_file_name_of_its_own(host: str, other: str) -> None:
    name = encode_host(host)
    assert decode_host(name) == host
    assert "/" not in name
    assert "\0" not in name
    assert not name.startswith(".")
    assert other == host or not other or any(0xD800 <= ord(c) < 0xE000 for c in other) or encode_host(other) != name


@pytest.mark.parametrize("host", ["", "x" * 300])
def test_a_host_without_a_possible_file_name_is_refused(host: str) -> None:
    with pytest.raises(FleetError, match="is no host name"):
        encode_host(host)


# Cycles, dates, stops and reports


def test_a_cycle_keeps_the_order_of_its_tenants(state: FolderState) -> None:
    state.put_cycle("2026-11", [{"tenant": "b", "plan": "1" * 64}, {"tenant": "a", "plan": "2" * 64}])
    state.put_cycle("2026-11", [{"tenant": "b", "plan": "3" * 64}])
    assert state.get_cycle("2026-11") == {
        "cycle": "2026-11",
        "plans": [{"tenant": "b", "plan": "3" * 64}, {"tenant": "a", "plan": "2" * 64}],
    }


def test_cycles_come_in_the_order_of_their_months_and_numbers(state: FolderState) -> None:
    assert state.cycles() == []
    for cycle in ("2026-11-e10", "2026-12", "2026-11-e2", "2025-12-e1", "2026-11"):
        state.put_cycle(cycle, [])
    assert state.cycles() == ["2025-12-e1", "2026-11", "2026-11-e2", "2026-11-e10", "2026-12"]


def test_an_update_keeps_the_day_on_which_it_was_first_seen(state: FolderState) -> None:
    state.first_seen("tenant1", ["openssl=2"], TODAY)
    later = state.first_seen("tenant1", ["openssl=2", "nginx=2"], TODAY + timedelta(days=3))
    assert later == {"openssl=2": "2026-11-21", "nginx=2": "2026-11-24"}
    assert state.first_seen("tenant2", [], TODAY) == {}


def test_a_damaged_file_says_which(state: FolderState, tmp_path: Path) -> None:
    state.first_seen("tenant1", ["openssl=2"], TODAY)
    (tmp_path / "state/tenants/tenant1/first_seen.json").write_bytes(b'{"openssl')
    with pytest.raises(FleetError, match=r"first_seen\.json is damaged"):
        state.first_seen("tenant1", [], TODAY)


def test_a_request_to_stop_is_one_tenants_and_keeps_its_first_reason(state: FolderState, tmp_path: Path) -> None:
    publish(state)
    for reason in ("the disk is full", "it is still full"):
        assert state.request_stop("tenant1", reason) == str(tmp_path / "state/tenants/tenant1/STOP")
    assert state.stop_requested("tenant1") == state.request_stop("tenant1", "")
    assert (tmp_path / "state/tenants/tenant1/STOP").read_text() == "the disk is full\n"
    assert state.stop_requested("tenant2") is None


def test_a_request_to_stop_that_cannot_be_written_is_no_request(state: FolderState) -> None:
    with pytest.raises(FleetError) as caught:
        state.request_stop("never-planned", "the disk is full")
    assert caught.value.kind == "state_error"
    assert state.stop_requested("never-planned") is None


def test_a_stop_file_stops_its_tenant_or_everybody(state: FolderState, tmp_path: Path) -> None:
    assert state.stop_requested("tenant1") is None
    publish(state)
    (tmp_path / "state/tenants/tenant1/STOP").touch()
    assert str(state.stop_requested("tenant1")).endswith("tenant1/STOP")
    assert state.stop_requested("tenant2") is None
    (tmp_path / "state/STOP").symlink_to("nowhere")
    assert str(state.stop_requested("tenant2")).endswith("state/STOP")


def test_reports_stand_beside_their_plan_and_never_replace_it(state: FolderState) -> None:
    plan = publish(state, "web1")
    assert Path(state.put_report("tenant1", plan, "summary.md", b"# Plan\n")).read_bytes() == b"# Plan\n"
    assert state.get_report("tenant1", plan, "summary.md") == b"# Plan\n"
    assert state.reports("tenant1", plan) == ["summary.md"]
    with pytest.raises(FleetError) as caught:
        state.get_report("tenant1", plan, "report.html")
    assert caught.value.kind == "report_missing"
    for name in ("plan.json", "ledger.jsonl", "hosts", "../x", ".hidden"):
        with pytest.raises(FleetError):
            state.put_report("tenant1", plan, name, b"x")


def test_tenants_and_their_plans_are_found(state: FolderState) -> None:
    assert state.tenants() == []
    plan = publish(state, "web1")
    assert state.tenants() == ["tenant1"]
    assert state.plans("tenant1") == [plan]
    assert state.plans("tenant2") == []


def test_seals_follow_one_another_and_none_is_replaced(state: FolderState) -> None:
    state.put_seal("tenant1", 1, {"seal.json": b"one"})
    for number, kind in ((1, "seal_exists"), (3, "seal_gap"), (0, "seal_gap")):
        with pytest.raises(FleetError) as caught:
            state.put_seal("tenant1", number, {"seal.json": b"other"})
        assert caught.value.kind == kind
    for number in range(2, 12):
        state.put_seal("tenant1", number, {"seal.json": f"{number}".encode(), "seal.json.sig": b"signature"})
    assert [int(seal["seal.json"]) for seal in state.seals("tenant1")[1:]] == list(range(2, 12))
    assert state.seals("tenant2") == []


def test_a_state_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    with pytest.raises(FleetError) as caught:
        FolderState(tmp_path / "state").first_seen("tenant1", ["a=1"], TODAY)
    assert caught.value.kind == "state_error"
    assert "fleet_state_dir" in caught.value.remedy


# The ledger


def test_the_builder_gets_the_last_line(state: FolderState) -> None:
    plan = publish(state)
    seen: list[bytes | None] = []

    def build(last: bytes | None) -> bytes:
        seen.append(last)
        return str(len(seen) - 1).encode()

    for _number in range(3):
        state.append("tenant1", plan, build)
    assert seen == [None, b"0", b"1"]
    assert list(state.entries("tenant1", plan)) == [b"0", b"1", b"2"]


def test_a_line_longer_than_a_block_is_read_back_whole(state: FolderState) -> None:
    plan, long = publish(state), b"x" * 200_000
    state.append("tenant1", plan, lambda _last: long)
    assert state.append("tenant1", plan, lambda last: str(len(last or b"")).encode()) == b"200000"
    assert [len(line) for line in state.entries("tenant1", plan)] == [200_000, 6]


def test_a_builder_that_fails_writes_nothing(state: FolderState) -> None:
    plan = publish(state)

    def fail(last: bytes | None) -> bytes:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        state.append("tenant1", plan, fail)
    with pytest.raises(ValueError, match="no line feed"):
        state.append("tenant1", plan, lambda _last: b"two\nlines")
    assert list(state.entries("tenant1", plan)) == []


@pytest.mark.parametrize("whole", [b"", b"one\n", b"one\ntwo\n"])
@pytest.mark.parametrize("torn", [b"{", b'{"seq":3', b"x" * 100_000])
def test_a_torn_line_is_kept_aside_and_reported(state: FolderState, tmp_path: Path, whole: bytes, torn: bytes) -> None:
    plan = publish(state)
    (plan_file(tmp_path, plan).parent / "ledger.jsonl").write_bytes(whole + torn)
    assert list(state.entries("tenant1", plan)) == whole.splitlines()
    assert state.torn("tenant1", plan) == [torn]
    state.append("tenant1", plan, lambda last: b"after " + (last or b"nothing"))
    last = whole.splitlines()[-1] if whole else b"nothing"
    assert list(state.entries("tenant1", plan)) == [*whole.splitlines(), b"after " + last]
    assert state.torn("tenant1", plan) == [torn]


def append_numbers(root: Path, plan: str, count: int) -> None:
    state = FolderState(root)
    for _ in range(count):
        state.append("tenant1", plan, lambda last: str(int(last or b"0") + 1).encode())


def test_many_processes_append_one_after_the_other(state: FolderState, tmp_path: Path) -> None:
    plan = publish(state)
    workers = [multiprocessing.Process(target=append_numbers, args=(tmp_path / "state", plan, 50)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [int(line) for line in state.entries("tenant1", plan)] == list(range(1, 201))


def append_until_killed(root: Path, plan: str) -> None:
    FolderState(root).append("tenant1", plan, lambda _last: os._exit(9))


def test_a_process_that_dies_in_an_append_leaves_no_lock(state: FolderState, tmp_path: Path) -> None:
    plan = publish(state)
    worker = multiprocessing.Process(target=append_until_killed, args=(tmp_path / "state", plan))
    worker.start()
    worker.join()
    assert worker.exitcode == 9
    assert state.append("tenant1", plan, lambda _last: b"still works") == b"still works"


def see(root: Path, keys: list[str]) -> None:
    for key in keys:
        FolderState(root).first_seen("tenant1", [key], TODAY)


def test_many_processes_record_dates_without_losing_one(state: FolderState, tmp_path: Path) -> None:
    keys = [[f"p{worker}-{number}=1" for number in range(20)] for worker in range(4)]
    workers = [multiprocessing.Process(target=see, args=(tmp_path / "state", mine)) for mine in keys]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(state.first_seen("tenant1", [], TODAY)) == {key for mine in keys for key in mine}


def test_canonical_cycle_files_are_what_an_auditor_reads(state: FolderState, tmp_path: Path) -> None:
    state.put_cycle("2026-11-e1", [{"tenant": "a", "plan": "2" * 64}])
    content = (tmp_path / "state/cycles/2026-11-e1.json").read_text(encoding="utf-8")
    assert json.loads(content)["cycle"] == "2026-11-e1"
    assert " " not in content
