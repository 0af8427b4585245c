# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Google's APIs refuse, list in pages, and what the methods that are played here answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.state import COMPUTE, ZONES, Cloud, Instance, Project

MOST_PER_PAGE = 500


class RefusalError(Exception):
    """An answer other than 200, as the older APIs (``errors``) and the newer ones (``details``) say it."""

    def __init__(self, status: int, reason: str, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        error: dict[str, Any] = {"code": status, "message": message}
        error["errors"] = [{"message": message, "domain": "global", "reason": reason}]
        if detail:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            error["details"] = [{"@type": kind, "reason": detail, "domain": "googleapis.com"}]
        self.body = {"error": error}


@dataclass(frozen=True)
class Call:
    """A call that the discovery document admits."""

    cloud: Cloud
    account: str
    """Whose token it came with."""
    parameters: Mapping[str, Any]
    body: Any


def list_instances(call: Call) -> dict[str, Any]:
    """compute.instances.aggregatedList: all zones on every page, those without instances on it with a warning."""
    project = _project_with_compute(call)
    size = call.parameters.get("maxResults", MOST_PER_PAGE)
    if size > MOST_PER_PAGE:
        raise RefusalError(400, "invalid", f"Invalid value for field 'maxResults': '{size}'.")
    wanted = [instance for instance in project.instances if _matches(instance, call.parameters.get("filter", ""))]
    reached = [instance for instance in wanted if instance.zone not in project.unreachable]
    page, following = _page(sorted(reached, key=lambda instance: (instance.zone, instance.name)), call, size)
    items: dict[str, dict[str, Any]] = {}
    for zone in sorted({*ZONES, *(instance.zone for instance in wanted)}):
        here = [instance.resource(project) for instance in page if instance.zone == zone]
        code = "UNREACHABLE" if zone in project.unreachable else "NO_RESULTS_ON_PAGE"
        items[f"zones/{zone}"] = {"instances": here} if here else {"warning": _warning(code, f"zones/{zone}")}
    unreachable = [f"{COMPUTE}/projects/{project.id}/zones/{zone}" for zone in sorted(project.unreachable)]
    return {
        "kind": "compute#instanceAggregatedList",
        "id": f"projects/{project.id}/aggregated/instances",
        "items": items,
        "selfLink": f"{COMPUTE}/projects/{project.id}/aggregated/instances",
        **({"unreachables": unreachable} if unreachable else {}),
        **following,
    }


def list_projects(call: Call) -> dict[str, Any]:
    """cloudresourcemanager.projects.list: those right below a parent."""
    parent = _parent(call, "resourcemanager.projects.list")
    below = [project for project in call.cloud.projects.values() if project.parent == parent]
    page, following = _page(below, call, call.parameters.get("pageSize", 2))
    shown = [
        {"name": f"projects/{each.number}", "parent": parent, "projectId": each.id, "state": "ACTIVE"} for each in page
    ]
    return {**({"projects": shown} if shown else {}), **following}


def list_folders(call: Call) -> dict[str, Any]:
    """cloudresourcemanager.folders.list: those right below a parent."""
    parent = _parent(call, "resourcemanager.folders.list")
    below = [folder for folder, its_parent in call.cloud.folders.items() if its_parent == parent]
    page, following = _page(below, call, call.parameters.get("pageSize", 2))
    shown = [{"name": folder, "parent": parent, "displayName": folder, "state": "ACTIVE"} for folder in page]
    return {**({"folders": shown} if shown else {}), **following}


METHODS: dict[str, Callable[[Call], dict[str, Any]]] = {
    "compute.instances.aggregatedList": list_instances,
    "cloudresourcemanager.projects.list": list_projects,
    "cloudresourcemanager.folders.list": list_folders,
}


def _project_with_compute(call: Call) -> Project:
    name = call.parameters["project"]
    project = call.cloud.projects.get(name)
    if project is None:
        raise RefusalError(404, "notFound", f"The resource 'projects/{name}' was not found")
    if not project.compute:
        message = f"Compute Engine API has not been used in project {project.number} before or it is disabled."
        raise RefusalError(403, "accessNotConfigured", message, "SERVICE_DISABLED")
    if not call.cloud.admits("compute.instances.list", name):
        raise RefusalError(403, "forbidden", f"Required 'compute.instances.list' permission for 'projects/{name}'")
    return project


def _parent(call: Call, permission: str) -> str:
    parent = str(call.parameters["parent"])
    known = {*call.cloud.folders, *call.cloud.folders.values(), *(each.parent for each in call.cloud.projects.values())}
    if parent not in known or not call.cloud.admits(permission, parent):
        raise RefusalError(403, "forbidden", "The caller does not have permission", "IAM_PERMISSION_DENIED")
    return parent


def _page(listed: Sequence[Any], call: Call, size: int) -> tuple[Sequence[Any], dict[str, str]]:
    """A page of a list, and the token of the next one, which tells callers nothing."""
    token = call.parameters.get("pageToken", "Ci-page-0")
    match = re.fullmatch(r"Ci-page-(\d+)", token)
    if not match or int(match.group(1)) > len(listed):
        raise RefusalError(400, "invalid", f"Invalid value for field 'pageToken': '{token}'.")
    first, last = int(match.group(1)), int(match.group(1)) + size
    return listed[first:last], {"nextPageToken": f"Ci-page-{last}"} if last < len(listed) else {}


def _warning(code: str, place: str) -> dict[str, Any]:
    data = [{"key": "scope", "value": place}]
    return {"code": code, "message": f"{code} on the scope '{place}'.", "data": data}


def _matches(instance: Instance, expression: str) -> bool:
    """Whether an expression of AIP-160 admits an instance: labels, name and status are compared, all must hold."""
    terms = re.findall(r"\(?([\w.-]+)\s*(!?=)\s*\"?([\w-]+)\"?\)?(?:\s+AND)?\s*", expression)
    if re.sub(r"\s|AND|[()\"]", "", expression) != "".join("".join(term) for term in terms):
        raise RefusalError(400, "invalid", f"Invalid value for field 'filter': '{expression}'.")
    values = {"name": instance.name, "status": instance.status}
    values.update({f"labels.{key}": value for key, value in instance.labels.items()})
    return all((values.get(name) == value) is (sign == "=") for name, sign, value in terms)
