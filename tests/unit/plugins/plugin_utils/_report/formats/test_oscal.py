# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OSCAL format: its identifiers and what refers to them; tests/services validates it against the models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import CveStatus, Document, InTime
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.oscal import write_oscal
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document


def papers(report: Document, folder: Path) -> dict[str, Any]:
    made = {path.name: json.loads(path.read_bytes()) for path in write_oscal(report, folder)}
    return {name: content for paper in made.values() for name, content in paper.items()}


def late(report: Document) -> Document:
    """The report with its first open CVE late, and of the next nobody knows whether it is."""
    still = [row for row in report.cves if row.status is CveStatus.OPEN]
    changed = {still[0]: InTime.NO, still[1]: InTime.UNKNOWN}
    return replace(report, cves=tuple(replace(row, in_time=changed.get(row, InTime.YES)) for row in report.cves))


def values(part: Any, key: str) -> Iterator[Any]:
    if isinstance(part, dict):
        if key in part:
            yield part[key]
        for value in part.values():
            yield from values(value, key)
    elif isinstance(part, list):
        for value in part:
            yield from values(value, key)


@pytest.mark.parametrize("hostile", [False, True])
def test_each_identifier_is_there_once_and_each_reference_leads_to_one(tmp_path: Path, hostile: bool) -> None:
    for paper in papers(document(hostile=hostile), tmp_path).values():
        identifiers = list(values(paper, "uuid"))
        assert len(identifiers) == len(set(identifiers))
        referred = {
            uuid for key in ("subject-uuid", "observation-uuid", "risk-uuid") for uuid in values(paper, key)
        } | {uuid for several in values(paper, "party-uuids") for uuid in several}
        referred |= {href.removeprefix("#") for href in values(paper, "href")}
        assert referred
        assert referred <= set(identifiers)


def test_equal_reports_are_equal_bytes_and_a_later_report_has_the_same_identifiers(tmp_path: Path) -> None:
    for name in ("one", "two", "earlier", "later"):
        (tmp_path / name).mkdir()
    one, two = (write_oscal(document(), tmp_path / name) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    later = papers(replace(document(), made="2026-11-16T06:00:00Z"), tmp_path / "later")
    earlier = papers(document(), tmp_path / "earlier")
    assert list(values(later, "uuid")) == list(values(earlier, "uuid"))


def test_every_host_is_an_inventory_item_and_the_subject_of_its_outcome(tmp_path: Path) -> None:
    report = document()
    (result,) = papers(report, tmp_path)["assessment-results"]["results"]
    items = {item["uuid"]: item["props"][0]["value"] for item in result["local-definitions"]["inventory-items"]}
    outcomes = {
        each["value"]: sorted(items[subject["subject-uuid"]] for subject in observation["subjects"])
        for observation in result["observations"]
        for each in observation.get("props", ())
        if each["name"] == "outcome"
    }
    assert outcomes == {
        outcome: sorted(host.host for host in report.hosts if host.outcome == outcome) for outcome in report.counts
    }


def test_what_is_late_or_not_known_to_be_in_time_and_what_expired_is_to_be_done(tmp_path: Path) -> None:
    report = late(document())
    poam = papers(report, tmp_path)["plan-of-action-and-milestones"]
    wanted = [row.cve for row in report.cves if row.status is CveStatus.OPEN and row.in_time is not InTime.YES]
    assert len(wanted) == 2
    properties = [{each["name"]: each["value"] for each in item["props"]} for item in poam["poam-items"]]
    assert [each["cve"] for each in properties if "cve" in each] == wanted
    expired = [row.owner for row in report.exceptions if row.expired]
    assert [each["owner"] for each in properties if "exception" in each] == expired
    assert len(expired) == 2
    assert poam["risks"][0]["deadline"].endswith("T00:00:00Z")


def test_there_is_no_plan_of_action_where_nothing_is_to_be_done(tmp_path: Path) -> None:
    calm = replace(document(), cves=(), exceptions=())
    assert list(papers(calm, tmp_path)) == ["assessment-results"]
    assert not (tmp_path / "oscal" / "poam.json").exists()
    write_oscal(late(document()), tmp_path)
    assert (tmp_path / "oscal" / "poam.json").exists()


def test_a_requirement_whose_evidence_stands_in_part_is_not_satisfied(tmp_path: Path) -> None:
    report = document()
    (result,) = papers(report, tmp_path)["assessment-results"]["results"]
    states = [finding["target"]["status"]["state"] for finding in result["findings"]]
    standing = [one.standing for framework in report.frameworks for one in framework.requirements]
    assert [state == "satisfied" for state in states] == [each == "evidenced" for each in standing]
    assert set(standing) == {"evidenced", "partly", "missing"}


def test_requirements_of_nist_are_named_as_in_its_catalogue_and_others_by_their_framework(tmp_path: Path) -> None:
    report = document()
    soc2, pci = report.frameworks
    nist = replace(soc2, id="nist_800_53", requirements=(replace(soc2.requirements[0], id="SI-2(2)"),))
    (result,) = papers(replace(report, frameworks=(nist, pci)), tmp_path)["assessment-results"]["results"]
    assert list(values(result["reviewed-controls"], "control-id")) == ["si-2.2", "pci_dss_6.3.3"]
    assert list(values(result["findings"], "target-id")) == ["si-2.2", "pci_dss_6.3.3"]


def test_a_report_of_nothing_can_be_written(tmp_path: Path) -> None:
    report = document()
    nothing: dict[str, Any] = {
        field.name: () for field in fields(report) if isinstance(getattr(report, field.name), tuple)
    }
    empty = replace(report, **nothing, counts={}, comparison=None, sample=None, user_requests={})
    (paper,) = papers(empty, tmp_path).values()
    assert [] not in list(paper["results"][0].values())
