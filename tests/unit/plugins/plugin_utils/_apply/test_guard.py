# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each guard holds back a change by itself, whatever the playbook skipped."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, abandon_attempt, open_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.guard import Permit, permit, refuse_new_hosts
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase

from .plans import NOW, finish, listen, make_book, runner

# An attempt lives as long as its process does.
PROCESS = os.getpid()


def opened(
    book: Book,
    *,
    recorded: bool = True,
    purpose: str = "apply",
    limit: set[str] | None = None,
    check_mode: bool = False,
) -> Attempt:
    who, inventory = runner(PROCESS, check_mode=check_mode), {"web1", "web2", "web3"}
    attempt = open_attempt(book, purpose=purpose, runner=who, inventory=inventory, limit=limit, now=NOW)
    if recorded:
        listen(book, attempt.number)
    return attempt


def ask(book: Book, host: str = "web1", **changed: object) -> Permit:
    # The ledger has the times of this moment.
    now = datetime.now(timezone.utc)
    asked = {"tenant": "alpha", "owner": runner(PROCESS).owner, "purposes": ("apply",), "now": now, **changed}
    return permit(book.state, plan=book.plan, host=host, **asked)  # type: ignore[arg-type]


def refusal(book: Book, host: str = "web1", **changed: object) -> str:
    with pytest.raises(FleetError) as refused:
        ask(book, host, **changed)
    return refused.value.kind


def test_an_open_and_recorded_attempt_permits(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book)
    assert ask(book).document["host"] == "web1"


@pytest.mark.parametrize("of_the_attempt", [True, False])
def test_check_mode_is_that_of_the_attempt_or_nothing_is_done(tmp_path: Path, of_the_attempt: bool) -> None:
    book = make_book(tmp_path)
    opened(book, check_mode=of_the_attempt)
    assert refusal(book, check_mode=not of_the_attempt) == "foreign_attempt"
    assert ask(book, check_mode=of_the_attempt).host == "web1"


def test_without_an_attempt_nothing_is_changed(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    assert refusal(book) == "no_attempt"
    close_attempt(book, opened(book), now_missing="")
    assert refusal(book) == "no_attempt"


def test_another_process_or_purpose_may_not_use_the_attempt(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book)
    assert refusal(book, owner=runner(os.getppid()).owner) == "foreign_attempt"
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


@pytest.mark.parametrize(
    ("outcome", "remedy"),
    [
        (HostOutcome.FAILED, "Mend these hosts, then plan again."),
        (HostOutcome.ROLLED_BACK, "Mend these hosts, then plan again."),
        (HostOutcome.UNREACHABLE, "Get them back, then run patch_apply.yml again."),
    ],
)
def test_a_spent_budget_holds_back_new_hosts(tmp_path: Path, outcome: HostOutcome, remedy: str) -> None:
    book = make_book(tmp_path)
    attempt = opened(book)
    finish(book, attempt.number, "web1", outcome)
    with pytest.raises(FleetError) as refused:
        ask(book, "web2")
    assert (refused.value.kind, refused.value.remedy) == ("budget_spent", remedy)


def test_the_budget_spans_attempts(tmp_path: Path) -> None:
    book = make_book(tmp_path, max_failed=1)
    first = opened(book)
    finish(book, first.number, "web1", HostOutcome.FAILED)
    close_attempt(book, first, now_missing="")
    second = opened(book)
    refuse_new_hosts(book.state, book.head, book.progress(), ["web2"])
    finish(book, second.number, "web2", HostOutcome.FAILED)
    assert refusal(book, "web3") == "budget_spent"


def test_a_cluster_that_misses_a_member_gives_no_other(tmp_path: Path) -> None:
    book = make_book(tmp_path, max_failed=3)
    attempt = opened(book)
    finish(book, attempt.number, "web1", HostOutcome.FAILED, in_service="no")
    assert refusal(book, "web2") == "cluster_short"


def test_a_member_that_is_being_changed_is_away(tmp_path: Path) -> None:
    book = make_book(tmp_path, soak_minutes=0)
    attempt = opened(book)
    book.write(attempt.number, "web1", Phase.APPLY, EntryOutcome.INTENT, {})
    assert refusal(book, "web2") == "cluster_short"
    finish(book, attempt.number, "web1", HostOutcome.VERIFIED)
    assert ask(book, "web2", now=NOW + timedelta(minutes=30)).host == "web2"


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
    abandon_attempt(book, runner(PROCESS))
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
    abandon_attempt(book, runner(PROCESS))
    stage = opened(book, purpose="stage")
    book.write(stage.number, "web1", Phase.STAGE, EntryOutcome.INTENT, {})
    close_attempt(book, stage, now_missing="")
    opened(book)
    assert ask(book, "web1").resumed


def died_in(book: Book, host: str, *, since: HostOutcome | None = None) -> None:
    """An attempt that ended in the middle of a host's change, after it had verified the canary or ``since``."""
    died = opened(book)
    if host != "web1":
        finish(book, died.number, "web1", HostOutcome.VERIFIED)
    book.write(died.number, host, Phase.APPLY, EntryOutcome.INTENT, {})
    if since:
        finish(book, died.number, host, since, in_service="no")
    abandon_attempt(book, runner(PROCESS))


def test_a_wave_whose_turn_has_not_come_holds_back_each_of_its_hosts(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    attempt = opened(book)
    assert refusal(book, "web2") == "wave_incomplete"
    finish(book, attempt.number, "web1", HostOutcome.VERIFIED)
    assert refusal(book, "web2") == "soaking"


def test_with_a_clock_that_was_put_back_nobody_knows_what_soaks(tmp_path: Path) -> None:
    book = make_book(tmp_path, soak_minutes=0)
    finish(book, opened(book).number, "web1", HostOutcome.VERIFIED)
    assert refusal(book, "web2", now=datetime.now(timezone.utc) - timedelta(hours=1)) == "gate_closed"


def test_a_resumed_host_is_brought_to_an_end_whatever_its_wave_waits_for(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    died_in(book, "web2")
    opened(book)
    assert ask(book, "web2").resumed
    assert refusal(book, "web3") == "cluster_short"


def test_a_request_to_stop_holds_back_also_who_is_resumed(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    died_in(book, "web1")
    opened(book)
    book.state.request_stop("alpha", "a person wants to look first")
    assert refusal(book, "web1") == "stopped"


def test_a_resumed_host_does_not_spend_its_own_budget_and_others_do(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    died_in(book, "web1", since=HostOutcome.UNREACHABLE)
    attempt = opened(book)
    assert ask(book, "web1").resumed
    finish(book, attempt.number, "web3", HostOutcome.FAILED)
    assert refusal(book, "web1") == "budget_spent"


def test_a_permit_knows_what_an_earlier_attempt_had_begun(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    died = opened(book)
    for phase, data in ((Phase.APPLY, {}), (Phase.REBOOT, {"boot": "d0c5 100"})):
        book.write(died.number, "web1", phase, EntryOutcome.INTENT, data)
    abandon_attempt(book, runner(PROCESS))
    opened(book)
    reboot = ask(book, "web1").progress.began("web1", Phase.REBOOT)
    assert reboot is not None
    assert (reboot.attempt, reboot.data) == (died.number, {"boot": "d0c5 100"})
    assert ask(book, "web1").progress.began("web1", Phase.ROLLBACK) is None


def test_a_batch_that_nobody_records_does_not_begin(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    opened(book, recorded=False)
    with pytest.raises(FleetError) as refused:
        refuse_new_hosts(book.state, book.head, book.progress(), ["web1"])
    assert refused.value.kind == "not_recorded"


def test_staging_changes_no_service_and_waits_for_no_wave_and_no_budget(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    finish(book, 1, "web1", HostOutcome.FAILED, in_service="no")
    opened(book, purpose="stage")
    (tmp_path / "STOP").touch()
    assert ask(book, "web3", purposes=("stage",)).host == "web3"
    assert refusal(book, "web3") == "foreign_attempt"


def test_the_way_back_waits_for_no_wave_and_no_plan_is_too_old_for_it(tmp_path: Path) -> None:
    book = make_book(tmp_path)
    applied = opened(book)
    finish(book, applied.number, "web2", HostOutcome.VERIFIED)
    close_attempt(book, applied, now_missing="")
    opened(book, purpose="rollback")
    late = NOW + timedelta(hours=2)
    assert ask(book, "web2", purposes=("apply", "rollback"), now=late).host == "web2"
    assert refusal(book, "web2", now=late) == "foreign_attempt"
