# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a machine is, of what EC2 says of an instance."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_instances import machine_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    Cloud,
    Machine,
    Power,
    Scope,
    Transport,
)

SCOPE = Scope("production", "111111111111", "cn-north-1")


def machine(instance: dict[str, Any], managed: dict[str, str] | None = None, *, raw: bool = False) -> Machine:
    """The machine of an instance that has an id and a state at least."""
    full = {"InstanceId": "i-1", "State": {"Name": "running"}, **instance}
    return machine_of(full, SCOPE, "aws-cn", managed or {}, raw=raw)


def test_everything_that_is_said() -> None:
    tags = [
        {"Key": "Name", "Value": "app-1"},
        {"Key": "tenant", "Value": "{{ lookup('pipe', 'id') }}"},
        {"Key": "empty"},
        {"Key": "aws:autoscaling:groupName", "Value": "web"},
    ]

    found = machine(
        {
            "Placement": {"AvailabilityZone": "cn-north-1a"},
            "PlatformDetails": "Red Hat Enterprise Linux with HA",
            "PrivateIpAddress": "10.0.0.1",
            "PrivateDnsName": "ip-10-0-0-1.internal",
            "PublicIpAddress": "192.0.2.1",
            "PublicDnsName": "ec2-192-0-2-1.example",
            "Tags": tags,
        },
        {"i-1": "Red Hat Enterprise Linux"},
    )

    assert found == Machine(
        cloud=Cloud.AWS,
        account="111111111111",
        region="cn-north-1",
        zone="cn-north-1a",
        instance_id="i-1",
        name="app-1",
        power=Power.RUNNING,
        os="rhel",
        tags={
            "Name": "app-1",
            "tenant": "{{ lookup('pipe', 'id') }}",
            "empty": "",
            "aws:autoscaling:groupName": "web",
        },
        private_ip="10.0.0.1",
        public_ip="192.0.2.1",
        private_dns="ip-10-0-0-1.internal",
        public_dns="ec2-192-0-2-1.example",
        resource="arn:aws-cn:ec2:cn-north-1:111111111111:instance/i-1",
        scaling_group="web",
        managed_by=(Transport.SSM,),
    )


def test_what_is_not_said_is_unknown_or_nothing() -> None:
    found = machine({})

    assert (found.zone, found.os, found.name, found.private_ip, found.managed_by) == ("unknown", "unknown", "", "", ())


def test_an_instance_without_ipv4_has_its_other_address() -> None:
    assert machine({"Ipv6Address": "2001:db8::1"}).private_ip == "2001:db8::1"


@pytest.mark.parametrize(
    ("state", "power"),
    [
        ("running", Power.RUNNING),
        ("stopped", Power.STOPPED),
        ("pending", Power.OTHER),
        ("stopping", Power.OTHER),
        ("shutting-down", Power.OTHER),
        ("terminated", Power.OTHER),
    ],
)
def test_power(state: str, power: Power) -> None:
    assert machine({"State": {"Name": state}}).power is power


@pytest.mark.parametrize(
    ("details", "managed", "system"),
    [
        # docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-info-fields.html
        ("Linux/UNIX", None, "linux"),
        ("Red Hat BYOL Linux", None, "rhel"),
        ("Red Hat Enterprise Linux with SQL Server Standard and HA", None, "rhel"),
        ("SUSE Linux", None, "sles"),
        ("Ubuntu Pro", None, "ubuntu"),
        ("Windows BYOL", None, "windows"),
        ("Windows with SQL Server Web", None, "windows"),
        ("SQL Server Web", None, "unknown"),
        # What its agent says of it is nearer to it.
        ("Linux/UNIX", "Ubuntu", "ubuntu"),
        ("Linux/UNIX", "Amazon Linux", "amazon"),
        ("Linux/UNIX", "Debian GNU/Linux", "debian"),
        ("Linux/UNIX", "Something new", "linux"),
        ("Windows", "Microsoft Windows Server 2022 Datacenter", "windows"),
    ],
)
def test_the_operating_system_is_what_is_really_known(details: str, managed: str | None, system: str) -> None:
    assert machine({"PlatformDetails": details}, {"i-1": managed} if managed else {}).os == system


def test_raw_data_is_kept_on_request() -> None:
    assert machine({"ImageId": "ami-1"}).raw is None
    assert machine({"ImageId": "ami-1"}, raw=True).raw["ImageId"] == "ami-1"


def test_an_instance_without_an_id_is_no_instance() -> None:
    with pytest.raises(KeyError):
        machine_of({"State": {"Name": "running"}}, SCOPE, "aws", {}, raw=False)
