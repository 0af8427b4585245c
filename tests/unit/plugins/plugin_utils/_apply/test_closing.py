# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An attempt that is closed says of every host what became of it, and of none more than is known."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase

from .plans import dead_process, finish, make_book, open_


def test_staging_decides_nothing(tmp_path: Path) -> None:
    book = make_book(tmp_path, web1="unchanged")
    attempt = open_(book, purpose="stage")
    close_attempt(book, attempt, now_missing="")
    assert book.progress().outcomes == {}


def test_a_host_that_could_not_be_staged_is_named_and_decided_about_later(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    attempt = open_(book, purpose="stage", limit={"web1", "web2"})
    book.write(attempt.number, "web1", Phase.STAGE, EntryOutcome.CHANGED, {})
    book.write(attempt.number, "web2", Phase.STAGE, EntryOutcome.FAILED, {})
    closed = close_attempt(book, attempt, now_missing="")
    assert (list(closed["hosts"]), closed["in_order"]) == (["web2"], False)
    assert closed["counts"] == {"asked_for": 2, "not_staged": 1}
    assert book.progress().outcomes == {}


def test_check_mode_stages_nobody_and_misses_nobody(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    assert close_attempt(book, open_(book, purpose="stage", check_mode=True), now_missing="")["in_order"]


def test_hosts_outside_the_limit_are_not_attempted_and_say_so(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    attempt = open_(book, limit={"web1"})
    finish(book, attempt.number, "web1", HostOutcome.VERIFIED)
    closed = close_attempt(book, attempt, now_missing="the end came first")
    assert attempt.batches == [["web1"]]
    assert closed["hosts"]["web2"]["outcome"] == "not_attempted"
    assert closed["hosts"]["web2"]["reason"] == "outside the limit of this attempt"
    assert (closed["waiting"], closed["in_order"]) == (["web2", "web3"], True)


def test_a_host_that_waited_and_was_then_due_waits_no_more(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    first = open_(book, limit={"web1"})
    finish(book, first.number, "web1", HostOutcome.VERIFIED)
    close_attempt(book, first, now_missing="the end came first")
    second = open_(book, limit={"web2"})
    closed = close_attempt(book, second, now_missing="the end came first")
    assert closed["hosts"]["web2"]["reason"] == "the end came first"
    assert (closed["waiting"], closed["in_order"]) == (["web3"], False)


def test_a_host_left_half_changed_does_not_wait(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    first = open_(book, process=dead_process())
    book.write(first.number, "web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    closed = close_attempt(book, open_(book, limit={"web2"}), now_missing="the end came first")
    assert "web1" not in closed["waiting"]
    assert not closed["in_order"]


def test_a_host_begun_and_never_judged_may_be_out_of_service_and_is_examined_next(
    tmp_path: Path,
) -> None:
    book = make_book(tmp_path)
    attempt = open_(book)
    book.write(attempt.number, "web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    closed = close_attempt(book, attempt, now_missing="the end came first")
    assert closed["hosts"]["web1"] == {
        "outcome": "unreachable",
        "in_service": "unknown",
        "reason": "the attempt ended before its outcome was known",
    }
    assert closed["hosts"]["web2"]["outcome"] == "not_attempted"
    assert sum(closed["counts"].values()) == 3
    assert book.progress().in_the_middle("web1")
    assert open_(book).batches[0] == ["web1"]


def test_check_mode_leaves_no_outcome(tmp_path: Path) -> None:
    book = make_book(tmp_path, web1="unchanged")
    attempt = open_(book, check_mode=True)
    closed = close_attempt(book, attempt, now_missing="")
    assert closed["in_order"]
    assert book.progress().outcomes == {}


def test_a_rollback_that_ended_too_early_leaves_its_host_in_the_middle(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    applied = open_(book)
    book.write(applied.number, "web1", Phase.APPLY, EntryOutcome.INTENT, {})
    finish(book, applied.number, "web1", HostOutcome.VERIFIED)
    close_attempt(book, applied, now_missing="")
    attempt = open_(book, purpose="rollback", limit={"web1"})
    book.write(attempt.number, "web1", Phase.ROLLBACK, EntryOutcome.INTENT, {})
    closed = close_attempt(book, attempt, now_missing="")
    assert (closed["hosts"]["web1"]["outcome"], closed["in_order"]) == ("unreachable", False)
    assert closed["counts"] == {"rolled_back": 0, "asked_for": 1}
    assert book.progress().in_the_middle("web1")
