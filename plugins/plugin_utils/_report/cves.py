# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CVEs of a tenant: closed where hosts are verified with another version, open as long as one host may have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import CveRow, CveStatus
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.facts import PlanFacts
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import PendingUpdate
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.remediation import (
    Left,
    Remedied,
    days_between,
    in_time,
)

SEVERITIES = ("critical", "important", "moderate", "low", "unknown")
"""From the worst on; of a CVE with several updates the worst that is known is shown."""


@dataclass
class _Found:
    closed: list[Remedied] = field(default_factory=list)
    open: list[Left] = field(default_factory=list)


class Unions:
    """Sorted unions of sets of hosts, each different one made once: most CVEs are those of few kinds of hosts."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, ...], tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]] = {}
        self._same: dict[tuple[str, ...], tuple[str, ...]] = {}

    def of(self, sets: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        """All hosts of the sets, which are sorted themselves."""
        parts = tuple(dict.fromkeys(sets))
        if len(parts) == 1:
            return parts[0]
        key = tuple(map(id, parts))
        if key not in self._made:
            hosts = tuple(sorted({host for part in parts for host in part}))
            # The parts are kept, so that no others take their identities.
            self._made[key] = parts, self._same.setdefault(hosts, hosts)
        return self._made[key][1]

    def without(self, hosts: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
        """The hosts that are none of the others."""
        if not others or set(hosts).isdisjoint(others):
            return hosts
        left = tuple(sorted(set(hosts).difference(others)))
        return self._same.setdefault(left, left)


def cve_rows(plans: Iterable[PlanFacts], today: date) -> Iterator[CveRow]:
    """The CVEs of one tenant, by id, as its plans closed them and its latest plan has left them."""
    found: dict[str, _Found] = defaultdict(_Found)
    tenant = ""
    for facts in plans:
        tenant = facts.report.tenant
        for remedied in facts.remediation.remedied:
            for cve in remedied.update.cves or ():
                found[cve].closed.append(remedied)
        for left in facts.remediation.left if facts.latest else ():
            for cve in left.update.cves or ():
                found[cve].open.append(left)
    unions = Unions()
    for cve in sorted(found):
        yield _row(tenant, cve, found[cve], unions, today)


def _row(tenant: str, cve: str, found: _Found, unions: Unions, today: date) -> CveRow:
    updates = [remedied.update for remedied in found.closed] + [left.update for left in found.open]
    still = unions.of(left.hosts for left in found.open)
    closed = unions.without(unions.of(remedied.hosts for remedied in found.closed), still)
    # A first day that is not known of one update is not known of the CVE.
    days_seen = [update.first_seen for update in updates]
    first_seen = min(days_seen) if all(days_seen) else ""
    ended = today if still else max(remedied.day for remedied in found.closed)
    days = days_between(first_seen, ended)
    levels = [update.allowed_days for update in updates if update.allowed_days is not None]
    allowed = min(levels, default=None)
    return CveRow(
        tenant=tenant,
        cve=cve,
        status=CveStatus.OPEN if still else CveStatus.CLOSED,
        severity=_worst(updates),
        packages=tuple(sorted({update.name for update in updates})),
        hosts_closed=closed,
        hosts_open=still,
        first_seen=first_seen or None,
        closed=None if still else ended.isoformat(),
        days=days,
        allowed_days=allowed,
        in_time=in_time(days, allowed),
    )


def _worst(updates: Iterable[PendingUpdate]) -> str:
    severities = {update.severity for update in updates}
    return next((severity for severity in SEVERITIES if severity in severities), min(severities))


def open_cves(rows: Iterable[CveRow]) -> set[str]:
    """The ids of those that are open on some host."""
    return {row.cve for row in rows if row.status is CveStatus.OPEN}


def closed_cves(rows: Iterable[CveRow]) -> set[str]:
    """The ids of those that are closed, and open nowhere."""
    found = list(rows)
    return {row.cve for row in found if row.status is CveStatus.CLOSED} - open_cves(found)
