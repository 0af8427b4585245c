# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of an instance becomes what of a machine; that needs no library."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_instances import MalformedError, read_page
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN, Machine, Power, Transport
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.state import COMPUTE, Instance, Project


def page_of(*instances: Any, **more: Any) -> dict[str, Any]:
    return {"items": {"zones/europe-west3-a": {"instances": list(instances)}}, **more}


def machine_of(instance: Instance, *, raw: bool = False, **project: Any) -> Machine:
    home = Project("payments-prod", **project)
    machines, lacking = read_page(page_of(instance.resource(home)), home.id, raw=raw)
    assert lacking == {}
    return machines[0]


def test_a_machine_is_what_its_instance_says() -> None:
    labels = {"tenant": "alpha", "wave": "canary"}
    instance = Instance("web-1", "europe-west3-b", labels=labels, public_ip="34.159.0.1", id="4611686018427387904")
    machine = machine_of(instance)
    assert machine.identity == ("gcp", "payments-prod", "4611686018427387904")
    assert (machine.name, machine.region, machine.zone) == ("web-1", "europe-west3", "europe-west3-b")
    assert (machine.private_ip, machine.public_ip, machine.public_dns) == ("10.156.0.2", "34.159.0.1", "")
    assert machine.tags == labels
    assert machine.resource == f"{COMPUTE}/projects/payments-prod/zones/europe-west3-b/instances/web-1"
    assert (machine.scaling_group, machine.managed_by, machine.raw) == ("", (), None)


@pytest.mark.parametrize(
    ("status", "power"),
    [
        ("RUNNING", Power.RUNNING),
        ("TERMINATED", Power.STOPPED),
        ("STOPPED", Power.STOPPED),
        ("SUSPENDED", Power.STOPPED),
        ("STOPPING", Power.OTHER),
        ("REPAIRING", Power.OTHER),
        ("A_STATE_OF_TOMORROW", Power.OTHER),
    ],
)
def test_power(status: str, power: Power) -> None:
    assert machine_of(Instance("web-1", status=status)).power is power


@pytest.mark.parametrize(
    ("licences", "system"),
    [
        (["debian-cloud/global/licenses/debian-12-bookworm"], "debian"),
        (["ubuntu-os-cloud/global/licenses/ubuntu-2204-lts", "vm-options/global/licenses/enable-vmx"], "ubuntu"),
        (["ubuntu-os-pro-cloud/global/licenses/ubuntu-pro-2404-lts"], "ubuntu"),
        (["rhel-cloud/global/licenses/rhel-9-server"], "rhel"),
        (["rhel-sap-cloud/global/licenses/rhel-8-sap"], "rhel"),
        (["rocky-linux-cloud/global/licenses/rocky-linux-9"], "rocky"),
        (["centos-cloud/global/licenses/centos-stream-9"], "centos"),
        (["suse-sap-cloud/global/licenses/sles-sap-15"], "sles"),
        (["windows-sql-cloud/global/licenses/sql-server-2019-standard"], UNKNOWN),
        (
            [
                "windows-sql-cloud/global/licenses/sql-server-2019-standard",
                "windows-cloud/global/licenses/windows-server-2022-dc",
            ],
            "windows",
        ),
        (["payments-prod/global/licenses/debian-12"], UNKNOWN),
        ([], UNKNOWN),
    ],
)
def test_the_operating_system_is_that_of_the_image(licences: list[str], system: str) -> None:
    urls = tuple(f"{COMPUTE}/projects/{licence}" for licence in licences)
    assert machine_of(Instance("web-1", licences=urls)).os == system


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("ZonalOnly", "web-1.europe-west3-a.c.payments-prod.internal"),
        ("ZonalPreferred", "web-1.europe-west3-a.c.payments-prod.internal"),
        ("GlobalDefault", "web-1.c.payments-prod.internal"),
        ("", ""),
    ],
)
def test_an_internal_name_is_given_where_its_kind_is_certain(setting: str, name: str) -> None:
    metadata = {"VmDnsSetting": setting} if setting else {}
    assert machine_of(Instance("web-1"), metadata=metadata).private_dns == name


def test_a_project_of_a_domain_has_no_certain_internal_names() -> None:
    project = Project("example.com:payments-prod")
    machines, _lacking = read_page(page_of(Instance("web-1").resource(project)), project.id, raw=False)
    assert machines[0].private_dns == ""


@pytest.mark.parametrize(
    ("of_project", "of_instance", "managed_by"),
    [
        ("", "", ()),
        ("TRUE", "", (Transport.GCP,)),
        ("TRUE", "FALSE", ()),
        ("", "true", (Transport.GCP,)),
    ],
)
def test_os_config_reaches_where_its_agent_is_switched_on(
    of_project: str, of_instance: str, managed_by: tuple[Transport, ...]
) -> None:
    metadata = [{"enable-osconfig": value} if value else {} for value in (of_project, of_instance)]
    machine = machine_of(Instance("web-1", metadata=metadata[1]), metadata=metadata[0])
    assert machine.managed_by == managed_by


def test_a_member_of_a_managed_group_names_it() -> None:
    assert machine_of(Instance("web-x7k2", group="web")).scaling_group == "web"
    by_hand = {"created-by": "projects/1/zones/z/instances/other"}
    assert machine_of(Instance("web-1", metadata=by_hand)).scaling_group == ""


def test_addresses_of_the_sixth_version_stand_in_for_those_of_the_fourth() -> None:
    machine = machine_of(Instance("web-1", private_ip="", private_ipv6="fd20::1", public_ipv6="2600:1900::1"))
    assert (machine.private_ip, machine.public_ip) == ("fd20::1", "2600:1900::1")
    machine = machine_of(Instance("web-1", private_ipv6="fd20::1", public_ip="34.1.1.1", public_ipv6="2600:1900::1"))
    assert (machine.private_ip, machine.public_ip) == ("10.156.0.2", "34.1.1.1")


def test_raw_has_everything_but_the_values_of_the_metadata() -> None:
    machine = machine_of(Instance("web-1", metadata={"startup-script": "export PASSWORD=hunter2"}), raw=True)
    assert machine.raw["machineType"].endswith("/e2-standard-4")
    assert machine.raw["metadata"]["items"] == [{"key": "startup-script"}]
    assert "hunter2" not in repr(machine)


def test_what_a_page_lacks_is_told() -> None:
    nothing = {"warning": {"code": "NO_RESULTS_ON_PAGE", "data": [{"key": "scope", "value": "zones/us-east1-c"}]}}
    page: dict[str, Any] = {
        "items": {
            "zones/us-east1-b": {"warning": {"code": "UNREACHABLE"}},
            "zones/us-east1-c": nothing,
            "zones/us-east1-d": {"warning": {"code": "LIST_OVERHEAD_QUOTA_EXCEED"}},
        },
        "unreachables": [f"{COMPUTE}/projects/payments-prod/zones/us-west1-a"],
    }
    _machines, lacking = read_page(page, "payments-prod", raw=False)
    assert lacking == {
        "us-east1-b": "UNREACHABLE",
        "us-east1-d": "LIST_OVERHEAD_QUOTA_EXCEED",
        "us-west1-a": "unreachable",
    }
    assert read_page({**page_of(), **nothing}, "p", raw=False) == ([], {})
    partial = {"code": "PARTIAL_SUCCESS", "data": [{"key": "scope", "value": "zones/us-west1-b"}]}
    assert read_page(page_of(warning=partial), "p", raw=False)[1] == {"us-west1-b": "PARTIAL_SUCCESS"}
    assert read_page(page_of(warning={"code": "PARTIAL_SUCCESS"}), "p", raw=False)[1] == {"p": "PARTIAL_SUCCESS"}


@pytest.mark.parametrize(
    "change",
    [
        {"id": 4611686018427387904},
        {"name": None},
        {"zone": ["europe-west3-a"]},
        {"labels": ["tenant"]},
        {"labels": {"tenant": 1}},
        {"metadata": {"items": [{"value": "no key"}]}},
        {"networkInterfaces": [{"networkIP": 7}]},
        {"status": ["RUNNING"]},
        {"disks": [{"boot": True, "licenses": [None]}]},
        {"selfLink": {}},
    ],
)
def test_an_instance_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    instance = {**Instance("web-1").resource(Project("payments-prod")), **change}
    with pytest.raises(MalformedError, match="no InstanceAggregatedList"):
        read_page(page_of(instance), "payments-prod", raw=False)


@pytest.mark.parametrize(
    "page", [{"items": []}, {"items": {"z": 1}}, {"items": {"z": {"instances": 7}}}, {"warning": 1}]
)
def test_a_page_of_another_shape_is_refused(page: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        read_page(page, "payments-prod", raw=False)
