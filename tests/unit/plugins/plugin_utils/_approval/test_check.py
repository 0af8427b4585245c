# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approvals from the signature to the guard that asks for them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.statement import APPROVAL_NAMESPACE, Statement
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries, verify

from .conftest import NOW, People, publish
from .steps import approve, open_by, refused, require

# What holds


def test_a_plan_approved_by_somebody_else_may_be_applied(book: Book, people: People) -> None:
    made = approve(book, people, "alice")
    found = require(book, people, open_by(book, people, "bob"))
    assert found is not None
    assert (found.approver, found.executor, found.purpose) == ("alice", "bob", "apply")
    assert (found.approver_key, found.created, found.expires) == (made.approver_key, made.created, made.expires)
    assert found.executor_key.startswith("SHA256:")


def test_an_approval_is_kept_as_an_auditor_can_check_it_and_recorded(
    book: Book, people: People, tmp_path: Path
) -> None:
    approve(book, people, "alice")
    folder = tmp_path / "state/tenants/alpha/plans" / book.plan / "approvals"
    assert json.loads((folder / "1.json").read_bytes()) == {
        "format": 1,
        "plan": book.plan,
        "tenant": "alpha",
        "purpose": "apply",
        "approver": "alice",
        "created": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
        "expires": f"{NOW + timedelta(hours=72):%Y-%m-%dT%H:%M:%SZ}",
    }
    assert (folder / "1.sig").read_text().startswith("-----BEGIN SSH SIGNATURE-----")
    (entry,) = read_entries(book.state.entries("alpha", book.plan))
    assert (entry["phase"], entry["attempt"], entry["outcome"]) == ("approve", 0, "ok")
    assert entry["data"]["approval"]["approver"] == "alice"
    assert verify(book.state.entries("alpha", book.plan)).ok


def test_the_first_approval_that_holds_counts(book: Book, people: People) -> None:
    approve(book, people, "carol")
    approve(book, people, "alice")
    found = require(book, people, open_by(book, people, "carol"))
    assert found is not None
    assert found.approver == "alice"


def test_an_approval_never_outlives_its_plan(book: Book, people: People) -> None:
    people.policy["approval_hours"] = 1000
    assert approve(book, people, "alice").expires == f"{NOW + timedelta(hours=100):%Y-%m-%dT%H:%M:%SZ}"
    rollback = approve(book, people, "alice", "rollback", now=NOW + timedelta(hours=200))
    assert rollback.expires == f"{NOW + timedelta(hours=1200):%Y-%m-%dT%H:%M:%SZ}"


def test_a_policy_without_approval_asks_for_none(book: Book, people: People) -> None:
    people.policy["approval"] = "none"
    assert require(book, people, {}) is None


def test_a_policy_that_does_not_say_is_no_permission(book: Book, people: People) -> None:
    del people.policy["approval"]
    with pytest.raises(KeyError):
        require(book, people, {})


def test_the_commands_that_auditors_are_given_check_both_signatures(book: Book, people: People, tmp_path: Path) -> None:
    people.list(people.line("alice", listed_as="alice@bank.example"), people.line("bob", listed_as="bob@bank.example"))
    approve(book, people, "alice")
    open_by(book, people, "bob")
    page = (Path(__file__).parents[5] / "docs/approval.md").read_text(encoding="utf-8")
    commands = [block.partition("```")[0] for block in page.split("```shell\n") if "-Y verify" in block]
    folder = tmp_path / "state/tenants/alpha/plans" / book.plan
    (folder / "allowed_signers").write_text(people.signers.read_text())
    said = [
        subprocess.run(["bash", "-euc", block], cwd=folder, capture_output=True, text=True, check=False)
        for block in commands
    ]
    assert [done.returncode for done in said] == [0, 0], [done.stderr for done in said]
    assert f"{book.plan}  plan.json" in said[0].stdout
    assert 'Good "bankops-fleet-approval" signature for alice@bank.example with ED25519 key SHA256:' in said[0].stdout
    assert 'Good "bankops-fleet-attempt" signature for bob@bank.example with ED25519 key SHA256:' in said[1].stdout


# What does not


def test_a_plan_that_nobody_approved_is_refused(book: Book, people: People) -> None:
    refusal = refused(book, people, open_by(book, people, "bob"))
    assert refusal.kind == "not_approved"
    assert refusal.message == f"Plan {book.plan[:16]} of tenant alpha is not approved."
    assert f"patch_approve={book.plan[:16]}" in refusal.remedy


def test_an_approval_for_another_purpose_is_refused(book: Book, people: People) -> None:
    approve(book, people, "alice", "rollback")
    refusal = refused(book, people, open_by(book, people, "bob"))
    assert refusal.kind == "not_approved"
    assert "is for rollback, not for apply" in refusal.message


def test_an_expired_approval_is_refused(book: Book, people: People) -> None:
    approve(book, people, "alice")
    refusal = refused(book, people, open_by(book, people, "bob"), now=NOW + timedelta(hours=72))
    assert refusal.kind == "approval_expired"
    assert f"expired at {NOW + timedelta(hours=72):%Y-%m-%dT%H:%M:%SZ}" in refusal.message


def test_the_policy_may_shorten_an_approval_that_says_more(book: Book, people: People) -> None:
    approve(book, people, "alice")
    people.policy["approval_hours"] = 1
    assert refused(book, people, open_by(book, people, "bob"), now=NOW + timedelta(hours=2)).kind == "approval_expired"


def test_the_executors_own_approval_is_refused(book: Book, people: People) -> None:
    approve(book, people, "carol")
    refusal = refused(book, people, open_by(book, people, "carol"))
    assert refusal.kind == "approval_own"
    assert "carol, who approved, executes as well" in refusal.message


def test_the_same_key_under_another_name_is_refused(book: Book, people: People) -> None:
    people.list(
        people.line("carol", 'namespaces="bankops-fleet-approval"', listed_as="the-approver"),
        people.line("carol", 'namespaces="bankops-fleet-attempt"', listed_as="the-executor"),
    )
    approve(book, people, "carol")
    refusal = refused(book, people, open_by(book, people, "carol"))
    assert refusal.kind == "approval_own"


def test_another_key_of_the_same_person_is_refused(book: Book, people: People) -> None:
    people.list(people.line("alice", listed_as="al,alice"), people.line("bob", listed_as="alice"))
    approve(book, people, "alice")
    assert refused(book, people, open_by(book, people, "bob")).kind == "approval_own"


def test_an_approval_of_another_plan_is_refused(book: Book, people: People, tmp_path: Path) -> None:
    other = publish(tmp_path / "state", "alpha", "2026-12")
    approve(other, people, "alice")
    book.state.put_approval("alpha", book.plan, *book.state.approvals("alpha", other.plan)[0])
    refusal = refused(book, people, open_by(book, people, "bob"))
    assert refusal.kind == "approval_foreign"
    assert f"is of plan {other.plan[:16]} of tenant alpha, and not of plan {book.plan[:16]}" in refusal.message


def test_an_approval_for_another_tenant_is_refused(book: Book, people: People) -> None:
    statement = Statement(book.plan, "beta", "apply", "alice", NOW, NOW + timedelta(hours=1)).as_bytes()
    book.state.put_approval("alpha", book.plan, statement, signed(people, "alice", statement))
    assert refused(book, people, open_by(book, people, "bob")).kind == "approval_foreign"


def signed(people: People, name: str, statement: bytes, namespace: str = APPROVAL_NAMESPACE) -> str:
    return sshsig.sign(statement, people.keys[name], namespace)


def statement_of(book: Book, **changes: Any) -> bytes:
    hour = NOW + timedelta(hours=1)
    said = {"created": f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "expires": f"{hour:%Y-%m-%dT%H:%M:%SZ}", "format": 1}
    return canonical(
        {"plan": book.plan, "tenant": book.tenant, "purpose": "apply", "approver": "alice", **said, **changes}
    )


@pytest.mark.parametrize(
    ("name", "make", "why"),
    [
        ("alice", lambda _book: b"no JSON", "is no approval"),
        ("alice", lambda _book: b"[1]", "is no approval"),
        ("alice", lambda book: statement_of(book, format=2), "is no approval"),
        ("alice", lambda book: statement_of(book, plan=1), "is no approval"),
        ("alice", lambda book: statement_of(book, created="2026-11-24T10:00:00"), "is no approval"),
        ("alice", lambda book: statement_of(book, also="rollback"), "is no approval"),
        ("alice", lambda book: statement_of(book).replace(b",", b", "), "is no approval"),
        ("alice", lambda book: statement_of(book, approver="carol"), "says that it is of carol, and alice signed it"),
        ("bob", statement_of, "bob may not sign this"),
        ("mallory", statement_of, "is not in"),
    ],
)
def test_a_statement_that_is_not_what_it_should_be_is_refused(
    book: Book, people: People, name: str, make: Callable[[Book], bytes], why: str
) -> None:
    statement = make(book)
    book.state.put_approval("alpha", book.plan, statement, signed(people, name, statement))
    refusal = refused(book, people, open_by(book, people, "bob"))
    assert refusal.kind == "approval_invalid"
    assert why in refusal.message


@pytest.mark.parametrize(("ahead", "holds"), [(timedelta(minutes=5), True), (timedelta(minutes=5, seconds=1), False)])
def test_an_approval_of_the_future_is_refused_where_clocks_do_not_explain_it(
    book: Book, people: People, ahead: timedelta, holds: bool
) -> None:
    created = NOW + ahead
    statement = Statement(book.plan, "alpha", "apply", "alice", created, created + timedelta(hours=1)).as_bytes()
    book.state.put_approval("alpha", book.plan, statement, signed(people, "alice", statement))
    opening = open_by(book, people, "bob")
    if holds:
        assert require(book, people, opening, now=NOW) is not None
        return
    refusal = refused(book, people, opening, now=NOW)
    assert refusal.kind == "approval_invalid"
    assert f"will be given at {created:%Y-%m-%dT%H:%M:%SZ}" in refusal.message


def test_an_altered_approval_is_refused(book: Book, people: People, tmp_path: Path) -> None:
    approve(book, people, "alice")
    path = tmp_path / "state/tenants/alpha/plans" / book.plan / "approvals/1.json"
    path.write_bytes(path.read_bytes().replace(b'"expires":"2', b'"expires":"3'))
    refusal = refused(book, people, open_by(book, people, "bob"))
    assert refusal.kind == "approval_invalid"
    assert "The signature is not of this statement" in refusal.message


def test_an_approval_without_its_signature_is_refused(book: Book, people: People, tmp_path: Path) -> None:
    approve(book, people, "alice")
    (tmp_path / "state/tenants/alpha/plans" / book.plan / "approvals/1.sig").unlink()
    assert refused(book, people, open_by(book, people, "bob")).kind == "approval_invalid"


def test_an_executors_signature_approves_nothing(book: Book, people: People) -> None:
    statement = statement_of(book, approver="carol")
    book.state.put_approval("alpha", book.plan, statement, signed(people, "carol", statement, "bankops-fleet-attempt"))
    assert refused(book, people, open_by(book, people, "bob")).kind == "approval_invalid"


def test_a_key_that_was_taken_from_the_list_approves_no_more(book: Book, people: People) -> None:
    approve(book, people, "alice")
    opening = open_by(book, people, "bob")
    people.list(people.line("bob"))
    assert refused(book, people, opening).kind == "approval_invalid"
    people.signers.unlink()
    assert "cannot be read" in refused(book, people, opening).message


def test_every_approval_that_does_not_hold_is_named(book: Book, people: People) -> None:
    approve(book, people, "alice", "rollback")
    approve(book, people, "carol")
    refusal = refused(book, people, open_by(book, people, "carol"))
    assert "for rollback" in refusal.message
    assert "executes as well" in refusal.message
    assert [found["kind"] for found in refusal.data["refusals"]] == ["not_approved", "approval_own"]
