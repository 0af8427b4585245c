# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Openings: who executes is who signed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import (
    Book,
    Proof,
    Runner,
    open_attempt,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.opening import opening_proof, refuse_late
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import as_text

from .conftest import NOW, People
from .steps import approve, open_by, refused, require


def test_an_opening_without_a_key_is_refused(book: Book, people: People) -> None:
    with pytest.raises(FleetError, match="Nobody signed the opening") as caught:
        opening_proof(
            people.policy,
            plan=book.plan,
            tenant="alpha",
            attempt=1,
            purpose="apply",
            opened=NOW,
            key=None,
            environment={},
        )
    assert caught.value.kind == "opening_unsigned"
    approve(book, people, "alice")
    assert refused(book, people, {"purpose": "apply"}).kind == "opening_unsigned"


@pytest.mark.parametrize("name", ["alice", "mallory"])
def test_nobody_opens_an_attempt_who_may_not_execute(book: Book, people: People, name: str) -> None:
    with pytest.raises(FleetError) as caught:
        open_by(book, people, name)
    assert caught.value.kind == "signer_unknown"


@pytest.mark.parametrize(
    "change", [{"plan": "f" * 64}, {"tenant": "beta"}, {"attempt": 2}, {"purpose": "rollback"}], ids=str
)
def test_the_signature_under_another_opening_is_refused(book: Book, people: People, change: dict[str, Any]) -> None:
    approve(book, people, "alice")
    refusal = refused(book, people, open_by(book, people, "bob", **change))
    assert refusal.kind == "opening_invalid"
    assert "What was signed is another opening" in refusal.message


@pytest.mark.parametrize(
    "executor",
    [
        {},
        {"statement": "x", "sshsig": "x"},
        {"statement": 1, "sshsig": None},
    ],
)
def test_an_opening_whose_signature_is_none_is_refused(book: Book, people: People, executor: dict[str, Any]) -> None:
    approve(book, people, "alice")
    assert refused(book, people, {"executor": executor}).kind == "opening_invalid"


@pytest.mark.parametrize("minutes", [-6, 16, 40])
def test_an_opening_that_stands_in_the_ledger_from_another_time_is_refused(
    book: Book, people: People, minutes: int
) -> None:
    approve(book, people, "alice")
    opening, written = open_by(book, people, "bob"), NOW + timedelta(minutes=minutes)
    refusal = refused(book, people, opening, opened=written)
    assert refusal.kind == "opening_invalid"
    assert f"It was signed at {as_text(NOW)}, and the ledger has it from {as_text(written)}." in refusal.message


def test_signing_may_take_some_minutes(book: Book, people: People) -> None:
    approve(book, people, "alice")
    assert require(book, people, open_by(book, people, "bob"), opened=NOW + timedelta(minutes=14))
    refuse_late(NOW, NOW + timedelta(minutes=14), attempt=1, plan=book.plan)


def test_an_attempt_that_was_signed_long_before_is_not_opened(book: Book) -> None:
    proof = Proof(1, {}, signed=NOW - timedelta(minutes=16))
    with pytest.raises(FleetError, match="was signed at") as caught:
        open_attempt(
            book,
            purpose="apply",
            runner=Runner(1, {"host": "controller"}, False, "owner"),
            inventory={"web1"},
            limit=None,
            now=NOW,
            proof=proof,
        )
    assert caught.value.kind == "opening_late"


def test_an_opening_that_names_somebody_else_than_who_signed_changes_nothing(book: Book, people: People) -> None:
    approve(book, people, "carol")
    opening = open_by(book, people, "carol")
    opening["executor"].update(principal="bob", fingerprint="SHA256:x")
    assert refused(book, people, opening).kind == "approval_own"
