# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attempts open only on plans that hold, know what is left to do, and leave no host without an outcome."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import (
    Book,
    Proof,
    abandon_attempt,
    choose_plans,
    open_attempt,
    open_attempts_of,
    open_book,
    ready_for_attempt,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

from .plans import NOW, dead_process, finish, listen, make_book, open_, runner

ALL = {"web1", "web2", "web3"}


def test_the_first_attempt_takes_every_batch_in_the_plans_order(tmp_path: Path) -> None:
    attempt = open_(make_book(tmp_path))
    assert (attempt.number, attempt.batches) == (1, [["web1"], ["web2"], ["web3"]])


def test_what_the_plan_decided_is_an_outcome_from_the_first_apply_on(tmp_path: Path) -> None:
    book = make_book(tmp_path, web1="unchanged", web2="skipped", web3="unreachable")
    open_(book)
    outcomes = {host: done.outcome for host, done in book.progress().outcomes.items()}
    assert outcomes == {
        "web1": HostOutcome.UNCHANGED,
        "web2": HostOutcome.SKIPPED,
        "web3": HostOutcome.UNREACHABLE,
    }


def test_a_further_attempt_takes_only_what_is_left(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    first = open_(book)
    finish(book, first.number, "web1", HostOutcome.VERIFIED)
    finish(book, first.number, "web2", HostOutcome.UNREACHABLE, "unknown")
    close_attempt(book, first, now_missing="the end came first")
    second = open_(book)
    assert (second.number, second.batches) == (2, [["web2"], ["web3"]])


def test_hosts_that_the_inventory_lost_are_not_attempted(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    open_(book, inventory={"web1", "web2"})
    done = book.progress().outcomes["web3"]
    assert (done.outcome, done.reason) == (HostOutcome.NOT_ATTEMPTED, "the inventory does not have it")


def test_a_running_attempt_is_not_joined(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    open_(book, process=os.getpid())
    with pytest.raises(FleetError) as refused:
        open_(book, process=os.getpid())
    assert refused.value.kind == "attempt_running"


def elsewhere(book: Book, now: datetime = NOW) -> Attempt:
    """An attempt of a process on another machine."""
    return open_attempt(
        book, purpose="apply", runner=runner(dead_process(), host="elsewhere"), inventory=ALL, limit=None, now=now
    )


def test_an_attempt_on_another_controller_is_running_as_long_as_it_gives_signs_of_life(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    first = elsewhere(book, NOW - timedelta(seconds=90))
    book.state.renew("alpha", first.owner, now=NOW - timedelta(seconds=59))
    with pytest.raises(FleetError) as refused:
        open_(book)
    assert refused.value.kind == "attempt_running"
    assert f"Attempt 1 (apply) on plan {book.plan[:16]} is open: process {first.process} on elsewhere" in str(
        refused.value
    )
    book.state.renew("alpha", first.owner, now=NOW - timedelta(seconds=61))
    assert open_(book).number == 2
    assert opening_of(book)["took_over"] == [{"owner": first.owner}]


def opening_of(book: Book) -> dict[str, Any]:
    """The latest opening entry."""
    entries = read_entries(book.state.entries(book.tenant, book.plan))
    return dict([entry["data"]["opening"] for entry in entries if "opening" in entry["data"]][-1])


def test_an_attempt_whose_process_died_is_closed_and_the_next_one_opens_and_says_so(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    first = open_(book, process=dead_process())
    second = open_(book)
    assert second.number == 2
    assert [attempt.closed for attempt in book.progress().attempts] == [True, False]
    opening = opening_of(book)
    assert (opening["owner"], opening["took_over"]) == (second.owner, [{"owner": first.owner}])


def test_a_process_with_the_number_of_the_dead_one_is_not_taken_for_it(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    machine, process, start, boot = this_owner(os.getpid()).rsplit(":", 3)
    dead = replace(runner(int(process)), owner=f"{machine}:{process}:{int(start) - 1}:{boot}")
    open_attempt(book, purpose="apply", runner=dead, inventory=ALL, limit=None, now=NOW)
    assert open_attempts_of(book.state, [("alpha", book.plan)], this_owner(os.getpid())) == []
    assert open_(book).number == 2


def test_an_attempt_has_its_hosts_and_their_clusters_to_itself(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    attempt = open_(book, limit={"web1"})
    (lease,) = book.state.leases("alpha")
    assert lease.names == {f"plan:{book.plan[:16]}", "host:web1", "cluster:web"}
    close_attempt(book, attempt, now_missing="the end came first")
    assert book.state.leases("alpha") == []


def test_an_attempt_is_not_opened_under_a_number_that_somebody_else_has_taken_meanwhile(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    signed = Proof(ready_for_attempt(book, "apply", NOW), {"signature": "of attempt 1"})
    close_attempt(book, open_(book), now_missing="")
    with pytest.raises(FleetError) as refused:
        open_(book, proof=signed)
    assert refused.value.kind == "attempt_running"
    assert (book.progress().current, book.state.leases("alpha")) == (None, [])


@pytest.mark.parametrize("only", [{"purpose": "stage"}, {"check_mode": True}])
def test_an_attempt_that_changes_no_host_has_only_its_plan_to_itself(tmp_path: Path, only: dict[str, Any]) -> None:
    book = make_book(tmp_path)
    open_(book, **only)
    (lease,) = book.state.leases("alpha")
    assert lease.names == {f"plan:{book.plan[:16]}"}


@pytest.mark.parametrize("limit", [{"web1"}, {"web3"}])
def test_a_host_that_a_dead_attempt_left_half_changed_is_left_to_its_own_plan(tmp_path: Path, limit: set[str]) -> None:
    book, other = make_book(tmp_path), make_book(tmp_path, max_failed=1)
    book.state.put_cycle("2026-11", [{"tenant": "alpha", "plan": book.plan}])
    died = open_(book, process=dead_process())
    book.write(died.number, "web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    # The host itself, and one of its cluster.
    with pytest.raises(FleetError) as refused:
        open_(other, limit=limit)
    assert refused.value.kind == "plan_unfinished"
    assert f"plan {book.plan[:16]} of cycle 2026-11 died in the middle of the change of web1" in refused.value.message
    # Looking is harmless.
    close_attempt(other, open_(other, check_mode=True), now_missing="")
    again = open_(book)
    finish(book, again.number, "web1", HostOutcome.ROLLED_BACK)
    close_attempt(book, again, now_missing="")
    assert open_(other, limit=limit).number == 2


def test_a_dead_attempt_that_left_nobody_half_changed_stands_in_no_other_plans_way(tmp_path: Path) -> None:
    book, other = make_book(tmp_path), make_book(tmp_path, max_failed=1)
    book.state.put_cycle("2026-11", [{"tenant": "alpha", "plan": book.plan}])
    died = open_(book, process=dead_process())
    open_(other)
    assert opening_of(other)["took_over"] == [{"owner": died.owner}]


def test_two_plans_with_a_common_cluster_are_not_applied_at_once(tmp_path: Path) -> None:
    book, other = make_book(tmp_path), make_book(tmp_path, max_failed=1)
    assert book.plan != other.plan
    first = elsewhere(book)
    with pytest.raises(FleetError) as refused:
        open_(other, limit={"web3"})
    assert refused.value.kind == "lease_held"
    assert f"{first.owner} has held cluster:web, host:web3 of tenant alpha" in refused.value.message
    assert other.progress().attempts == []
    close_attempt(book, first, now_missing="the end came first")
    assert open_(other, limit={"web3"}).number == 1


def test_an_opening_that_fails_leaves_no_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = make_book(tmp_path)

    def full_disk(*_arguments: object) -> NoReturn:
        raise FleetError("The disk is full.", kind="state_error", remedy="Make room.")

    monkeypatch.setattr(FolderState, "append", full_disk)
    with pytest.raises(FleetError, match="The disk is full"):
        open_(book)
    assert book.state.leases("alpha") == []


def test_an_expired_plan_is_refused(tmp_path: Path) -> None:
    book = make_book(tmp_path, expires=NOW - timedelta(seconds=1))
    with pytest.raises(FleetError) as refused:
        open_(book)
    assert refused.value.kind == "plan_expired"


def test_a_changed_ledger_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    attempt = open_(book)
    close_attempt(book, attempt, now_missing="")
    ledger = next(tmp_path.rglob("ledger.jsonl"))
    ledger.write_bytes(ledger.read_bytes().replace(b'"phase":"close"', b'"phase":"apply"'))
    with pytest.raises(FleetError) as refused:
        open_book(book.state, "alpha", book.plan)
    assert refused.value.kind == "ledger_damaged"


def test_only_the_attempts_of_this_process_are_closed_by_it(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    open_(book, process=os.getpid())
    chosen = [("alpha", book.plan)]
    own = this_owner(os.getpid())
    assert [attempt.number for _book, attempt in open_attempts_of(book.state, chosen, own)] == [1]
    assert open_attempts_of(book.state, chosen, this_owner(os.getppid())) == []


def test_the_recorders_word_is_not_an_attempt(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    attempt = open_(book)
    listen(book, attempt.number)
    (found,) = book.progress().attempts
    assert found.recorder


def test_plans_are_chosen_by_cycle_and_tenant(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    book.state.put_cycle("2026-11", [{"tenant": "alpha", "plan": book.plan}])
    assert choose_plans(book.state, cycle="2026-11", plans=[], tenants=["alpha"]) == [("alpha", book.plan)]
    for cycle, tenants in ((None, list[str]()), ("2026-11", ["beta"])):
        with pytest.raises(FleetError) as refused:
            choose_plans(book.state, cycle=cycle, plans=[], tenants=tenants)
        assert refused.value.kind == "no_plan"


def test_a_host_in_the_middle_of_an_attempt_that_died_is_remembered_until_it_is_judged(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    first = open_(book, process=dead_process())
    book.write(first.number, "web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    second = open_(book, limit={"web2"})
    closed = close_attempt(book, second, now_missing="the end came first")
    assert closed["hosts"]["web1"]["outcome"] == "not_attempted"
    assert closed["hosts"]["web1"]["in_service"] == "unknown"
    assert book.progress().in_the_middle("web1")
    third = open_(book)
    assert ["web1"] in third.batches
    book.write(third.number, "web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    finish(book, third.number, "web1", HostOutcome.VERIFIED)
    assert not book.progress().in_the_middle("web1")


def test_a_refusal_never_improves_what_is_known_of_a_host(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    first = open_(book)
    finish(book, first.number, "web1", HostOutcome.UNREACHABLE, "no")
    close_attempt(book, first, now_missing="the end came first")
    second = open_(book)
    finish(book, second.number, "web1", HostOutcome.NOT_ATTEMPTED, "yes")
    done = book.progress().outcomes["web1"]
    assert (done.outcome, done.in_service) == (HostOutcome.UNREACHABLE, "no")
    assert book.progress().spent == ["web1"]


def test_what_kept_a_host_back_may_be_gone_the_next_time(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    first = open_(book)
    finish(book, first.number, "web1", HostOutcome.SKIPPED)
    close_attempt(book, first, now_missing="the end came first")
    assert ["web1"] in open_(book).batches


def test_a_host_that_the_plan_could_not_reach_spends_no_budget(tmp_path: Path) -> None:
    book = make_book(tmp_path, web3="unreachable")
    open_(book)
    assert book.progress().outcomes["web3"].outcome is HostOutcome.UNREACHABLE
    assert book.progress().spent == []


def test_an_abandoned_attempt_is_closed_and_says_by_whom(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    open_attempt(book, purpose="apply", runner=runner(1, host="elsewhere"), inventory=ALL, limit=None, now=NOW)
    assert abandon_attempt(book, runner(2)) == 1
    assert book.state.leases("alpha") == []
    assert abandon_attempt(book, runner(2)) is None
    assert open_(book).number == 2
