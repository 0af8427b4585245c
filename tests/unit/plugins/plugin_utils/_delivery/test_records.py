# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was delivered is recorded twice, in ledger and state, and not sent again; a sealed ledger does not grow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.records import (
    AFTER_SEAL,
    REPORT,
    Delivery,
    facts_of,
    reached_before,
    read_deliveries,
    record_delivery,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.tests.fakes.sealing import put_seal
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._approval.conftest import publish

from .parcels_of_alpha import EMAIL, parcel

ANN, BOB = EMAIL["to"]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return publish(tmp_path / "state", "alpha")


def delivery(folder: Path, reached: tuple[str, ...], refused: dict[str, str], **more: Any) -> Delivery:
    return Delivery(parcel(folder, EMAIL, **more), reached, refused, tries=2)


def entries(book: Book) -> list[dict[str, Any]]:
    return [
        entry for entry in read_entries(book.state.entries(book.tenant, book.plan)) if entry["phase"] == "distribute"
    ]


def sealed_of(book: Book) -> tuple[list[bytes], bytes]:
    """What may not change after the seal."""
    return list(book.state.entries(book.tenant, book.plan)), book.state.get_report(book.tenant, book.plan, REPORT)


def kept(book: Book) -> list[dict[str, Any]]:
    return read_deliveries(book.state, book.tenant, book.plan)


def test_a_delivery_is_in_the_ledger_and_in_the_state(tmp_path: Path, book: Book) -> None:
    assert record_delivery(book, delivery(tmp_path, (ANN,), {BOB: "550 no such user"}))
    (entry,) = entries(book)
    assert (entry["attempt"], entry["host"], entry["outcome"]) == (0, None, "failed")
    said = entry["data"]["delivery"]
    assert (said["destination"], said["type"], said["tries"]) == ("officers", "email", 2)
    assert (said["reached"], said["refused"]) == ([ANN], {BOB: "550 no such user"})
    (file,) = said["files"]
    assert (file["name"], file["bytes"], len(file["sha256"])) == ("report.html", 22, 64)
    (same,) = kept(book)
    assert {key: same[key] for key in said} == said
    assert same["in_ledger"] is True
    assert verify(book.state.entries(book.tenant, book.plan)).ok


def test_after_the_seal_what_was_sealed_stays_and_deliveries_are_kept_elsewhere(tmp_path: Path, book: Book) -> None:
    record_delivery(book, delivery(tmp_path, (), {ANN: "down", BOB: "down"}))
    put_seal(book)
    before = sealed_of(book)
    assert not record_delivery(book, delivery(tmp_path, (ANN,), {BOB: "down"}))
    assert not record_delivery(book, delivery(tmp_path, (BOB,), {}))
    assert sealed_of(book) == before
    assert [(entry["in_ledger"], entry["reached"]) for entry in kept(book)] == [
        (True, []),
        (False, [ANN]),
        (False, [BOB]),
    ]
    # What arrived after the seal is known, and not sent again.
    assert reached_before(kept(book), parcel(tmp_path, EMAIL)) == {ANN, BOB}


def test_the_first_delivery_may_come_after_the_seal(tmp_path: Path, book: Book) -> None:
    put_seal(book)
    assert not record_delivery(book, delivery(tmp_path, (ANN,), {}))
    assert [entry["in_ledger"] for entry in kept(book)] == [False]
    assert book.state.reports(book.tenant, book.plan) == [AFTER_SEAL]


def test_a_seal_between_ledger_and_record_loses_no_delivery(
    tmp_path: Path, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_delivery(book, delivery(tmp_path, (), {ANN: "down", BOB: "down"}))
    write = book.write

    def sealed_at_once(*given: Any) -> None:
        write(*given)
        put_seal(book)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Book, "write", lambda _self, *given: sealed_at_once(*given))
        assert record_delivery(book, delivery(tmp_path, (ANN, BOB), {}))
    assert [entry["reached"] for entry in kept(book)] == [[], [ANN, BOB]]
    assert len(entries(book)) == 2


def test_what_arrived_is_known_by_destination_and_content(tmp_path: Path, book: Book) -> None:
    record_delivery(book, delivery(tmp_path, (ANN,), {BOB: "450 later"}))
    assert reached_before(kept(book), parcel(tmp_path, EMAIL)) == {ANN}
    record_delivery(book, delivery(tmp_path, (BOB,), {}))
    assert reached_before(kept(book), parcel(tmp_path, EMAIL)) == {ANN, BOB}
    assert reached_before(kept(book), parcel(tmp_path, EMAIL, name="others")) == frozenset()
    assert reached_before(kept(book), parcel(tmp_path, EMAIL, formats=["csv"])) == frozenset()


def test_a_delivery_changes_no_fact_and_everything_else_does(tmp_path: Path, book: Book) -> None:
    book.write(1, None, Phase.OPEN, EntryOutcome.OK, {})
    before = facts_of(book.state, book.tenant, book.plan)
    record_delivery(book, delivery(tmp_path, (ANN, BOB), {}))
    assert facts_of(book.state, book.tenant, book.plan) == before
    book.write(1, None, Phase.CLOSE, EntryOutcome.OK, {})
    assert facts_of(book.state, book.tenant, book.plan) != before


@pytest.mark.parametrize("name", [REPORT, AFTER_SEAL])
@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"format": 2, "deliveries": []}', b'{"format": 1, "deliveries": ["x"]}', b'{"format": 1}', b"\xff"],
)
def test_a_damaged_record_is_an_error_and_not_nothing(book: Book, content: bytes, name: str) -> None:
    book.state.put_report(book.tenant, book.plan, name, content)
    with pytest.raises(FleetError, match=name) as caught:
        kept(book)
    assert caught.value.kind == "deliveries_damaged"


def test_the_record_is_plain_json_for_people(tmp_path: Path, book: Book) -> None:
    record_delivery(book, delivery(tmp_path, (ANN,), {}))
    document = json.loads(book.state.get_report(book.tenant, book.plan, REPORT))
    assert (document["format"], document["tenant"], document["plan"]) == (1, "alpha", book.plan)
