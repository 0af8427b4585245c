# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an instance as EC2 describes it to a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    UNKNOWN,
    Cloud,
    Machine,
    Power,
    Scope,
    Transport,
)

_POWER = {"running": Power.RUNNING, "stopped": Power.STOPPED}
# By what PlatformDetails of EC2 and PlatformName of Systems Manager have in them; the first that fits.
_SYSTEMS = {
    "windows": "windows",
    "red hat": "rhel",
    "ubuntu": "ubuntu",
    "debian": "debian",
    "suse": "sles",
    "sles": "sles",
    "amazon linux": "amazon",
    "rocky": "rocky",
    "alma": "almalinux",
    "centos": "centos",
    "oracle": "oracle",
    "linux": "linux",
    "macos": "macos",
}
MEMBERS = {
    "Reservation": {"Instances"},
    "Instance": {
        "InstanceId",
        "Ipv6Address",
        "Placement",
        "Platform",
        "PlatformDetails",
        "PrivateDnsName",
        "PrivateIpAddress",
        "PublicDnsName",
        "PublicIpAddress",
        "State",
        "Tags",
    },
    "Placement": {"AvailabilityZone"},
    "InstanceState": {"Name"},
}
"""What a machine is made of, by the shapes of EC2's model."""


def machine_of(
    instance: Mapping[str, Any], scope: Scope, partition: str, managed: Mapping[str, str] | None, *, raw: bool
) -> Machine:
    """The machine that an instance is. Raises KeyError when it has no id or no state.

    ``managed`` has the name of the operating system by instance, for those that Systems Manager reaches; None where it
    was not asked.
    """
    identity = instance["InstanceId"]
    is_managed = managed is not None and identity in managed
    system = managed.get(identity, "") if managed else ""
    tags = {tag["Key"]: tag.get("Value", "") for tag in instance.get("Tags", ())}
    return Machine(
        cloud=Cloud.AWS,
        account=scope.account,
        region=scope.region,
        zone=instance.get("Placement", {}).get("AvailabilityZone", UNKNOWN),
        instance_id=identity,
        name=tags.get("Name", ""),
        power=_POWER.get(instance["State"]["Name"], Power.OTHER),
        os=_system(system, instance.get("PlatformDetails", ""), instance.get("Platform", "")),
        tags=tags,
        # An instance in a subnet without IPv4 has nothing but this.
        private_ip=instance.get("PrivateIpAddress") or instance.get("Ipv6Address", ""),
        public_ip=instance.get("PublicIpAddress", ""),
        private_dns=instance.get("PrivateDnsName", ""),
        public_dns=instance.get("PublicDnsName", ""),
        resource=f"arn:{partition}:ec2:{scope.region}:{scope.account}:instance/{identity}",
        scaling_group=tags.get("aws:autoscaling:groupName", ""),
        managed_by=(Transport.SSM,) if is_managed else (),
        not_managed_by=() if managed is None or is_managed else (Transport.SSM,),
        raw=instance if raw else None,
    )


def reached_of(instance_id: str, system: str, scope: Scope) -> Machine:
    """The machine that Systems Manager reaches and EC2 does not list: it is no instance, or filters leave it out."""
    return Machine(
        cloud=Cloud.AWS,
        account=scope.account,
        region=scope.region,
        zone=UNKNOWN,
        instance_id=instance_id,
        name="",
        power=Power.RUNNING,
        os=_system(system),
        managed_by=(Transport.SSM,),
        is_listed=False,
    )


def _system(*names: str) -> str:
    for name in names:
        for part, system in _SYSTEMS.items():
            if part in name.lower():
                return system
    return UNKNOWN
