# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each step is in the ledger before the next one begins, and what cannot be recorded ends the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.journal import Journal
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

from .plans import make_book

MODULE = "bankops.fleet.updates"


def journal_of(book: Book, *, secrets: frozenset[str] = frozenset()) -> Journal:
    return Journal(book.state, book.plan, book.head, 3, "web1", secrets, check_mode=False)


def last(book: Book) -> dict[str, Any]:
    *_before, entry = read_entries(book.state.entries("alpha", book.plan))
    return entry


def test_a_step_is_in_the_ledger_when_the_word_comes_back(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    journal = journal_of(book)
    evidence = {"after": {"openssl:amd64": "3.0.17-1"}}
    journal.write_step(MODULE, Phase.APPLY, {"changed": True, "fleet_evidence": evidence}, 1.25)
    entry = last(book)
    assert {key: entry[key] for key in ("attempt", "cycle", "tenant", "host", "phase", "outcome")} == {
        "attempt": 3,
        "cycle": "2026-11",
        "tenant": "alpha",
        "host": "web1",
        "phase": "apply",
        "outcome": "changed",
    }
    assert entry["data"] == {**evidence, "task": {"name": "apply", "module": MODULE, "changed": True, "seconds": 1.25}}
    assert verify(book.state.entries("alpha", book.plan)).ok


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({}, "ok"),
        ({"changed": True}, "changed"),
        ({"failed": True, "changed": True, "msg": "dpkg broke"}, "failed"),
        ({"failed": True, "fleet_unreachable": True, "msg": "no route"}, "unreachable"),
        # What Ansible's own executor says of a delegated step.
        ({"unreachable": True, "msg": "no route"}, "unreachable"),
    ],
)
def test_a_step_is_recorded_as_it_ended(tmp_path: Path, result: dict[str, Any], outcome: str) -> None:
    book = make_book(tmp_path)
    journal_of(book).write_step(MODULE, Phase.APPLY, result, 1)
    assert last(book)["outcome"] == outcome
    assert last(book)["data"].get("msg") == result.get("msg")


def test_an_outcome_stands_as_it_was_decided(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    journal_of(book).write(Phase.OUTCOME, HostOutcome.VERIFIED, {"in_service": "yes", "reason": "", "holds": []})
    assert book.progress().outcomes["web1"].outcome is HostOutcome.VERIFIED


def test_no_secret_of_the_run_is_written(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    journal = journal_of(book, secrets=frozenset({"planted-secret"}))
    journal.write_step(MODULE, Phase.APPLY, {"failed": True, "msg": "refused planted-secret"}, 1)
    journal.write(Phase.OUTCOME, HostOutcome.FAILED, {"reason": "with planted-secret", "db_password": "other"})
    for line in book.state.entries("alpha", book.plan):
        assert b"planted-secret" not in line
        assert b"other" not in line


def test_output_and_arguments_are_no_evidence(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    result = {"stdout": "words", "invocation": {"module_args": {}}, "msg": "done"}
    journal_of(book).write_step(MODULE, Phase.APPLY, result, 1)
    assert set(last(book)["data"]) == {"msg", "task"}


def refuse(*_arguments: object) -> NoReturn:
    raise OSError("No space left on device")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger takes no further line."""
    monkeypatch.setattr(FolderState, "append", refuse)


@pytest.mark.usefixtures("full_disk")
def test_a_ledger_that_cannot_be_written_ends_the_way_and_asks_the_tenant_to_stop(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    with pytest.raises(FleetError) as refused:
        journal_of(book).write_step(MODULE, Phase.DRAIN, {"changed": True}, 1)
    assert refused.value.kind == "ledger_unwritable"
    assert "The drain of web1 could not be recorded: No space left on device" in refused.value.message
    stop = book.state.stop_requested("alpha")
    assert stop is not None
    assert "The drain of web1 could not be recorded" in Path(stop).read_text()
    assert book.state.stop_requested("beta") is None


@pytest.mark.usefixtures("full_disk")
def test_a_disk_that_takes_no_request_to_stop_either_does_not_hide_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = make_book(tmp_path)
    monkeypatch.setattr(FolderState, "request_stop", refuse)
    with pytest.raises(FleetError) as refused:
        journal_of(book).write_step(MODULE, Phase.DRAIN, {"changed": True}, 1)
    assert refused.value.kind == "ledger_unwritable"
