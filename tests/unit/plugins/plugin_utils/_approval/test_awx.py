# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approvals that AWX knows of, read over real HTTP from a fake one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import awx_api
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.awx import (
    read_awx_approval,
    require_awx_approval,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.awx_api import AwxApi
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.opening import opening_proof
from ansible_collections.bankops.fleet.tests.fakes.awx import FakeAwx, serving

PLAN, OTHER = "a" * 64, "b" * 64


class Workflow:
    """Plan, then an approval node, then apply: the usual workflow, its apply job running."""

    def __init__(self, awx: FakeAwx) -> None:
        self.awx = awx
        self.pauses: list[float] = []
        self.plan = awx.node(identifier="plan")
        self.approval = awx.node(self.plan, identifier="approve")
        self.apply = awx.node(self.approval, identifier="apply")
        self.planned = awx.run(self.plan, {"fleet_plans": {"alpha": PLAN, "beta": OTHER}})
        self.decided = awx.decide(self.approval, "alice")
        self.job = awx.run(self.apply, status="running")

    def read(self, **changes: Any) -> dict[str, Any]:
        api = AwxApi(self.awx.url, self.awx.token, sleep=self.pauses.append)
        wanted = {"plan": PLAN, "tenant": "alpha", "purpose": "apply", "job": self.job["id"], "node": None}
        return read_awx_approval(api, **{**wanted, **changes})

    def refused(self, **changes: Any) -> FleetError:
        with pytest.raises(FleetError) as caught:
            self.read(**changes)
        return caught.value


@pytest.fixture
def workflow() -> Iterator[Workflow]:
    with serving(FakeAwx()) as awx:
        yield Workflow(awx)


def policy(url: str, **more: Any) -> dict[str, Any]:
    return {"approval": "awx", "approval_hours": 72, "approval_awx": {"url": url, **more}}


# What holds


def test_the_approver_is_read_from_the_node_before_the_job(workflow: Workflow) -> None:
    assert workflow.read() == {
        "how": "awx",
        "plan": PLAN,
        "tenant": "alpha",
        "purpose": "apply",
        "approver": "alice",
        "approver_key": "",
        "executor": "olivia",
        "created": "2026-11-24T10:00:02Z",
        "workflow_job": 7,
        "approval": workflow.approval["job"],
    }


def test_every_page_of_the_nodes_is_read(workflow: Workflow) -> None:
    last = workflow.apply
    for _number in range(5):
        last = workflow.awx.node(last)
    workflow.awx.run(last, status="running")
    assert workflow.read(job=last["job"])["approver"] == "alice"
    assert sum("page=" in path for path in workflow.awx.asked) >= 3


def test_a_workflow_that_a_schedule_started_names_the_schedule(workflow: Workflow) -> None:
    workflow.awx.workflow.update(
        launched_by={"id": 2, "name": "monthly", "type": "schedule", "url": "/api/v2/schedules/2/"}, summary_fields={}
    )
    assert workflow.read()["executor"] == "schedule monthly"


def test_a_rollback_needs_a_plan_that_was_shown_for_it(workflow: Workflow) -> None:
    assert workflow.refused(purpose="rollback").kind == "approval_unknown"
    workflow.planned["artifacts"] = {"fleet_rollbacks": {"alpha": PLAN}}
    assert workflow.read(purpose="rollback")["purpose"] == "rollback"
    assert workflow.refused().kind == "approval_unknown"


def test_of_several_approval_nodes_one_that_holds_is_enough_unless_one_is_named(workflow: Workflow) -> None:
    second = workflow.awx.node(workflow.plan, identifier="second")
    second["success_nodes"].append(workflow.apply["id"])
    workflow.awx.decide(second, "olivia")
    assert workflow.read()["approver"] == "alice"
    assert workflow.read(node="approve")["approver"] == "alice"
    assert workflow.refused(node="second").kind == "approval_own"
    assert workflow.refused(node="third").kind == "not_approved"


# What does not


@pytest.mark.parametrize("status", ["failed", "pending", "canceled"])
def test_an_approval_that_was_not_given_is_none(workflow: Workflow, status: str) -> None:
    workflow.decided["status"] = status
    refusal = workflow.refused()
    assert refusal.kind == "not_approved"
    assert f"is {status}, not given" in refusal.message


def test_whoever_started_the_workflow_cannot_approve_it(workflow: Workflow) -> None:
    workflow.awx.decide(workflow.approval, "olivia")
    assert workflow.refused().kind == "approval_own"


def test_whoever_created_a_scheduled_workflow_cannot_approve_it(workflow: Workflow) -> None:
    workflow.awx.workflow["launched_by"] = {"id": 9, "name": "monthly", "type": "schedule"}
    workflow.awx.decide(workflow.approval, "olivia")
    assert workflow.refused().kind == "approval_own"


def test_an_approval_beside_the_job_or_after_it_is_none(workflow: Workflow) -> None:
    workflow.approval["success_nodes"] = []
    after = workflow.awx.node(workflow.apply, identifier="after")
    workflow.awx.decide(after, "alice")
    refusal = workflow.refused()
    assert refusal.kind == "not_approved"
    assert "has no approval node before this job" in refusal.message


def test_an_approval_of_another_plan_is_refused(workflow: Workflow) -> None:
    refusal = workflow.refused(plan=OTHER)
    assert refusal.kind == "approval_foreign"
    assert refusal.message == (
        f"What was approved in AWX is plan {PLAN[:16]}, and not plan {OTHER[:16]} of tenant alpha."
    )


def test_an_approval_that_saw_two_plans_of_the_tenant_is_refused(workflow: Workflow) -> None:
    again = workflow.awx.node(workflow.plan)
    again["success_nodes"].append(workflow.approval["id"])
    workflow.awx.run(again, {"fleet_plans": {"alpha": OTHER}})
    workflow.awx.decide(workflow.approval, "alice")
    refusal = workflow.refused()
    assert refusal.kind == "approval_foreign"
    assert "patch_approve.yml as its first job" in refusal.remedy


def test_a_plan_made_after_the_approval_was_not_seen(workflow: Workflow) -> None:
    workflow.planned["finished"] = "2026-11-24T11:00:00Z"
    assert workflow.refused().kind == "approval_unknown"


@pytest.mark.parametrize(
    "artifacts",
    [
        {},
        {"fleet_plans": {"beta": OTHER}},
        {"fleet_plans": [PLAN]},
        "$hidden due to Ansible no_log set$",
    ],
    ids=str,
)
def test_an_approval_without_a_plan_before_it_is_refused(workflow: Workflow, artifacts: Any) -> None:
    workflow.planned["artifacts"] = artifacts
    assert workflow.refused().kind == "approval_unknown"


# What cannot be read


def test_an_approval_that_does_not_name_its_approver_is_refused(workflow: Workflow) -> None:
    workflow.decided["summary_fields"] = {}
    assert "does not name its approver" in workflow.refused().message


@pytest.mark.parametrize("launched_by", [None, {}, "olivia"])
def test_a_workflow_that_does_not_say_who_started_it_is_refused(workflow: Workflow, launched_by: Any) -> None:
    workflow.awx.workflow["launched_by"] = launched_by
    refusal = workflow.refused()
    assert refusal.kind == "approval_unknown"
    assert "does not say who started it" in refusal.message


def test_a_job_outside_of_any_workflow_is_refused(workflow: Workflow) -> None:
    workflow.job["summary_fields"] = {}
    assert "is part of no workflow" in workflow.refused().message


def test_a_job_that_does_not_run_is_refused(workflow: Workflow) -> None:
    assert "is successful, and not the one that runs" in workflow.refused(job=workflow.plan["job"]).message


@pytest.mark.parametrize("nodes", [[{"id": "x"}], [{"id": 1, "success_nodes": None}]])
def test_nodes_without_their_shape_are_refused(workflow: Workflow, nodes: list[Any]) -> None:
    workflow.awx.nodes[:] = nodes
    assert "has not its shape" in workflow.refused().message


def test_a_missing_object_is_refused(workflow: Workflow) -> None:
    assert "answered 404" in workflow.refused(job=4711).message


def test_a_wrong_token_is_refused_at_once(workflow: Workflow) -> None:
    workflow.awx.token = "another"  # noqa: S105
    api = AwxApi(workflow.awx.url, "wrong", sleep=workflow.pauses.append)
    with pytest.raises(FleetError, match="answered 401") as caught:
        api.get("/api/v2/jobs/1/")
    assert "wrong" not in caught.value.message
    assert workflow.pauses == []


def test_a_busy_awx_is_asked_again(workflow: Workflow) -> None:
    workflow.awx.troubles = [429, 502, 503]
    assert workflow.read()["approver"] == "alice"
    assert len(workflow.pauses) == 3
    assert workflow.pauses[0] >= 1
    assert max(workflow.pauses) <= 20


def test_an_awx_that_stays_away_is_no_approval(workflow: Workflow) -> None:
    workflow.awx.troubles = [502] * 5
    refusal = workflow.refused()
    assert refusal.kind == "approval_unknown"
    assert "answered 502" in refusal.message


def test_an_awx_that_cannot_be_reached_is_no_approval() -> None:
    pauses: list[float] = []
    with pytest.raises(FleetError, match="cannot be read") as caught:
        AwxApi("http://127.0.0.1:9", "t", sleep=pauses.append).get("/api/v2/jobs/1/")
    assert caught.value.kind == "approval_unknown"
    assert len(pauses) == 4


@pytest.mark.parametrize("answer", ["<html>login</html>", "[]", ""])
def test_an_answer_that_is_no_object_is_no_approval(workflow: Workflow, answer: str) -> None:
    workflow.awx.troubles = [answer]
    assert workflow.refused().kind == "approval_unknown"


def test_a_redirect_takes_the_token_nowhere(workflow: Workflow) -> None:
    workflow.awx.troubles = [302]
    assert "answered 302" in workflow.refused().message


@pytest.mark.parametrize("following", ["http://elsewhere.example/api/", "/api/v2/again/"])
def test_pages_that_lead_elsewhere_or_never_end_are_no_approval(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch, following: str
) -> None:
    monkeypatch.setattr(awx_api, "_MOST_PAGES", 3)
    workflow.awx.objects["/api/v2/again/"] = {"results": [], "next": following}
    with pytest.raises(FleetError, match="lead elsewhere or never end"):
        list(AwxApi(workflow.awx.url, workflow.awx.token).get_all("/api/v2/again/"))


def test_certificates_that_cannot_be_read_are_named() -> None:
    with pytest.raises(FleetError, match="nowhere"):
        AwxApi("https://awx.example", "t", ca_file="/nowhere/ca.pem")


# In the opening of an attempt


def open_in_awx(workflow: Workflow, environment: dict[str, str]) -> dict[str, Any]:
    given: dict[str, Any] = {"plan": PLAN, "tenant": "alpha", "attempt": 1, "purpose": "apply", "key": None}
    now = datetime.now(timezone.utc)
    return opening_proof(policy(workflow.awx.url, node="approve"), **given, opened=now, environment=environment)


def test_the_opening_keeps_what_awx_said(workflow: Workflow) -> None:
    environment = {"TOWER_OAUTH_TOKEN": workflow.awx.token, "JOB_ID": str(workflow.job["id"])}
    opening = open_in_awx(workflow, environment)
    approved = datetime(2026, 11, 24, 10, 0, 2, tzinfo=timezone.utc)
    wanted: dict[str, Any] = {"plan": PLAN, "tenant": "alpha", "purpose": "apply", "now": approved}
    found = require_awx_approval(opening, **wanted)
    assert (found.how, found.approver, found.executor) == ("awx", "alice", "olivia")
    assert found.expires == "2026-11-27T10:00:02Z"
    for change, kind in (
        ({"plan": OTHER}, "approval_foreign"),
        ({"tenant": "beta"}, "approval_foreign"),
        ({"purpose": "rollback"}, "approval_foreign"),
        ({"now": approved + timedelta(hours=72)}, "approval_expired"),
    ):
        with pytest.raises(FleetError) as caught:
            require_awx_approval(opening, **{**wanted, **change})
        assert caught.value.kind == kind
    with pytest.raises(FleetError, match="is not approved in AWX"):
        require_awx_approval({}, **wanted)


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"JOB_ID": "1"}, "neither CONTROLLER_OAUTH_TOKEN nor TOWER_OAUTH_TOKEN is set"),
        ({"CONTROLLER_OAUTH_TOKEN": "t"}, "this is no job of AWX"),
        ({"CONTROLLER_OAUTH_TOKEN": "t", "JOB_ID": "../1"}, "this is no job of AWX"),
    ],
)
def test_outside_of_awx_nothing_is_approved(workflow: Workflow, environment: dict[str, str], why: str) -> None:
    with pytest.raises(FleetError, match=why) as caught:
        open_in_awx(workflow, environment)
    assert caught.value.kind == "approval_unknown"
