# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the listings of Azure say, joined to machines. Shapes are those of the APIs' ``VirtualMachine`` and its like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    UNKNOWN,
    Cloud,
    Machine,
    Power,
    Transport,
)

_POWER = {
    "powerstate/running": Power.RUNNING,
    "powerstate/stopped": Power.STOPPED,
    "powerstate/deallocated": Power.STOPPED,
}
# Parts of what the agent, the publisher of an image or its licence call a system; the first that fits.
_SYSTEMS = {
    "windows": "windows",
    "ubuntu": "ubuntu",
    "debian": "debian",
    "redhat": "rhel",
    "red hat": "rhel",
    "rhel": "rhel",
    "suse": "sles",
    "sles": "sles",
    "alma": "almalinux",
    "rocky": "rocky",
    "resf": "rocky",
    "centos": "centos",
    "oracle": "oracle",
}
# Extensions tell what scripts printed, and diagnostics where screens are kept: nothing for variables and caches.
_NOT_TOLD = {"extensions", "bootDiagnostics"}


class _Address(NamedTuple):
    """An address of a machine; the least is that by which others reach it first."""

    not_of_primary_interface: bool
    not_primary: bool
    private_ip: str
    public_id: str
    dns_name: str
    dns_suffix: str


@dataclass(slots=True)
class _Found:
    machine: Machine
    host: str
    is_settled: bool
    has_status: bool = False
    addresses: list[_Address] = field(default_factory=list)


class Population:
    """The machines of a subscription or of a scale set, to which each listing adds what it knows.

    Azure writes the id of a resource in different cases, so they are compared in lower case. Methods that add raise
    KeyError, TypeError or AttributeError for what has not the documented shape.
    """

    def __init__(self, account: str, *, believe_model: bool, raw: bool) -> None:
        self._account = account
        self._believe_model = believe_model
        self._raw = raw
        self._found: dict[str, _Found] = {}
        self._public: dict[str, Mapping[str, Any]] = {}

    def __len__(self) -> int:
        return len(self._found)

    @property
    def without_status(self) -> list[str]:
        """The ids of machines that are made and not being changed, and of which nothing was said that they do."""
        return [found.machine.resource for found in self._found.values() if found.is_settled and not found.has_status]

    @property
    def has_public_addresses(self) -> bool:
        """Whether public addresses need be listed at all."""
        return any(address.public_id for found in self._found.values() for address in found.addresses)

    def add_machine(self, resource: Mapping[str, Any], scale_set: str = "") -> None:
        """A ``VirtualMachine``, or a ``VirtualMachineScaleSetVM`` of the scale set with this id."""
        properties = resource["properties"]
        profile = properties.get("osProfile") or {}
        name = _text(resource["name"])
        group = scale_set or (properties.get("virtualMachineScaleSet") or {}).get("id", "")
        machine = Machine(
            cloud=Cloud.AZURE,
            account=self._account,
            region=_text(resource["location"]).lower().replace(" ", ""),
            zone=(resource.get("zones") or (UNKNOWN,))[0],
            instance_id=_text(properties["vmId"]).lower(),
            name=name,
            power=Power.OTHER,
            os=_system_of(properties),
            tags={_text(key): _text(value) for key, value in (resource.get("tags") or {}).items()},
            resource=_text(resource["id"]),
            scaling_group=group.rpartition("/")[2],
            managed_by=(Transport.AZURE,) if self._believe_model and _should_have_agent(profile) else (),
        )
        if self._raw:
            without_view = {key: value for key, value in properties.items() if key != "instanceView"}
            machine.raw = {"virtual_machine": {**resource, "properties": without_view}, "network_interfaces": []}
        # The instances of a scale set are not called in the network what they are called in Azure.
        host = profile.get("computerName", "") if scale_set else name
        is_settled = properties.get("provisioningState") == "Succeeded"
        self._found[machine.resource.lower()] = _Found(machine, host, is_settled)
        if properties.get("instanceView"):
            self.add_status(resource)

    def add_status(self, resource: Mapping[str, Any]) -> None:
        """The instance view of a machine. Of one that came after the machines were listed, the next run knows."""
        found = self._found.get(resource["id"].lower())
        if found is None:
            return
        machine = found.machine
        view = resource["properties"].get("instanceView") or {}
        found.has_status = bool(view)
        for status in view.get("statuses") or ():
            machine.power = _POWER.get(status["code"].lower(), machine.power)
        machine.os = _known(view.get("osName") or "") or machine.os
        if agent := view.get("vmAgent"):
            machine.managed_by = (Transport.AZURE,) if _is_ready(agent) else ()
        if self._raw:
            machine.raw["instance_view"] = _told(view)

    def add_interface(self, resource: Mapping[str, Any]) -> None:
        """A ``NetworkInterface``, of one of the machines or of something else."""
        properties = resource["properties"]
        found = self._found.get(((properties.get("virtualMachine") or {}).get("id") or "").lower())
        if found is None:
            return
        names = properties.get("dnsSettings") or {}
        for configuration in properties.get("ipConfigurations") or ():
            its = configuration["properties"]
            found.addresses.append(
                _Address(
                    properties.get("primary") is not True,
                    its.get("primary") is not True,
                    its.get("privateIPAddress") or "",
                    ((its.get("publicIPAddress") or {}).get("id") or "").lower(),
                    names.get("internalFqdn") or "",
                    names.get("internalDomainNameSuffix") or "",
                )
            )
        if self._raw:
            found.machine.raw["network_interfaces"].append(resource)

    def add_public_address(self, resource: Mapping[str, Any]) -> None:
        """A ``PublicIPAddress``, of one of the machines or of something else."""
        self._public[resource["id"].lower()] = resource

    def machines(self) -> Iterator[Machine]:
        """The machines, with the addresses that others reach them by."""
        for found in self._found.values():
            machine = found.machine
            if found.addresses:
                found.addresses.sort()
                first = found.addresses[0]
                machine.private_ip = next((each.private_ip for each in found.addresses if each.private_ip), "")
                machine.private_dns = first.dns_name or _joined(found.host, first.dns_suffix)
                self._publish(machine, [each.public_id for each in found.addresses])
            yield machine

    def _publish(self, machine: Machine, ids: list[str]) -> None:
        resources = [self._public[each] for each in ids if each in self._public]
        for resource in resources:
            properties = resource["properties"]
            # One that is assigned when the machine starts is none until then.
            if properties.get("ipAddress"):
                machine.public_ip = properties["ipAddress"]
                machine.public_dns = (properties.get("dnsSettings") or {}).get("fqdn") or ""
                break
        if self._raw and resources:
            machine.raw["public_ip_addresses"] = resources


def _system_of(properties: Mapping[str, Any]) -> str:
    """The system by the model of a machine: an image that somebody made says no more than Linux or Windows."""
    storage = properties.get("storageProfile") or {}
    kind = ((storage.get("osDisk") or {}).get("osType") or "").lower()
    image = storage.get("imageReference") or {}
    named = f"{image.get('publisher', '')} {image.get('offer', '')}"
    if kind == "windows":
        return kind
    return _known(named) or _known(properties.get("licenseType") or "") or kind or UNKNOWN


def _known(name: str) -> str:
    lower = name.lower()
    return next((system for part, system in _SYSTEMS.items() if part in lower), "")


def _should_have_agent(profile: Mapping[str, Any]) -> bool:
    """Whether a machine was made with the agent, and lets it do what is asked for through Azure."""
    configuration = profile.get("linuxConfiguration") or profile.get("windowsConfiguration") or {}
    return configuration.get("provisionVMAgent") is True and profile.get("allowExtensionOperations") is not False


def _is_ready(agent: Mapping[str, Any]) -> bool:
    return any(status["code"].lower() == "provisioningstate/succeeded" for status in agent.get("statuses") or ())


def _told(view: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in view.items() if key not in _NOT_TOLD}
    if agent := view.get("vmAgent"):
        told["vmAgent"] = {key: value for key, value in agent.items() if key != "extensionHandlers"}
    return told


def _joined(host: str, suffix: str) -> str:
    return f"{host}.{suffix}" if host and suffix else ""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
