# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes to whom: one parcel for each tenant and each destination that asks for its reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.brief import Brief, read_brief
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.destinations import Destination, Kind
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import check_cycle, check_digest, check_name

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHOWN_DIGITS = 16


@dataclass(frozen=True)
class File:
    """A file of a report: the name it has at its destination, where it is now, and what is in it."""

    name: str
    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Reports:
    """The reports of one tenant's plan. ``facts`` is a digest of what they were made from."""

    tenant: str
    plan: str
    cycle: str
    brief: Brief
    files: Mapping[str, tuple[File, ...]]
    facts: str


@dataclass(frozen=True)
class Parcel:
    """What one destination gets of one tenant.

    ``content`` is the same for the same facts, whenever the reports were made; ``targets`` are those that must be
    reached: addresses, keys in the bucket, or the one channel of a webhook.
    """

    reports: Reports
    destination: Destination
    files: tuple[File, ...]
    content: str

    @property
    def targets(self) -> tuple[str, ...]:
        """What must be reached, each once."""
        if self.destination.kind is Kind.EMAIL:
            return tuple(dict.fromkeys(self.destination.own["to"]))
        if self.destination.kind is Kind.S3:
            return tuple(self.key_of(file) for file in self.files)
        return (str(self.destination.kind),)

    def key_of(self, file: File) -> str:
        """Where a file is put: every part of it is a checked name, so that no tenant reaches another one's."""
        prefix = self.destination.own.get("prefix")
        own = (self.reports.tenant, self.reports.cycle, self.reports.plan[:_SHOWN_DIGITS], file.name)
        return "/".join((prefix, *own) if prefix else own)


def read_reports(
    tenant: str, plan: str, cycle: str, paths: Mapping[str, Iterable[str]], brief: Mapping[str, Any], facts: str
) -> Reports:
    """The reports of a tenant, by the ``paths`` of each format and the ``brief`` that the module report returned.

    Raises FleetError: ``bad_name``, ``report_foreign`` when they are not of this tenant alone, ``report_unreadable``.
    """
    read = read_brief(brief)
    if read.tenants != (tenant,):
        raise FleetError(
            f"The reports for tenant {tenant} speak of {', '.join(map(show, read.tenants)) or 'nobody'}.",
            kind="report_foreign",
            remedy="Make the reports of each tenant for itself; nothing was sent.",
        )
    files = {form: tuple(_files(form, list(own))) for form, own in paths.items()}
    return Reports(check_name(tenant, "tenant"), check_digest(plan), check_cycle(cycle), read, files, facts)


def _files(form: str, paths: list[str]) -> Iterator[File]:
    for text in paths:
        path = Path(text)
        # Two formats of several files may have files of the same name.
        name = f"{form}-{path.name}" if len(paths) > 1 else path.name
        if not _FILE.fullmatch(name):
            raise FleetError(
                f"{show(name)} is no name for a file of a report.",
                kind="bad_name",
                remedy="Use letters, digits, dots, dashes and underscores, at most 100.",
            )
        try:
            with path.open("rb") as content:
                yield File(name, path, file_digest(content, "sha256").hexdigest(), path.stat().st_size)
        except OSError as problem:
            raise FleetError(
                f"The report {show(text)} cannot be read: {problem.strerror}.",
                kind="report_unreadable",
                remedy="Make the reports again.",
            ) from problem


def parcels(reports: Reports, destinations: Iterable[Destination]) -> Iterator[Parcel]:
    """What the destinations get of these reports. Raises FleetError (``report_missing``) when a format was not made."""
    for destination in destinations:
        if not destination.takes(reports.tenant) or (destination.on_trouble_only and reports.brief.well):
            continue
        missing = [form for form in destination.formats if not reports.files.get(form)]
        if missing:
            raise FleetError(
                f"{destination.name} wants {', '.join(missing)} of tenant {reports.tenant}, which was not made.",
                kind="report_missing",
                remedy="Make the reports in all formats that destinations name.",
            )
        said = {**reports.brief.as_data(), "made": ""}
        content = digest({"facts": reports.facts, "brief": said, "formats": sorted(destination.formats)})
        files = tuple(file for form in destination.formats for file in reports.files[form])
        yield Parcel(reports, destination, files, content)
