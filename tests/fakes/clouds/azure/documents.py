# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the state reads in the API's JSON. Azure writes a resource group now in one case, now in another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import (
    Interface,
    PublicAddress,
    ScaleSet,
    Subscription,
    VirtualMachine,
)

Json = dict[str, Any]
_SINCE = "2026-01-05T08:00:00+00:00"


def subscription(its: Subscription) -> Json:
    """A ``Subscription``."""
    return {
        "id": f"/subscriptions/{its.id}",
        "subscriptionId": its.id,
        "tenantId": its.tenant,
        "displayName": its.name,
        "state": its.state,
        "authorizationSource": "RoleBased",
    }


def virtual_machines(its: Subscription) -> Iterator[Json]:
    """Each ``VirtualMachine`` of a subscription, without what runs."""
    for machine in its.machines:
        document = _machine(machine, _machine_id(its, machine), "Microsoft.Compute/virtualMachines")
        if machine.scale_set:
            group = f"{_compute(its, machine.group)}/virtualMachineScaleSets/{machine.scale_set}"
            document["properties"]["virtualMachineScaleSet"] = {"id": group}
        links = [{"id": _interface_id(its, machine, each)} for each in machine.interfaces]
        document["properties"]["networkProfile"] = {"networkInterfaces": links}
        yield document


def statuses(its: Subscription, *, with_agents: bool) -> Iterator[Json]:
    """Each ``VirtualMachine`` as the listing with ``statusOnly`` has it: the instance view, no tags and no profiles.

    github.com/Azure/azure-sdk-for-go/issues/18565 tells what is missing.
    """
    for machine in its.machines:
        view = _view(machine)
        if not with_agents:
            view.pop("vmAgent", None)
        yield {
            "id": _machine_id(its, machine, upper=True),
            "name": machine.name,
            "type": "Microsoft.Compute/virtualMachines",
            "location": machine.location,
            "properties": {"vmId": machine.vm_id, "provisioningState": machine.provisioning, "instanceView": view},
        }


def scale_sets(its: Subscription) -> Iterator[Json]:
    """Each ``VirtualMachineScaleSet`` of a subscription."""
    for each in its.scale_sets:
        yield {
            "id": scale_set_id(its, each),
            "name": each.name,
            "type": "Microsoft.Compute/virtualMachineScaleSets",
            "location": each.location,
            "sku": {"name": "Standard_D2s_v3", "capacity": len(each.instances)},
            "properties": {
                "orchestrationMode": "Flexible" if each.flexible else "Uniform",
                "provisioningState": "Succeeded",
            },
        }


def instances(its: Subscription, scale_set: ScaleSet, *, with_view: bool) -> Iterator[Json]:
    """Each ``VirtualMachineScaleSetVM`` of a uniform scale set."""
    for number, machine in enumerate(scale_set.instances):
        document = _machine(
            machine,
            f"{scale_set_id(its, scale_set)}/virtualMachines/{number}",
            "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
        )
        document["instanceId"] = str(number)
        if with_view:
            document["properties"]["instanceView"] = {**_view(machine), "extensions": _extensions()}
        yield document


def interfaces(its: Subscription) -> Iterator[Json]:
    """Each ``NetworkInterface`` of a subscription, and one that belongs to no machine."""
    for machine in its.machines:
        owner = _machine_id(its, machine, upper=True)
        for each in machine.interfaces:
            yield _interface(each, _interface_id(its, machine, each), owner, _public_id(its, machine, each))
    yield _interface(Interface("of-a-private-endpoint", "10.9.9.9"), f"{_network(its, 'fleet-rg')}/ni/pe", "", "")


def interfaces_of(its: Subscription, scale_set: ScaleSet) -> Iterator[Json]:
    """Each ``NetworkInterface`` of a uniform scale set."""
    for number, machine in enumerate(scale_set.instances):
        owner = f"{scale_set_id(its, scale_set)}/virtualMachines/{number}"
        for each in machine.interfaces:
            own = f"{owner}/networkInterfaces/{each.name}"
            yield _interface(each, own, owner, f"{own}/publicIPAddresses/{each.public.name}" if each.public else "")


def public_addresses(its: Subscription) -> Iterator[Json]:
    """Each ``PublicIPAddress`` of a subscription."""
    for machine in its.machines:
        for each in machine.interfaces:
            if each.public:
                yield _public(each.public, _public_id(its, machine, each))


def public_addresses_of(its: Subscription, scale_set: ScaleSet) -> Iterator[Json]:
    """Each ``PublicIPAddress`` of a uniform scale set."""
    for number, machine in enumerate(scale_set.instances):
        owner = f"{scale_set_id(its, scale_set)}/virtualMachines/{number}"
        for each in machine.interfaces:
            if each.public:
                own = f"{owner}/networkInterfaces/{each.name}/publicIPAddresses/{each.public.name}"
                yield _public(each.public, own)


def scale_set_id(its: Subscription, scale_set: ScaleSet) -> str:
    """The id of a scale set."""
    return f"{_compute(its, scale_set.group)}/virtualMachineScaleSets/{scale_set.name}"


def _machine(machine: VirtualMachine, identity: str, kind: str) -> Json:
    configuration = {"provisionVMAgent": machine.provisions_agent}
    system = "windowsConfiguration" if machine.os_type == "Windows" else "linuxConfiguration"
    properties: Json = {
        "vmId": machine.vm_id,
        "provisioningState": machine.provisioning,
        "hardwareProfile": {"vmSize": "Standard_D2s_v3"},
        "storageProfile": {
            "imageReference": dict(machine.image),
            "osDisk": {"name": f"{machine.name}-os", "createOption": "FromImage"},
        },
        "osProfile": {
            "computerName": machine.computer_name or machine.name,
            "adminUsername": "fleet",
            "allowExtensionOperations": machine.allows_extensions,
            system: configuration,
        },
        "timeCreated": _SINCE,
    }
    if machine.os_type:
        properties["storageProfile"]["osDisk"]["osType"] = machine.os_type
    if machine.licence:
        properties["licenseType"] = machine.licence
    document: Json = {
        "id": identity,
        "name": machine.name,
        "type": kind,
        "location": machine.location,
        "properties": properties,
    }
    if machine.tags:
        document["tags"] = dict(machine.tags)
    if machine.zones:
        document["zones"] = list(machine.zones)
    return document


def _view(machine: VirtualMachine) -> Json:
    view: Json = {
        "statuses": [
            {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"},
            {"code": f"PowerState/{machine.power}", "level": "Info", "displayStatus": f"VM {machine.power}"},
        ],
    }
    if machine.os_name:
        view["osName"] = machine.os_name
    if machine.agent:
        ready = machine.agent == "Ready"
        status = {
            "code": "ProvisioningState/succeeded" if ready else "ProvisioningState/Unavailable",
            "level": "Info" if ready else "Warning",
            "displayStatus": machine.agent,
        }
        view["vmAgent"] = {"vmAgentVersion": "2.11.1.12" if ready else "Unknown", "statuses": [status]}
    return view


def _extensions() -> list[Json]:
    """What a script printed that ran as an extension: it may hold anything."""
    told = {"code": "ComponentStatus/StdOut/succeeded", "level": "Info", "message": "password=hunter2-of-a-script"}
    return [{"name": "script", "substatuses": [told]}]


def _interface(its: Interface, identity: str, owner: str, public: str) -> Json:
    configuration: Json = {"privateIPAddress": its.private_ip, "primary": True, "privateIPAddressVersion": "IPv4"}
    if public:
        configuration["publicIPAddress"] = {"id": public}
    names: Json = {"dnsServers": [], "internalDomainNameSuffix": its.suffix}
    if its.label_fqdn:
        names["internalFqdn"] = its.label_fqdn
    properties: Json = {
        "primary": its.primary,
        "dnsSettings": names,
        "ipConfigurations": [{"name": "ipconfig1", "properties": configuration}],
    }
    if owner:
        properties["virtualMachine"] = {"id": owner}
    return {"id": identity, "name": its.name, "location": "westeurope", "properties": properties}


def _public(its: PublicAddress, identity: str) -> Json:
    properties: Json = {"publicIPAllocationMethod": "Static" if its.ip else "Dynamic"}
    if its.ip:
        properties["ipAddress"] = its.ip
    if its.fqdn:
        properties["dnsSettings"] = {"fqdn": its.fqdn, "domainNameLabel": its.fqdn.partition(".")[0]}
    return {"id": identity, "name": its.name, "location": "westeurope", "properties": properties}


def _machine_id(its: Subscription, machine: VirtualMachine, *, upper: bool = False) -> str:
    group = machine.group.upper() if upper else machine.group
    return f"{_compute(its, group)}/virtualMachines/{machine.name}"


def _interface_id(its: Subscription, machine: VirtualMachine, interface: Interface) -> str:
    return f"{_network(its, machine.group)}/networkInterfaces/{interface.name}"


def _public_id(its: Subscription, machine: VirtualMachine, interface: Interface) -> str:
    return f"{_network(its, machine.group)}/publicIPAddresses/{interface.public.name}" if interface.public else ""


def _compute(its: Subscription, group: str) -> str:
    return f"/subscriptions/{its.id}/resourceGroups/{group}/providers/Microsoft.Compute"


def _network(its: Subscription, group: str) -> str:
    return f"/subscriptions/{its.id}/resourceGroups/{group}/providers/Microsoft.Network"
