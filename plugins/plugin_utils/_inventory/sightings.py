# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One machine that several sources or inventory files saw: united, or refused where they contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from ansible.inventory.helpers import get_group_vars
from ansible.utils.vars import combine_vars

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN, Machine, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.mapping import Placement, TagMapping
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.names import Identity, normal_identity
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show

_NAMED = 20
_ADDED = ("private_ip", "public_ip", "private_dns", "public_dns", "sensor_id")
_IDENTITY = ("fleet_cloud", "fleet_account", "fleet_instance_id")
_SAID = ("tenant", "environment", "cluster", "wave", "criticality", "power")
_OURS = {*_IDENTITY, *(f"fleet_{part}" for part in _SAID)}


@dataclass(frozen=True)
class Earlier:
    """A host that an earlier inventory made."""

    identity: Identity
    """Empty texts where it does not say which machine it is, which is none that a source can name."""
    said: Mapping[str, str]
    """What it says of its place and power, by the end of the variable's name."""
    seen_by: tuple[str, ...]


def hosts_before(inventory: Any) -> dict[str, Earlier]:
    """By name, the hosts that Ansible's inventory has already."""
    return {name: _earlier(host) for name, host in inventory.hosts.items()}


def unite(sightings: Sequence[tuple[Scope, Machine]], mapping: TagMapping) -> tuple[Machine, Placement, list[str]]:
    """A machine and its placement by all who saw it, who knows best first, and sentences on what they contradict in.

    The others add ways to it, the addresses and the sensor that the first does not know, and what is unknown of its
    place.
    """
    first = sightings[0][1]
    placements = [mapping.place(scope.source, machine) for scope, machine in sightings]
    if len(sightings) == 1:
        return first, placements[0], []
    machines = [machine for _scope, machine in sightings]
    found, faults = {}, []
    for part in Placement._fields:
        by_value = _by_value(
            (scope, getattr(each, part)) for (scope, _m), each in zip(sightings, placements, strict=True)
        )
        # How exactly a system is known differs; a file, which is last, says what somebody meant.
        found[part] = [*by_value, UNKNOWN][0] if part != "os" else [UNKNOWN, *by_value][-1]
        if part != "os":
            faults += _contradiction(first.identity, part, by_value)
    faults += _contradiction(
        first.identity, "region", _by_value((scope, machine.region) for scope, machine in sightings)
    )
    added: dict[str, Any] = {
        name: next(filter(None, (getattr(each, name) for each in machines)), "") for name in _ADDED
    }
    ways = tuple(dict.fromkeys(chain.from_iterable(machine.managed_by for machine in machines)))
    asked = chain.from_iterable(machine.not_managed_by for machine in machines)
    not_by = tuple(dict.fromkeys(way for way in asked if way not in ways))
    return replace(first, managed_by=ways, not_managed_by=not_by, **added), Placement(**found), faults


def contradictions_to(earlier: Earlier, machine: Machine, placement: Placement) -> list[str]:
    """Sentences on what a host says otherwise of itself than what is known here of its machine."""
    known = {**placement._asdict(), "power": machine.power.value}
    return [
        f"{_called(machine.identity)}: {part} is {show(known[part])} here, and {show(said)} in an earlier inventory"
        for part, said in earlier.said.items()
        if said != known[part]
    ]


def refuse(contradictions: Sequence[str]) -> None:
    """Raise FleetError of kind ``bad_inventory`` where there are any: nobody must choose by chance whose a host is."""
    if contradictions:
        more = len(contradictions) - _NAMED
        lines = [*sorted(contradictions)[:_NAMED], *([f"and {more} more"] if more > 0 else [])]
        raise FleetError(
            "Who saw these machines says different things of them:\n" + "\n".join(f"- {line}." for line in lines),
            kind="bad_inventory",
            remedy="Correct the placement, the tags or the fleet_* variables, or read each machine by one source.",
        )


def path_of(scope: Scope) -> str:
    """A scope as ``fleet_seen_by`` names it."""
    return "/".join(part for part in (scope.source, scope.account, scope.region) if part)


def _earlier(host: Any) -> Earlier:
    variables = host.vars
    if not variables.keys() >= _OURS:
        variables = combine_vars(get_group_vars(host.get_groups()), variables)
    identity = [str(variables.get(name, "")) for name in _IDENTITY]
    cloud, account, instance_id = ("" if text == UNKNOWN else text for text in identity)
    said = {part: str(variables[f"fleet_{part}"]) for part in _SAID if f"fleet_{part}" in variables}
    return Earlier(
        normal_identity(cloud, account, instance_id) if cloud and instance_id else ("", "", ""),
        # A template may say the same.
        {part: text for part, text in said.items() if "{" not in text},
        tuple(variables.get("fleet_seen_by", ("an earlier inventory",))),
    )


def _by_value(said: Iterable[tuple[Scope, str]]) -> dict[str, str]:
    """Who was the first to say each value that is known."""
    found: dict[str, str] = {}
    for scope, value in said:
        if value and value != UNKNOWN:
            found.setdefault(value, path_of(scope))
    return found


def _contradiction(identity: Identity, what: str, by_value: Mapping[str, str]) -> list[str]:
    said = ", ".join(f"{show(value)} by {show(path)}" for value, path in by_value.items())
    return [f"{_called(identity)}: {what} is {said}"] if len(by_value) > 1 else []


def _called(identity: Identity) -> str:
    return show(" ".join(filter(None, identity)))
