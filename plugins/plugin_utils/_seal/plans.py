# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which plans of a tenant must be sealed one day."""

from __future__ import annotations

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import choose_plans
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import cycle_order

_OPENED = f'"phase":"{Phase.OPEN.value}"'.encode()


def plans_asked_for(
    state: State, *, cycle: str | None, plans: list[dict[str, str]], tenants: list[str]
) -> list[tuple[str, str]]:
    """The (tenant, digest) pairs that are named, or those of a cycle; without both, every plan of the tenants.

    Raises FleetError of kind ``no_plan`` when there is none.
    """
    if plans or cycle:
        return choose_plans(state, cycle=cycle, plans=plans, tenants=tenants)
    chosen = [tenant for tenant in state.tenants() if not tenants or tenant in tenants]
    found = [(tenant, plan) for tenant in chosen for _cycle, plan in plans_of(state, tenant)]
    if not found:
        of = f" of {', '.join(tenants)}" if tenants else ""
        raise FleetError(
            f"The state has no plan{of}.",
            kind="no_plan",
            remedy="Look at fleet_state_dir or fleet_store_url, and at patch_tenants.",
        )
    return found


def plans_of(state: State, tenant: str) -> list[tuple[str, str]]:
    """The (cycle, digest) of every plan of a tenant that counts, in the order of the cycles.

    These are the plans of the cycles, and any other on which an attempt was ever opened: a plan that was replaced
    before that is none. A plan that a cycle names is listed whether it is there or not; the cycle of one that no cycle
    names and that cannot be read is empty. Raises FleetError as the state does.
    """
    of_cycles = [
        (cycle, entry["plan"])
        for cycle in state.cycles()
        for entry in state.get_cycle(cycle)["plans"]
        if entry["tenant"] == tenant
    ]
    known = {plan for _cycle, plan in of_cycles}
    others = [
        (_cycle_of(state, tenant, plan), plan)
        for plan in state.plans(tenant)
        if plan not in known and any(_OPENED in line for line in state.entries(tenant, plan))
    ]
    return sorted([*of_cycles, *others], key=lambda pair: cycle_order(pair[0]))


def _cycle_of(state: State, tenant: str, plan: str) -> str:
    try:
        return str(state.get_plan(tenant, plan)["cycle"])
    except FleetError:
        return ""
