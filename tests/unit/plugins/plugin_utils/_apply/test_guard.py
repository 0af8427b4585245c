# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each guard holds back a change by itself, whatever the playbook skipped."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, close_attempt, open_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.guard import Permit, permit
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase

from .plans import NOW, finish, listen, make_book, runner

PROCESS = 4242


def opened(book: Book, *, recorded: bool = True, purpose: str = "apply", limit: set[str] | None = None) -> Attempt:
    attempt = open_attempt(
        book, purpose=purpose, runner=runner(PROCESS), inventory={"web1", "web2", "web3"}, limit=limit, now=NOW
    )
    if recorded:
        listen(book, attempt.number)
    return attempt


def ask(book: Book, host: str = "web1", **changed: object) -> Permit:
    asked = {"tenant": "alpha", "process": PROCESS, "purposes": ("apply",), "now": NOW, **changed}
    return permit(book.state, plan=book.plan, host=host, **asked)  # type: ignore[arg-type]


def refusal(book: Book, host: str = "web1", **changed: object) -> str:
    with pytest.raises(FleetError) as refused:
        ask(book, host, **changed)
    return refused.value.kind


def test_an_open_and_recorded_attempt_permits(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book)
    assert ask(book).document["host"] == "web1"


def test_without_an_attempt_nothing_is_changed(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    assert refusal(book) == "no_attempt"
    close_attempt(book, opened(book), now_missing="")
    assert refusal(book) == "no_attempt"


def test_another_process_or_purpose_may_not_use_the_attempt(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book)
    assert refusal(book, process=PROCESS + 1) == "foreign_attempt"
    assert refusal(book, purposes=("stage",)) == "foreign_attempt"


def test_an_attempt_that_nobody_records_changes_nothing(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book, recorded=False)
    assert refusal(book) == "not_recorded"


def test_an_expired_plan_changes_nothing_even_when_its_attempt_is_open(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book)
    assert refusal(book, now=NOW + timedelta(hours=2)) == "plan_expired"


def test_a_plan_that_was_changed_is_refused(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book)
    plan = next(tmp_path.rglob("plan.json"))
    plan.chmod(0o600)
    plan.write_bytes(plan.read_bytes().replace(b'"max_failed":0', b'"max_failed":9'))
    assert refusal(book) == "plan_changed"


def test_a_hosts_document_that_was_changed_is_refused(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book)
    document = next(path for path in tmp_path.rglob("*web1*") if path.is_file())
    document.chmod(0o600)
    document.write_bytes(document.read_bytes().replace(b"{", b'{"more":1,', 1))
    assert refusal(book) == "plan_changed"


def test_another_tenants_plan_is_not_found(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book)
    assert refusal(book, tenant="beta") == "plan_missing"


def test_hosts_that_the_plan_or_the_attempt_leaves_alone_are_left_alone(tmp_path: Path) -> None:
    book = make_book(tmp_path, web3="skipped")
    opened(book, limit={"web1"})
    assert refusal(book, "web3") == "host_not_planned"
    assert refusal(book, "web9") == "host_not_planned"
    assert refusal(book, "web2") == "host_not_in_attempt"


def test_a_stop_file_holds_back_new_hosts_and_lets_begun_ones_finish(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    attempt = opened(book)
    book.write(attempt.number, "web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    (tmp_path / "STOP").touch()
    assert ask(book, "web1").host == "web1"
    assert refusal(book, "web2") == "stopped"


@pytest.mark.parametrize("outcome", [HostOutcome.FAILED, HostOutcome.ROLLED_BACK, HostOutcome.UNREACHABLE])
def test_a_spent_budget_holds_back_new_hosts(tmp_path: Path, outcome: HostOutcome) -> None:
    book = make_book(tmp_path)
    attempt = opened(book)
    finish(book, attempt.number, "web1", outcome)
    assert refusal(book, "web2") == "budget_spent"


def test_the_budget_spans_attempts(tmp_path: Path) -> None:
    book = make_book(tmp_path, max_failed=1)
    first = opened(book)
    finish(book, first.number, "web1", HostOutcome.FAILED)
    close_attempt(book, first, now_missing="")
    second = opened(book)
    assert ask(book, "web2").attempt.number == 2
    finish(book, second.number, "web2", HostOutcome.FAILED)
    assert refusal(book, "web3") == "budget_spent"


def test_a_cluster_that_misses_a_member_gives_no_other(tmp_path: Path) -> None:
    book = make_book(tmp_path, max_failed=3)
    attempt = opened(book)
    finish(book, attempt.number, "web1", HostOutcome.FAILED, in_service="no")
    assert refusal(book, "web2") == "cluster_short"


def test_a_member_that_is_being_changed_is_away(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    attempt = opened(book)
    book.write(attempt.number, "web1", Phase.APPLY, EntryOutcome.INTENT, {})
    assert refusal(book, "web2") == "cluster_short"
    finish(book, attempt.number, "web1", HostOutcome.VERIFIED)
    assert ask(book, "web2").host == "web2"


def test_a_step_that_was_skipped_is_missed(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    attempt = opened(book)
    with pytest.raises(FleetError) as refused:
        ask(book).require(Phase.PREFLIGHT)
    assert refused.value.kind == "step_missing"
    book.write(attempt.number, "web1", Phase.PREFLIGHT, EntryOutcome.FAILED, {})
    with pytest.raises(FleetError):
        ask(book).require(Phase.PREFLIGHT)
    book.write(attempt.number, "web1", Phase.PREFLIGHT, EntryOutcome.OK, {})
    ask(book).require(Phase.PREFLIGHT)


def test_an_intent_is_in_the_ledger_before_the_change(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book)
    ask(book).note_intent(Phase.APPLY, {"packages": 3})
    last = list(book.state.entries("alpha", book.plan))[-1]
    assert b'"outcome":"intent"' in last
    assert b'"host":"web1"' in last


def test_a_host_in_work_is_finished_when_its_plan_expires(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    attempt = opened(book)
    book.write(attempt.number, "web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    assert ask(book, "web1", now=NOW + timedelta(hours=2)).host == "web1"


def test_a_member_whose_service_is_not_known_counts_as_away(tmp_path: Path) -> None:
    book = make_book(tmp_path, max_failed=3)
    attempt = opened(book)
    finish(book, attempt.number, "web1", HostOutcome.SKIPPED, in_service="unknown")
    assert refusal(book, "web2") == "cluster_short"


def test_a_permit_knows_what_was_staged_and_who_is_resumed(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    stage = opened(book, purpose="stage")
    book.write(stage.number, "web1", Phase.STAGE, EntryOutcome.CHANGED, {})
    close_attempt(book, stage, now_missing="")
    died = opened(book)
    book.write(died.number, "web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    book.write(died.number, None, Phase.CLOSE, EntryOutcome.FAILED, {})
    opened(book)
    assert (ask(book, "web1").staged, ask(book, "web1").resumed) == (True, True)
    assert refusal(book, "web2") == "cluster_short"


def test_a_host_that_went_away_in_its_change_is_resumed_and_does_not_stand_in_its_own_way(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    first = opened(book)
    book.write(first.number, "web1", Phase.APPLY, EntryOutcome.INTENT, {})
    finish(book, first.number, "web1", HostOutcome.UNREACHABLE, in_service="no")
    close_attempt(book, first, now_missing="")
    opened(book)
    assert ask(book, "web1").resumed
    assert refusal(book, "web2") == "budget_spent"


def test_staging_again_does_not_hide_that_a_host_is_in_the_middle(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    died = opened(book)
    book.write(died.number, "web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    book.write(died.number, None, Phase.CLOSE, EntryOutcome.FAILED, {})
    stage = opened(book, purpose="stage")
    book.write(stage.number, "web1", Phase.STAGE, EntryOutcome.INTENT, {})
    close_attempt(book, stage, now_missing="")
    opened(book)
    assert ask(book, "web1").resumed
