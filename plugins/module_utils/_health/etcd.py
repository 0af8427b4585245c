# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health of an etcd cluster, through the JSON gateway of its v3 interface.

Every endpoint is asked ``GET /health`` (for which etcd itself reads through the quorum), and by POST for
``/v3/maintenance/status`` and ``/v3/cluster/member/list``. etcd 3.3 calls the gateway v3beta.
Numbers of 64 bits come as strings, and what is zero is left out.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._health.web import Web, WebError

_GATEWAYS = ("v3", "v3beta")


@dataclass(frozen=True)
class _View:
    """What one endpoint says: of itself, of its leader, and how far it is."""

    endpoint: str
    problem: str
    member: str = "0"
    leader: str = "0"
    cluster: str = "0"
    index: int = 0
    applied: int = 0
    names: Dict[str, str] = field(default_factory=dict)


def check_etcd(check: Mapping[str, Any]) -> Tuple[bool, str]:
    """Whether enough members are healthy, agree on one leader, have no alarm and (``caught_up``) have caught up."""
    try:
        web = Web(
            timeout=check["timeout"],
            ca_file=check["ca_file"],
            cert_file=check["cert_file"],
            key_file=check["key_file"],
        )
    except WebError as problem:
        return False, str(problem)
    endpoints = [endpoint.rstrip("/") for endpoint in check["endpoints"]]
    # At the same moment, or a busy cluster would seem to lag between the first and the last answer.
    with ThreadPoolExecutor(max_workers=len(endpoints)) as pool:
        views = list(pool.map(lambda endpoint: _look(web, endpoint), endpoints))
    return _judge(check, views)


def _judge(check: Mapping[str, Any], views: List[_View]) -> Tuple[bool, str]:
    answered = [view for view in views if view.member != "0"]
    healthy = {view.member for view in views if not view.problem}
    names: Dict[str, str] = {}
    for view in answered:
        names.update(view.names)
    minimum = check["minimum_healthy"] or len(views)
    wrong: List[str] = []
    if len(healthy) < minimum:
        wrong.append(f"{len(healthy)} of {max(len(views), len(names))} members healthy, needed {minimum}")
    leaders = sorted({view.leader for view in answered})
    if len(leaders) > 1 or "0" in leaders:
        told = ", ".join(names.get(leader, "none") for leader in leaders)
        wrong.append(f"the members do not agree on one leader: {told}")
    if len({view.cluster for view in answered}) > 1:
        wrong.append("the endpoints belong to different clusters")
    newest = max((view.index for view in answered), default=0)
    lag = max((newest - view.applied for view in answered), default=0)
    if check["caught_up"] and lag > check["maximum_lag"]:
        behind = [names.get(view.member, view.endpoint) for view in answered if newest - view.applied == lag]
        wrong.append(f"{behind[0]} is {lag} entries behind, allowed are {check['maximum_lag']}")
    if any(view.problem.startswith("alarm") for view in answered):
        wrong.append("an alarm is raised, which holds for the whole cluster")
    problems = [f"{view.endpoint}: {view.problem}" for view in views if view.problem]
    if wrong:
        return False, "; ".join([*wrong, *problems])
    leader = names.get(leaders[0], leaders[0])
    told = f"{len(healthy)} of {max(len(views), len(names))} members healthy, leader {leader}, largest lag {lag}"
    return True, "; ".join([told, *problems])


def _look(web: Web, endpoint: str) -> _View:
    try:
        health = _parse(web.get(f"{endpoint}/health").text)
        status, gateway = _ask(web, endpoint)
        listed = _parse(web.post(f"{endpoint}/{gateway}/cluster/member/list", b"{}").text)
        index = int(status.get("raftIndex") or 0)
        applied = int(status.get("raftAppliedIndex") or index)  # etcd 3.3 does not tell what it applied
    except (WebError, ValueError) as problem:
        return _View(endpoint, str(problem))
    header = status.get("header") or {}
    return _View(
        endpoint,
        _own_problem(health, status),
        member=str(header.get("member_id") or "0"),
        leader=str(status.get("leader") or "0"),
        cluster=str(header.get("cluster_id") or "0"),
        index=index,
        applied=applied,
        names={
            str(member.get("ID")): str(member.get("name") or "not started") for member in listed.get("members") or []
        },
    )


def _own_problem(health: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    """What keeps a member that answers from being healthy; empty where nothing does."""
    errors = [str(error) for error in status.get("errors") or []]
    if any("alarm" in error for error in errors):
        return f"alarm raised: {', '.join(errors)}"
    if errors:
        return f"it reports: {', '.join(errors)}"
    if str(health.get("health")).lower() != "true":
        return "it says of itself that it is not healthy"
    if status.get("isLearner"):
        return "it is a learner, which has no vote"
    return ""


def _ask(web: Web, endpoint: str) -> Tuple[Dict[str, Any], str]:
    """The status of a member and the gateway that gave it."""
    told = ""
    for gateway in _GATEWAYS:
        answer = web.post(f"{endpoint}/{gateway}/maintenance/status", b"{}")
        if answer.status == 200:
            return _parse(answer.text), gateway
        told = f"status {answer.status} from /{gateway}/maintenance/status"
        if answer.status != 404:
            break
    raise ValueError(f"it does not tell its state: {told}")


def _parse(text: str) -> Dict[str, Any]:
    """Raises ValueError where the answer is not a JSON object."""
    try:
        parsed = json.loads(text)
    except ValueError as problem:
        raise ValueError("the answer is not JSON; this may not be an etcd endpoint") from problem
    if not isinstance(parsed, dict):
        raise ValueError("the answer is not a JSON object; this may not be an etcd endpoint")
    return parsed
