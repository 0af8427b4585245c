# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OSCAL format: assessment results, and a plan of action and milestones (POA&M) where something is overdue.

OSCAL is NIST's open language for the papers of an assessment, which tools for governance and compliance read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import quick_json
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    CveRow,
    CveStatus,
    Document,
    InTime,
    Metric,
    PlanRow,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.oscal_parts import (
    HostObservations,
    Part,
    cve_risk,
    exception_risk,
    filled,
    identifier,
    inventory_items,
    line,
    metadata,
    moment,
    of_report,
    plan_identifier,
    plan_resources,
    properties,
    token,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.framework_model import (
    Framework,
    Requirement,
    Standing,
)

NAME = "oscal"
RESULTS, POAM = "assessment-results.json", "poam.json"
_NIST = "nist_800_53"


def write_oscal(document: Document, folder: Path) -> list[Path]:
    """Write the folder ``oscal``; the same bytes for the same document. A POA&M without an item is none in OSCAL.

    Raises OSError.
    """
    papers = {RESULTS: {"assessment-results": _results(document)}}
    poam = _poam(document)
    if poam["poam-items"]:
        papers[POAM] = {"plan-of-action-and-milestones": poam}
    own = folder / NAME
    own.mkdir(exist_ok=True)
    for name, paper in papers.items():
        (own / name).write_bytes(quick_json(paper) + b"\n")
    return [own / name for name in papers]


def _results(document: Document) -> Part:
    ended = [moment(row.ended or row.began, document.made) for row in document.plans]
    return {
        "uuid": of_report(document, "assessment results"),
        "metadata": metadata(document, "Assessment results"),
        # What was assessed is what the plans say; they are named below.
        "import-ap": {"href": f"#{of_report(document, 'plans')}"},
        "results": [
            filled(
                uuid=of_report(document, "result"),
                title=line(document.scope.title),
                description=line(document.verdict),
                start=min(
                    (moment(row.began or row.created, document.made) for row in document.plans), default=document.made
                ),
                end=max(ended, default=document.made),
                props=properties(
                    population=len(document.hosts),
                    well=document.well,
                    unknown_cves=document.unknown_cves,
                    query=document.scope.query,
                ),
                local_definitions=filled(
                    inventory_items=inventory_items(document.hosts), assessment_assets=_tool(document)
                ),
                reviewed_controls={"control-selections": _controls(document)},
                **_facts(document),
            )
        ],
        "back-matter": {
            "resources": [
                {
                    "uuid": of_report(document, "plans"),
                    "title": "The patch plans of this report",
                    "description": "Each is known by its SHA-256.",
                    "citation": {"text": line(", ".join(row.plan for row in document.plans), 30_000)},
                },
                *plan_resources(document.plans),
            ]
        },
    }


def _facts(document: Document) -> Part:
    """What was seen, what is at risk, and what stands for each requirement."""
    sets = HostObservations(document)
    risks = [cve_risk(row, sets) for row in document.cves]
    risks += [exception_risk(row, sets) for row in document.exceptions if row.expired]
    observations = [
        *(_plan(row, document) for row in document.plans),
        *_outcomes(document, sets),
        *(_metric(metric, document) for metric in document.metrics),
        *_evidence(document),
        *sets.observations(),
    ]
    findings = [
        _finding(document, framework, one) for framework in document.frameworks for one in framework.requirements
    ]
    return {"observations": observations, "risks": risks, "findings": findings}


def _poam(document: Document) -> Part:
    sets = HostObservations(document)
    risks = [cve_risk(row, sets) for row in document.cves if _overdue(row)]
    risks += [exception_risk(row, sets) for row in document.exceptions if row.expired]
    hosts = sets.hosts()
    return filled(
        uuid=of_report(document, "poam"),
        metadata=metadata(document, "Plan of action and milestones"),
        system_id={"id": line(", ".join(document.scope.tenants))},
        local_definitions=filled(
            inventory_items=inventory_items(row for row in document.hosts if (row.tenant, row.host) in hosts)
        )
        or None,
        observations=sets.observations(),
        risks=risks,
    ) | {"poam-items": [_item(risk) for risk in risks]}


def _overdue(row: CveRow) -> bool:
    """Open, and not known to be in time."""
    return row.status is CveStatus.OPEN and row.in_time is not InTime.YES


def _item(risk: Part) -> Part:
    return filled(
        uuid=identifier("item", risk["uuid"]),
        title=risk["title"],
        description=f"{risk['description']} {risk['statement']}",
        props=risk["props"],
        related_observations=risk.get("related-observations"),
        related_risks=[{"risk-uuid": risk["uuid"]}],
    )


def _tool(document: Document) -> Part:
    title = line(f"bankops.fleet {document.collection}")
    component = {
        "uuid": identifier("tool", document.collection),
        "type": "software",
        "title": title,
        "description": "The Ansible collection that made, executed and recorded the plans.",
        "status": {"state": "operational"},
    }
    platform = {"uuid": identifier("platform", document.collection), "title": title}
    return {"components": [component], "assessment-platforms": [platform]}


def _controls(document: Document) -> list[Part]:
    selections = [
        {
            "description": line(f"{framework.title} {framework.version}"),
            "include-controls": [{"control-id": _target(framework, one)} for one in framework.requirements],
        }
        for framework in document.frameworks
        if framework.requirements
    ]
    return selections or [{"description": "No framework was asked for.", "include-controls": [{"control-id": "none"}]}]


def _target(framework: Framework, requirement: Requirement) -> str:
    """A requirement as NIST's catalogue names it (SI-2(2) is si-2.2); the others have no catalogue to agree with."""
    if framework.id == _NIST:
        return token(requirement.id.lower().replace("(", ".").replace(")", ""))
    return token(framework.id, requirement.id)


def _plan(row: PlanRow, document: Document) -> Part:
    ledger = f"{row.entries} entries of the ledger, the last with hash {row.ledger_head}"
    return {
        "uuid": of_report(document, "observation of plan", row.plan),
        "title": line(f"Plan {row.plan[:16]} of tenant {row.tenant}"),
        "description": line(row.verdict),
        "props": properties(
            plan=row.plan,
            state=row.state,
            hosts=row.hosts,
            ticket=row.ticket,
            approver=row.approver,
            executor=row.executor,
            approved_by_another=row.approved_by_another,
            revision=row.revision,
            ledger_head=row.ledger_head,
            ledger_ok=row.ledger_ok,
            seal=row.sealed,
        ),
        "methods": ["EXAMINE"],
        "types": ["control-objective"],
        "relevant-evidence": [{"href": f"#{plan_identifier(row)}", "description": line(ledger)}],
        "collected": moment(row.ended or row.began, document.made),
    }


def _outcomes(document: Document, sets: HostObservations) -> Iterator[Part]:
    """Each host of the population is a subject of the observation of its outcome."""
    for outcome, count in document.counts.items():
        rows = [row for row in document.hosts if row.outcome == outcome]
        yield filled(
            uuid=of_report(document, "outcome", outcome),
            title=line(f"Hosts with outcome {outcome}"),
            description=f"{count:,} of {len(document.hosts):,} hosts.",
            props=properties(outcome=outcome, hosts=count),
            methods=["TEST"],
            types=["control-objective"],
            subjects=sets.subjects((row.tenant, row.host) for row in rows),
            collected=document.made,
        )


def _metric(metric: Metric, document: Document) -> Part:
    total = metric.total
    return {
        "uuid": of_report(document, "metric", metric.name),
        "title": line(metric.title),
        "description": line(metric.definition),
        "props": properties(metric=metric.name, value=total.value, unit=metric.unit, count=total.count, of=total.of),
        "methods": ["TEST"],
        "types": ["control-objective"],
        "collected": document.made,
    }


def _evidence(document: Document) -> Iterator[Part]:
    """What stands for requirements, each evidence once however many ask for it."""
    texts = {
        text: one.population
        for framework in document.frameworks
        for one in framework.requirements
        for text in one.evidence
    }
    for text, population in texts.items():
        yield {
            "uuid": of_report(document, "evidence", text),
            "description": line(f"{text} ({population})", 30_000),
            "methods": ["EXAMINE"],
            "types": ["control-objective"],
            "collected": document.made,
        }


def _finding(document: Document, framework: Framework, one: Requirement) -> Part:
    evidenced = one.standing is Standing.EVIDENCED
    said = "; ".join(one.missing) if one.missing else "; ".join(one.evidence)
    return filled(
        uuid=of_report(document, "finding", framework.id, one.id),
        title=line(f"{framework.title} {one.id}: {one.title}"),
        description=line(f"{'Missing' if one.missing else 'Evidence'}: {said or 'none'}", 30_000),
        props=properties(framework=framework.id, requirement=one.id, standing=one.standing, population=one.population),
        target={
            "type": "objective-id",
            "target-id": _target(framework, one),
            "status": {
                "state": "satisfied" if evidenced else "not-satisfied",
                "remarks": "satisfied: evidence stands for all that is asked here. "
                "Whether the requirement is met is for an assessor to say.",
            },
        },
        related_observations=[{"observation-uuid": of_report(document, "evidence", text)} for text in one.evidence],
    )
