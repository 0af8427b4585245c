# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chain of a ledger shows every change to it, also when many processes write at once."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence import ledger as ledger_module
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import (
    build_entry,
    clock_behind,
    read_entries,
    record,
    verify,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import redact
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=timezone(timedelta(hours=1)))
PLAN = "a" * 64


def entry(previous: bytes | None, **changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "plan": PLAN,
        "attempt": 1,
        "cycle": "2026-11",
        "tenant": "north",
        "host": "web1",
        "phase": Phase.APPLY,
        "outcome": EntryOutcome.CHANGED,
        "data": {"after": {"nginx:amd64": "2"}},
        "time": NOON,
    }
    return build_entry(previous, **{**arguments, **changes})


def ledger(length: int = 3) -> list[bytes]:
    lines: list[bytes] = []
    for _number in range(length):
        lines.append(entry(lines[-1] if lines else None))
    return lines


def test_an_entry_is_canonical_and_its_hash_can_be_computed_by_anyone() -> None:
    line = entry(None)
    read = json.loads(line)
    assert read["seq"] == 1
    assert read["prev"] == "0" * 64
    assert read["time"] == "2026-11-21T11:00:00.000Z"
    body = {key: value for key, value in read.items() if key != "hash"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert read["hash"] == hashlib.sha256(text.encode()).hexdigest()


def test_an_entry_follows_the_line_before() -> None:
    first, second, third = map(json.loads, ledger())
    assert (second["seq"], second["prev"]) == (2, first["hash"])
    assert (third["seq"], third["prev"]) == (3, second["hash"])


def test_a_whole_ledger_verifies_and_names_its_head() -> None:
    lines = ledger()
    checked = verify(lines)
    assert (checked.ok, checked.count, checked.problems) == (True, 3, ())
    assert checked.head == json.loads(lines[-1])["hash"]
    assert verify([]).ok


def changed(line: bytes, **changes: Any) -> bytes:
    """A forgery that hashes its own content correctly."""
    body = {key: value for key, value in {**json.loads(line), **changes}.items() if key != "hash"}
    return canonical({**body, "hash": hashlib.sha256(canonical(body)).hexdigest()})


def nested(line: bytes, depth: int) -> bytes:
    """A line with so many lists within one another."""
    return line.replace(b'"attempt":1', b'"attempt":' + b"[" * depth + b"]" * depth)


@pytest.mark.parametrize(
    ("forge", "problem"),
    [
        (
            lambda lines: [lines[0], lines[1].replace(b"nginx", b"nginy"), lines[2]],
            "Line 2: its content does not match",
        ),
        (lambda lines: [lines[0], changed(lines[1], host="web9"), lines[2]], "Line 3: it does not follow"),
        (lambda lines: [lines[0], lines[2]], "Line 2: it does not follow"),
        (lambda lines: [lines[1], lines[0], lines[2]], "Line 1: it does not follow"),
        (lambda lines: [lines[0], lines[1], lines[1], lines[2]], "Line 3: it does not follow"),
        (lambda lines: lines[1:], "Line 1: it does not follow"),
        (lambda lines: [lines[0].replace(b":", b": ", 1), *lines[1:]], "Line 1: it is not in canonical form"),
        (lambda lines: [*lines[:2], changed(lines[2], seq=7)], "Line 3: its number is 7"),
        (lambda lines: [*lines[:2], changed(lines[2], tenant="south")], "Line 3: it belongs to another plan"),
        (lambda lines: [*lines[:2], changed(lines[2], cycle="2026-12")], "Line 3: it belongs to another plan, cycle"),
        (lambda lines: [*lines[:2], changed(lines[2], phase="lunch")], "Line 3: phase 'lunch'"),
        (
            lambda lines: [*lines[:2], changed(lines[2], phase="outcome")],
            "Line 3: phase 'outcome' with outcome 'changed'",
        ),
        (
            lambda lines: [*lines[:2], changed(lines[2], time="2026-11-21T10:59:59.999Z")],
            "Line 3: its time '2026-11-21T10:59:59.999Z' is none, or before that of the line before",
        ),
        (lambda lines: [*lines[:2], changed(lines[2], time="noon")], "Line 3: its time 'noon' is none"),
        (lambda lines: [*lines[:2], changed(lines[2], time="2026-11-21T12:00:00")], "Line 3: its time"),
        (lambda lines: [*lines[:2], changed(lines[2], time="9999-12-31T23:59:59-14:00")], "Line 3: its time"),
        (lambda lines: [*lines[:2], changed(lines[2], time=[])], "Line 3: its time of type list is none"),
        (lambda lines: [lines[0], nested(lines[1], 1015), lines[2]], "Line 2: its content does not match"),
        (lambda lines: [lines[0], nested(lines[1], 100_000), lines[2]], "Line 2 is not an entry"),
        (lambda lines: [lines[0], b"{}", lines[2]], "Line 2 is not an entry"),
        (lambda lines: [lines[0], lines[1][:-9], lines[2]], "Line 2 is not an entry"),
    ],
)
def test_every_change_to_a_ledger_is_found(forge: Any, problem: str) -> None:
    checked = verify(forge(ledger()))
    assert not checked.ok
    assert any(found.startswith(problem) for found in checked.problems), checked.problems


@pytest.mark.parametrize(
    "data",
    [
        {"seconds": 1e16, "small": 1e-7, "half": 0.5},
        {"bytes": 2**70, "least": -(2**63)},
        {"hash": "0" * 64, "nested": {"hash": "x", "host": "web9"}},
        {"text": '"hash":"x",', "letters": "ü\u2028\x7f"},
    ],
    ids=["fractions", "numbers beyond 64 bits", "other hashes", "texts"],
)
def test_what_encoders_write_differently_is_in_canonical_form_all_the_same(data: dict[str, Any]) -> None:
    line = entry(None, data=data)
    assert verify([line]).ok
    (found,) = read_entries([line])
    assert found["data"].keys() == data.keys()


@pytest.mark.parametrize(
    ("forge", "problem"),
    [
        (lambda line: line[:-1] + b',"tenant":"north"}', "it is not in canonical form"),
        (lambda line: line.replace(b'"attempt":1', b'"attempt":1.0'), "its content does not match its hash"),
        (lambda line: line.replace("ü".encode(), b"\\u00fc"), "it is not in canonical form"),
        (lambda line: line.replace(b'"half":0.5', b'"half":5e-1'), "it is not in canonical form"),
    ],
    ids=["a key twice", "a whole number as a fraction", "an escape", "another form of a fraction"],
)
def test_an_entry_that_is_written_otherwise_is_found(forge: Any, problem: str) -> None:
    line = entry(None, data={"half": 0.5, "text": "ü"})
    assert forge(line) != line
    assert any(problem in found for found in verify([forge(line)]).problems)


def test_a_clock_that_was_put_back_turns_no_time_back_and_is_said(tmp_path: Path) -> None:
    state = FolderState(tmp_path)
    with state.write_plan("north") as writer:
        plan = writer.finish({"format": 1, "tenant": "north", "hosts": {}})
    ahead = datetime.now(timezone.utc) + timedelta(hours=1)
    state.append("north", plan, lambda last: entry(last, plan=plan, time=ahead))
    write_many(str(tmp_path), plan, "web1", 2)
    first, second, third = read_entries(state.entries("north", plan))
    assert first["time"] == second["time"] == third["time"]
    assert 3590 <= third["data"]["clock_behind_seconds"] <= 3600
    assert verify(state.entries("north", plan)).ok


def test_clocks_that_hardly_differ_are_not_worth_a_word(tmp_path: Path) -> None:
    state = FolderState(tmp_path)
    with state.write_plan("north") as writer:
        plan = writer.finish({"format": 1, "tenant": "north", "hosts": {}})
    state.append("north", plan, lambda last: entry(last, plan=plan, time=datetime.now(timezone.utc)))
    write_many(str(tmp_path), plan, "web1", 1)
    assert list(read_entries(state.entries("north", plan)))[1]["data"] == {"index": 0}


def test_how_far_the_clock_is_behind_can_be_asked() -> None:
    line = entry(None)
    assert clock_behind(None, NOON) == 0
    assert clock_behind(line, NOON + timedelta(hours=1)) == 0
    assert clock_behind(line, NOON - timedelta(hours=1)) == 3600
    for damaged in (b"{}", changed(line, time="noon")):
        with pytest.raises(FleetError) as refused:
            clock_behind(damaged, NOON)
        assert refused.value.kind == "ledger_damaged"


def test_nothing_is_appended_to_what_is_no_ledger() -> None:
    with pytest.raises(FleetError) as refused:
        entry(b"not json")
    assert refused.value.kind == "ledger_damaged"
    with pytest.raises(FleetError):
        list(read_entries([b"[]"]))


def test_secrets_are_redacted_even_when_the_writer_forgot_and_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = Watched(tmp_path)
    with state.write_plan("north") as writer:
        plan = writer.finish({"format": 1, "tenant": "north", "hosts": {}})
    redacted_under_lock: list[bool] = []

    def redact_and_tell(value: Any) -> Any:
        redacted_under_lock.append(state.locked)
        return redact(value)

    monkeypatch.setattr(ledger_module, "redact", redact_and_tell)
    write(state, plan, {"db_password": "hunter22"})
    assert redacted_under_lock == [False]
    assert b"hunter22" not in b"".join(state.entries("north", plan))


class Watched(FolderState):
    """A state that knows when its ledger is locked for the entry that is being built."""

    locked = False

    def append(self, tenant: str, plan: str, build: Any) -> bytes:
        def watched(last: bytes | None) -> bytes:
            self.locked = True
            try:
                line: bytes = build(last)
            finally:
                self.locked = False
            return line

        return super().append(tenant, plan, watched)


def write(state: FolderState, plan: str, data: dict[str, Any], host: str = "web1") -> None:
    record(
        state,
        plan=plan,
        attempt=1,
        cycle="2026-11",
        tenant="north",
        host=host,
        phase=Phase.APPLY,
        outcome=EntryOutcome.OK,
        data=data,
    )


def write_many(root: str, plan: str, host: str, number: int) -> None:
    state = FolderState(Path(root))
    for index in range(number):
        write(state, plan, {"index": index}, host)


def test_many_processes_write_one_unbroken_chain(tmp_path: Path) -> None:
    state = FolderState(tmp_path)
    with state.write_plan("north") as writer:
        plan = writer.finish({"format": 1, "tenant": "north", "hosts": {}})
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(str(tmp_path), plan, f"web{i}", 25)) for i in range(4)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(60)
        assert process.exitcode == 0
    lines = list(state.entries("north", plan))
    assert verify(lines).ok
    assert len(lines) == 100
    for i in range(4):
        written = [read["data"]["index"] for read in read_entries(lines) if read["host"] == f"web{i}"]
        assert written == list(range(25))
