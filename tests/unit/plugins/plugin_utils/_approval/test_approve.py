# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approving: what is signed, by whom, and of which plans."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.approve import (
    choose_approved,
    prepare_approval,
)

from .conftest import NOW, People
from .steps import approve


def test_nothing_is_kept_that_nobody_would_believe(book: Book, people: People) -> None:
    for name, kind in (("mallory", "signer_unknown"), ("bob", "approval_invalid")):
        with pytest.raises(FleetError) as caught:
            approve(book, people, name)
        assert caught.value.kind == kind
    assert book.state.approvals("alpha", book.plan) == []
    assert list(book.state.entries("alpha", book.plan)) == []


def test_what_would_be_signed_is_told_without_signing(book: Book, people: People) -> None:
    statement = prepare_approval(book, people.policy, purpose="apply", key=people.keys["alice"], now=NOW)
    assert (statement.approver, statement.expires) == ("alice", NOW + timedelta(hours=72))
    assert book.state.approvals("alpha", book.plan) == []


@pytest.mark.parametrize("how", ["none", "awx"])
def test_a_plan_that_takes_no_signature_gets_none(book: Book, people: People, how: str) -> None:
    people.policy["approval"] = how
    with pytest.raises(FleetError, match=f"patch_approval: {how}") as caught:
        approve(book, people, "alice")
    assert caught.value.kind == "approval_not_wanted"


def test_an_expired_plan_is_not_approved(book: Book, people: People) -> None:
    with pytest.raises(FleetError, match="expired at") as caught:
        approve(book, people, "alice", now=NOW + timedelta(hours=101))
    assert caught.value.kind == "plan_expired"


PLANS = [("alpha", "a" * 64), ("beta", "b" * 32 + "1" * 32), ("gamma", "b" * 32 + "2" * 32)]


def test_plans_are_approved_by_their_digits_and_no_others() -> None:
    assert choose_approved([" " + "A" * 16, "a" * 64], PLANS) == PLANS[:1]
    assert choose_approved(["b" * 32 + "2"], PLANS) == PLANS[2:]


@pytest.mark.parametrize("digits", ["", "a", "a" * 15, "b" * 16, "c" * 16, "a" * 65])
def test_digits_of_no_chosen_plan_are_an_error(digits: str) -> None:
    with pytest.raises(FleetError, match="of the plans that were asked for") as caught:
        choose_approved(["a" * 16, digits], PLANS)
    assert caught.value.kind == "approve_unknown"
