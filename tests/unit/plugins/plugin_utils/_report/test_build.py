# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document of a report, built from real plans and ledgers: complete, consistent, and the same from every scope."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import build as building
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.build import SampleSize, build
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.collect import collect
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.compare import compare
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    CveStatus,
    Document,
    InTime,
    ScopeKind,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.evidence_checks import CHECKS, Finding
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.figures import NAME as FIGURES
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.figures import Figures
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import Report
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.rows import query_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.sample import METHOD, draw
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Shelf, Wanted
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document as invented
from ansible_collections.bankops.fleet.tests.fakes.report_states import put_cycle

from .conftest import OPENSSL

NOW = datetime(2026, 11, 15, 6, tzinfo=timezone.utc)
CYCLES = ("2026-09", "2026-10", "2026-11")
HOSTS = 15


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of two tenants with three cycles each."""
    root = tmp_path_factory.mktemp("state")
    for cycle in CYCLES:
        for tenant in ("alpha", "beta"):
            put_cycle(root, tenant, cycle, hosts=HOSTS)
    return root


def of(root: Path, kind: ScopeKind, *tenants: str, cycle: str | None = None, **more: Any) -> Document:
    """The document of a scope."""
    return build(FolderState(root), Wanted(kind, tenants, cycle), NOW, **more)


@pytest.fixture(scope="module")
def cycle(fleet: Path) -> Document:
    """The report of the last cycle of both tenants."""
    return of(fleet, ScopeKind.CYCLE, cycle="2026-11")


def test_every_host_has_exactly_one_outcome(cycle: Document) -> None:
    assert Counter((row.tenant, row.host) for row in cycle.hosts).most_common(1)[0][1] == 1
    assert len(cycle.hosts) == sum(cycle.counts.values()) == sum(plan.hosts for plan in cycle.plans) == 2 * HOSTS
    assert cycle.counts == {
        outcome.value: Counter(row.outcome for row in cycle.hosts)[outcome] for outcome in HostOutcome
    }
    assert all(row.reason for row in cycle.hosts if row.outcome != "verified")


def test_the_query_that_found_the_population_is_said(cycle: Document) -> None:
    assert cycle.scope.query == "inventory inventories/production, hosts matching fleet, limit none"


def test_whom_the_inventory_has_besides_is_said_with_the_query(fleet: Path) -> None:
    state = FolderState(fleet)
    report = collect(state, "alpha", state.get_cycle("2026-11")["plans"][0]["plan"])
    assert "besides" not in query_of(report)
    besides = replace(report, left_out={"stopped": ["db1"], "unreachable_transport": [], "unassigned": 2})
    assert query_of(besides) == query_of(report) + "; besides: 1 stopped (db1), 0 without a transport, 2 of no tenant"


def test_changes_and_open_updates_name_hosts_of_their_own_plan(cycle: Document) -> None:
    hosts = {(row.tenant, row.host): row for row in cycle.hosts}
    for change in cycle.changes:
        assert change.hosts == tuple(sorted(change.hosts))
        assert {hosts[change.tenant, host].plan for host in change.hosts} == {change.plan}
    changed = Counter((change.tenant, host) for change in cycle.changes if change.changed for host in change.hosts)
    assert {key: changed[key] for key in hosts} == {key: row.changed for key, row in hosts.items()}
    left = {(row.tenant, host): hosts[row.tenant, host].outcome for row in cycle.open_updates for host in row.hosts}
    assert set(left.values()) == {"failed", "rolled_back", "skipped", "not_attempted"}


def test_a_cve_is_open_as_long_as_one_host_may_have_it(cycle: Document) -> None:
    still = {(row.tenant, cve) for row in cycle.open_updates for cve in row.cves or ()}
    assert {(row.tenant, row.cve) for row in cycle.cves if row.status is CveStatus.OPEN} == still
    for row in cycle.cves:
        assert not set(row.hosts_open) & set(row.hosts_closed)
        assert (row.closed is None) is bool(row.hosts_open)
        assert row.days is not None
        assert row.in_time is (InTime.YES if row.days <= 30 else InTime.NO)


def test_equal_sets_of_hosts_are_one_object(cycle: Document) -> None:
    """Ten thousand hosts with two hundred updates would not fit otherwise."""
    tuples = [row.hosts for row in cycle.open_updates if row.tenant == "alpha"]
    assert len({id(hosts) for hosts in tuples}) == len(set(tuples))


def test_a_plan_says_who_approved_and_who_executed_it(cycle: Document) -> None:
    plan = cycle.plans[0]
    assert (plan.approver, plan.executor, plan.ticket) == ("approver", "operator", "CHG-1")
    assert (plan.revision, plan.collection, plan.ledger_ok, plan.sealed) == ("0f3c2d1", "1.0.0", True, None)


def test_placement_is_that_of_the_plan_and_unknown_in_plans_of_before(book: Any, cycle: Document) -> None:
    assert {row.cloud for row in cycle.hosts} == {"aws", "azure", "onprem"}
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    (row,) = book.document().hosts
    assert (row.cloud, row.region, row.environment) == ("unknown", "unknown", "unknown")
    assert book.document().scope.query == "a query that was not recorded"


def test_each_figure_is_the_same_from_every_scope(fleet: Path, cycle: Document) -> None:
    assert of(fleet, ScopeKind.FLEET).metrics == cycle.metrics
    alpha = of(fleet, ScopeKind.CYCLE, "alpha", cycle="2026-11")
    for whole, own in zip(cycle.metrics, alpha.metrics, strict=True):
        (figure,) = (figure for figure in whole.by["tenant"] if figure.group == "alpha")
        assert (figure.value, figure.count, figure.of) == (own.total.value, own.total.count, own.total.of)


def test_a_tenant_over_all_cycles_has_every_plan_and_the_hosts_as_they_are_now(fleet: Path) -> None:
    document = of(fleet, ScopeKind.TENANT, "alpha")
    assert [plan.cycle for plan in document.plans] == list(CYCLES)
    assert len(document.hosts) == 3 * HOSTS
    latest = of(fleet, ScopeKind.CYCLE, "alpha", cycle="2026-11")
    assert document.open_updates == latest.open_updates
    coverage = {metric.name: metric.total for metric in document.metrics}["coverage"]
    assert coverage.of == HOSTS


def test_a_plan_that_was_begun_and_replaced_is_not_forgotten(tmp_path: Path) -> None:
    first = put_cycle(tmp_path, "alpha", "2026-11", hosts=3)
    second = put_cycle(tmp_path, "alpha", "2026-11", hosts=4, created=datetime(2026, 11, 12, tzinfo=timezone.utc))
    assert [plan.plan for plan in of(tmp_path, ScopeKind.TENANT, "alpha").plans] == [first, second]
    assert [plan.plan for plan in of(tmp_path, ScopeKind.CYCLE, cycle="2026-11").plans] == [second]


def test_tenants_stay_apart(fleet: Path) -> None:
    text = json.dumps(of(fleet, ScopeKind.CYCLE, "alpha", cycle="2026-11").as_data(), default=vars)
    assert "alpha" in text
    assert "beta" not in text


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (Wanted(ScopeKind.CYCLE, cycle="2026-12"), "cycle_missing"),
        (Wanted(ScopeKind.CYCLE, ("nobody",), "2026-11"), "no_plan"),
        (Wanted(ScopeKind.TENANT, ("nobody",)), "no_plan"),
        (Wanted(ScopeKind.FLEET, ("alpha", "nobody")), "no_plan"),
        (Wanted(ScopeKind.PLAN, ("alpha",), plan="a" * 64), "plan_missing"),
        (Wanted(ScopeKind.CYCLE, cycle="2026-11", compare_with="2026-11"), "cycle_missing"),
    ],
)
def test_what_is_not_there_is_said_with_what_there_is(fleet: Path, wanted: Wanted, kind: str) -> None:
    with pytest.raises(FleetError) as caught:
        build(FolderState(fleet), wanted, NOW)
    assert caught.value.kind == kind
    assert caught.value.remedy


def test_a_plan_that_was_never_attempted_proves_nothing_of_its_hosts(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    document = book.document()
    assert CHECKS["rollbacks_restored"](document) == Finding((), ("nothing was changed",))
    assert CHECKS["hosts_in_service"](document) == Finding((), ("no attempt looked at a host",))


def test_a_host_that_went_away_in_the_middle_of_its_change_was_not_brought_back(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.open()
    book.write("web1", Phase.APPLY, EntryOutcome.INTENT, {})
    book.judge("web1", HostOutcome.UNREACHABLE, in_service="unknown", reason="it went away")
    book.close()
    found = CHECKS["rollbacks_restored"](book.document())
    assert found == Finding((), ("1 of 1 hosts whose change failed were not brought back: north/web1",))


# Figures that are kept


def test_the_trend_reads_no_ledger_of_earlier_cycles_twice(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = of(fleet, ScopeKind.CYCLE, cycle="2026-11")
    read: list[str] = []

    def noted(state: State, tenant: str, plan: str, **more: Any) -> Report:
        read.append(plan)
        return collect(state, tenant, plan, **more)

    monkeypatch.setattr(building, "collect", noted)
    after = of(fleet, ScopeKind.CYCLE, cycle="2026-11")
    assert [point.cycle for point in after.trend] == list(CYCLES)
    assert after.trend == before.trend
    assert sorted(read) == sorted(plan.plan for plan in after.plans)


@pytest.mark.parametrize("spoiled", [b"{", b'{"format":2}', b"[]", b'{"format":1,"plan":"x"}'])
def test_figures_that_are_of_another_ledger_or_damaged_are_made_anew(tmp_path: Path, spoiled: bytes) -> None:
    plan = put_cycle(tmp_path, "alpha", "2026-10", hosts=HOSTS)
    put_cycle(tmp_path, "alpha", "2026-11", hosts=HOSTS)
    state = FolderState(tmp_path)
    whole = of(tmp_path, ScopeKind.FLEET).trend
    good = state.get_report("alpha", plan, FIGURES)
    stale = json.loads(good)
    stale["ledger_head"], stale["metrics"]["coverage"]["hits"] = "0" * 64, HOSTS
    for content in (spoiled, json.dumps(stale).encode()):
        state.put_report("alpha", plan, FIGURES, content)
        assert of(tmp_path, ScopeKind.FLEET).trend == whole
        assert state.get_report("alpha", plan, FIGURES) == good


def test_a_state_that_may_only_be_read_is_reported_all_the_same(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any) -> str:
        raise FleetError("read only", kind="state_error")

    monkeypatch.setattr(FolderState, "put_report", refuse)
    assert of(fleet, ScopeKind.TENANT, "beta").trend


def test_nothing_is_added_to_a_plan_that_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = put_cycle(tmp_path, "alpha", "2026-11", hosts=3)
    monkeypatch.setattr(Shelf, "seal", lambda *_given: (4, "0" * 64))
    (row,) = of(tmp_path, ScopeKind.FLEET).plans
    assert (row.state, row.sealed) == ("sealed", 4)
    assert FolderState(tmp_path).reports("alpha", plan) == []


# This cycle against another


def figures(still: str, closed: str = "", unknown: int = 0) -> Figures:
    return Figures({}, frozenset(still), frozenset(closed), unknown)


def test_a_cve_is_new_closed_reopened_or_still_open() -> None:
    found = compare("2026-10", figures("abc", "x"), figures("bcnx", "a"), frozenset("x"))
    assert (found.previous, found.new, found.closed) == ("2026-10", ("n",), ("a",))
    assert (found.reopened, found.still_open) == (("x",), ("b", "c"))


def test_a_cve_that_nobody_sees_any_more_is_closed_only_when_every_host_was_looked_into() -> None:
    assert compare("2026-10", figures("ab"), figures("b"), frozenset()).closed == ("a",)
    blind = compare("2026-10", figures("ab"), figures("b", unknown=1), frozenset())
    assert (blind.closed, blind.still_open) == ((), ("a", "b"))


def test_the_cycle_to_compare_with_can_be_chosen(fleet: Path) -> None:
    wanted = Wanted(ScopeKind.CYCLE, cycle="2026-11", compare_with="2026-09")
    chosen, usual = build(FolderState(fleet), wanted, NOW), of(fleet, ScopeKind.CYCLE, cycle="2026-11")
    assert chosen.comparison
    assert usual.comparison
    assert (chosen.comparison.previous, usual.comparison.previous) == ("2026-09", "2026-10")
    assert of(fleet, ScopeKind.CYCLE, cycle="2026-09").comparison is None


def test_emergency_cycles_follow_the_one_of_their_month(tmp_path: Path) -> None:
    for name in ("2026-11-e1", "2026-10", "2026-11"):
        put_cycle(tmp_path, "alpha", name, hosts=3)
    document = of(tmp_path, ScopeKind.FLEET)
    assert document.scope.cycles == ("2026-11-e1",)
    assert [point.cycle for point in document.trend] == ["2026-10", "2026-11", "2026-11-e1"]


# The auditor's sample


def test_an_auditor_draws_the_same_hosts_with_sha256sum_alone() -> None:
    population = [("alpha", "p", f"web{n}") for n in range(20)]
    by_hash = sorted(population, key=lambda host: hashlib.sha256(f"seed/{'/'.join(host)}".encode()).hexdigest())
    assert draw("seed", reversed(population), 5) == by_hash[:5]
    assert draw("seed", population, 5) != draw("another seed", population, 5)
    assert set(draw("seed", population, 100)) == set(population)


def test_a_dossier_has_what_was_pending_who_approved_what_changed_and_how_it_was_verified(fleet: Path) -> None:
    document = of(fleet, ScopeKind.CYCLE, "alpha", cycle="2026-11", drawn=SampleSize("2026-12-01", HOSTS))
    assert document.sample
    assert (document.sample.seed, document.sample.method, document.sample.population) == ("2026-12-01", METHOD, HOSTS)
    dossiers = {dossier.host.host: dossier for dossier in document.sample.dossiers}
    assert len(dossiers) == HOSTS
    verified = dossiers["alpha-host00000"]
    assert [row.approver for row in verified.approvals] == ["approver"]
    assert len(verified.pending) == len(verified.changes) == 5
    assert {row.hosts for row in verified.changes} == {("alpha-host00000",)}
    assert [step.phase for step in verified.steps] == ["stage", "preflight", "apply", "apply", "verify", "outcome"]
    assert "3.11.17" in verified.steps[3].detail or "to 3." in verified.steps[3].detail
    assert verified.steps[-1].outcome == "verified"
    away = dossiers["alpha-host00004"]
    assert away.pending == ("what was pending is not known: the host was not scanned",)
    assert (
        document.sample
        == of(fleet, ScopeKind.CYCLE, "alpha", cycle="2026-11", drawn=SampleSize("2026-12-01", HOSTS)).sample
    )


def test_a_host_cannot_put_a_step_into_the_dossier_of_another(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}, "web2": {"updates": [OPENSSL]}}, [["web1", "web2"]])
    book.open()
    book.patch("web2", [OPENSSL], reason='"host":"web1","phase":"verify"')
    book.close()
    found = book.document(drawn=SampleSize("x", 2)).sample.dossiers
    assert {dossier.host.host: len(dossier.steps) for dossier in found}["web1"] == 0


# What formats are tested with


@pytest.mark.parametrize(("hosts", "tenants"), [(30, 2), (15, 1), (100, 3)])
def test_invented_documents_are_as_consistent_as_built_ones(hosts: int, tenants: int) -> None:
    document = invented(hosts=hosts, tenants=tenants)
    assert sum(document.counts.values()) == len(document.hosts) == hosts
    assert set(document.counts) == {outcome.value for outcome in HostOutcome}
    changed = Counter((change.tenant, host) for change in document.changes if change.changed for host in change.hosts)
    assert {(row.tenant, row.host): row.changed for row in document.hosts if row.changed} == dict(changed)
    still = {(row.tenant, cve) for row in document.open_updates for cve in row.cves or ()}
    assert {(row.tenant, row.cve) for row in document.cves if row.status is CveStatus.OPEN} == still
    assert invented(hosts=hosts, tenants=tenants) == document


def test_hostile_documents_say_the_same_with_other_texts() -> None:
    plain, hostile = invented(), invented(hostile=True)
    assert len({row.host for row in hostile.hosts}) == len(plain.hosts)
    assert hostile.counts == plain.counts
    named = {host for row in hostile.open_updates for host in row.hosts}
    assert named <= {row.host for row in hostile.hosts}
    assert max(len(row.reason) for row in hostile.hosts) >= 1_000_000
    assert replace(hostile.scope, query=plain.scope.query) == plain.scope
