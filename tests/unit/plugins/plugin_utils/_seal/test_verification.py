# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What verification says of people, of the state, and of months, when every bundle is what was sealed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical, digest
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.chain import check_months, read_anchors
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.console import render
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.findings import Finding, FindingKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import Why
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.sealing import seal_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.verification import Wanted, verify_evidence
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site, utc_now
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._apply.plans import dead_process


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def named(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.kind.value, finding.subject) for finding in findings}


def sealed_with(site: Site, *, approver: str | None, executor: str, **how: Any) -> Book:
    """A plan that was sealed although the guards would have refused it: they can be gone around, seals cannot."""
    book = site.freeze(**how)
    if approver:
        site.approve(book, approver)
    site.apply(book, executor)
    site.report(book)
    site.seal(book)
    return book


def test_who_approved_and_executed_is_named(site: Site) -> None:
    sealed_with(site, approver="carol", executor="carol")
    assert named(site.verify()) == {("approval_own", "seal 1")}
    (finding,) = site.verify()
    assert finding.what == "carol approved and executed the change of web1, web2"


def test_who_approved_and_executed_is_named_also_under_awx(site: Site) -> None:
    book = site.freeze(approval="awx")
    now = utc_now()
    found = {
        "how": "awx",
        "plan": book.plan,
        "tenant": "alpha",
        "purpose": "apply",
        "approver": "dora",
        "approver_key": "",
        "executor": "dora",
        "created": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "expires": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "workflow_job": 1,
        "approval": 2,
    }
    site.apply(book, proof={"awx_approval": found})
    site.report(book)
    site.seal(book)
    assert named(site.verify()) == {("approval_own", "seal 1")}


def test_a_change_without_approval_is_named(site: Site) -> None:
    sealed_with(site, approver=None, executor="bob")
    assert named(site.verify()) == {("approval_missing", "seal 1")}


def test_an_approval_for_another_purpose_is_none(site: Site) -> None:
    book = site.freeze()
    site.approve(book, purpose="rollback")
    site.apply(book)
    site.report(book)
    site.seal(book)
    assert named(site.verify()) == {("approval_missing", "seal 1")}


def test_signatures_of_people_are_judged_by_the_list_of_the_auditor(site: Site, tmp_path: Path) -> None:
    sealed_with(site, approver="alice", executor="bob")
    assert site.verify() == []
    other = tmp_path / "others"
    other.write_text(site.people.read_text().replace("alice ", "ailce "))
    assert named(site.verify(approval_signers=other)) == {
        ("approval_invalid", "seal 1"),
        ("approval_missing", "seal 1"),
    }
    other.write_text("")
    found = named(site.verify(approval_signers=other))
    assert found == {("approval_invalid", "seal 1"), ("executor_unproven", "seal 1")}


def test_keys_that_have_expired_since_were_good_when_they_signed(site: Site) -> None:
    tomorrow = f"{datetime.now(timezone.utc) + timedelta(days=1):%Y%m%d}Z"
    for file in (site.signers, site.people):
        file.write_text(file.read_text().replace(" namespaces=", f' valid-before="{tomorrow}",namespaces='))
    sealed_with(site, approver="alice", executor="bob")
    assert site.verify(now=utc_now() + timedelta(days=700)) == []
    yesterday = f"{datetime.now(timezone.utc) - timedelta(days=1):%Y%m%d}Z"
    site.signers.write_text(site.signers.read_text().replace(tomorrow, yesterday))
    assert named(site.verify()) == {("signer_unknown", "seal 1")}


def test_an_approval_that_the_ledger_does_not_know_is_named(site: Site) -> None:
    book = site.freeze()
    site.approve(book)
    (statement, signature) = site.state.approvals("alpha", book.plan)[0]
    site.apply(book)
    # Given after the fact, and put beside the plan by hand.
    later = json.loads(statement)
    site.state.put_approval("alpha", book.plan, canonical({**later, "purpose": "rollback"}), signature)
    site.report(book)
    site.seal(book)
    assert named(site.verify()) == {("approval_invalid", "seal 1")}


def test_a_seal_that_says_more_than_its_ledger_is_named_although_it_is_signed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = site.freeze(expires=timedelta(seconds=-1))
    site.report(book)
    module = "ansible_collections.bankops.fleet.plugins.plugin_utils._seal"
    with monkeypatch.context() as lying:
        lying.setattr(f"{module}.facts.count", lambda *_given: {"verified": 2})
        lying.setattr(f"{module}.sealing.why_closed", lambda *_given: Why.COMPLETE)
        site.seal(book)
    found = [finding.what for finding in site.verify() if finding.kind is FindingKind.FACTS_DIFFER]
    assert found == [
        "the seal says of the hosts 2 verified, and the ledger 2 not_attempted",
        "by its ledger the plan was not complete",
    ]


def test_a_plan_that_nobody_reported_is_named(site: Site) -> None:
    book = site.freeze()
    site.approve(book)
    site.apply(book)
    for name in ("summary.md", "deliveries.json", "figures.json"):
        site.state.put_report("alpha", book.plan, name, b"no report of the result")
    site.seal(book)
    assert named(site.verify()) == {("report_missing", "seal 1")}


def test_a_month_without_a_cycle_is_named(site: Site) -> None:
    site.history("alpha", ("2026-09", "2026-11"))
    assert named(site.verify()) == {("month_missing", "cycle 2026-10")}
    assert named(site.verify(until="2027-01")) == {
        ("month_missing", f"cycle {month}") for month in ("2026-10", "2026-12", "2027-01")
    }


def test_an_emergency_cycle_is_no_month(site: Site) -> None:
    (finding,) = check_months("alpha", ["2026-09", "2026-10-e1", "2026-11"], None)
    assert finding.what == "the month has no cycle of its own; only emergency cycles"
    assert list(check_months("alpha", [], "2026-11")) == []


def test_a_tenant_without_any_bundle_is_named_and_counted(site: Site) -> None:
    site.history("alpha", ("2026-11",))
    (site.bundles / "beta").mkdir()
    wanted = Wanted(site.signers, None, [], [], None, utc_now())
    for tenants, empty in (([], "beta"), (["alpha", "gamma"], "gamma")):
        seen = verify_evidence(site.bundles, None, replace(wanted, tenants=tenants))
        assert [(each.kind.value, each.tenant) for each in seen.findings] == [("seal_missing", empty)]
        assert {f"{empty}: 0 bundles", "alpha: 1 bundle"} <= set(render(seen, "here", with_state=False))
    # Where there is a state, it says itself whether anything should be sealed already.
    site.freeze("beta", "2026-11")
    assert site.verify(state=True) == []


def test_what_the_plan_says_of_approvals_is_read_for_each_host(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = site.policy
    says = iter(["signature", "none", "perhaps"])
    monkeypatch.setattr(site, "policy", lambda _approval: policy(next(says)))
    book = site.freeze(hosts=("web1", "web2", "web3"))
    site.apply(book)
    site.report(book)
    site.seal(book)
    found = site.verify()
    assert [finding.what.partition(",")[0] for finding in found if finding.kind is FindingKind.POLICY_DIFFERS] == [
        f"the plan says of {host}: approval {said!r}"
        for host, said in (("web1", "signature"), ("web2", "none"), ("web3", "perhaps"))
    ]
    assert FindingKind.APPROVAL_MISSING in {finding.kind for finding in found}


def test_a_plan_that_asks_for_no_approval_is_noted(site: Site) -> None:
    sealed_with(site, approver=None, executor="bob", approval="none")
    seen = verify_evidence(site.bundles, None, Wanted(site.signers, None, [], [], None, utc_now()))
    assert seen.findings == ()
    assert render(seen, "here", with_state=False)[0].endswith("good; NOTE: its plan asks for no approval")


def test_months_that_nobody_can_count_are_listed_only_so_far(site: Site) -> None:
    found = list(check_months("alpha", ["0001-01", "9999-12"], None))
    assert len(found) == 61
    assert found[-1].what == f"{9999 * 12 - 2 - 60} months more have no cycle, the last of them 9999-11"


def test_what_is_not_sealed_is_named_or_known_to_be_open(site: Site) -> None:
    site.history("alpha", ("2026-08",))
    dead = site.freeze("alpha", "2026-09", approval="none")
    site.open(dead, process=dead_process())
    expired = site.freeze("alpha", "2026-10", expires=timedelta(seconds=-1))
    site.freeze("alpha", "2026-11")
    found = named(site.verify(state=True))
    assert found == {
        ("attempt_open", f"plan {dead.plan[:16]} of cycle 2026-09"),
        ("plan_unsealed", f"plan {expired.plan[:16]} of cycle 2026-10"),
    }


def test_a_plan_that_was_replaced_counts_when_it_was_attempted(site: Site) -> None:
    site.history("alpha", ("2026-10",))
    unused = site.freeze("alpha", "2026-11", mark="first", approval="none")
    used = site.freeze("alpha", "2026-11", mark="second", approval="none", expires=timedelta(seconds=5))
    attempt = site.open(used)
    close_attempt(used, attempt, now_missing="")
    site.freeze("alpha", "2026-11", mark="third")
    found = {subject for _kind, subject in named(site.verify(state=True, now=utc_now() + timedelta(seconds=9)))}
    assert found == {f"plan {used.plan[:16]} of cycle 2026-11"}
    assert unused.plan in site.state.plans("alpha")


def test_a_state_that_was_changed_after_the_seal_is_named(site: Site) -> None:
    first, second = (site.patched("alpha", month) for month in ("2026-10", "2026-11"))
    for book in (first, second):
        site.seal(book)
    ledger = site.folder / f"state/tenants/alpha/plans/{first.plan}/ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes() + ledger.read_bytes().splitlines(keepends=True)[-1])
    seals = site.folder / "state/tenants/alpha/seals"
    (seals / "2/SHA256SUMS").write_bytes((seals / "2/SHA256SUMS").read_bytes().replace(b"0", b"1", 1))
    subprocess.run(["rm", "-r", str(site.folder / "state/tenants/alpha/plans" / second.plan)], check=True)
    found = named(site.verify(state=True))
    assert {("sealed_plan_changed", "seal 1"), ("sealed_plan_changed", "seal 2"), ("state_differs", "seal 2")} == found


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: (plan / "report.html").write_text("made anew"),
        lambda plan: (plan / "report.html").unlink(),
        lambda plan: (plan / "approvals/1.sig").write_text(""),
    ],
    ids=["a report anew", "a report gone", "an approval"],
)
def test_what_stood_beside_a_sealed_plan_and_is_another_now_is_named(
    site: Site, change: Callable[[Path], object]
) -> None:
    book = site.patched("alpha", "2026-10")
    site.seal(book)
    site.state.put_report("alpha", book.plan, "deliveries-after-seal.json", b"{}")
    assert site.verify(state=True) == []
    change(site.folder / "state/tenants/alpha/plans" / book.plan)
    assert named(site.verify(state=True)) == {("sealed_plan_changed", "seal 1")}


def test_a_plan_that_is_gone_and_a_seal_that_the_state_does_not_have_are_named(site: Site) -> None:
    site.history("alpha", ("2026-10",))
    lost = site.freeze("alpha", "2026-11")
    subprocess.run(["rm", "-r", str(site.folder / "state/tenants/alpha/plans" / lost.plan)], check=True)
    subprocess.run(["rm", "-r", str(site.folder / "state/tenants/alpha/seals/1")], check=True)
    found = named(site.verify(state=True))
    assert ("plan_missing", f"plan {lost.plan[:16]} of cycle 2026-11") in found
    assert ("state_differs", "seal 1") in found


def test_nothing_to_verify_and_no_list_of_signers_are_errors(site: Site, tmp_path: Path) -> None:
    site.history("alpha", ("2026-11",))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"folder": tmp_path / "nowhere"}, "no_bundles"),
        ({"signers": tmp_path / "nowhere"}, "signers_missing"),
    ]
    for wanted, kind in wrong:
        with pytest.raises(FleetError) as refused:
            site.verify(**wanted)
        assert refused.value.kind == kind


@pytest.mark.parametrize(
    "item",
    [
        "alpha",
        {"tenant": "alpha"},
        {"tenant": "alpha", "number": "x", "root": "0" * 64},
        {"number": 1, "root": "0" * 64},
        {"tenant": "alpha", "number": 1, "root": "0" * 63},
        {"tenant": "alpha", "number": 1, "root": "c5e549aa…"},
        {"tenant": "alpha", "number": 1, "root": 0},
    ],
)
def test_what_is_no_anchor_is_refused(item: object) -> None:
    with pytest.raises(FleetError, match="fleet_anchors: item 1") as refused:
        read_anchors([item])
    assert refused.value.kind == "bad_anchor"


def test_a_state_in_a_database_seals_in_the_same_way(site: Site) -> None:
    site.state = SpooledState(f"sqlite:///{site.folder}/state.db", site.folder / "spools", keep=lambda _order: None)
    book = site.patched("alpha", "2026-10")
    sealed = site.seal(book)
    site.history("beta", ("2026-10",))
    assert site.verify(state=True) == []
    subprocess.run(["rm", "-r", str(sealed.bundle)], check=True)
    assert named(site.verify(state=True)) == {("bundle_missing", "seal 1")}
    assert seal_plan(site.state, "alpha", book.plan, site.sealer("alpha"), utc_now()).root == sealed.root
    assert site.verify(state=True) == []
    assert digest([lease.owner for lease in site.state.leases("alpha")]) == digest([])
