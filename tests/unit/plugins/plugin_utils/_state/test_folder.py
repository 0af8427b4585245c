# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only the state in a folder has: nothing half-written is ever read as whole, and nothing leaves the folder."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import decode_host, encode_host
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import TODAY, publish


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    return FolderState(tmp_path / "state")


def plan_file(tmp_path: Path, plan: str) -> Path:
    return tmp_path / "state/tenants/tenant1/plans" / plan / "plan.json"


# Plans


def test_the_state_is_for_its_owner_alone(state: FolderState, tmp_path: Path) -> None:
    plan = publish(state, "web1")
    state.append("tenant1", plan, lambda _last: b"{}")
    for path in (tmp_path / "state").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_plan_that_was_never_finished_leaves_nothing(state: FolderState, tmp_path: Path) -> None:
    with pytest.raises(TypeError), state.write_plan("tenant1") as writer:
        writer.put_host("web1", {"format": {1, 2}})
    assert list((tmp_path / "state/tenants/tenant1/plans").iterdir()) == []


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


def test_a_stop_file_stops_its_tenant_or_everybody(state: FolderState, tmp_path: Path) -> None:
    assert state.stop_requested("tenant1") is None
    publish(state)
    (tmp_path / "state/tenants/tenant1/STOP").touch()
    assert str(state.stop_requested("tenant1")).endswith("tenant1/STOP")
    assert state.stop_requested("tenant2") is None
    (tmp_path / "state/STOP").symlink_to("nowhere")
    assert str(state.stop_requested("tenant2")).endswith("state/STOP")


def test_a_statement_whose_signature_is_gone_is_seen_without_one(state: FolderState, tmp_path: Path) -> None:
    plan = publish(state)
    for number in (1, 2):
        state.put_approval("tenant1", plan, f"{number}".encode(), f"signature {number}")
    (plan_file(tmp_path, plan).parent / "approvals/2.sig").unlink()
    assert state.approvals("tenant1", plan) == [(b"1", "signature 1"), (b"2", "")]


def test_a_state_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file", encoding="utf-8")
    with pytest.raises(FleetError) as caught:
        FolderState(tmp_path / "state").first_seen("tenant1", ["a=1"], TODAY)
    assert caught.value.kind == "state_error"
    assert "fleet_state_dir" in caught.value.remedy


# The ledger


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


def test_canonical_cycle_files_are_what_an_auditor_reads(state: FolderState, tmp_path: Path) -> None:
    state.put_cycle("2026-11-e1", [{"tenant": "a", "plan": "2" * 64}])
    content = (tmp_path / "state/cycles/2026-11-e1.json").read_text(encoding="utf-8")
    assert json.loads(content)["cycle"] == "2026-11-e1"
    assert " " not in content
