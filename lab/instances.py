# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of a lab as machines of three clouds: which is where, by its role and number, and who is there besides."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.bankops.fleet.lab.topology import Host

AWS_ACCOUNT, AWS_OLD_ACCOUNT = "345678901234", "456789012345"
AZURE_SUBSCRIPTION = "291bba3f-e0a5-47bc-a099-3bdcb2a50a05"
GCP_PROJECT, GCP_NUMBER = "fleet-lab", "410000000001"
CLOUDS = {"web": "aws", "kv": "azure", "app": "gcp", "rpm": "gcp"}
"""Where the hosts of a role are: tenant alpha has two clouds, tenant beta the third."""
_AWS_REGIONS = ("eu-west-1", "eu-central-1")
# Addresses that are kept for examples: nobody is there.
_NOBODY = ("192.0.2.10", "192.0.2.11")


@dataclass(frozen=True)
class Instance:
    """A machine as its cloud has it. ``place`` is AWS's region, Azure's zone, Google's zone."""

    name: str
    id: str
    """Its own, and the same whenever the clouds are started. AWS gives it, so that it is empty there."""
    cloud: str
    account: str
    place: str
    tags: dict[str, str]
    private_ip: str
    running: bool = True
    protected: bool = True
    """Whether a sensor is on it."""


def instances(hosts: Sequence[Host], prefix: str) -> list[Instance]:
    """The patched hosts as instances, and two machines that are no hosts: one is stopped, one belongs to nobody.

    The last host has no sensor. ``prefix`` is the lab's.
    """
    patched = [host for host in hosts if host.patched]
    found = [_instance(host, prefix, protected=host is not patched[-1]) for host in patched]
    old = {
        "tenant": "alpha",
        "environment": "lab",
        "cluster": "web",
        "wave": "broad",
        "criticality": "low",
        "os": "debian",
    }
    found.append(Instance("old1", "", "aws", AWS_OLD_ACCOUNT, _AWS_REGIONS[0], old, _NOBODY[0], running=False))
    stray = _unique("stray1", prefix)
    found.append(Instance("stray1", str(stray), "azure", AZURE_SUBSCRIPTION, "1", {"environment": "lab"}, _NOBODY[1]))
    return found


def _unique(name: str, prefix: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{prefix}.clouds")


def _instance(host: Host, prefix: str, *, protected: bool) -> Instance:
    cloud = CLOUDS[host.role]
    number = int(host.name[len(host.role) :])
    unique = _unique(host.name, prefix)
    account, place, identity = {
        "aws": (AWS_ACCOUNT, _AWS_REGIONS[number % 2], ""),
        "azure": (AZURE_SUBSCRIPTION, str((number - 1) % 3 + 1), str(unique)),
        # A number of 63 bits.
        "gcp": (GCP_PROJECT, f"europe-west3-{'abc'[(number - 1) % 3]}", str(unique.int >> 65)),
    }[cloud]
    tags = {
        "tenant": host.tenant,
        "environment": "lab",
        "cluster": host.cluster,
        "wave": host.wave,
        "criticality": "medium",
        "os": "debian12",
        "role": host.role,
        "ssh-port": str(host.ssh_port),
    }
    return Instance(host.name, identity, cloud, account, place, tags, "127.0.0.1", protected=protected)
