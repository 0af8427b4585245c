# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the holder of a sealing key writes into a ledger still needs the signatures of others, and times that go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.statement import ATTEMPT_NAMESPACE, Opening
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest_of_bytes
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import as_text, moment_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.keys import signers_line
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.verification import Wanted, verify_evidence
from ansible_collections.bankops.fleet.tests.fakes.forging import Entries, bundle, forge, reseal, sign
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site, make_key, utc_now

ATTEMPT = "ledger.jsonl, attempt 1"
NONE = {"failed": 0, "not_attempted": 0, "rolled_back": 0, "skipped": 0, "unreachable": 0, "verified": 0}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Three months of tenant alpha, sealed."""
    made = Site(tmp_path_factory.mktemp("site"))
    made.history()
    return made


@pytest.fixture
def bundles(site: Site, tmp_path: Path) -> Path:
    """A copy of what was sealed, for a test to spoil."""
    shutil.copytree(site.bundles, tmp_path / "bundles")
    return tmp_path / "bundles"


def found(site: Site, bundles: Path, **wanted: Any) -> set[tuple[str, str]]:
    """The kind and the place of each finding, all of them about the last seal."""
    findings = site.verify(bundles, **wanted)
    assert {finding.subject for finding in findings} <= {"seal 3"}
    return {(finding.kind.value, finding.where) for finding in findings}


def notes(site: Site, bundles: Path, signers: Path | None = None) -> list[tuple[str, ...]]:
    """What is noted of each bundle."""
    wanted = Wanted(site.signers, signers, [], [], None, utc_now())
    return [looked.notes for looked in verify_evidence(bundles, None, wanted).bundles]


def later(entry: dict[str, Any], by: timedelta) -> dict[str, Any]:
    """An entry at another time."""
    moment = moment_of(entry["time"]) + by
    return {**entry, "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def in_opening(**changes: str) -> Callable[[Entries], Entries]:
    def change(entries: Entries) -> Entries:
        for entry in entries:
            if "opening" in entry["data"]:
                entry["data"]["opening"]["executor"].update(changes)
        return entries

    return change


def in_approval(**changes: str) -> Callable[[Entries], Entries]:
    def change(entries: Entries) -> Entries:
        for entry in entries:
            if "approval" in entry["data"]:
                entry["data"]["approval"].update(changes)
        return entries

    return change


@pytest.mark.parametrize(
    ("change", "wanted", "words"),
    [
        (in_opening(principal="dave"), ("executor_unproven", ATTEMPT), "bob signed the opening"),
        (in_opening(fingerprint="SHA256:other"), ("executor_unproven", ATTEMPT), "names bob with the key SHA256:other"),
        (in_approval(approver="eve"), ("approval_invalid", "approvals/1.json"), "approver eve"),
        (in_approval(approver_key="SHA256:eve"), ("approval_invalid", "approvals/1.json"), "approver_key SHA256:eve"),
        (in_approval(purpose="rollback"), ("approval_invalid", "approvals/1.json"), "purpose rollback"),
        (in_approval(expires="2199-01-01T00:00:00Z"), ("approval_invalid", "approvals/1.json"), "expires 2199"),
        (in_approval(statement_sha256="0" * 64), ("approval_invalid", "approvals"), "records, and are not here: 1"),
    ],
)
def test_a_ledger_that_names_others_than_those_who_signed_is_found(
    site: Site, bundles: Path, change: Callable[[Entries], Entries], wanted: tuple[str, str], words: str
) -> None:
    forge(bundle(bundles, 3), site.keys["alpha"], change)
    assert wanted in found(site, bundles)
    assert words in "\n".join(finding.what for finding in site.verify(bundles))


def test_names_of_one_key_may_stand_in_any_order(site: Site, bundles: Path) -> None:
    folder = bundle(bundles, 3)
    people = folder / "allowed_signers.approvals"
    people.write_text(people.read_text().replace("alice ", "a.smith,alice ").replace("bob ", "b.jones,bob "))
    reseal(folder)
    sign(folder, site.keys["alpha"])
    assert found(site, bundles) == set()


@pytest.mark.parametrize("approval", ["none", "awx"])
def test_an_approval_of_a_plan_that_takes_none_is_found(tmp_path: Path, approval: str) -> None:
    site = Site(tmp_path)
    book = site.freeze(approval=approval, expires=timedelta(seconds=-1))
    book.write(0, None, Phase.APPROVE, EntryOutcome.OK, {"approval": {"approver": "eve"}})
    site.report(book)
    site.seal(book)
    assert {(finding.kind.value, finding.where) for finding in site.verify()} == {("approval_invalid", "approvals")}


def of_another_host(entries: Entries) -> Entries:
    begun = next(number for number, entry in enumerate(entries) if entry["outcome"] == "intent")
    other = {**entries[begun], "host": "beta-db1"}
    done = {**other, "phase": "outcome", "outcome": "verified", "data": {"in_service": "yes", "reason": ""}}
    return [*entries[: begun + 1], other, done, *entries[begun + 1 :]]


def unapproved_and_unchanged(entries: Entries) -> Entries:
    """Steps that changed something, of hosts of which it is said that there was nothing to change."""
    changed = {"outcome": "changed", "data": {"msg": "upgraded openssl"}}
    kept = [entry for entry in entries if entry["phase"] != "approve"]
    steps = [{**entry, **changed} if entry["outcome"] == "intent" else entry for entry in kept]
    return [{**entry, "outcome": "unchanged"} if entry["phase"] == "outcome" else entry for entry in steps]


def after_the_close(entries: Entries) -> Entries:
    intent = next(entry for entry in entries if entry["outcome"] == "intent")
    outcome = next(entry for entry in entries if entry["phase"] == "outcome")
    return [*entries, *({**entry, "time": entries[-1]["time"]} for entry in (intent, outcome))]


def test_a_host_that_the_plan_does_not_have_is_found_as_changed(site: Site, bundles: Path) -> None:
    forge(bundle(bundles, 3), site.keys["alpha"], of_another_host)
    assert found(site, bundles) == {("change_unplanned", ATTEMPT)}


def test_a_host_that_the_plan_leaves_as_it_is_is_found_as_changed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    book = site.freeze(approval="none", decisions={"web2": "skipped"})
    site.apply(book)
    site.report(book)
    site.seal(book)
    (finding,) = site.verify()
    assert (finding.kind, finding.what) == ("change_unplanned", "web2 changed, and the plan does not change them")


def test_steps_that_changed_hosts_need_an_approval_whatever_their_outcome_is_called(site: Site, bundles: Path) -> None:
    folder = bundle(bundles, 3)
    for path in (folder / "approvals").iterdir():
        path.unlink()
    forge(folder, site.keys["alpha"], unapproved_and_unchanged, hosts={**NONE, "unchanged": 2})
    assert found(site, bundles) == {("approval_missing", ATTEMPT)}


def test_a_change_that_was_begun_after_the_close_is_found(site: Site, bundles: Path) -> None:
    forge(bundle(bundles, 3), site.keys["alpha"], after_the_close)
    assert found(site, bundles) == {("approval_missing", ATTEMPT)}
    (finding,) = site.verify(bundles)
    assert finding.what == "the change of web1 was begun after the attempt was closed"


@pytest.mark.parametrize("minutes", [-10, 40])
def test_an_attempt_that_is_dated_otherwise_than_it_was_signed_is_found(
    site: Site, bundles: Path, minutes: int
) -> None:
    by = timedelta(minutes=minutes)
    sealed = as_text(utc_now() + max(by, timedelta()))
    # Of what was before, and must stay so, the times are moved as well; its approval is as it was signed.
    forge(
        bundle(bundles, 3),
        site.keys["alpha"],
        lambda entries: [later(entry, by) if entry["attempt"] or minutes < 0 else entry for entry in entries],
        sealed=sealed,
    )
    assert ("executor_unproven", ATTEMPT) in found(site, bundles)


def test_a_key_that_expired_before_it_signed_proves_no_executor_whatever_the_ledger_is_dated(
    site: Site, bundles: Path
) -> None:
    folder = bundle(bundles, 3)
    entries = [json.loads(line) for line in (folder / "ledger.jsonl").read_bytes().splitlines()]
    opened = next(moment_of(entry["time"]) for entry in entries if "opening" in entry["data"]).replace(microsecond=0)
    people = folder / "allowed_signers.approvals"
    until = f'valid-before="{opened + timedelta(minutes=1):%Y%m%d%H%M%S}Z",namespaces="bankops-fleet-attempt"'
    people.write_text(people.read_text().replace('namespaces="bankops-fleet-attempt"', until))

    def signed(at: datetime) -> Callable[[Entries], Entries]:
        statement = Opening(entries[0]["plan"], "alpha", 1, "apply", at).as_bytes()
        signature = sshsig.pack(sshsig.sign(statement, site.keys["bob"], ATTEMPT_NAMESPACE))
        return in_opening(statement=statement.decode(), sshsig=signature)

    forge(folder, site.keys["alpha"], signed(opened + timedelta(seconds=59)))
    assert found(site, bundles) == set()
    forge(folder, site.keys["alpha"], signed(opened + timedelta(minutes=2)))
    assert found(site, bundles) == {("executor_unproven", ATTEMPT)}


def test_lines_of_another_cycle_are_found(site: Site, bundles: Path) -> None:
    forge(
        bundle(bundles, 3),
        site.keys["alpha"],
        lambda entries: [*entries[:1], *({**entry, "cycle": "2031-01"} for entry in entries[1:])],
    )
    assert {kind for kind, _where in found(site, bundles)} == {"ledger_broken"}


def test_a_seal_that_is_older_than_what_it_closes_and_follows_is_found(site: Site, bundles: Path) -> None:
    forge(bundle(bundles, 3), site.keys["alpha"], list, sealed="2026-01-01T00:00:00Z")
    folder = bundle(bundles, 3).name
    assert found(site, bundles) == {("facts_differ", "seal.json"), ("chain_broken", folder)}


def test_a_key_that_has_expired_makes_no_seal_anew_by_an_early_date(site: Site, bundles: Path, tmp_path: Path) -> None:
    old, folder = make_key(tmp_path, "old"), bundle(bundles, 3)
    line = signers_line("alpha", old).replace("namespaces=", 'valid-before="20260101",namespaces=')
    signers = tmp_path / "signers"
    signers.write_text(site.signers.read_text() + line)
    forge(folder, old, list, sealed="2025-06-01T00:00:00Z")
    assert {("facts_differ", "seal.json"), ("chain_broken", folder.name)} == found(site, bundles, signers=signers)


def test_who_puts_another_list_of_people_into_a_bundle_can_sign_for_them_and_is_noted(
    site: Site, bundles: Path, tmp_path: Path
) -> None:
    folder = bundle(bundles, 3)
    forged = {name: make_key(tmp_path, name) for name in ("alice", "bob", "eve")}
    namespaces = {"alice": "approval", "bob": "attempt", "eve": "attempt"}
    (folder / "allowed_signers.approvals").write_text(
        "".join(
            f'{name} namespaces="bankops-fleet-{namespaces[name]}" {key.with_suffix(".pub").read_text()}'
            for name, key in forged.items()
        )
    )
    content = (folder / "approvals/1.json").read_bytes()
    signature = sshsig.sign(content, forged["alice"], "bankops-fleet-approval")
    (folder / "approvals/1.sig").write_text(signature)
    keys = {name: fingerprint(path) for name, path in forged.items()}

    def signed(entries: Entries) -> Entries:
        for entry in in_approval(approver_key=keys["alice"])(entries):
            if "opening" in entry["data"]:
                own = entry["data"]["opening"]["executor"]
                own["sshsig"] = sshsig.pack(sshsig.sign(own["statement"].encode(), forged["bob"], ATTEMPT_NAMESPACE))
                own["fingerprint"] = keys["bob"]
        return entries

    forge(folder, site.keys["alpha"], signed)
    own = "approvers and executors are judged by the list in the bundle itself"
    changed = "its list of approvers and executors is not that of seal 2: gone: alice, bob, carol; new: alice, bob, eve"
    assert found(site, bundles) == set()
    assert notes(site, bundles) == [(own,), (own,), (changed, own)]
    # With a list of one's own it is found, and there is nothing to note.
    assert {kind for kind, _where in found(site, bundles, approval_signers=site.people)} == {
        "approval_invalid",
        "executor_unproven",
    }
    assert notes(site, bundles, site.people) == [(), (), ()]


def fingerprint(key: Path) -> str:
    signature = sshsig.sign(b"x", key, "x")
    signers = key.with_suffix(".signers")
    signers.write_text(f"x {key.with_suffix('.pub').read_text()}")
    return sshsig.verify(b"x", signature, signers, "x").fingerprint


def test_a_list_that_says_the_same_otherwise_is_no_other_list(site: Site, bundles: Path) -> None:
    folder = bundle(bundles, 3)
    people = folder / "allowed_signers.approvals"
    people.write_text(f"# who may\n\n{''.join(reversed(people.read_text().splitlines(keepends=True)))}")
    assert digest_of_bytes(people.read_bytes()) != digest_of_bytes(site.people.read_bytes())
    reseal(folder)
    sign(folder, site.keys["alpha"])
    assert found(site, bundles) == set()
    assert [len(of_bundle) for of_bundle in notes(site, bundles)] == [1, 1, 1]
