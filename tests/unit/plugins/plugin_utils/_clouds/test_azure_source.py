# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A source of Azure, read by Azure's real libraries from a cloud of our own that knows what those may ask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("azure.mgmt.compute")

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN, Cloud, Power, Transport
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.faults import SCALE_SETS as SCALE_SETS_URL
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.faults import changed, fault
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import (
    SUBSCRIPTION,
    Interface,
    PublicAddress,
    ScaleSet,
    Subscription,
)
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._clouds import azure_sources
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._clouds.azure_sources import (
    cloud_of_our_own,
    machine,
    pool,
    published,
)

OTHER = "72ac930a-f34e-42d8-b06d-dc2a9e12ed71"
LIST, SCALE_SETS, INSTANCES = (
    "virtual_machines_list_all",
    "virtual_machine_scale_sets_list_all",
    "virtual_machine_scale_set_vms_list",
)
INTERFACES, ADDRESSES, PERMISSIONS = "network_interfaces_list_all", "public_ip_addresses_list_all", "permissions_list"
OF_SCALE_SET = "network_interfaces_list_virtual_machine_scale_set_network_interfaces"
PUBLIC_OF_SCALE_SET = "public_ip_addresses_list_virtual_machine_scale_set_public_ip_addresses"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[azure_sources.Cloud]:
    with cloud_of_our_own(tmp_path, monkeypatch) as found:
        yield found


def cloud_id(name: str) -> str:
    """The id of a virtual machine."""
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/fleet-rg/providers/Microsoft.Compute/virtualMachines/{name}"


@pytest.fixture
def fleet(cloud: azure_sources.Cloud) -> Subscription:
    return cloud.azure.subscriptions[0]


def test_a_machine_is_told_by_four_listings(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    identity = "2B7E1A52-3F0C-4C3E-9B5D-6A0F5E1C7D11"
    fleet.machines = [published(7, vm_id=identity, tags={"tenant": "alpha"}, location="West Europe", zones=("2",))]
    (found,) = cloud.read()
    assert found.cloud is Cloud.AZURE
    assert (found.account, found.region, found.zone) == (SUBSCRIPTION, "westeurope", "2")
    assert found.instance_id == identity.lower()
    assert (found.name, found.os, found.power) == ("vm7", "ubuntu", Power.RUNNING)
    assert found.tags == {"tenant": "alpha"}
    assert (found.private_ip, found.public_ip) == ("10.0.0.7", "20.1.0.7")
    assert found.private_dns == "vm7.4xyzkq.ax.internal.cloudapp.net"
    assert found.public_dns == "vm7.westeurope.cloudapp.azure.com"
    assert found.resource.endswith("/resourceGroups/fleet-rg/providers/Microsoft.Compute/virtualMachines/vm7")
    assert (found.scaling_group, found.managed_by, found.raw) == ("", (Transport.AZURE,), None)


def test_nothing_is_asked_for_each_machine(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    fleet.machines = [published(number) for number in range(1, 6)]
    fleet.scale_sets = [pool("web", 4), pool("batch", 3)]
    cloud.azure.page = 2
    assert len(cloud.read()) == 5 + 4 + 3
    # Five machines are three pages, of the machines and again of what runs; the sixth interface is of something else.
    assert cloud.azure.operations == {
        PERMISSIONS: 1,
        LIST: 3 + 3,
        INTERFACES: 3,
        ADDRESSES: 3,
        SCALE_SETS: 1,
        INSTANCES: 2 + 2,
        OF_SCALE_SET: 2 + 2,
    }
    assert sum(cloud.azure.issued.values()) == 1


def test_what_has_no_machines_and_no_public_addresses_is_asked_for_no_more(
    cloud: azure_sources.Cloud, fleet: Subscription
) -> None:
    assert cloud.read() == []
    assert cloud.azure.operations == {PERMISSIONS: 1, LIST: 1, SCALE_SETS: 1}
    fleet.machines = [machine(1)]
    cloud.azure.calls.clear()
    cloud.read()
    assert cloud.azure.operations == {PERMISSIONS: 1, LIST: 2, INTERFACES: 1, SCALE_SETS: 1}


def test_instances_of_uniform_scale_sets_are_machines_too(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    web = pool("web", 2)
    web.instances[1].interfaces[0].public = PublicAddress("pub", "20.1.1.9")
    web.instances[1].tags = {"tenant": "alpha"}
    fleet.scale_sets = [web, pool("empty", 0)]
    first, second = cloud.read()
    assert (first.name, first.private_ip, first.power) == ("web_0", "10.0.0.4", Power.RUNNING)
    assert first.private_dns == "web000000.4xyzkq.ax.internal.cloudapp.net"
    assert (first.scaling_group, second.scaling_group) == ("web", "web")
    assert (second.public_ip, second.tags) == ("20.1.1.9", {"tenant": "alpha"})
    assert first.managed_by == (Transport.AZURE,)
    assert cloud.azure.operations[PUBLIC_OF_SCALE_SET] == 1


def test_a_scale_set_of_before_there_were_flexible_ones(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    fleet.scale_sets = [pool("web", 1)]
    old = changed(lambda body: body["value"][0]["properties"].pop("orchestrationMode"))
    fault(cloud.azure, SCALE_SETS_URL, old)
    assert [found.name for found in cloud.read()] == ["web_0"]


def test_instances_of_flexible_scale_sets_are_listed_once(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    fleet.machines = [machine(1, scale_set="flexible"), machine(2)]
    fleet.scale_sets = [ScaleSet("flexible", flexible=True)]
    assert [found.scaling_group for found in cloud.read()] == ["flexible", ""]
    assert INSTANCES not in cloud.azure.operations


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        ("running", Power.RUNNING),
        ("stopped", Power.STOPPED),
        ("deallocated", Power.STOPPED),
        ("starting", Power.OTHER),
        ("deallocating", Power.OTHER),
        ("unknown", Power.OTHER),
        ("Running", Power.RUNNING),
    ],
)
def test_what_runs(cloud: azure_sources.Cloud, fleet: Subscription, power: str, expected: Power) -> None:
    fleet.machines = [machine(1, power=power)]
    assert [found.power for found in cloud.read()] == [expected]


@pytest.mark.parametrize(
    ("values", "system"),
    [
        ({}, "ubuntu"),
        ({"image": {"publisher": "RedHat", "offer": "RHEL", "sku": "9-lvm-gen2"}}, "rhel"),
        ({"image": {"publisher": "SUSE", "offer": "sles-15-sp6"}}, "sles"),
        ({"image": {"publisher": "Debian", "offer": "debian-12"}}, "debian"),
        ({"image": {"publisher": "resf", "offer": "rockylinux-x86_64"}}, "rocky"),
        ({"image": {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer"}, "os_type": "Windows"}, "windows"),
        ({"image": {"publisher": "MicrosoftSQLServer", "offer": "sql2022-ws2022"}, "os_type": "Windows"}, "windows"),
        ({"image": {"id": "/galleries/of-ours/images/ubuntu-perhaps"}}, "linux"),
        ({"image": {"id": "/galleries/of-ours/images/gold"}, "licence": "RHEL_BYOS"}, "rhel"),
        ({"image": {"id": "/galleries/of-ours/images/gold"}, "os_name": "almalinux"}, "almalinux"),
        ({"image": {}, "os_type": ""}, UNKNOWN),
    ],
)
def test_a_system_is_what_is_really_known(
    cloud: azure_sources.Cloud, fleet: Subscription, values: dict[str, object], system: str
) -> None:
    fleet.machines = [machine(1, **values)]
    assert [found.os for found in cloud.read()] == [system]


def test_the_first_interface_is_the_primary_one(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    dynamic = PublicAddress("dynamic")
    interfaces = [
        Interface("backup", "10.8.0.1", primary=False, public=PublicAddress("second", "20.2.2.2")),
        Interface("front", "10.7.0.1", public=dynamic, label_fqdn="front.internal.example"),
    ]
    fleet.machines = [machine(1, interfaces=interfaces)]
    (found,) = cloud.read()
    assert (found.private_ip, found.private_dns) == ("10.7.0.1", "front.internal.example")
    assert found.public_ip == "20.2.2.2"
    dynamic.ip = "20.3.3.3"
    assert cloud.read()[0].public_ip == "20.3.3.3"


def test_the_agent_is_believed_when_it_reports(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    fleet.machines = [machine(1), machine(2, agent="Not Ready"), machine(3, agent="")]
    assert [found.managed_by for found in cloud.read()] == [(Transport.AZURE,), (), ()]


def test_the_model_is_believed_only_when_the_file_says_so(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    cloud.azure.tells_agents = False
    fleet.machines = [machine(1), machine(2, provisions_agent=False), machine(3, allows_extensions=False)]
    assert [found.managed_by for found in cloud.read()] == [(), (), ()]
    assert [found.managed_by for found in cloud.read(agent="provisioned")] == [(Transport.AZURE,), (), ()]
    cloud.azure.tells_agents = True
    fleet.machines[0].agent = "Not Ready"
    assert cloud.read(agent="provisioned")[0].managed_by == ()


def test_all_subscriptions_are_those_that_are_visible(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    disabled = Subscription(OTHER.upper(), state="Disabled", machines=[machine(2)])
    cloud.azure.subscriptions += [disabled, Subscription("0" * 8 + OTHER[8:], state="Deleted")]
    fleet.machines = [machine(1)]
    source = cloud.source(subscriptions="all")
    scopes = source.scopes(Deadline.after(20))
    assert [scope.account for scope in scopes] == [SUBSCRIPTION, OTHER]
    assert [machine.account for machine in source.machines(scopes[1], Deadline.after(20))] == [OTHER]


def test_a_subscription_that_never_had_machines_has_none(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    fleet.registered = False
    assert cloud.read() == []


@pytest.mark.parametrize("says_forbidden", [True, False])
def test_a_part_of_a_subscription_is_not_taken_for_all_of_it(
    cloud: azure_sources.Cloud, fleet: Subscription, says_forbidden: bool
) -> None:
    fleet.machines = [machine(1), machine(2, group="other-rg")]
    fleet.only_group = "other-rg"
    cloud.azure.says_forbidden = says_forbidden
    problem = cloud.refused()
    assert problem.kind == "access_denied"
    assert cloud.azure.operations == {PERMISSIONS: 1}


@pytest.mark.parametrize("action", ["*", "*/READ", "microsoft.compute/*"])
def test_actions_of_roles_have_wildcards(cloud: azure_sources.Cloud, fleet: Subscription, action: str) -> None:
    fleet.machines = [machine(1)]
    network = {each for each in fleet.actions if "Compute" not in each}
    fleet.actions = {action, *network}
    assert len(cloud.read()) == 1


def test_actions_that_a_role_excludes_are_not_allowed(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    fleet.not_actions = {"Microsoft.Compute/virtualMachineScaleSets/*"}
    problem = cloud.refused()
    assert (problem.kind, problem.call) == ("access_denied", "Microsoft.Compute/virtualMachineScaleSets/read")
    assert "Microsoft.Compute/virtualMachineScaleSets/publicIPAddresses/read to who asks" in problem.remedy


def test_a_machine_of_which_it_is_not_known_whether_it_runs(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    fleet.machines = [machine(1), machine(2), machine(3, provisioning="Creating")]
    fault(cloud.azure, "statusOnly=true", changed(lambda body: body.update(value=body["value"][:1])), times=2)
    problem = cloud.refused()
    assert problem.kind == "answer_partial"
    assert problem.message.endswith("1 machines are listed without what runs, " + cloud_id("vm2") + " among them")
    fleet.machines[1].provisioning = "Deleting"
    assert [found.power for found in cloud.read()] == [Power.RUNNING, Power.OTHER, Power.OTHER]


def test_an_instance_of_which_it_is_not_known_whether_it_runs(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    fleet.scale_sets = [pool("web", 1)]
    fault(cloud.azure, "$expand", changed(lambda body: body["value"][0]["properties"].pop("instanceView")))
    assert cloud.refused().kind == "answer_partial"


def test_raw_data_has_what_was_said_and_nothing_that_scripts_printed(
    cloud: azure_sources.Cloud, fleet: Subscription
) -> None:
    fleet.machines, fleet.scale_sets = [published(1)], [pool("web", 1)]
    single, instance = cloud.read(raw=True)
    assert single.raw["virtual_machine"]["properties"]["hardwareProfile"]["vmSize"] == "Standard_D2s_v3"
    assert single.raw["instance_view"]["statuses"][1]["code"] == "PowerState/running"
    assert [each["name"] for each in single.raw["network_interfaces"]] == ["nic1"]
    assert [each["name"] for each in single.raw["public_ip_addresses"]] == ["ip1"]
    assert instance.raw["virtual_machine"]["instanceId"] == "0"
    assert "hunter2" not in json.dumps(instance.raw)


def test_hostile_tags_stay_what_they_are(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    tags = {"tenant": "{{ lookup('pipe', 'id') }}", "a\nb": "\x1b[31m", "": ""}
    fleet.machines = [machine(1, tags=tags)]
    assert cloud.read()[0].tags == tags


def test_the_role_in_the_documentation_is_the_least_that_does(cloud: azure_sources.Cloud, fleet: Subscription) -> None:
    page = (REPOSITORY / "docs/inventory/azure.md").read_text(encoding="utf-8")
    role = json.loads(re.findall(r"```json role\n(.*?)```", page, re.DOTALL)[0])
    assert role["NotActions"] == role["DataActions"] == role["NotDataActions"] == []
    fleet.machines, fleet.scale_sets = [published(1)], [pool("web", 1)]
    fleet.scale_sets[0].instances[0].interfaces[0].public = PublicAddress("pub", "20.1.1.9")
    fleet.actions = set(role["Actions"])
    assert len(cloud.read(subscriptions="all")) == 2
    for action in role["Actions"]:
        fleet.actions = set(role["Actions"]) - {action}
        problem = cloud.refused(subscriptions="all")
        assert problem.call == action
        if problem.kind == "access_denied":
            assert action in problem.remedy
        else:
            # Who may not read a subscription is told of none.
            assert (problem.kind, action) == ("not_found", "Microsoft.Resources/subscriptions/read")
