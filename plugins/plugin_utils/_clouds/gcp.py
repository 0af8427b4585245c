# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Google Cloud as a source of machines: the instances of Compute Engine in projects, zones are all read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_instances import (
    ALL_FIELDS,
    FIELDS,
    MalformedError,
    read_page,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import ScopesError, SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry

if TYPE_CHECKING:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_api import Google

# The most that the API returns on a page.
INSTANCES_PER_PAGE = 500
LIST_INSTANCES = "compute.instances.aggregatedList"

_READ_INSTANCES = "https://www.googleapis.com/auth/compute.readonly"
_READ_RESOURCES = "https://www.googleapis.com/auth/cloud-platform.read-only"

_CREDENTIALS = {"access_token", "api_key", "credentials", "service_account_contents", "service_account_file"}
_PROJECT = r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
_PARENT = r"(?:folders|organizations)/[0-9]+"
# A token must not travel in clear text, but to this machine.
_ENDPOINT = r"https://[^\s/@?#]+|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?"
_ACCOUNT = r"[^\s@/]+@[a-z0-9.-]+\.gserviceaccount\.com"


@dataclass(frozen=True)
class Options:
    """What the inventory file says of a source."""

    projects: tuple[str, ...]
    parents: tuple[str, ...]
    """Folders and organisations, ``folders/123456789012``: all projects below them are read."""
    endpoint: str
    """Where Compute Engine is served, without a path; empty for where it is for everybody."""
    impersonate: str
    filter: str


class GcpSource:
    """The instances of projects. Nothing is loaded and nobody asked before ``scopes``."""

    def __init__(self, name: str, options: Options, *, raw: bool) -> None:
        self.name = name
        self._options = options
        self._raw = raw
        self._google: Google
        self._instances: Any = None

    def scopes(self, deadline: Deadline) -> Sequence[Scope]:
        """The projects. Raises SourceError, and ScopesError when a folder or organisation cannot be read."""
        options = self._options
        everything = Scope(self.name)
        access = [_READ_INSTANCES, *([_READ_RESOURCES] if options.parents else [])]
        self._google = _load(everything)(everything, access, options.impersonate, deadline)
        base = f"{options.endpoint}/compute/v1/" if options.endpoint else ""
        self._instances = self._google.service("compute", "v1", base).instances()
        # A project that is found on two ways is read once.
        projects = dict.fromkeys(options.projects)
        problems: list[SourceError] = []
        resources = self._google.service("cloudresourcemanager", "v3") if options.parents else None
        parents = list(options.parents)
        for parent in parents:
            try:
                found, folders = self._children(resources, Scope(self.name, parent), deadline)
            except SourceError as problem:
                problems.append(problem)
                continue
            projects.update(dict.fromkeys(found))
            parents += [folder for folder in folders if folder not in parents]
        scopes = [Scope(self.name, project) for project in projects]
        if problems:
            raise ScopesError(scopes, problems)
        return scopes

    def machines(self, scope: Scope, deadline: Deadline) -> Iterator[Machine]:
        """The instances of a project, by as few calls as the API allows. Raises SourceError."""
        from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_errors import is_disabled, malformed

        options = self._options
        lacking: dict[str, str] = {}
        pages = self._google.pages(
            self._instances.aggregatedList,
            scope,
            deadline,
            # Most projects of an organisation have no machines, and need not have the API.
            empty=lambda problem: scope.account not in options.projects and is_disabled(problem),
            project=scope.account,
            maxResults=INSTANCES_PER_PAGE,
            filter=options.filter or None,
            fields=ALL_FIELDS if self._raw else FIELDS,
        )
        for page in pages:
            try:
                machines, lacks = read_page(page, scope.account, raw=self._raw)
            except MalformedError as problem:
                raise malformed(str(problem), scope, LIST_INSTANCES) from problem
            yield from machines
            lacking.update(lacks)
        if lacking:
            zones = ", ".join(f"{said(zone)} ({said(why)})" for zone, why in sorted(lacking.items()))
            remedy = "See status.cloud.google.com, and run it again when Google can tell of all zones."
            raise SourceError(scope, LIST_INSTANCES, f"the answer lacks {zones}", kind="answer_partial", remedy=remedy)

    def _children(self, resources: Any, parent: Scope, deadline: Deadline) -> tuple[list[str], list[str]]:
        """The projects and the folders right below a folder or an organisation.

        They are listed and not searched for: a search passes over what is new and what one may not see.
        """
        projects = self._listed(resources.projects(), "projects", "projectId", parent, deadline)
        return projects, self._listed(resources.folders(), "folders", "name", parent, deadline)

    def _listed(self, resource: Any, kind: str, key: str, parent: Scope, deadline: Deadline) -> list[str]:
        from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_errors import malformed

        fields = f"nextPageToken,{kind}/{key}"
        pages = self._google.pages(resource.list, parent, deadline, parent=parent.account, fields=fields)
        try:
            return [str(child[key]) for page in pages for child in page.get(kind, ())]
        except (KeyError, TypeError) as problem:
            raise malformed(f"no {key}", parent, f"cloudresourcemanager.{kind}.list") from problem


def _load(scope: Scope) -> type[Google]:
    try:
        from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_api import Google
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] not in ("google", "googleapiclient", "httplib2", "requests"):
            raise
        what = f"{said(problem.name)} is not installed"
        remedy = "Run pip install -r requirements-gcp.txt of this collection."
        raise SourceError(scope, "import googleapiclient", what, kind="library_missing", remedy=remedy) from None
    return Google


def read_source(entry: Entry, name: str, *, raw: bool) -> GcpSource:
    """The source that an entry of the inventory file describes; what is wrong with it is noted there."""
    remedy = "Use Application Default Credentials, as Google's own tools do."
    entry.refuse_credentials(_CREDENTIALS, remedy)
    faults = len(entry.faults.lines)
    options = Options(
        projects=entry.texts("projects", pattern=_PROJECT, example="payments-prod"),
        parents=tuple(dict.fromkeys(entry.texts("parents", pattern=_PARENT, example="folders/123456789012"))),
        endpoint=entry.text("endpoint", pattern=_ENDPOINT, example="https://compute-fleet.p.googleapis.com"),
        impersonate=entry.text(
            "impersonate", pattern=_ACCOUNT, example="fleet-inventory@ops-prod.iam.gserviceaccount.com"
        ),
        filter=entry.text("filter", example="labels.fleet = managed"),
    )
    if not (options.projects or options.parents) and len(entry.faults.lines) == faults:
        entry.fault("projects", "names no project", "Name the projects, or with parents the folders that they are in.")
    return GcpSource(name, options, raw=raw)
