# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cloud of our own against the clients of azure-mgmt-compute and azure-mgmt-network, 33 and 28 or newer.

They read from it what the source reads: what it says they must understand, and what they ask it must take.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azure.mgmt.compute")
pytest.importorskip("azure.mgmt.network")

from azure.core.rest import HttpRequest
from azure.identity import EnvironmentCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient

from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import (
    AUDIENCE,
    SUBSCRIPTION,
    PublicAddress,
    ScaleSet,
)
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._clouds.azure_sources import (
    Cloud,
    cloud_of_our_own,
    machine,
    pool,
    published,
)


@dataclass
class Clients:
    """The libraries' clients of a subscription."""

    compute: Any
    network: Any


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with cloud_of_our_own(tmp_path, monkeypatch) as found:
        its = found.azure.subscriptions[0]
        found.azure.page = 2
        its.machines = [published(1, tags={"tenant": "alpha"}), machine(2, power="deallocated"), machine(3, agent="")]
        its.machines[1].scale_set = "flexible"
        its.scale_sets = [pool("web", 3), ScaleSet("flexible", flexible=True)]
        its.scale_sets[0].instances[2].interfaces[0].public = PublicAddress("pub", "20.1.1.9", "web2.example")
        yield found


@pytest.fixture
def clients(cloud: Cloud) -> Clients:
    credential = EnvironmentCredential(authority=cloud.url, disable_instance_discovery=True)
    options: dict[str, Any] = {"base_url": cloud.url, "credential_scopes": [f"{AUDIENCE}/.default"], "retry_total": 0}
    return Clients(
        ComputeManagementClient(credential, SUBSCRIPTION, **options),
        NetworkManagementClient(credential, SUBSCRIPTION, **options),
    )


def test_the_libraries_read_what_the_source_reads(cloud: Cloud, clients: Clients) -> None:
    ours = {found.resource: found for found in cloud.read()}
    theirs = list(clients.compute.virtual_machines.list_all())
    for group in clients.compute.virtual_machine_scale_sets.list_all():
        if group.orchestration_mode == "Uniform":
            theirs += clients.compute.virtual_machine_scale_set_vms.list("fleet-rg", group.name, expand="instanceView")
    assert len(theirs) == len(ours) == 6
    for each in theirs:
        found = ours[each.id]
        assert (found.instance_id, found.name, found.region) == (each.vm_id, each.name, each.location)
        assert (found.zone, found.tags) == (each.zones[0], each.tags or {})


def test_what_runs_and_which_agents_report(cloud: Cloud, clients: Clients) -> None:
    ours = {found.resource.lower(): found for found in cloud.read()}
    for each in clients.compute.virtual_machines.list_all(status_only="true"):
        found = ours[each.id.lower()]
        codes = [status.code for status in each.instance_view.statuses]
        assert f"PowerState/{'running' if found.power == 'running' else 'deallocated'}" in codes
        assert bool(each.instance_view.vm_agent) == bool(found.managed_by)
        assert each.tags is None


def test_addresses(cloud: Cloud, clients: Clients) -> None:
    ours = {found.resource.lower(): found for found in cloud.read()}
    network = clients.network
    interfaces = [*network.network_interfaces.list_all()]
    interfaces += network.network_interfaces.list_virtual_machine_scale_set_network_interfaces("fleet-rg", "web")
    public = [*network.public_ip_addresses.list_all()]
    public += network.public_ip_addresses.list_virtual_machine_scale_set_public_ip_addresses("fleet-rg", "web")
    addresses = {each.id: each for each in public}
    seen = 0
    for each in interfaces:
        if each.virtual_machine:
            found, (configuration,) = ours[each.virtual_machine.id.lower()], each.ip_configurations
            assert found.private_ip == configuration.private_ip_address
            assert found.private_dns.endswith(each.dns_settings.internal_domain_name_suffix)
            if configuration.public_ip_address:
                its = addresses[configuration.public_ip_address.id]
                assert (found.public_ip, found.public_dns) == (its.ip_address, its.dns_settings.fqdn)
                seen += 1
    assert seen == 2


@pytest.mark.parametrize(
    "path",
    [
        "/subscriptions/{id}/providers/Microsoft.Compute/virtualMachine?api-version=2024-07-01",
        "/subscriptions/{id}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-02",
        "/subscriptions/{id}/providers/Microsoft.Compute/virtualMachines",
        "/subscriptions/{id}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01&statusOnly=yes",
        "/subscriptions/{id}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01&top=1000",
        "/subscriptions/{id}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01&$expand=instanceView",
        "/subscriptions/{id}/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01&$skiptoken=4",
        "/subscriptions/{id}/providers/Microsoft.Network/networkInterfaces?api-version=2024-07-01",
    ],
)
def test_what_the_libraries_would_not_ask_fails_the_test(cloud: Cloud, clients: Clients, path: str) -> None:
    request = HttpRequest("GET", cloud.url + path.format(id=SUBSCRIPTION))
    assert clients.compute._client.send_request(request).status_code in {400, 404}
    assert len(cloud.azure.violations) == 1
    cloud.azure.violations.clear()
