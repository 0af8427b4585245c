# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which plans there are, in which cycles and in which order, and which of them a report is about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import PlanHead
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import ScopeKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.guard import seals_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import cycle_order

_OPENING = b'"opening":'
"""What stands in the ledger of a plan that was begun."""


@dataclass(frozen=True)
class Wanted:
    """What a report is to be about: of a plan ``plan`` and its tenant, of a cycle its name; no tenants means all."""

    kind: ScopeKind
    tenants: tuple[str, ...] = ()
    cycle: str | None = None
    plan: str | None = None
    compare_with: str | None = None
    """An earlier cycle; None for the one before."""


@dataclass(frozen=True)
class Volume:
    """A plan on the shelf."""

    tenant: str
    cycle: str
    plan: str


class Shelf:
    """The plans of a state, by cycle. Raises FleetError as the state does."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._seals: dict[str, dict[str, tuple[int, str]]] = {}
        self.cycles = state.cycles()
        self._plans = {
            cycle: [Volume(each["tenant"], cycle, each["plan"]) for each in state.get_cycle(cycle)["plans"]]
            for cycle in self.cycles
        }

    def of_cycle(self, cycle: str, tenants: Collection[str]) -> list[Volume]:
        """The plans of a cycle, of these tenants or of all, in the order of the cycle."""
        return [volume for volume in self._plans.get(cycle, []) if not tenants or volume.tenant in tenants]

    def latest(self, tenant: str) -> Volume | None:
        """The plan of a tenant's last cycle."""
        found = (volume for cycle in reversed(self.cycles) for volume in self.of_cycle(cycle, (tenant,)))
        return next(found, None)

    def until(self, cycle: str) -> Sequence[str]:
        """The cycles up to this one, in order."""
        return sorted(
            (each for each in {*self.cycles, cycle} if cycle_order(each) <= cycle_order(cycle)), key=cycle_order
        )

    def seal(self, tenant: str, plan: str) -> tuple[int, str] | None:
        """The number of a plan's seal, and the last hash of the ledger that was sealed; None where it is not."""
        if tenant not in self._seals:
            seals = seals_of(self._state, tenant)
            self._seals[tenant] = {seal.plan: (seal.number, seal.head) for seal, _files in seals}
        return self._seals[tenant].get(plan)

    def choose(self, wanted: Wanted) -> list[Volume]:
        """The plans a report is about, the oldest first. Raises FleetError of kind ``no_plan`` when there is none."""
        chosen = self._chosen(wanted)
        absent = set(wanted.tenants) - {volume.tenant for volume in chosen}
        if not chosen or absent:
            whose = f" of tenant {', '.join(sorted(absent))}" if absent else ""
            raise FleetError(
                f"There is no plan{whose} to report on{f' in cycle {wanted.cycle}' if wanted.cycle else ''}.",
                kind="no_plan",
                remedy=f"The tenants are {', '.join(self._state.tenants()) or 'none'}, the cycles "
                f"{', '.join(self.cycles) or 'none'}.",
            )
        return chosen

    def _chosen(self, wanted: Wanted) -> list[Volume]:
        if wanted.kind is ScopeKind.PLAN:
            (tenant,) = wanted.tenants
            head = cast(PlanHead, self._state.get_plan(tenant, str(wanted.plan)))
            return [Volume(tenant, head["cycle"], str(wanted.plan))]
        if wanted.kind is ScopeKind.CYCLE:
            if wanted.cycle not in self.cycles:
                # Says that there is none, and what to do.
                self._state.get_cycle(str(wanted.cycle))
            return self.of_cycle(str(wanted.cycle), wanted.tenants)
        if wanted.kind is ScopeKind.TENANT:
            return [volume for tenant in wanted.tenants for volume in self._of_tenant(tenant)]
        tenants = wanted.tenants or self._state.tenants()
        if wanted.cycle:
            return self.of_cycle(wanted.cycle, tenants)
        found = (self.latest(tenant) for tenant in tenants)
        return [volume for volume in found if volume]

    def _of_tenant(self, tenant: str) -> list[Volume]:
        """The plans of all cycles, and those that were begun before another one took their place."""
        current = {volume.plan: volume for cycle in self.cycles for volume in self.of_cycle(cycle, (tenant,))}
        found = []
        for plan in self._state.plans(tenant):
            if plan in current or any(_OPENING in line for line in self._state.entries(tenant, plan)):
                head = self._state.get_plan(tenant, plan)
                found.append((cycle_order(head["cycle"]), head["created"], Volume(tenant, head["cycle"], plan)))
        return [volume for *_order, volume in sorted(found, key=lambda each: each[:2])]
