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
