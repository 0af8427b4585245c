# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what the sources named to hosts: each machine once, with its place, its address and why no plan has it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    UNKNOWN,
    Machine,
    Power,
    Scope,
    Transport,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.conditions import any_holds
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.configuration import Configuration
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.mapping import Placement
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.names import Identity, is_address, is_own_address
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.sightings import path_of, refuse, unite

if TYPE_CHECKING:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import SensorHost

_NAMED = 50
"""Machines that the record names: it is there again for every host that somebody lists."""


class LeftOut(StrEnum):
    """Why no plan works on a host, the first that applies."""

    STOPPED = "stopped"
    UNASSIGNED = "unassigned"
    UNREACHABLE_TRANSPORT = "unreachable_transport"


@dataclass(slots=True)
class Host:
    """A machine as the inventory has it. ``groups`` and ``name`` come last: a name depends on all the others."""

    machine: Machine
    placement: Placement
    address: str
    """For ``ansible_host``; empty where it has none that is fit."""
    transport: str
    seen_by: tuple[str, ...]
    """The scopes that named it."""
    left_out: LeftOut | None
    groups: tuple[str, ...] = ()
    name: str = ""
    sensor: SensorHost | None = None
    """What Falcon knows of it."""
    is_unprotected: bool = False
    """Whether it runs, and Falcon was asked and knows no sensor of it."""

    @property
    def is_duplicate(self) -> bool:
        """Whether more than one scope named it."""
        return len(self.seen_by) > 1


@dataclass
class Population:
    """All machines that the sources named: those that are hosts, and how many the conditions excluded."""

    hosts: list[Host] = field(default_factory=list)
    excluded: int = 0
    only_managed: list[dict[str, str]] = field(default_factory=list)
    """Machines that a cloud's way reaches and that the cloud does not list: where they are, and whose."""
    sensors: dict[str, int] | None = None
    """How many sensors Falcon has, and how many of them are on no host; None where it was not asked."""

    def record(self, read: str) -> dict[str, Any]:
        """Plain data for ``fleet_population``: ``machines = hosts + excluded``, ``hosts = planned +`` each reason.

        Counts, for every host has it: who they are is said by the groups, but for those that are no hosts.
        """
        only = {"count": len(self.only_managed), "machines": self.only_managed[:_NAMED]}
        reasons = Counter(host.left_out for host in self.hosts)
        return {
            "read": read,
            "machines": len(self.hosts) + self.excluded,
            "excluded": self.excluded,
            "hosts": len(self.hosts),
            "planned": reasons[None],
            **{reason.value: reasons[reason] for reason in LeftOut},
            "shared_addresses": sum(map(len, self.shared_addresses().values())),
            "duplicates": sum(host.is_duplicate for host in self.hosts),
            **({"only_managed": only} if self.only_managed else {}),
            **({} if self.sensors is None else {"sensors": self.sensors, "unprotected": self._unprotected}),
        }

    def shared_addresses(self) -> dict[str, list[Host]]:
        """By address, the hosts where several have the same: who connects to one may reach another."""
        hosts = defaultdict(list)
        for host in self.hosts:
            if host.address and not is_own_address(host.address):
                hosts[host.address].append(host)
        return {address: found for address, found in hosts.items() if len(found) > 1}

    @property
    def _unprotected(self) -> int:
        return sum(host.is_unprotected for host in self.hosts)


def classify(found: Mapping[Scope, Iterable[Machine]], configuration: Configuration) -> Population:
    """The population of what was read. The scopes may come in any order: the outcome is the same.

    Raises FleetError (``bad_inventory``) where sources contradict each other on a machine.
    """
    seen: dict[Identity, list[tuple[Scope, Machine]]] = defaultdict(list)
    # Who was asked account by account knows more of a machine than a file does.
    for scope, machines in sorted(found.items(), key=lambda item: (not item[0].account, str(item[0]))):
        for machine in machines:
            seen[machine.identity].append((scope, machine))
    population = Population()
    contradictions = []
    for sightings in seen.values():
        listed = [(scope, machine) for scope, machine in sightings if machine.is_listed]
        machine, placement, faults = unite(listed or sightings, configuration.mapping)
        contradictions += faults
        if (configuration.include and not any_holds(configuration.include, machine, placement)) or any_holds(
            configuration.exclude, machine, placement
        ):
            population.excluded += 1
        elif not machine.is_listed:
            population.only_managed.append(_where(machine, placement))
        else:
            scopes = dict.fromkeys(path_of(scope) for scope, _machine in listed)
            population.hosts.append(_host(listed[0][0], machine, placement, tuple(scopes), configuration))
    refuse(contradictions)
    return population


def mark_sensors(population: Population, sensors: Iterable[SensorHost], *, whole: bool) -> None:
    """Say of each host what Falcon knows of it, joined by identity, and count the sensors that are on none of them.

    Only when ``whole`` can one be missing there; and only where nothing that is known may be its sensor is it.
    """
    # Only who asks Falcon pays for it.
    from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.sensors import (
        Sensors,
        identity_of,
        is_whole,
    )

    found = Sensors(sensors)
    elsewhere = {sensor.aid for sensor in found.all}
    for host in population.hosts:
        machine = host.machine
        identity = identity_of(machine.cloud.value, machine.account, machine.instance_id)
        match = found.match(identity, machine.sensor_id)
        elsewhere.difference_update(sensor.aid for sensor in (*match.found, *match.doubtful))
        host.sensor = match.found[0] if match.found else None
        joinable = is_whole(identity) or machine.sensor_id != ""
        missing = joinable and not match.found and not match.doubt
        host.is_unprotected = whole and missing and machine.power == Power.RUNNING
    population.sensors = {"read": len(found.all), "elsewhere": len(elsewhere)}


def _where(machine: Machine, placement: Placement) -> dict[str, str]:
    return {
        "cloud": machine.cloud.value,
        "account": machine.account,
        "region": machine.region,
        "instance_id": machine.instance_id,
        "tenant": placement.tenant,
    }


def _host(
    scope: Scope, machine: Machine, placement: Placement, seen_by: tuple[str, ...], configuration: Configuration
) -> Host:
    # A file says itself whom it reaches on this machine; a cloud's name or tag must not lead there.
    local = configuration.loopback or not scope.account
    found = (getattr(machine, name) for name in configuration.addresses)
    address = next((each for each in found if is_address(each) and (local or not is_own_address(each))), "")
    transport = _transport(machine, address, configuration.transports)
    left_out = None
    if machine.power != Power.RUNNING:
        left_out = LeftOut.STOPPED
    elif placement.tenant == UNKNOWN:
        left_out = LeftOut.UNASSIGNED
    elif transport == UNKNOWN:
        left_out = LeftOut.UNREACHABLE_TRANSPORT
    return Host(machine, placement, address, transport, seen_by, left_out)


def _transport(machine: Machine, address: str, preferred: Sequence[Transport]) -> str:
    for transport in preferred:
        if (address and transport is Transport.SSH) or transport in machine.managed_by:
            return transport.value
    return UNKNOWN
