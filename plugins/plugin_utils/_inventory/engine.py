# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of an inventory: read the sources or the cache, make the population of it, give everybody a name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Scope, Source
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.cache import pack, unpack
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.classify import (
    Population,
    classify,
    mark_sensors,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.configuration import Configuration
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.gather import Reader, gather, problems_as_error
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.groups import (
    ALWAYS,
    UNPROTECTED,
    GroupNames,
    groups_of,
    is_decided,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.names import Identity, host_names
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.sightings import (
    Earlier,
    contradictions_to,
    refuse,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show

if TYPE_CHECKING:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import SensorHost


class Store(Protocol):
    """Where the clouds' machines are kept between two runs."""

    def get(self) -> str | None:
        """What was kept; None when there is nothing, or it is too old."""

    def put(self, text: str) -> None:
        """Keep a text."""


@dataclass
class Reading:
    """What the sources said, and when: a cache's moment when the clouds come from there."""

    read: str
    machines: dict[Scope, list[Machine]] = field(default_factory=dict)
    sensors: dict[Scope, list[SensorHost]] = field(default_factory=dict)
    problems: list[SourceError] = field(default_factory=list)


def read_sources(configuration: Configuration, store: Store | None = None, *, fresh: bool = False) -> Reading:
    """Read all sources, the clouds from ``store`` where that has them and nobody wants them ``fresh``.

    Only what was read as a whole is kept. Raises FleetError (``source_failed``) that names all problems, unless the
    configuration wants them marked.
    """
    kept = None if store is None or fresh else _kept(store, configuration)
    moment, machines = kept or (datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), {})
    sources = [*configuration.files, *(() if kept else configuration.clouds)]
    gathered = gather(
        [
            *(Reader(source, partial(_identified, source)) for source in sources),
            *(Reader(source, source.sensors) for source in configuration.sensors),
        ],
        Deadline.after(configuration.timeout),
    )
    if gathered.problems and not configuration.mark_errors:
        raise problems_as_error(gathered.problems, places=configuration.places)
    of_sensors = {source.name for source in configuration.sensors}
    reading = Reading(moment, dict(machines), problems=gathered.problems)
    for scope, found in gathered.found.items():
        if scope.source in of_sensors:
            reading.sensors[scope] = found
        else:
            reading.machines[scope] = found
    if store is not None and not kept and not gathered.problems:
        of_clouds = {source.name for source in configuration.clouds}
        store.put(pack(moment, {scope: each for scope, each in reading.machines.items() if scope.source in of_clouds}))
    return reading


def _kept(store: Store, configuration: Configuration) -> tuple[str, dict[Scope, list[Machine]]] | None:
    """What a store has; what it cannot have from here, or is not of every cloud, is not there."""
    text = store.get()
    try:
        kept = unpack(text) if text else None
    except ValueError:
        return None
    clouds = {source.name for source in configuration.clouds}
    return kept if kept and {scope.source for scope in kept[1]} == clouds else None


def _identified(source: Source, scope: Scope, deadline: Deadline) -> Iterator[Machine]:
    """The machines of a scope; without an id, two could not be told apart."""
    for machine in source.machines(scope, deadline):
        if not machine.instance_id:
            raise SourceError(
                scope,
                "reading",
                f"the machine {show(machine.name)} has no id",
                kind="answer_malformed",
                remedy="Look at the endpoint and at proxies on the way.",
            )
        yield machine


def named_population(
    reading: Reading,
    configuration: Configuration,
    groups: GroupNames,
    *,
    reserved: Collection[str],
    earlier: Mapping[str, Earlier],
) -> Population:
    """The population of a reading, in the order of its names, each host with its groups.

    ``reserved`` are names of groups and ``earlier`` the hosts that there are already; a machine that has a name keeps
    it, and what is said of it there must be the same.
    Raises FleetError (``bad_inventory``) when files give one name to two machines, or machines are contradicted.
    """
    population = classify(reading.machines, configuration)
    if configuration.sensors:
        of_sensors = {source.name for source in configuration.sensors}
        whole = all(problem.scope.source not in of_sensors for problem in reading.problems)
        mark_sensors(population, chain.from_iterable(reading.sensors.values()), whole=whole)
    _join_earlier(population, earlier)
    reserved = {*reserved, *ALWAYS, UNPROTECTED}
    for host in population.hosts:
        host.groups = tuple(groups_of(host, groups))
        reserved.update(host.groups)
    _check_tenants(groups)
    taken = {name: host.identity for name, host in earlier.items()}
    in_files = _names_in_files(configuration, taken)
    fixed = {**{identity: name for name, identity in taken.items()}, **in_files}
    taken.update({name: identity for identity, name in in_files.items()})
    others = [host for host in population.hosts if host.machine.identity not in fixed]
    names = host_names([host.machine for host in others], configuration.hostnames, reserved=reserved, taken=taken)
    for host, name in zip(others, names, strict=True):
        host.name = name
    for host in population.hosts:
        host.name = host.name or fixed[host.machine.identity]
    population.hosts.sort(key=lambda host: host.name)
    _check_groups_in_files(configuration, population)
    return population


def _check_tenants(groups: GroupNames) -> None:
    """What a warning is enough for elsewhere would make one tenant of two."""
    for name, tenants in groups.merged().items():
        if name.startswith("tenant_"):
            raise FleetError(
                f"The group {name} would stand for several tenants: "
                + ", ".join(show(tenant.removeprefix("tenant_")) for tenant in tenants),
                kind="bad_inventory",
                remedy="Give them names that differ in letters and digits, or correct the tags.",
            )


def _join_earlier(population: Population, earlier: Mapping[str, Earlier]) -> None:
    """Mark the machines that earlier inventories have as seen there too."""
    by_identity = {host.identity: host for host in earlier.values()}
    contradictions: list[str] = []
    for host in population.hosts:
        before = by_identity.get(host.machine.identity)
        if before:
            contradictions += contradictions_to(before, host.machine, host.placement)
            host.seen_by = tuple(dict.fromkeys((*before.seen_by, *host.seen_by)))
    refuse(contradictions)


def _names_in_files(configuration: Configuration, taken: Mapping[str, Identity]) -> dict[Identity, str]:
    """The names that files give their machines. To Ansible one name is one host, whatever else is said of it."""
    fixed: dict[Identity, str] = {}
    # A host that does not say which machine it is may be the one of the file.
    identities = {name: identity for name, identity in taken.items() if any(identity)}
    for source in configuration.files:
        for name, identity in source.machines_by_name.items():
            if is_decided(name):
                raise FleetError(
                    f"source {source.name}: host {show(name)} is called like a group.",
                    kind="bad_inventory",
                    remedy="Give it another name.",
                )
            if identities.setdefault(name, identity) != identity or fixed.setdefault(identity, name) != name:
                raise FleetError(
                    f"source {source.name}: host {show(name)} is another machine elsewhere, or has another name.",
                    kind="bad_inventory",
                    remedy="Give each machine one name, and each name one machine; fleet_instance_id says which it is.",
                )
    return fixed


def _check_groups_in_files(configuration: Configuration, population: Population) -> None:
    """No file puts a host among those of a plan, of a tenant or of a cloud that it does not belong to."""
    groups = {host.name: host.groups for host in population.hosts}
    for source in configuration.files:
        excluded = source.machines_by_name.keys() - groups.keys()
        for group in source.inventory.groups.values() if source.inventory else ():
            if not is_decided(group.name):
                continue
            strangers = [
                *(host.name for host in group.get_hosts() if group.name not in groups.get(host.name, ())),
                # Others may come into them.
                *(child.name for child in group.child_groups),
            ]
            for name in strangers:
                if name not in excluded:
                    raise FleetError(
                        f"source {source.name}: {show(name)} is in the group {group.name}, which variables decide.",
                        kind="bad_inventory",
                        remedy="Say what it is with its fleet_* variables, or give the group another name.",
                    )


def missing(problems: Iterable[SourceError]) -> dict[str, str]:
    """By scope, why it is missing, as ``fleet_incomplete`` says it."""
    return {str(problem.scope): problem.message.removeprefix(f"{problem.scope}: ") for problem in problems}
