# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Frameworks: every requirement names checks that there are, and no check proves what nobody has looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    Document,
    Figure,
    GateRow,
    InTime,
    TrendPoint,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.evidence_checks import CHECKS
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.framework_model import (
    Standing,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.frameworks import (
    CATALOGUE,
    framework_views,
    read_catalogue,
    read_framework,
)
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document

FILES = sorted(CATALOGUE.glob("*.yml"))
WANTED = {
    "soc2": {"CC6.1", "CC6.8", "CC7.1", "CC8.1"},
    "pci_dss": {"6.3.3", "11.3"},
    "nist_800_53": {"SI-2", "CM-3", "AU-10"},
}


def nobody() -> Document:
    """A document of nothing."""
    full = document()
    empty: dict[str, Any] = dict.fromkeys(
        (
            "plans",
            "hosts",
            "batches",
            "changes",
            "cves",
            "open_updates",
            "exceptions",
            "gates",
            "approvals",
            "attempts",
            "trend",
        ),
        (),
    )
    metrics = tuple(replace(metric, total=Figure("all", None, 0, 0)) for metric in full.metrics)
    return replace(full, metrics=metrics, unknown_cves=0, **empty)


def good() -> Document:
    """A document in which everything is as it should be: only hosts that came out well, and nothing open."""
    full = document(tenants=1)
    hosts = tuple(
        replace(row, outcome="verified", in_service="yes", seconds=40.0, scanned=True, needs_attention=False)
        for row in full.hosts
    )
    metrics = tuple(
        replace(metric, total=Figure("all", 100.0, len(hosts), len(hosts))) if metric.name == "coverage" else metric
        for metric in full.metrics
    )
    return replace(
        full,
        hosts=hosts,
        metrics=metrics,
        open_updates=(),
        cves=tuple(replace(row, in_time=InTime.YES) for row in full.cves),
        unknown_cves=0,
        changes=tuple(row for row in full.changes if row.cves is not None),
        exceptions=tuple(row for row in full.exceptions if row.ticket and not row.expired),
        gates=(),
        attempts=tuple(row for row in full.attempts if row.state == "closed"),
    )


def test_every_requirement_names_a_check_and_every_check_is_named() -> None:
    named = {check for framework in read_catalogue() for each in framework["requirements"] for check in each["checks"]}
    assert named == set(CHECKS)


@pytest.mark.parametrize("framework", WANTED)
def test_the_requirements_that_auditors_ask_for_are_there(framework: str) -> None:
    (found,) = (each for each in read_catalogue() if each["id"] == framework)
    assert {each["id"] for each in found["requirements"]} >= WANTED[framework]


def test_the_articles_and_the_credit_unions_are_there() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in FILES}
    assert "Art. 32" in texts["gdpr"]
    assert "part 748" in texts["glba_ncua"]


SOUND: dict[str, Any] = {
    "id": "own",
    "title": "Our own",
    "version": "1",
    "requirements": [{"id": "1", "asks": "something", "checks": ["record_intact"]}],
}


def file_of(folder: Path, content: Any) -> Path:
    path = folder / "own.yml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return path


def requirement(**said: Any) -> dict[str, Any]:
    """A framework whose one requirement says something else."""
    return {**SOUND, "requirements": [{**SOUND["requirements"][0], **said}]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (requirement(checks=["record_intakt"]), "requirements[0].checks[0]: record_intakt: is no check. Did you mean"),
        (requirement(checks=[]), "requirements[0].checks: []: names no check"),
        (requirement(check=["record_intact"]), "requirements[0].check"),
        ({**SOUND, "requirements": SOUND["requirements"] * 2}, "requirements[1].id: 1: is there twice"),
        ({**SOUND, "id": "another"}, "id: another: is not the name of its file. Write own."),
        ({key: value for key, value in SOUND.items() if key != "version"}, "version: : is missing"),
        ("- a", "must be a mapping"),
        ("a: [", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_with_key_and_what_would_be_right(
    tmp_path: Path, content: Any, said: str
) -> None:
    path = file_of(tmp_path, content)
    with pytest.raises(FleetError) as caught:
        read_framework(path)
    assert caught.value.kind == "bad_framework"
    assert caught.value.message.startswith(f"{path}: ")
    assert said in caught.value.message
    assert read_framework(file_of(tmp_path, SOUND)) == SOUND


@pytest.mark.parametrize("name", CHECKS)
def test_nothing_proves_nothing(name: str) -> None:
    found = CHECKS[name](nobody())
    assert found.evidence == ()


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_as_it_should_be_misses_nothing(name: str) -> None:
    found = CHECKS[name](good())
    assert (bool(found.evidence), found.missing) == (True, ())


SPOILED: dict[str, Any] = {
    "population_complete": lambda doc: replace(doc, plans=(replace(doc.plans[0], query=""),)),
    "hosts_scanned": lambda doc: replace(
        doc, metrics=tuple(replace(metric, total=Figure("all", 90.0, 9, 10)) for metric in doc.metrics)
    ),
    "urgent_in_time": lambda doc: replace(
        doc, open_updates=(replace(document().open_updates[0], severity="unknown", in_time=InTime.UNKNOWN),)
    ),
    "updates_in_time": lambda doc: replace(
        doc, cves=tuple(replace(row, severity="low", in_time=InTime.NO) for row in document().cves)
    ),
    "cves_known": lambda doc: replace(doc, unknown_cves=1),
    "approved_by_another": lambda doc: replace(doc, attempts=(replace(doc.attempts[-1], unapproved=1),)),
    "executors_known": lambda doc: replace(doc, attempts=(replace(doc.attempts[-1], executor=""),)),
    "tickets_named": lambda doc: replace(doc, plans=(replace(doc.plans[0], ticket=""),)),
    "small_wave_first": lambda doc: replace(doc, batches=doc.batches[-1:]),
    "changes_verified": lambda doc: replace(doc, hosts=(replace(doc.hosts[0], outcome="failed"),)),
    "changes_as_planned": lambda doc: replace(doc, plans=(replace(doc.plans[0], revision="unknown"),)),
    "rollbacks_restored": lambda doc: replace(doc, hosts=(replace(doc.hosts[0], outcome="failed"),)),
    "hosts_in_service": lambda doc: replace(doc, hosts=(replace(doc.hosts[0], in_service="unknown"),)),
    "record_intact": lambda doc: replace(doc, plans=(replace(doc.plans[0], ledger_ok=False),)),
    "attempts_closed": lambda doc: replace(doc, attempts=(replace(doc.attempts[0], state="incomplete"),)),
    "plans_sealed": lambda doc: replace(doc, plans=(replace(doc.plans[0], sealed=None),)),
    "exceptions_answered": lambda doc: replace(doc, exceptions=(replace(doc.exceptions[0], expired=True),)),
    "assessed_regularly": lambda doc: replace(doc, trend=(TrendPoint("2026-08", {}), TrendPoint("2026-11-e1", {}))),
    "tenants_apart": lambda doc: replace(doc, hosts=(replace(doc.hosts[0], tenant="beta"),)),
}


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_not_as_it_should_be_is_missed(name: str) -> None:
    assert CHECKS[name](SPOILED[name](good())).missing


def with_hosts(**said: Any) -> Document:
    """A good document whose first host, or whose hosts, are otherwise."""
    doc = good()
    return replace(doc, hosts=(replace(doc.hosts[0], **said), *doc.hosts[1:]))


@pytest.mark.parametrize(
    ("outcome", "in_service", "is_lost"),
    [
        ("unreachable", "unknown", True),
        ("not_attempted", "unknown", True),
        ("skipped", "unknown", True),
        # The package manager refused before it did anything.
        ("skipped", "yes", False),
    ],
)
def test_a_host_that_broke_off_in_the_middle_of_its_change_was_not_brought_back(
    outcome: str, in_service: str, is_lost: bool
) -> None:
    found = CHECKS["rollbacks_restored"](with_hosts(outcome=outcome, in_service=in_service, began_change=True))
    lost = ("1 of 1 hosts whose change failed were not brought back: alpha/web1",)
    assert (found.evidence, found.missing) == (((), lost) if is_lost else (("no change had to be taken back",), ()))
    untouched = CHECKS["rollbacks_restored"](with_hosts(outcome=outcome, in_service=in_service, began_change=False))
    assert untouched.missing == ()


def test_where_nothing_was_changed_nothing_was_taken_back() -> None:
    doc = good()
    idle = tuple(replace(row, outcome="not_attempted", began_change=False, seconds=None) for row in doc.hosts)
    found = CHECKS["rollbacks_restored"](replace(doc, hosts=idle))
    assert (found.evidence, found.missing) == ((), ("nothing was changed",))


def test_a_host_that_nobody_looked_at_is_not_known_to_serve() -> None:
    found = CHECKS["hosts_in_service"](with_hosts(outcome="not_attempted", seconds=None))
    assert found.evidence == ("29 of 29 hosts are in service",)
    assert found.missing == ("no attempt looked at 1 of 30 hosts",)
    doc = good()
    idle = tuple(replace(row, outcome="not_attempted", seconds=None) for row in doc.hosts)
    nothing = CHECKS["hosts_in_service"](replace(doc, hosts=idle))
    assert (nothing.evidence, nothing.missing) == ((), ("no attempt looked at a host",))


@pytest.mark.parametrize(
    ("verdict", "overridden", "is_missed"),
    [("block", False, True), ("unknown", False, True), ("unknown", True, True), ("block", True, False)],
)
def test_a_gap_in_the_population_is_missed_or_named_with_who_answers_for_it(
    verdict: str, overridden: bool, is_missed: bool
) -> None:
    doc = good()
    gate = GateRow("alpha", doc.plans[0].plan, "population", verdict, "web9 is gone", overridden, ("web1",))
    found = CHECKS["population_complete"](replace(doc, gates=(gate,)))
    missed, answered = (any("web9 is gone" in each for each in said) for said in (found.missing, found.evidence))
    assert (missed, answered) == (is_missed, not is_missed)


def test_a_month_without_a_cycle_is_named() -> None:
    found = CHECKS["assessed_regularly"](SPOILED["assessed_regularly"](good()))
    assert found.missing == ("there was no cycle in 2026-09, 2026-10",)


def test_a_requirement_stands_when_evidence_is_there_and_nothing_is_missing() -> None:
    assert {each.standing for framework in framework_views(good()) for each in framework.requirements} == {
        Standing.EVIDENCED
    }
    assert {each.standing for framework in framework_views(nobody()) for each in framework.requirements} == {
        Standing.MISSING
    }
    mixed = [each for framework in framework_views(document()) for each in framework.requirements]
    assert Standing.PARTLY in {each.standing for each in mixed}
    for each in mixed:
        assert (each.standing is Standing.EVIDENCED) is bool(each.evidence and not each.missing)
        assert each.population.startswith("30 hosts of 2 plans")
