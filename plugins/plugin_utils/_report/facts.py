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
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import Place, Report
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
    def _places(self) -> dict[str, Place]:
        """Where each host counts; those that are gone from the inventory are nowhere that is known."""
        return {**dict.fromkeys(self.report.missing, Place()), **{host.host: host.place for host in self.report.hosts}}

    @cached_property
    def _spreads(self) -> dict[int, tuple[tuple[str, ...], Counter[Group]]]:
        return {}

    @property
    def everybody(self) -> tuple[str, ...]:
        """All hosts, those among them that are gone from the inventory."""
        return tuple(self._places)

    def spread(self, hosts: tuple[str, ...]) -> Counter[Group]:
        """How many of the hosts are in each group; of a tuple that comes again it is known."""
        if id(hosts) not in self._spreads:
            # The tuple is kept, so that no other one takes its identity.
            self._spreads[id(hosts)] = hosts, self.count(hosts)
        return self._spreads[id(hosts)][1]

    def count(self, hosts: Iterable[str]) -> Counter[Group]:
        """The same of hosts that are counted once."""
        found: Counter[Group] = Counter()
        for place, number in Counter(map(self._places.__getitem__, hosts)).items():
            for group in _groups(self.report.tenant, place):
                found[group] += number
        return found


def _groups(tenant: str, place: Place) -> tuple[Group, ...]:
    return (ALL, ALL), ("tenant", tenant), ("cloud", place.cloud), ("environment", place.environment)
