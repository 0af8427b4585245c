# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The population: whether the inventory has everybody whom a cycle must reach."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.groups import (
    STOPPED,
    UNASSIGNED,
    UNREACHABLE_TRANSPORT,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate, LeftOut, PlanHead, Verdict, gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

_NAMED = 5


@dataclass(frozen=True)
class Population:
    """The gate ``population`` of a tenant, and the hosts that were planned before and are gone; sorted."""

    gate: Gate
    missing: list[str] = field(default_factory=list)


def look_at_population(
    state: State, tenant: str, *, incomplete: Iterable[Any], inventory: Collection[str]
) -> Population:
    """Hold a tenant's latest plan against ``inventory``, which are all of its hosts, whatever the limit.

    ``incomplete`` are the values of ``fleet_incomplete`` of the tenant's hosts. Raises FleetError as the state does.
    """
    parts = parts_of(incomplete)
    try:
        earlier = latest_plan(state, tenant)
    except FleetError as problem:
        return Population(gate("population", Verdict.UNKNOWN, f"the plan before cannot be read: {problem.message}"))
    missing = sorted(_known(earlier).difference(inventory)) if earlier else []
    if parts:
        return Population(incomplete_gate(parts), missing)
    if earlier is None:
        return Population(gate("population", Verdict.PASS, "no earlier plan"))
    plan = f"plan {digest(earlier)[:16]} of {earlier['cycle']}"
    if missing:
        evidence = (
            f"{len(missing)} of {len(_known(earlier))} hosts of {plan} are not in the inventory: {_named(missing)}; "
            "decommissioned? say so by an override of population"
        )
        return Population(gate("population", Verdict.BLOCK, evidence), missing)
    evidence = f"all {len(_known(earlier))} hosts of {plan} are in the inventory"
    return Population(gate("population", Verdict.PASS, evidence))


def incomplete_gate(parts: Collection[str]) -> Gate:
    """The gate ``population`` right before a change: whether the inventory of this run says that it is complete."""
    if parts:
        return gate("population", Verdict.UNKNOWN, f"the inventory is incomplete: {_named(sorted(parts))}")
    return gate("population", Verdict.PASS, "the inventory names nothing that it could not see")


def parts_of(incomplete: Iterable[Any]) -> list[str]:
    """What is missing by the values of ``fleet_incomplete`` of a tenant's hosts; sorted."""
    return sorted({part for value in incomplete for part in _parts(value)})


def left_out(groups: Mapping[str, Collection[str]], tenant: str, tenant_of: Callable[[str], Any]) -> LeftOut | None:
    """Whom a tenant has in the inventory without that a plan works on them, each under the first reason that applies.

    ``groups`` are those of the inventory with their hosts, ``tenant_of`` looks up ``fleet_tenant`` of a host. None
    where the inventory does not say it, for it is not one of ``bankops.fleet.multicloud``.
    """
    if STOPPED not in groups:
        return None
    stopped = {host for host in groups[STOPPED] if tenant_of(host) == tenant}
    unreachable = {host for host in groups[UNREACHABLE_TRANSPORT] if tenant_of(host) == tenant}
    return {
        "stopped": sorted(stopped),
        "unreachable_transport": sorted(unreachable - stopped),
        # Whose they are is not known, so no tenant is told their names.
        "unassigned": len(groups[UNASSIGNED]),
    }


def describe_left_out(found: LeftOut) -> str:
    """Who was left out, in words: ``2 stopped (db1, db2), 0 without a transport, 1 of no tenant``."""
    parts = [
        (found["stopped"], "stopped"),
        (found["unreachable_transport"], "without a transport"),
    ]
    said = [f"{len(hosts)} {what}" + (f" ({_named(hosts)})" if hosts else "") for hosts, what in parts]
    return ", ".join([*said, f"{found['unassigned']} of no tenant"])


def latest_plan(state: State, tenant: str) -> PlanHead | None:
    """The tenant's latest plan; within a month the latest made, for an emergency may be planned before or after."""
    found: list[PlanHead] = []
    for cycle in reversed(state.cycles()):
        if found and _month(found[0]["cycle"]) != _month(cycle):
            break
        plans = state.get_cycle(cycle)["plans"]
        found += [cast("PlanHead", state.get_plan(tenant, each["plan"])) for each in plans if each["tenant"] == tenant]
    return max(found, key=lambda head: head["created"], default=None)


def _known(head: PlanHead) -> set[str]:
    """The hosts of a plan, and those it missed: planning again must not make them forgotten."""
    return {*head["hosts"], *head["missing"]}


def _month(cycle: str) -> str:
    return cycle.partition("-e")[0]


def _parts(value: Any) -> list[str]:
    """What is missing, as an inventory says it: text, a list, or a mapping of names to reasons."""
    if not value:
        return []
    if isinstance(value, Mapping):
        return [f"{show(key)}: {show(reason)}" for key, reason in value.items()]
    return [show(part) for part in value] if isinstance(value, (list, tuple)) else [show(value)]


def _named(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(map(show, names[:_NAMED])) + (f" and {more} more" if more > 0 else "")
