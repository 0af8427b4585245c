# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is in a Google Cloud of our own: an organisation, its folders and projects, and the instances in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

COMPUTE = "https://www.googleapis.com/compute/v1"
ZONES = ("europe-west3-a", "europe-west3-b", "europe-west3-c", "us-east1-b", "us-east1-c")
DEBIAN = f"{COMPUTE}/projects/debian-cloud/global/licenses/debian-12-bookworm"
_IDS = count(4_611_686_018_427_387_904)
_NUMBERS = count(410_000_000_000)


@dataclass
class Instance:
    """An instance of Compute Engine. Later parts of the fake may keep more about it."""

    name: str
    zone: str = ZONES[0]
    status: str = "RUNNING"
    labels: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    licences: tuple[str, ...] = (DEBIAN,)
    private_ip: str = "10.156.0.2"
    public_ip: str = ""
    private_ipv6: str = ""
    public_ipv6: str = ""
    group: str = ""
    """The managed instance group that made it."""
    id: str = field(default_factory=lambda: str(next(_IDS)))

    def resource(self, project: Project) -> dict[str, Any]:
        """As the API shows it."""
        home = f"{COMPUTE}/projects/{project.id}"
        region = self.zone.rpartition("-")[0]
        metadata = dict(self.metadata)
        if self.group:
            group = f"projects/{project.number}/zones/{self.zone}/instanceGroupManagers/{self.group}"
            metadata.update({"created-by": group, "instance-template": f"{project.id}/global/instanceTemplates/t-1"})
        items = {"items": [{"key": key, "value": value} for key, value in metadata.items()]} if metadata else {}
        return {
            "kind": "compute#instance",
            "id": self.id,
            "creationTimestamp": "2026-03-14T01:59:26.535-07:00",
            "lastStartTimestamp": "2026-11-02T22:10:07.512-08:00",
            "name": self.name,
            "zone": f"{home}/zones/{self.zone}",
            "selfLink": f"{home}/zones/{self.zone}/instances/{self.name}",
            "status": self.status,
            "machineType": f"{home}/zones/{self.zone}/machineTypes/e2-standard-4",
            "cpuPlatform": "Intel Broadwell",
            "tags": {"items": ["http-server", "allow-health-checks"], "fingerprint": "6smc4R4d39I="},
            "metadata": {"kind": "compute#metadata", "fingerprint": "J4ZcEM5pZrw=", **items},
            **({"labels": self.labels} if self.labels else {}),
            "labelFingerprint": "42WmSpB8rSM=",
            "fingerprint": "n9X2Zj3rDe0=",
            "networkInterfaces": [self._interface(home, region)],
            "disks": [self._disk(home)],
            "serviceAccounts": [
                {
                    "email": f"{project.number}-compute@developer.gserviceaccount.com",
                    "scopes": [
                        "https://www.googleapis.com/auth/devstorage.read_only",
                        "https://www.googleapis.com/auth/logging.write",
                        "https://www.googleapis.com/auth/monitoring.write",
                    ],
                }
            ],
            "scheduling": {
                "automaticRestart": True,
                "onHostMaintenance": "MIGRATE",
                "preemptible": False,
                "provisioningModel": "STANDARD",
            },
            "shieldedInstanceConfig": {
                "enableIntegrityMonitoring": True,
                "enableSecureBoot": True,
                "enableVtpm": True,
            },
            "shieldedInstanceIntegrityPolicy": {"updateAutoLearnPolicy": True},
            "resourceStatus": {"effectiveInstanceMetadata": _effective({**project.metadata, **metadata})},
            "canIpForward": False,
            "deletionProtection": False,
            "startRestricted": False,
        }

    def _interface(self, home: str, region: str) -> dict[str, Any]:
        nat = {"kind": "compute#accessConfig", "type": "ONE_TO_ONE_NAT", "name": "External NAT"}
        direct = {"kind": "compute#accessConfig", "type": "DIRECT_IPV6", "name": "external-ipv6"}
        optional: dict[str, Any] = {
            "networkIP": self.private_ip,
            "ipv6Address": self.private_ipv6,
            "accessConfigs": self.public_ip and [{**nat, "natIP": self.public_ip, "networkTier": "PREMIUM"}],
            "ipv6AccessConfigs": self.public_ipv6 and [{**direct, "externalIpv6": self.public_ipv6}],
        }
        return {
            "kind": "compute#networkInterface",
            "name": "nic0",
            "network": f"{home}/global/networks/fleet",
            "subnetwork": f"{home}/regions/{region}/subnetworks/fleet-{region}",
            "fingerprint": "EJTnDvzkSg0=",
            "stackType": "IPV4_ONLY",
            **{key: value for key, value in optional.items() if value},
        }

    def _disk(self, home: str) -> dict[str, Any]:
        features = ("UEFI_COMPATIBLE", "VIRTIO_SCSI_MULTIQUEUE", "GVNIC", "SEV_CAPABLE")
        return {
            "kind": "compute#attachedDisk",
            "type": "PERSISTENT",
            "mode": "READ_WRITE",
            "source": f"{home}/zones/{self.zone}/disks/{self.name}",
            "deviceName": self.name,
            "index": 0,
            "boot": True,
            "autoDelete": True,
            "interface": "SCSI",
            "diskSizeGb": "20",
            "architecture": "X86_64",
            "guestOsFeatures": [{"type": feature} for feature in features],
            **({"licenses": list(self.licences)} if self.licences else {}),
        }


@dataclass
class Project:
    """A project. What is switched on in ``metadata`` holds for all of its instances that do not say otherwise."""

    id: str
    parent: str = "organizations/2000"
    instances: list[Instance] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=lambda: {"VmDnsSetting": "ZonalOnly"})
    compute: bool = True
    """Whether the API of Compute Engine is enabled."""
    latency: float = 0.0
    """Seconds before each answer."""
    unreachable: set[str] = field(default_factory=set)
    """Zones that Compute Engine cannot tell of."""
    number: str = field(default_factory=lambda: str(next(_NUMBERS)))


@dataclass
class Cloud:
    """All of it. Whoever has a token may do what is ``granted``, everything at first, but for what is ``denied``."""

    projects: dict[str, Project] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    """The parent of each folder: ``{"folders/3000": "organizations/2000"}``."""
    granted: frozenset[str] | None = None
    """The permissions of a role that is granted on everything; None for all there are."""
    denied: set[tuple[str, str]] = field(default_factory=set)
    """Permissions that are not granted on a resource: ``("compute.instances.list", "payments-prod")``."""

    def admits(self, permission: str, resource: str) -> bool:
        """Whether somebody may do what needs a permission on a resource."""
        return (self.granted is None or permission in self.granted) and (permission, resource) not in self.denied

    def project(self, name: str, *instances: Instance, **settings: Any) -> Project:
        """A new project with these instances."""
        made = Project(name, instances=list(instances), **settings)
        self.projects[name] = made
        return made


def _effective(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What holds of the predefined keys; the API shows those that are set."""
    effective: dict[str, Any] = {}
    if "enable-osconfig" in metadata:
        effective["enableOsconfigMetadataValue"] = metadata["enable-osconfig"].upper() == "TRUE"
    if "VmDnsSetting" in metadata:
        effective["vmDnsSettingMetadataValue"] = metadata["VmDnsSetting"]
    return effective
