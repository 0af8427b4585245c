# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who approved in AWX: the approval node before this job, read from AWX's API and never from a variable.

The fields are those of AWX 24.6 (awx/api/serializers.py: UnifiedJobSerializer, WorkflowJobNodeSerializer,
WorkflowApprovalSerializer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.awx_api import (
    TOKEN_VARIABLES,
    AwxApi,
    unknown,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.model import Approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import is_whole_number
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import as_text, hours_after

ARTIFACTS = {"apply": "fleet_plans", "rollback": "fleet_rollbacks"}
"""What patch_plan.yml and patch_approve.yml leave to the workflow, ``{tenant: digest}``, by what it is shown for."""

JOB_VARIABLES = ("AWX_JOB_ID", "JOB_ID")
_ANEW = "the workflow anew, with patch_approve.yml as its first job when the plan is being applied"
"""What is being applied is not planned again."""
_EDGES = ("success_nodes", "failure_nodes", "always_nodes")


def awx_approval(
    policy: Mapping[str, Any], *, plan: str, tenant: str, purpose: str, environment: Mapping[str, str]
) -> dict[str, Any]:
    """What AWX says of the running job, for the opening entry. Raises FleetError as ``read_awx_approval`` does."""
    options = policy["approval_awx"]
    token = next((environment[name] for name in TOKEN_VARIABLES if environment.get(name)), "")
    job = next((environment[name] for name in JOB_VARIABLES if environment.get(name)), "")
    if not token:
        raise unknown(f"neither {' nor '.join(TOKEN_VARIABLES)} is set", "Give the job template AWX's own credential.")
    if not job.isdecimal():
        raise unknown("this is no job of AWX", "Run the playbook from a workflow, behind an approval node.")
    api = AwxApi(options["url"], token, ca_file=options.get("ca_file"))
    found = read_awx_approval(api, plan=plan, tenant=tenant, purpose=purpose, job=int(job), node=options.get("node"))
    expires = hours_after(datetime.fromisoformat(found["created"]), policy["approval_hours"])
    return {**found, "expires": as_text(expires)}


def read_awx_approval(
    api: AwxApi, *, plan: str, tenant: str, purpose: str, job: int, node: str | None
) -> dict[str, Any]:
    """Plain data: ``{"how", "plan", "tenant", "purpose", "approver", "approver_key", "executor", "created"}``.

    Besides ``workflow_job`` and ``approval``, the numbers that AWX gave them; in AWX nobody has a key.
    ``node`` is the identifier of the approval node; without one, any approval node before the job counts. Raises
    FleetError: ``not_approved``, ``approval_own``, ``approval_foreign``, ``approval_unknown``.
    """
    workflow, nodes = _read_workflow(api, job)
    before = nodes.before(nodes.of_job(job))
    candidates = [found for found in before if _type(found) == "workflow_approval"]
    if node is not None:
        candidates = [found for found in candidates if found.get("identifier") == node]
    if not candidates:
        named = f" {node}" if node else ""
        raise FleetError(
            f"Workflow job {workflow['id']} has no approval node{named} before this job.",
            kind="not_approved",
            remedy="Put an approval node between the job that plans and the one that applies.",
        )
    refusals = []
    for candidate in candidates:
        try:
            facts = _judge(api, workflow, nodes, candidate, plan=plan, tenant=tenant, purpose=purpose)
        except FleetError as refusal:
            refusals.append(refusal)
        else:
            of_plan = {"how": "awx", "plan": plan, "tenant": tenant, "purpose": purpose, "approver_key": ""}
            return {**of_plan, **facts, "workflow_job": workflow["id"]}
    raise refusals[-1]


def require_awx_approval(
    opening: Mapping[str, Any], *, plan: str, tenant: str, purpose: str, now: datetime
) -> Approval:
    """The approval that was read when the attempt was opened.

    Raises FleetError: ``not_approved``, ``approval_foreign``, ``approval_expired``.
    """
    found = opening.get("awx_approval")
    if not isinstance(found, Mapping):
        raise FleetError(
            f"Plan {plan[:16]} of tenant {tenant} is not approved in AWX.",
            kind="not_approved",
            remedy="Run the playbook from a workflow, behind an approval node.",
        )
    if (found["plan"], found["tenant"], found["purpose"]) != (plan, tenant, purpose):
        raise _foreign(plan, tenant, f"{found['purpose']} of plan {found['plan'][:16]} of tenant {found['tenant']}")
    if datetime.fromisoformat(found["expires"]) <= now:
        raise FleetError(
            f"The approval of {found['approver']} in AWX expired at {found['expires']}.",
            kind="approval_expired",
            remedy=f"Start {_ANEW}.",
        )
    kept = {key: found[key] for key in ("how", "purpose", "approver", "approver_key", "created", "expires", "executor")}
    return Approval(**kept, executor_key="")


@dataclass(frozen=True)
class _Nodes:
    """The nodes of a workflow job by their ids, and which lead to which."""

    by_id: dict[int, dict[str, Any]]

    def of_job(self, job: int) -> dict[str, Any]:
        """The node that started a job."""
        for node in self.by_id.values():
            if node.get("job") == job:
                return node
        raise unknown(f"no node of the workflow started job {job}", "Run the playbook from a workflow.")

    def before(self, node: dict[str, Any]) -> list[dict[str, Any]]:
        """All nodes from which an edge, or a chain of them, leads to ``node``."""
        found: set[int] = set()
        waiting = [node["id"]]
        while waiting:
            target = waiting.pop()
            parents = {key for key, other in self.by_id.items() if any(target in other[edge] for edge in _EDGES)}
            waiting += parents - found
            found |= parents
        return [self.by_id[key] for key in sorted(found)]


def _read_workflow(api: AwxApi, job: int) -> tuple[dict[str, Any], _Nodes]:
    """The workflow job that started a running job, and its nodes."""
    running = api.get(f"/api/v2/jobs/{job}/")
    if running.get("status") != "running":
        raise unknown(f"job {job} is {running.get('status')}, and not the one that runs", "Run it from AWX.")
    source = _summary(running, "source_workflow_job").get("id")
    if not is_whole_number(source):
        raise unknown(f"job {job} is part of no workflow", "Run the playbook from a workflow, behind an approval node.")
    workflow = api.get(f"/api/v2/workflow_jobs/{source}/")
    nodes = {}
    for node in api.get_all(f"/api/v2/workflow_jobs/{source}/workflow_nodes/?order_by=id&page_size=200"):
        if not is_whole_number(node.get("id")) or not all(isinstance(node.get(edge), list) for edge in _EDGES):
            raise unknown(f"a node of workflow job {source} has not its shape", "Is this an AWX of version 24?")
        nodes[node["id"]] = node
    return {**workflow, "id": source}, _Nodes(nodes)


def _judge(
    api: AwxApi, workflow: dict[str, Any], nodes: _Nodes, node: dict[str, Any], *, plan: str, tenant: str, purpose: str
) -> dict[str, Any]:
    """What one approval node says, when it says yes to this plan."""
    approval = api.get(f"/api/v2/workflow_approvals/{node['job']}/")
    if approval.get("status") != "successful":
        raise FleetError(
            f"Approval {node['job']} of workflow job {workflow['id']} is {approval.get('status')}, not given.",
            kind="not_approved",
            remedy=f"When the plan may be carried out, start {_ANEW}.",
        )
    approver = _summary(approval, "approved_or_denied_by")
    finished = _moment(approval, "approval")
    if not is_whole_number(approver.get("id")) or not isinstance(approver.get("username"), str):
        raise unknown(f"approval {node['job']} does not name its approver", "May the token's owner see users?")
    launcher = _launcher(workflow, approver)
    _require_shown(api, nodes.before(node), finished, plan=plan, tenant=tenant, purpose=purpose)
    return {
        "approver": approver["username"],
        "executor": launcher,
        "created": as_text(finished),
        "approval": node["job"],
    }


def _launcher(workflow: dict[str, Any], approver: Mapping[str, Any]) -> str:
    """Who, or what schedule, started the workflow. Raises FleetError of kind ``approval_own``."""
    created_by, launched_by = _summary(workflow, "created_by"), workflow.get("launched_by")
    if not isinstance(launched_by, Mapping) or not launched_by.get("type"):
        raise unknown(f"workflow job {workflow['id']} does not say who started it", "May the token's owner see users?")
    started = {created_by.get("id"), launched_by.get("id") if launched_by["type"] == "user" else None}
    if approver["id"] in started:
        raise FleetError(
            f"{approver['username']} approved in AWX, and started workflow job {workflow['id']} as well.",
            kind="approval_own",
            remedy="Let somebody else approve, or somebody else start the workflow.",
        )
    name = str(launched_by.get("name"))
    return name if launched_by["type"] == "user" else f"{launched_by['type']} {name}"


def _require_shown(
    api: AwxApi, before: list[dict[str, Any]], approved: datetime, *, plan: str, tenant: str, purpose: str
) -> None:
    """The approver saw this plan and no other: jobs before the approval left its digest to the workflow."""
    shown = set()
    for node in before:
        if _type(node) != "job" or not is_whole_number(node.get("job")):
            continue
        job = api.get(f"/api/v2/jobs/{node['job']}/")
        artifacts = job.get("artifacts")
        plans = artifacts.get(ARTIFACTS[purpose]) if isinstance(artifacts, Mapping) else None
        if isinstance(plans, Mapping) and tenant in plans and _moment(job, "job") <= approved:
            shown.add(str(plans[tenant]))
    if not shown:
        raise unknown(
            f"no job before the approval left the digest of a plan of tenant {tenant}",
            "Let patch_plan.yml or patch_approve.yml run in the workflow, before the approval node.",
        )
    if shown != {plan}:
        raise _foreign(plan, tenant, " and ".join(f"plan {digest[:16]}" for digest in sorted(shown)))


def _foreign(plan: str, tenant: str, instead: str) -> FleetError:
    return FleetError(
        f"What was approved in AWX is {instead}, and not plan {plan[:16]} of tenant {tenant}.",
        kind="approval_foreign",
        remedy=f"Start {_ANEW}: what is shown, approved and applied belongs together.",
    )


def _type(node: Mapping[str, Any]) -> object:
    """What kind of job a node started."""
    return _summary(node, "job").get("type")


def _summary(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    fields = item.get("summary_fields")
    found = fields.get(name) if isinstance(fields, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _moment(job: Mapping[str, Any], what: str) -> datetime:
    try:
        moment = datetime.fromisoformat(str(job.get("finished")))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise unknown(f"{what} {job.get('id')} does not say when it finished", "Is this an AWX of version 24?")
    return moment
