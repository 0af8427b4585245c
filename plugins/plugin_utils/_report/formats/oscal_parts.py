# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What assessment results and a plan of action and milestones have in common, as OSCAL writes it.

Every identifier is made of what it stands for, so that the same host, CVE or plan has the same one in every report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    CveRow,
    Document,
    ExceptionRow,
    HostRow,
    PlanRow,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.texts import shortened, visible

VERSION = "1.2.1"
"""Of OSCAL."""

NAMESPACE = "https://bankops.fleet/ns/oscal"
"""Of the names of our properties; it names them, and is no page."""

Part = dict[str, Any]

_NAMES = UUID("5a2a9a0e-7c0b-5e0f-9d3c-2f6f4a1f7b11")
_NO_TOKEN = re.compile(r"[^A-Za-z0-9._-]")
_TITLE = 500


def identifier(*of: str) -> str:
    """The UUID of what these words name, in order."""
    return str(uuid5(_NAMES, "\n".join(visible(word) for word in of)))


def of_report(document: Document, *of: str) -> str:
    """The UUID of something in the report: made of its scope and the digests of its plans."""
    scope = document.scope
    return identifier(scope.kind, *scope.tenants, *scope.cycles, *sorted(row.plan for row in document.plans), *of)


def host_identifier(tenant: str, host: str) -> str:
    """The UUID of a host, the same in every report."""
    return identifier("host", tenant, host)


def plan_identifier(plan: PlanRow) -> str:
    """The UUID of a plan, the same in every report."""
    return identifier("plan", plan.plan)


def line(text: str, most: int = _TITLE) -> str:
    """A text where OSCAL wants one line that is not empty."""
    return shortened(visible(text).strip(), most) or "none"


def token(*words: str) -> str:
    """Words as OSCAL wants a name: letters, digits, dots and hyphens, a letter first."""
    made = _NO_TOKEN.sub("-", "_".join(words))
    return made if made[:1].isalpha() else f"_{made}"


def moment(text: str | None, otherwise: str) -> str:
    """A time with its zone; a day is its first second in UTC. ``otherwise`` where it is none."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return otherwise
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).isoformat().replace("+00:00", "Z")


def properties(**values: str | float | bool | None) -> list[Part]:
    """Our own properties; what is not known has none."""
    return [
        {"name": token(name.replace("_", "-")), "ns": NAMESPACE, "value": line(_word(value))}
        for name, value in values.items()
        if value is not None and value != ""
    ]


def filled(**parts: Any) -> Part:
    """An object without the lists that would be empty, and the values that are not there, which OSCAL forbids."""
    return {name.replace("_", "-"): value for name, value in parts.items() if value is not None and value != []}


def metadata(document: Document, title: str) -> Part:
    """Who made the document of what, when, and the people in it."""
    scope = document.scope
    roles = {
        "client": "Owner of the hosts",
        "approver": "Approved a plan",
        "executor": "Executed a plan",
    }
    people = {
        "client": sorted(set(scope.tenants)),
        "approver": sorted({row.approver for row in document.plans if row.approver}),
        "executor": sorted({row.executor for row in document.plans if row.executor}),
    }
    parties = {
        (identifier("party", name)): {"type": "organization" if role == "client" else "person", "name": line(name)}
        for role, names in people.items()
        for name in names
    }
    return filled(
        title=line(f"{title}: {scope.title}"),
        last_modified=moment(document.made, document.made),
        version=line(document.made),
        oscal_version=VERSION,
        props=properties(collection=document.collection, scope=scope.kind),
        roles=[{"id": role, "title": what} for role, what in roles.items()],
        parties=[{"uuid": uuid, **party} for uuid, party in parties.items()],
        responsible_parties=[
            {"role-id": role, "party-uuids": [identifier("party", name) for name in names]}
            for role, names in people.items()
            if names
        ],
    )


def inventory_items(hosts: Iterable[HostRow]) -> list[Part]:
    """Each host once, however many plans it is in; what became of it is in the observations."""
    once = {(row.tenant, row.host): row for row in hosts}
    return [
        {
            "uuid": host_identifier(row.tenant, row.host),
            "description": line(f"Host {row.host} of tenant {row.tenant}"),
            "props": [
                {"name": "asset-id", "value": line(row.host)},
                *properties(
                    tenant=row.tenant,
                    cloud=row.cloud,
                    environment=row.environment,
                    region=row.region,
                    cluster=row.cluster,
                ),
            ],
        }
        for row in once.values()
    ]


class HostObservations:
    """Observations of sets of hosts, to which risks refer: many CVEs are open on the same hosts, named here once."""

    def __init__(self, document: Document) -> None:
        self._collected = moment(document.made, document.made)
        self._known: dict[tuple[str, int], str] = {}
        self._made: dict[str, Part] = {}
        self._subjects: dict[tuple[str, str], Part] = {}

    def references(self, tenant: str, hosts: tuple[str, ...]) -> list[Part]:
        """What ``related-observations`` says of these hosts, a tuple that the caller keeps; nothing for no hosts."""
        if not hosts:
            return []
        known = self._known.get((tenant, id(hosts)))
        if known is None:
            known = self._known[tenant, id(hosts)] = identifier("hosts", tenant, *hosts)
            if known not in self._made:
                self._made[known] = self._observation(known, tenant, hosts)
        return [{"observation-uuid": known}]

    def subjects(self, rows: Iterable[tuple[str, str]]) -> list[Part]:
        """References to hosts, given as tenant and name, each once."""
        return list({row: self._subject(*row) for row in rows}.values())

    def observations(self) -> list[Part]:
        """All that were referred to, in that order."""
        return list(self._made.values())

    def hosts(self) -> set[tuple[str, str]]:
        """All hosts that were referred to, as tenant and name."""
        return set(self._subjects)

    def _subject(self, tenant: str, host: str) -> Part:
        known = self._subjects.get((tenant, host))
        if known is None:
            known = {"subject-uuid": host_identifier(tenant, host), "type": "inventory-item"}
            self._subjects[tenant, host] = known
        return known

    def _observation(self, uuid: str, tenant: str, hosts: tuple[str, ...]) -> Part:
        return {
            "uuid": uuid,
            "title": line(f"{len(hosts):,} hosts of tenant {tenant}"),
            "description": "The hosts on which that is so which refers to this observation.",
            "methods": ["TEST"],
            "types": ["finding"],
            "subjects": self.subjects((tenant, host) for host in hosts),
            "collected": self._collected,
        }


def cve_risk(row: CveRow, observations: HostObservations) -> Part:
    """A CVE of a tenant as a risk, open or closed, with the day by which its service level wants it closed."""
    allowed = "no service level" if row.allowed_days is None else f"{row.allowed_days} days allowed"
    seen = f"first seen {row.first_seen or 'at an unknown time'}, {allowed}, in time: {row.in_time}"
    return filled(
        uuid=identifier("cve", row.tenant, row.cve),
        title=line(f"{row.cve} in {', '.join(row.packages) or 'unknown packages'}, tenant {row.tenant}"),
        description=line(
            f"{row.cve} is {row.status} on {len(row.hosts_open):,} hosts; it was closed on {len(row.hosts_closed):,}."
        ),
        statement=line(f"Severity {row.severity}; {seen}."),
        props=properties(
            tenant=row.tenant,
            cve=row.cve,
            severity=row.severity,
            days=row.days,
            allowed_days=row.allowed_days,
            in_time=row.in_time,
            hosts_open=len(row.hosts_open),
            hosts_closed=len(row.hosts_closed),
        ),
        status=row.status.value,
        deadline=_deadline(row),
        related_observations=observations.references(row.tenant, row.hosts_open),
    )


def exception_risk(row: ExceptionRow, observations: HostObservations) -> Part:
    """An expired exception as a risk: somebody accepted something until a day that has passed."""
    return filled(
        uuid=identifier("exception", row.tenant, row.kind, row.subject, row.owner, row.ticket, row.expires),
        title=line(f"Expired {row.kind} of {row.subject}, tenant {row.tenant}"),
        description=line(f"The {row.kind} of {row.subject} by {row.owner} expired {row.expires}: {row.effect}."),
        statement=line(f"Reason: {row.reason}. Ticket: {row.ticket or 'none'}."),
        props=properties(
            tenant=row.tenant, exception=row.kind, owner=row.owner, ticket=row.ticket, expires=row.expires
        ),
        status="open",
        deadline=moment(row.expires, "") or None,
        related_observations=observations.references(row.tenant, row.hosts),
    )


def plan_resources(plans: Iterable[PlanRow]) -> Iterator[Part]:
    """The plans, each known by its digest."""
    for row in plans:
        title = line(f"Patch plan {row.plan[:16]} of tenant {row.tenant}, cycle {row.cycle}")
        yield {
            "uuid": plan_identifier(row),
            "title": title,
            "document-ids": [{"identifier": line(f"sha256:{row.plan}")}],
            "citation": {"text": f"{title}, plan.json with SHA-256 {line(row.plan)}"},
        }


def _deadline(row: CveRow) -> str | None:
    if row.allowed_days is None or not moment(row.first_seen, ""):
        return None
    first = datetime.fromisoformat(moment(row.first_seen, ""))
    return moment((first + timedelta(days=row.allowed_days)).isoformat(), "")


def _word(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
