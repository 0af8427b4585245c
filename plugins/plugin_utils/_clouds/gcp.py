# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Google Cloud as a source of machines: the instances of Compute Engine in projects, zones are all read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_api import Google
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_errors import is_disabled, malformed
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_instances import (
    ALL_FIELDS,
    FIELDS,
    MalformedError,
    read_page,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.parallel import side_by_side
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import ScopesError, SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry

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
        try:
            self._google = Google(everything, access, options.impersonate, deadline)
        except ModuleNotFoundError as problem:
            what = f"{said(problem.name)} is not installed"
            remedy = "Run pip install -r requirements-gcp.txt of this collection."
            raise SourceError(
                everything, "import googleapiclient", what, kind="library_missing", remedy=remedy
            ) from None
        base = f"{options.endpoint}/compute/v1/" if options.endpoint else ""
        self._instances = self._google.service("compute", "v1", base).instances()
        found, problems = self._below(options.parents, deadline) if options.parents else ([], [])
        # A project that is found on two ways is read once.
        scopes = [Scope(self.name, project) for project in dict.fromkeys([*options.projects, *found])]
        if problems:
            raise ScopesError(scopes, problems)
        return scopes

    def machines(self, scope: Scope, deadline: Deadline) -> Iterator[Machine]:
        """The instances of a project, by as few calls as the API allows. Raises SourceError."""
        options = self._options
        lacking: dict[str, str] = {}
        pages = self._google.pages(
            self._instances.aggregatedList,
            scope,
            deadline,
            project=scope.account,
            maxResults=INSTANCES_PER_PAGE,
            filter=options.filter or None,
            fields=ALL_FIELDS if self._raw else FIELDS,
        )
        try:
            for page in pages:
                machines, lacks = read_page(page, scope.account, raw=self._raw)
                yield from machines
                lacking.update(lacks)
        except MalformedError as problem:
            raise malformed(str(problem), scope, LIST_INSTANCES) from problem
        except SourceError as problem:
            # Most projects of an organisation have no machines, and need not have the API.
            if scope.account in options.projects or not is_disabled(problem):
                raise
        if lacking:
            zones = ", ".join(f"{said(zone)} ({said(why)})" for zone, why in sorted(lacking.items()))
            remedy = "See status.cloud.google.com, and run it again when Google can tell of all zones."
            raise SourceError(scope, LIST_INSTANCES, f"the answer lacks {zones}", kind="answer_partial", remedy=remedy)

    def _below(self, parents: Sequence[str], deadline: Deadline) -> tuple[list[str], list[SourceError]]:
        """The projects at any depth below folders and organisations, and what stands against reading one of these.

        They are listed and not searched for: a search passes over what is new and what one may not see.
        """
        resources = self._google.service("cloudresourcemanager", "v3")
        projects: list[str] = []
        problems: list[SourceError] = []
        seen = set(parents)
        while parents:
            folders: list[str] = []
            for found in side_by_side(lambda parent: self._children(resources, parent, deadline), parents):
                if isinstance(found, SourceError):
                    problems.append(found)
                else:
                    projects += found[0]
                    folders += found[1]
            parents = [folder for folder in dict.fromkeys(folders) if folder not in seen]
            seen.update(parents)
        return projects, problems

    def _children(self, resources: Any, parent: str, deadline: Deadline) -> tuple[list[str], list[str]]:
        """The projects and the folders right below a parent. Raises SourceError."""
        scope = Scope(self.name, parent)
        projects = self._listed(resources.projects(), "projects", "projectId", scope, deadline)
        return projects, self._listed(resources.folders(), "folders", "name", scope, deadline)

    def _listed(self, resource: Any, what: str, key: str, scope: Scope, deadline: Deadline) -> list[str]:
        fields = f"nextPageToken,{what}/{key}"
        pages = self._google.pages(resource.list, scope, deadline, parent=scope.account, fields=fields)
        try:
            return [str(child[key]) for page in pages for child in page.get(what, ())]
        except (KeyError, TypeError) as problem:
            raise malformed(f"no {key}", scope, f"cloudresourcemanager.{what}.list") from problem


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
