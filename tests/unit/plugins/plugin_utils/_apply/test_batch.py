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
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.batch import Turn, require_waves_before, turn_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Progress, read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase

from .plans import NOW, finish, line, make_book, opening_line


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


# What the guard of a single host asks of the waves before


def soaked(*more: bytes) -> Progress:
    """The canary was verified at the minute 0 of attempt 1, and ``more`` was written since."""
    return read_progress([opening_line(), line("web1", Phase.OUTCOME, HostOutcome.VERIFIED), *more])


def look(minute: int, *, attempt: int = 1, well: bool = True, **data: str) -> bytes:
    outcome = EntryOutcome.OK if well else EntryOutcome.FAILED
    return line("web1", Phase.SOAK, outcome, attempt=attempt, minute=minute, **data)


def held_back(book: Book, progress: Progress, minute: int, *, host: str = "web2") -> str | None:
    """The kind of what holds a host back at a minute, or None."""
    try:
        require_waves_before(book.head, progress, host, NOW + timedelta(minutes=minute))
    except FleetError as refused:
        return refused.kind
    return None


def test_a_host_of_the_first_wave_is_held_back_by_nobody(tmp_path: Path) -> None:
    assert held_back(make_book(tmp_path), read_progress([]), 0, host="web1") is None


def test_a_host_is_held_back_like_its_batch(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    assert held_back(book, read_progress([opening_line()]), 0) == "wave_incomplete"
    failed = read_progress([opening_line(), line("web1", Phase.OUTCOME, HostOutcome.FAILED)])
    assert held_back(book, failed, 60) == "wave_unproven"


def test_a_host_is_held_back_until_the_wave_before_has_soaked(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    assert held_back(book, soaked(), 29) == "soaking"
    assert held_back(book, soaked(look(31)), 31) is None


def test_a_wave_that_has_soaked_is_looked_at_before_the_next_begins(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    assert held_back(book, soaked(), 31) == "wave_unseen"
    # A look before the end of the soak does not say how the host was at its end.
    assert held_back(book, soaked(look(20)), 31) == "wave_unseen"


def test_every_attempt_looks_for_itself(tmp_path: Path) -> None:
    progress = soaked(look(31), opening_line(2))
    book = make_book(tmp_path)
    assert held_back(book, progress, 600) == "wave_unseen"
    assert held_back(book, soaked(opening_line(2), look(601, attempt=2)), 601) is None


def test_a_wave_that_was_verified_and_is_not_well_any_more_holds_back_the_next(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    unwell = soaked(look(31, well=False, msg="nginx.service failed"))
    with pytest.raises(FleetError, match=r"Wave canary .*: web1: nginx\.service failed") as refused:
        require_waves_before(book.head, unwell, "web2", NOW + timedelta(minutes=31))
    assert refused.value.kind == "wave_unwell"
    mended = soaked(look(31, well=False, msg="nginx.service failed"), opening_line(2), look(60, attempt=2))
    assert held_back(book, mended, 60) is None


def test_who_was_not_verified_need_not_be_looked_at(tmp_path: Path) -> None:
    unchanged = [opening_line(), line("web1", Phase.OUTCOME, HostOutcome.UNCHANGED)]
    assert held_back(make_book(tmp_path), read_progress(unchanged), 31) is None


def test_without_a_soak_what_this_attempt_has_just_verified_is_known_well_enough(tmp_path: Path) -> None:
    book = make_book(tmp_path, soak_minutes=0)
    assert held_back(book, soaked(), 0) is None
    assert held_back(book, soaked(opening_line(2)), 60) == "wave_unseen"


def test_check_mode_asks_for_no_wave_before(tmp_path: Path) -> None:
    require_waves_before(make_book(tmp_path).head, read_progress([]), "web3", NOW, simulated=True)
