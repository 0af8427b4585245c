# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a ledger says of a change needs an opened attempt and an approval, however it is said."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.reconcile import close_dead, learn, record_learned
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._apply.plans import dead_process


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def found(site: Site, book: Book) -> set[tuple[str, str]]:
    """The kind and place of each finding, once the plan is sealed."""
    site.report(book)
    site.seal(book)
    return {(finding.kind.value, finding.where) for finding in site.verify()}


def close(book: Book, attempt: Attempt) -> None:
    close_attempt(book, attempt, now_missing="")


def opening(book: Book, number: int, purpose: str, *, check_mode: bool = False, **more: Any) -> None:
    about = {"purpose": purpose, "controller": "c", "process": 1, "batches": [], "provenance": {}}
    book.write(number, None, Phase.OPEN, EntryOutcome.OK, {"opening": {**about, "check_mode": check_mode}, **more})


def test_an_outcome_without_an_intent_needs_an_approval(site: Site) -> None:
    book = site.freeze()
    attempt = site.open(book)
    site.finish(book, attempt, "web1")
    site.finish(book, attempt, "web2", HostOutcome.FAILED)
    close(book, attempt)
    assert found(site, book) == {("approval_missing", "ledger.jsonl, attempt 1")}
    (finding,) = site.verify()
    assert "web1, web2" in finding.what


def test_a_change_said_to_be_learned_from_a_host_that_said_nothing_is_named(site: Site) -> None:
    book = site.freeze()
    site.approve(book)
    attempt = site.open(book)
    for host in book.head["hosts"]:
        book.write(attempt.number, host, Phase.APPLY, EntryOutcome.INTENT, {"reconciled": True})
        site.finish(book, attempt, host)
    close(book, attempt)
    assert found(site, book) == {("approval_missing", "ledger.jsonl, attempt 1")}


@pytest.mark.parametrize("approved", [True, False])
def test_a_change_learned_from_a_host_needs_an_approval_as_any_other(site: Site, *, approved: bool) -> None:
    book = site.freeze()
    if approved:
        site.approve(book)
    dead = site.open(book, process=dead_process())
    runs = {"apply": {"state": "complete", "status": 0, "started": "2026-11-21T04:23:41Z"}}
    record_learned(book, dead, "web1", learn({"runs": runs}))
    close_dead(book, dead, datetime.now(timezone.utc), taken_in=0)
    second = site.open(book)
    for host in book.head["hosts"]:
        site.begin(book, second, host)
        site.finish(book, second, host)
    close(book, second)
    wanted = {("approval_missing", f"ledger.jsonl, attempt {number}") for number in (1, 2)}
    assert found(site, book) == (set() if approved else wanted)


@pytest.mark.parametrize(("purpose", "check_mode"), [("stage", False), ("apply", True)])
def test_a_change_in_an_attempt_that_may_change_nothing_is_named(site: Site, purpose: str, *, check_mode: bool) -> None:
    book = site.freeze()
    site.approve(book)
    opening(book, 1, purpose, check_mode=check_mode)
    site.begin(book, book.progress().attempts[0], "web1")
    for host in book.head["hosts"]:
        site.finish(book, book.progress().attempts[0], host)
    book.write(1, None, Phase.CLOSE, EntryOutcome.OK, {"state": "closed"})
    close(book, site.open(book))
    assert found(site, book) == {("approval_missing", "ledger.jsonl, attempt 1")}


@pytest.mark.parametrize("approval", ["signature", "none"])
def test_a_change_in_an_attempt_that_was_never_opened_is_named(site: Site, approval: str) -> None:
    book = site.freeze(approval=approval)
    if approval == "signature":
        site.approve(book)
    site.apply(book)
    book.write(7, "web1", Phase.ROLLBACK, EntryOutcome.INTENT, {})
    book.write(7, "web2", Phase.OUTCOME, HostOutcome.ROLLED_BACK, {"in_service": "yes", "reason": "r"})
    assert found(site, book) == {("approval_missing", "ledger.jsonl, attempt 7")}


def test_an_attempt_that_was_opened_twice_is_named(site: Site) -> None:
    book = site.freeze()
    site.approve(book)
    site.apply(book)
    opening(book, 1, "stage")
    book.write(1, None, Phase.CLOSE, EntryOutcome.OK, {"state": "closed"})
    assert ("executor_unproven", "ledger.jsonl, attempt 1") in found(site, book)


def test_an_opening_that_passes_for_a_word_of_the_recorder_is_named(site: Site) -> None:
    book = site.freeze()
    site.approve(book)
    opening(book, 7, "apply", recorder={"pid": 1})
    site.apply(book)
    assert found(site, book) == {("executor_unproven", "ledger.jsonl, attempt 7")}


def test_hosts_that_failed_or_were_left_before_any_change_need_no_approval(site: Site) -> None:
    book = site.freeze(hosts=("web1", "web2", "web3"))
    attempt = site.open(book)
    book.write(attempt.number, None, Phase.OPEN, EntryOutcome.OK, {"recorder": {"pid": 1}})
    book.write(attempt.number, "web1", Phase.PREFLIGHT, EntryOutcome.FAILED, {"msg": "it broke"})
    site.finish(book, attempt, "web1", HostOutcome.FAILED)
    site.finish(book, attempt, "web2", HostOutcome.UNCHANGED)
    book.write(attempt.number, "web3", Phase.PREFLIGHT, EntryOutcome.OK, {})
    site.finish(book, attempt, "web3", HostOutcome.UNCHANGED)
    close(book, attempt)
    assert found(site, book) == set()


def test_a_host_of_which_a_step_changed_something_did_not_fail_before(site: Site) -> None:
    book = site.freeze()
    attempt = site.open(book)
    for host, phase in (("web1", Phase.APPLY), ("web2", Phase.PREFLIGHT)):
        book.write(attempt.number, host, phase, EntryOutcome.CHANGED, {})
        book.write(attempt.number, host, Phase.VERIFY, EntryOutcome.FAILED, {})
        site.finish(book, attempt, host, HostOutcome.FAILED)
    close(book, attempt)
    assert found(site, book) == {("approval_missing", "ledger.jsonl, attempt 1")}
    (finding,) = site.verify()
    assert "web1" in finding.what
    assert "web2" not in finding.what


def test_what_check_mode_would_have_changed_needs_no_approval(site: Site) -> None:
    book = site.freeze()
    opening(book, 1, "apply", check_mode=True)
    for phase in (Phase.DRAIN, Phase.APPLY, Phase.REBOOT):
        book.write(1, "web1", phase, EntryOutcome.CHANGED, {})
    book.write(1, None, Phase.CLOSE, EntryOutcome.OK, {"state": "closed"})
    site.approve(book)
    attempt = site.open(book)
    for host in book.head["hosts"]:
        site.finish(book, attempt, host, HostOutcome.UNCHANGED)
    close(book, attempt)
    assert found(site, book) == set()


def test_who_puts_a_server_back_to_work_needs_no_approval(site: Site) -> None:
    book = site.freeze()
    attempt = site.open(book)
    book.write(attempt.number, "web1", Phase.RETURN, EntryOutcome.CHANGED, {})
    for host in book.head["hosts"]:
        site.finish(book, attempt, host, HostOutcome.UNCHANGED)
    close(book, attempt)
    assert found(site, book) == set()


def test_a_run_that_slept_may_say_after_the_close_what_became_of_what_it_had_begun(site: Site) -> None:
    book = site.freeze()
    site.approve(book)
    slept = site.open(book, process=dead_process())
    site.begin(book, slept, "web1")
    close_dead(book, slept, datetime.now(timezone.utc), taken_in=0)
    book.write(slept.number, "web1", Phase.APPLY, EntryOutcome.CHANGED, {})
    site.finish(book, slept, "web1")
    site.apply(book)
    assert found(site, book) == set()


@pytest.mark.parametrize(
    ("phase", "outcome"),
    [
        (Phase.APPLY, EntryOutcome.INTENT),
        (Phase.APPLY, EntryOutcome.CHANGED),
        (Phase.OUTCOME, HostOutcome.VERIFIED),
        (Phase.OUTCOME, HostOutcome.FAILED),
    ],
)
def test_whatever_says_after_the_close_that_a_host_was_begun_is_named(
    site: Site, phase: Phase, outcome: EntryOutcome | HostOutcome
) -> None:
    book = site.freeze()
    site.approve(book)
    first = site.open(book)
    close(book, first)
    book.write(first.number, "web1", phase, outcome, {"in_service": "yes", "reason": ""})
    site.apply(book)
    assert found(site, book) == {("approval_missing", "ledger.jsonl, attempt 1")}
    (finding,) = site.verify()
    assert finding.what == "the change of web1 was begun after the attempt was closed"
