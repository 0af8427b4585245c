# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which operations there are, by the installed azure-mgmt-compute and azure-mgmt-network: paths, parameters, versions.

Both build every request by a function of their own, and those are asked. azure-mgmt-resource and
azure-mgmt-authorization are not among the libraries of the collection, so the one operation of each that is used stands
here as Microsoft documents it: learn.microsoft.com/rest/api/resources/subscriptions/list, and the permissions of a
subscription in the article on authentication of azure-docs (resource-manager-api-authentication).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.models import answer_faults

SKIP = "$skiptoken"
"""The parameter by which Azure's own links to a next page differ from what was asked."""
# The least versions that the collection works with, azure-mgmt-compute 33 and azure-mgmt-network 28, ask for these.
_LEAST = {"compute": "2024-07-01", "network": "2024-03-01"}
_EXAMPLE = "example-of-"


@dataclass(frozen=True)
class Operation:
    """An operation of the API: who may ask it, at which path, in which versions, with which parameters."""

    name: str
    action: str
    library: str
    model: str
    """What it lists, in the library's models; both empty where there is no library."""
    path: re.Pattern[str]
    versions: frozenset[str]
    parameters: frozenset[str]

    def answer_faults(self, body: Any) -> Iterator[str]:
        """What in a page is not as the library's model of an entry has it."""
        for entry in body["value"] if self.model else ():
            yield from answer_faults(entry, self.library, self.model)

    def faults(self, query: Mapping[str, list[str]]) -> Iterator[str]:
        """What is wrong with the parameters of a request."""
        if query.get("api-version", [""])[0] not in self.versions:
            yield f"api-version {query.get('api-version')} is none of {sorted(self.versions)}"
        for name, values in query.items():
            if name not in self.parameters | {"api-version", SKIP}:
                yield f"has no parameter {name}"
            if len(values) > 1:
                yield f"{name} is given {len(values)} times"
        if self.name == "virtual_machines_list_all" and "$expand" in query and "$filter" not in query:
            yield "$expand needs a $filter"
        if query.get("statusOnly", ["true"])[0] not in {"true", "false"}:
            yield f"statusOnly is {query['statusOnly']}"
        if query.get("$expand", ["instanceView"])[0] != "instanceView":
            yield f"$expand is {query['$expand']}"


def operation(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation at a path, and what the path says; None where there is none."""
    for each in _table() if method == "GET" else ():
        if match := each.path.fullmatch(path):
            return each, match.groupdict()
    return None


@lru_cache(maxsize=1)
def _table() -> tuple[Operation, ...]:
    compute, scale_sets = "Microsoft.Compute", "Microsoft.Compute/virtualMachineScaleSets"
    return (
        Operation(
            "subscriptions_list",
            "Microsoft.Resources/subscriptions/read",
            "",
            "",
            re.compile("/subscriptions"),
            frozenset({"2022-12-01"}),
            frozenset(),
        ),
        Operation(
            "permissions_list",
            "Microsoft.Authorization/permissions/read",
            "",
            "",
            re.compile(
                "/subscriptions/(?P<subscription_id>[^/]+)/providers/Microsoft.Authorization/permissions", re.IGNORECASE
            ),
            frozenset({"2022-04-01"}),
            frozenset(),
        ),
        _of_library("compute", "virtual_machines_list_all", f"{compute}/virtualMachines/read", "VirtualMachine"),
        _of_library("compute", "virtual_machine_scale_sets_list_all", f"{scale_sets}/read", "VirtualMachineScaleSet"),
        _of_library(
            "compute",
            "virtual_machine_scale_set_vms_list",
            f"{scale_sets}/virtualMachines/read",
            "VirtualMachineScaleSetVM",
        ),
        _of_library(
            "network", "network_interfaces_list_all", "Microsoft.Network/networkInterfaces/read", "NetworkInterface"
        ),
        _of_library(
            "network", "public_ip_addresses_list_all", "Microsoft.Network/publicIPAddresses/read", "PublicIPAddress"
        ),
        _of_library(
            "network",
            "network_interfaces_list_virtual_machine_scale_set_network_interfaces",
            f"{scale_sets}/networkInterfaces/read",
            "NetworkInterface",
        ),
        _of_library(
            "network",
            "public_ip_addresses_list_virtual_machine_scale_set_public_ip_addresses",
            f"{scale_sets}/publicIPAddresses/read",
            "PublicIPAddress",
        ),
    )


def _of_library(library: str, name: str, action: str, model: str) -> Operation:
    build: Callable[..., Any] = getattr(_builders(library), f"build_{name}_request")
    arguments = {
        parameter.name: f"{_EXAMPLE}{parameter.name}"
        for parameter in inspect.signature(build).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    parts = urlsplit(build(**arguments).url)
    parameters = parse_qs(parts.query)
    used = parameters.pop("api-version")[0]
    # What is of another provider's resources has a version of its own, the same in all versions of the library.
    versions = {used} if library == "network" and "Microsoft.Network" not in action else {used, _LEAST[library]}
    # Azure takes paths in any case.
    path = re.sub(re.escape(_EXAMPLE) + r"(\w+)", r"(?P<\1>[^/]+)", parts.path)
    pattern = re.compile(path, re.IGNORECASE)
    return Operation(name, action, library, model, pattern, frozenset(versions), frozenset(parameters))


def _builders(library: str) -> ModuleType:
    try:
        return import_module(f"azure.mgmt.{library}.operations._operations")
    except ModuleNotFoundError:
        # azure-mgmt-compute had a copy of everything for each version of the API until 34.
        return import_module(f"azure.mgmt.{library}.v{_LEAST[library].replace('-', '_')}.operations._operations")
