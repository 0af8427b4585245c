# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wave's turn comes when the one before is complete, has proven something, and has soaked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.batch import Turn, turn_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome

from .plans import NOW, finish, make_book


def turn(book: Book, *hosts: str, simulated: bool = False) -> Turn:
    return turn_of(book.head, book.progress(), list(hosts), NOW, simulated=simulated)


def refusal(book: Book, *hosts: str) -> str:
    with pytest.raises(FleetError) as refused:
        turn(book, *hosts)
    return refused.value.kind


def test_the_first_wave_waits_for_nobody(tmp_path: Path) -> None:
    first = turn(make_book(tmp_path), "web1")
    assert (first.wave, first.batch, first.first_of_wave, first.last_of_wave) == ("canary", 1, True, True)
    assert first.soaked_at is None


def test_hosts_that_are_no_batch_of_the_plan_are_refused(tmp_path: Path) -> None:
    assert refusal(make_book(tmp_path), "web1", "web2") == "not_a_batch"


def test_a_wave_waits_until_the_one_before_is_complete(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    assert refusal(book, "web2") == "wave_incomplete"
    finish(book, 1, "web1", HostOutcome.NOT_ATTEMPTED)
    assert refusal(book, "web2") == "wave_incomplete"


@pytest.mark.parametrize("outcome", [HostOutcome.SKIPPED, HostOutcome.ROLLED_BACK, HostOutcome.UNREACHABLE])
def test_a_wave_of_which_nobody_came_out_well_proves_nothing(tmp_path: Path, outcome: HostOutcome) -> None:
    book = make_book(tmp_path)
    finish(book, 1, "web1", outcome)
    assert refusal(book, "web2") == "wave_unproven"


def test_a_proven_wave_soaks_from_its_last_outcome_on(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    finish(book, 1, "web1", HostOutcome.VERIFIED)
    soaked_at = turn(book, "web2").soaked_at
    assert soaked_at is not None
    assert soaked_at - book.progress().outcomes["web1"].time == timedelta(minutes=30)


def test_check_mode_looks_at_every_wave(tmp_path: Path) -> None:
    assert turn(make_book(tmp_path), "web2", simulated=True).wave == "broad"


def test_a_wave_begins_with_its_first_batch_and_ends_with_its_last(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    finish(book, 1, "web1", HostOutcome.VERIFIED)
    assert (turn(book, "web2").first_of_wave, turn(book, "web2").last_of_wave) == (True, False)
    finish(book, 1, "web2", HostOutcome.VERIFIED)
    assert (turn(book, "web3").first_of_wave, turn(book, "web3").last_of_wave) == (False, True)
