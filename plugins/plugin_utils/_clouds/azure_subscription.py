# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machines of one subscription of Azure: all of them, by as few listings as there must be, or an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.azure_machines import Population
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline

if TYPE_CHECKING:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.azure_calls import ResourceManager

PAGE = "docs/inventory/azure.md"
# Versions of the APIs: what azure-mgmt-compute 33 and azure-mgmt-network 28 ask for, so that every cloud has them.
# Of the interfaces of scale sets there is no newer one.
COMPUTE = "2024-07-01"
NETWORK = "2024-03-01"
NETWORK_OF_SCALE_SETS = "2018-10-01"
AUTHORIZATION = "2022-04-01"
PERMISSIONS = "Microsoft.Authorization/permissions/read"
MACHINES = "Microsoft.Compute/virtualMachines/read"
INTERFACES = "Microsoft.Network/networkInterfaces/read"
ADDRESSES = "Microsoft.Network/publicIPAddresses/read"
SCALE_SETS = "Microsoft.Compute/virtualMachineScaleSets/read"
INSTANCES = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read"
INTERFACES_OF_SCALE_SETS = "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read"
ADDRESSES_OF_SCALE_SETS = "Microsoft.Compute/virtualMachineScaleSets/publicIPAddresses/read"
NEEDED = (
    *(MACHINES, INTERFACES, ADDRESSES),
    *(SCALE_SETS, INSTANCES, INTERFACES_OF_SCALE_SETS, ADDRESSES_OF_SCALE_SETS),
)


@dataclass(frozen=True)
class Subscription:
    """A subscription and who reads it. Methods raise SourceError."""

    manager: ResourceManager
    scope: Scope
    deadline: Deadline
    believe_model: bool
    raw: bool

    def machines(self) -> Iterator[Machine]:
        """Its virtual machines and the instances of its uniform scale sets."""
        self._refuse_partial_view()
        compute = f"/subscriptions/{self.scope.account}/providers/Microsoft.Compute"
        network = f"/subscriptions/{self.scope.account}/providers/Microsoft.Network"
        population = self._population()
        machines = f"{compute}/virtualMachines", COMPUTE, MACHINES
        self._each(population.add_machine, *machines)
        if population:
            # What runs is told by the same listing, but not together with the rest.
            self._each(population.add_status, *machines, statusOnly="true")
            self._refuse_without_status(population, MACHINES)
            self._each(population.add_interface, f"{network}/networkInterfaces", NETWORK, INTERFACES)
        if population.has_public_addresses:
            self._each(population.add_public_address, f"{network}/publicIPAddresses", NETWORK, ADDRESSES)
        yield from population.machines()
        uniform: list[str] = []
        self._each(
            lambda resource: _keep_uniform(resource, uniform), f"{compute}/virtualMachineScaleSets", COMPUTE, SCALE_SETS
        )
        for scale_set in uniform:
            yield from self._instances(scale_set)

    def _instances(self, scale_set: str) -> Iterator[Machine]:
        """The instances of a uniform scale set, which no listing of the subscription has."""
        population = self._population()
        self._each(
            lambda resource: population.add_machine(resource, scale_set),
            f"{scale_set}/virtualMachines",
            COMPUTE,
            INSTANCES,
            **{"$expand": "instanceView"},
        )
        self._refuse_without_status(population, INSTANCES)
        if population:
            path = f"{scale_set}/networkInterfaces"
            self._each(population.add_interface, path, NETWORK_OF_SCALE_SETS, INTERFACES_OF_SCALE_SETS)
        if population.has_public_addresses:
            path = f"{scale_set}/publicipaddresses"
            self._each(population.add_public_address, path, NETWORK_OF_SCALE_SETS, ADDRESSES_OF_SCALE_SETS)
        yield from population.machines()

    def _refuse_partial_view(self) -> None:
        """See that everything may be read: a listing has only what may, and says nothing of the rest.

        So it is told by people who looked (github.com/gravitational/teleport/pull/66631,
        github.com/Azure/azure-sdk-for-go/issues/14110).
        """
        granted: list[tuple[list[re.Pattern[str]], list[re.Pattern[str]]]] = []
        self._each(
            lambda permission: granted.append(
                (_patterns(permission["actions"]), _patterns(permission.get("notActions") or ()))
            ),
            f"/subscriptions/{self.scope.account}/providers/Microsoft.Authorization/permissions",
            AUTHORIZATION,
            PERMISSIONS,
        )
        missing = [
            action
            for action in NEEDED
            if not any(_match(allowed, action) and not _match(excluded, action) for allowed, excluded in granted)
        ]
        if missing:
            what = "not allowed on the whole subscription, of which Azure would list a part without a word"
            remedy = f"Assign a role with {', '.join(missing)} to who asks, on the subscription or above it ({PAGE})."
            raise SourceError(self.scope, missing[0], what, kind="access_denied", remedy=remedy)

    def _refuse_without_status(self, population: Population, call: str) -> None:
        """See that it is known of every machine whether it runs: one that is not known to is left out of a plan."""
        if missing := population.without_status:
            what = f"{len(missing)} machines are listed without what runs, {said(missing[0])} among them"
            remedy = "Run it again: machines may have been taken away meanwhile. If it stays so, please report it."
            raise SourceError(self.scope, call, what, kind="answer_partial", remedy=remedy)

    def _population(self) -> Population:
        return Population(self.scope.account, believe_model=self.believe_model, raw=self.raw)

    def _each(self, add: Callable[[dict[str, Any]], None], path: str, version: str, call: str, **query: str) -> None:
        for_each(self.manager.listing(path, version, call, self.scope, self.deadline, **query), add, self.scope, call)


def for_each(
    resources: Iterator[dict[str, Any]], add: Callable[[dict[str, Any]], None], scope: Scope, call: str
) -> None:
    """Add every resource of a listing to what is known. Raises SourceError."""
    for resource in resources:
        try:
            add(resource)
        except (AttributeError, KeyError, TypeError) as problem:
            missing = f"{problem} is missing" if isinstance(problem, KeyError) else type(problem).__name__
            what = f"{said(resource.get('id', 'an entry'))} is not as the API documents it ({said(missing)})"
            remedy = "See that it is Azure that answers; if it is, please report it with this line."
            raise SourceError(scope, call, what, kind="answer_malformed", remedy=remedy) from None


def _keep_uniform(resource: dict[str, Any], found: list[str]) -> None:
    """Note the id of a uniform scale set; what is in the others is listed among the virtual machines."""
    if resource["properties"].get("orchestrationMode") != "Flexible":
        identity = resource["id"]
        if not identity.startswith("/subscriptions/") or "?" in identity or "#" in identity:
            raise TypeError
        found.append(identity)


def _patterns(actions: Any) -> list[re.Pattern[str]]:
    """Actions as roles name them: in any case, with asterisks for anything."""
    return [re.compile(re.escape(action).replace(r"\*", ".*"), re.IGNORECASE) for action in actions]


def _match(patterns: list[re.Pattern[str]], action: str) -> bool:
    return any(pattern.fullmatch(action) for pattern in patterns)
