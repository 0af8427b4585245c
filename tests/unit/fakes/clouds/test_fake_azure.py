# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fake of Azure says nothing that the models of Azure's libraries do not have."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("azure.mgmt.compute")
pytest.importorskip("azure.mgmt.network")

from azure.mgmt.compute.models import VirtualMachine as Model

from ansible_collections.bankops.fleet.tests.fakes.clouds.azure import documents
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.models import answer_faults
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import (
    Interface,
    PublicAddress,
    ScaleSet,
    Subscription,
    VirtualMachine,
)

pytestmark = pytest.mark.skipif(
    not hasattr(Model, "_is_model"), reason="this azure-mgmt-compute has models of another make"
)


def machine(name: str) -> VirtualMachine:
    address = PublicAddress(f"ip-{name}", "20.0.0.4", f"{name}.example")
    return VirtualMachine(
        name, [Interface(f"nic-{name}", "10.0.0.4", public=address)], tags={"tenant": "alpha"}, os_name="ubuntu"
    )


FLEET = Subscription(machines=[machine("web")], scale_sets=[ScaleSet("pool", [machine("pool_0")])])
POOL = FLEET.scale_sets[0]


@pytest.mark.parametrize(
    ("entries", "library", "model"),
    [
        (documents.virtual_machines(FLEET), "compute", "VirtualMachine"),
        (documents.statuses(FLEET, with_agents=True), "compute", "VirtualMachine"),
        (documents.scale_sets(FLEET), "compute", "VirtualMachineScaleSet"),
        (documents.instances(FLEET, POOL, with_view=True), "compute", "VirtualMachineScaleSetVM"),
        (documents.interfaces(FLEET), "network", "NetworkInterface"),
        (documents.interfaces_of(FLEET, POOL), "network", "NetworkInterface"),
        (documents.public_addresses(FLEET), "network", "PublicIPAddress"),
        (documents.public_addresses_of(FLEET, POOL), "network", "PublicIPAddress"),
    ],
)
def test_what_it_says_is_as_the_models_have_it(entries: Any, library: str, model: str) -> None:
    found = list(entries)
    assert found
    assert [fault for entry in found for fault in answer_faults(entry, library, model)] == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"colour": "red"}, "VirtualMachine has no field colour"),
        ({"location": 7}, "VirtualMachine.location is int and not str"),
        ({"location": None}, "VirtualMachine.location is NoneType and not str"),
        ({"zones": "1"}, "VirtualMachine.zones is str and not list"),
        ({"zones": [1]}, "VirtualMachine.zones[0] is int and not str"),
        ({"tags": {"tenant": 1}}, "VirtualMachine.tags.tenant is int and not str"),
        ({"properties": []}, "VirtualMachine.properties is list and not VirtualMachineProperties"),
        ({"properties": {"vmid": ""}}, "VirtualMachine.properties has no field vmid"),
        (
            {"properties": {"storageProfile": {"osDisk": {"osType": "linux", "createOption": "FromImage"}}}},
            "VirtualMachine.properties.storageProfile.osDisk.osType: 'linux' is not known to OperatingSystemTypes",
        ),
        (
            {"properties": {"storageProfile": {"osDisk": {}}}},
            "VirtualMachine.properties.storageProfile.osDisk lacks createOption",
        ),
    ],
)
def test_what_the_models_do_not_have_is_a_fault(changed: dict[str, Any], fault: str) -> None:
    (entry,) = documents.virtual_machines(FLEET)
    assert list(answer_faults({**entry, **changed}, "compute", "VirtualMachine")) == [fault]
