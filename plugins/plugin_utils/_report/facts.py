# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as the figures of a report count it: its report, what became of its updates, and the day it is judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import ExceptionRow
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.exceptions import exception_rows
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import HostResult, Place, Report
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.remediation import Remediation

ALL = "all"
Group = tuple[str, str]
"""A kind of group (``all``, ``tenant``, ``cloud``, ``environment``) and its name."""


@dataclass(frozen=True)
class PlanFacts:
    """A plan of the scope. ``as_of`` is today for a tenant's latest plan, and the day of its last entry for others.

    ``latest`` says whether no later plan of the tenant is in the scope: only that one says how hosts are now.
    ``seal`` is the number of its seal, None where there is none.
    """

    report: Report
    as_of: date
    latest: bool
    seal: int | None
    remediation: Remediation

    @cached_property
    def exceptions(self) -> tuple[ExceptionRow, ...]:
        """Its exceptions, those that have expired among them."""
        return exception_rows(self.report, self.as_of)

    @cached_property
    def groups(self) -> dict[str, tuple[Group, ...]]:
        """The groups that each host counts in; hosts that are gone from the inventory are nowhere that is known."""
        tenant = self.report.tenant
        made: dict[Place, tuple[Group, ...]] = {}
        found = {host: made.setdefault(Place(), _groups(tenant, Place())) for host in self.report.missing}
        for host in self.report.hosts:
            if host.place not in made:
                made[host.place] = _groups(tenant, host.place)
            found[host.host] = made[host.place]
        return found

    @cached_property
    def _spreads(self) -> dict[int, tuple[tuple[str, ...], Counter[Group]]]:
        return {}

    def spread(self, hosts: tuple[str, ...]) -> Counter[Group]:
        """How many of the hosts are in each group; of a tuple that comes again it is known."""
        if id(hosts) not in self._spreads:
            # The tuple is kept, so that no other one takes its identity.
            self._spreads[id(hosts)] = hosts, Counter(group for host in hosts for group in self.groups[host])
        return self._spreads[id(hosts)][1]

    def count(self, hosts: Iterable[HostResult]) -> Counter[Group]:
        """How many of these hosts are in each group."""
        return Counter(group for host in hosts for group in self.groups[host.host])


def _groups(tenant: str, place: Place) -> tuple[Group, ...]:
    return (ALL, ALL), ("tenant", tenant), ("cloud", place.cloud), ("environment", place.environment)
