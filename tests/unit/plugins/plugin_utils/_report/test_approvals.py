# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports say who approved a plan, and who executed each attempt."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import console
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Approved
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.evidence_checks import CHECKS

from .conftest import OPENSSL

KEY = "SHA256:rZHuZzBInQPC1NFXInMejHrQusOEVoP3u1jtnZhcDOw"
APPROVAL = {
    "how": "signature",
    "purpose": "apply",
    "approver": "alice@bank.example",
    "approver_key": KEY,
    "created": "2026-11-20T10:00:00Z",
    "expires": "2026-11-23T10:00:00Z",
    "executor": "",
    "executor_key": "",
}
EXECUTOR = {"principal": "bob", "fingerprint": "SHA256:bobs-key", "statement": "{}", "sshsig": "x"}
IN_AWX = {**APPROVAL, "how": "awx", "approver": "alice", "approver_key": "", "executor": "olivia"}


@pytest.fixture
def approved(book: Any) -> Any:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.write(None, Phase.APPROVE, EntryOutcome.OK, {"approval": APPROVAL})
    return book


def patch(book: Any, **opening: Any) -> None:
    book.open(**opening)
    book.patch("web1", [OPENSSL], HostOutcome.VERIFIED)
    book.close()


def test_the_report_names_approver_and_executor(approved: Any) -> None:
    patch(approved, executor=EXECUTOR)
    report = approved.report()
    (approval,) = report.approvals
    assert (approval.approver, approval.key, approval.purpose) == ("alice@bank.example", KEY, "apply")
    assert approval.expires == datetime(2026, 11, 23, 10, tzinfo=timezone.utc)
    assert (report.attempts[0].executor, report.attempts[0].executor_key) == ("bob", "SHA256:bobs-key")
    lines = console.render(report).splitlines()
    assert (
        f"approved: for apply by alice@bank.example ({KEY}), 2026-11-20 10:00:00 until 2026-11-23 10:00:00 UTC" in lines
    )
    assert "executed: by bob, attempt 1" in lines
    (row,) = approved.document().approvals
    assert (row.approver, row.key, row.expires) == ("alice@bank.example", KEY, "2026-11-23T10:00:00Z")
    assert (approved.document().plans[0].approver, approved.document().plans[0].executor) == (row.approver, "bob")


def test_an_approval_of_awx_is_read_from_the_openings_and_named_once(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    for _attempt in range(2):
        patch(book, awx_approval=IN_AWX)
    report = book.report()
    assert [approval.approver for approval in report.approvals] == ["alice"]
    lines = console.render(report).splitlines()
    assert "approved: for apply by alice in AWX, 2026-11-20 10:00:00 until 2026-11-23 10:00:00 UTC" in lines
    assert "executed: by olivia, attempt 1, 2" in lines
    assert [(row.how, row.key) for row in book.document().approvals] == [("awx", "")]


def test_a_plan_that_needed_no_approval_says_nothing_of_it(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    patch(book)
    report = book.report()
    assert "approved" not in console.render(report)
    assert book.document().approvals == ()


def test_a_host_cannot_claim_an_approval(approved: Any) -> None:
    approved.open()
    claimed = {"approval": {**APPROVAL, "approver": "mallory"}}
    approved.write("web1", Phase.APPROVE, EntryOutcome.OK, claimed)
    approved.write(None, Phase.APPROVE, EntryOutcome.OK, claimed)
    approved.close()
    assert [approval.approver for approval in approved.report().approvals] == ["alice@bank.example"]


@pytest.mark.parametrize("data", [{}, {"approval": "yes"}, {"approval": {**APPROVAL, "expires": "later"}}], ids=str)
def test_a_malformed_approval_is_a_trouble_and_prevents_no_report(book: Any, data: dict[str, Any]) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.write(None, Phase.APPROVE, EntryOutcome.OK, data)
    patch(book)
    report = book.report()
    assert report.approvals == ()
    assert "entry 1 of the ledger is malformed" in report.troubles


def test_names_of_approvers_are_shown_as_text(book: Any) -> None:
    evil = "<script>\x1b[31m"
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.write(None, Phase.APPROVE, EntryOutcome.OK, {"approval": {**APPROVAL, "approver": evil}})
    patch(book, executor={**EXECUTOR, "principal": evil})
    report = book.report()
    assert evil not in book.page()
    assert "\x1b" not in console.render(report)


# Two persons, as far as the ledger says


ALICE = {**EXECUTOR, "principal": "alice@bank.example", "fingerprint": KEY}


def approved_by_another(book: Any) -> tuple[bool, bool]:
    """Whether the check has evidence, and whether it misses something; the row of the plan must agree."""
    document = book.document()
    found = CHECKS["approved_by_another"](document)
    assert all("evidence_verify.yml verifies the signatures" in sentence for sentence in found.evidence)
    assert document.plans[0].approved_by_another is (Approved.NO if found.missing else Approved.YES)
    return bool(found.evidence), bool(found.missing)


def test_an_attempt_that_began_hosts_under_an_approval_of_somebody_else_is_well(approved: Any) -> None:
    patch(approved, executor=EXECUTOR)
    assert approved_by_another(approved) == (True, False)


def test_an_empty_attempt_of_somebody_else_hides_nobody_who_approved_and_executed(approved: Any) -> None:
    patch(approved, executor=ALICE)
    approved.open(executor=EXECUTOR)
    approved.close()
    assert approved_by_another(approved) == (False, True)
    assert approved.document().plans[0].executor == "alice@bank.example"


def test_a_later_approval_makes_no_earlier_attempt_good(approved: Any) -> None:
    patch(approved, executor=ALICE)
    given = approved.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    # Beyond the few minutes by which clocks may differ.
    for _minute in range(10):
        approved.write(None, Phase.PLAN, EntryOutcome.OK, {}, 60)
    late = {**APPROVAL, "approver": "carol", "approver_key": "SHA256:carol", "created": "2026-11-21T02:08:00Z"}
    assert given < late["created"]
    approved.attempt = 0
    approved.write(None, Phase.APPROVE, EntryOutcome.OK, {"approval": late})
    assert approved_by_another(approved) == (False, True)


@pytest.mark.parametrize(
    "executor",
    [
        {},
        {**EXECUTOR, "principal": "alice@bank.example"},
        {**EXECUTOR, "fingerprint": KEY},
        {**EXECUTOR, "fingerprint": ""},
    ],
    ids=["nobody", "same name", "same key", "no key"],
)
def test_whoever_may_be_the_approver_is_nobody_else(approved: Any, executor: dict[str, Any]) -> None:
    patch(approved, **({"executor": executor} if executor else {}))
    assert approved_by_another(approved) == (False, True)


@pytest.mark.parametrize(
    "changed", [{"purpose": "rollback"}, {"expires": "2026-11-21T01:00:00Z"}, {"created": "2026-11-22T10:00:00Z"}]
)
def test_an_approval_that_does_not_hold_for_it_counts_for_nothing(book: Any, changed: dict[str, str]) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.write(None, Phase.APPROVE, EntryOutcome.OK, {"approval": {**APPROVAL, **changed}})
    patch(book, executor=EXECUTOR)
    assert approved_by_another(book) == (False, True)


def test_a_rollback_needs_its_own_approval(approved: Any) -> None:
    patch(approved, executor=EXECUTOR)
    approved.open("rollback", executor=EXECUTOR)
    approved.write("web1", Phase.ROLLBACK, EntryOutcome.INTENT, {})
    approved.judge("web1", HostOutcome.ROLLED_BACK)
    approved.close()
    assert approved_by_another(approved) == (True, True)


def test_an_attempt_that_was_refused_began_nothing_and_is_not_judged(approved: Any) -> None:
    approved.open()
    approved.close()
    patch(approved, executor=EXECUTOR)
    assert approved_by_another(approved) == (True, False)


def test_of_a_plan_of_which_nothing_was_begun_nothing_is_known(approved: Any) -> None:
    assert approved.document().plans[0].approved_by_another is Approved.UNKNOWN
    for more in ({"check_mode": True, "executor": ALICE}, {"purpose": "stage"}):
        patch(approved, **more)
    approved.open(executor=ALICE)
    approved.close()
    assert approved.document().plans[0].approved_by_another is Approved.UNKNOWN


def test_a_plan_whose_policy_asks_for_no_approval_does_not_lack_one(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]], approval="none")
    patch(book)
    assert book.document().plans[0].approved_by_another is Approved.NOT_REQUIRED
    # For an auditor that is no evidence of two persons.
    assert CHECKS["approved_by_another"](book.document()).missing


@pytest.mark.parametrize("approval", ["", "awx"])
def test_what_the_plan_does_not_say_to_be_needless_is_missing(book: Any, approval: str) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]], approval=approval)
    patch(book)
    assert approved_by_another(book) == (False, True)


def test_a_change_whose_beginning_was_left_out_was_begun_all_the_same(approved: Any) -> None:
    approved.open(executor=ALICE)
    approved.write("web1", Phase.APPLY, EntryOutcome.CHANGED, {"before": {}, "after": {}})
    approved.judge("web1", HostOutcome.VERIFIED)
    approved.close()
    assert approved_by_another(approved) == (False, True)


def test_an_outcome_alone_is_somebodys_work_too(approved: Any) -> None:
    approved.open(executor=ALICE)
    approved.judge("web1", HostOutcome.VERIFIED)
    approved.close()
    assert approved_by_another(approved) == (False, True)


def test_the_name_of_a_user_on_the_controller_is_no_executor(approved: Any) -> None:
    patch(approved)
    document = approved.document()
    assert document.plans[0].executor == ""
    assert document.attempts[0].who == "deploy"
    found = CHECKS["executors_known"](document)
    assert (found.evidence, len(found.missing)) == ((), 1)


def test_an_executor_is_recorded_and_not_proven(approved: Any) -> None:
    patch(approved, executor={**EXECUTOR, "sshsig": "garbage"})
    (sentence,) = CHECKS["executors_known"](approved.document()).evidence
    assert "is recorded in the ledger; evidence_verify.yml verifies the signatures" in sentence
    assert "proven" not in sentence


def test_in_awx_names_alone_tell_people_apart(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    patch(book, awx_approval=IN_AWX)
    assert approved_by_another(book) == (True, False)
    patch(book, awx_approval={**IN_AWX, "executor": "alice"})
    assert approved_by_another(book) == (True, True)
