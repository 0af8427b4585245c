# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts a lab has, and the names, addresses and ports that are theirs alone.

Everything derives from the checkout's path and the lab's name, so that two checkouts, or several labs of one
checkout, run side by side. A number that another process already uses is passed over (``candidates``).
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

DEFAULT_LAB = "default"
LAB_NAME = re.compile(r"^[a-z][a-z0-9]{0,15}$")

TENANTS = ("alpha", "beta")
FIRST_PORT = 20000  # below the usual ephemeral range (32768), so that no outgoing connection holds one of ours
PORTS_PER_LAB = 256
PORT_BLOCKS = 48
KEY_VALUE_HOSTS = 3
MOST_WEB_HOSTS = 200


@dataclass(frozen=True)
class Place:
    """The numbers a lab has chosen: the first of its ports, and its network."""

    first_port: int
    subnet: str

    @property
    def gateway(self) -> str:
        return str(ipaddress.ip_network(self.subnet)[1])

    @property
    def load_balancer_port(self) -> int:
        return self.first_port

    def etcd_port(self, number: int) -> int:
        """The loopback port of etcd on ``kv<number>``, counted from 1."""
        return self.first_port + number


@dataclass(frozen=True)
class Host:
    """One host of a lab. ``role`` is one of lb, web, kv, app, rpm; ``wave`` is empty where nothing is patched."""

    name: str
    role: str
    address: str
    ssh_port: int
    tenant: str
    cluster: str
    wave: str
    published: tuple[tuple[int, int], ...] = ()

    @property
    def patched(self) -> bool:
        """The load balancer belongs to the lab, not to the fleet that is patched."""
        return self.role != "lb"


def lab_prefix(checkout: Path, lab: str) -> str:
    """The beginning of every podman name of this lab, e.g. ``fleet-1f2e3d4c-default``.

    Raises FleetError of kind ``bad_lab_name``.
    """
    if not LAB_NAME.match(lab):
        raise FleetError(
            f"{lab!r} cannot be the name of a lab.",
            kind="bad_lab_name",
            remedy="Use up to 16 lower case letters and digits, a letter first.",
        )
    return f"fleet-{hashlib.sha256(str(checkout).encode()).hexdigest()[:8]}-{lab}"


def candidates(prefix: str) -> Iterator[Place]:
    """The places a lab may take, its own first; the caller takes the first that nobody else uses."""
    start = int(hashlib.sha256(prefix.encode()).hexdigest()[:8], 16)
    for step in range(PORT_BLOCKS):
        number = start + step
        third = number // 64 % 96 + 100  # 10.100 to 10.195: away from what containers and clouds use by default
        yield Place(
            first_port=FIRST_PORT + number % PORT_BLOCKS * PORTS_PER_LAB,
            subnet=f"10.{third}.{number % 64 * 4}.0/22",
        )


def machine_id(prefix: str, host: str) -> str:
    """The host's /etc/machine-id: its own, and the same after a reset."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{host}.{prefix}.lab").hex


def _wave(role: str, number: int) -> str:
    if role in ("web", "kv"):
        return {1: "canary", 2: "early"}.get(number, "broad")
    if role == "rpm":
        return {1: "canary"}.get(number, "broad")
    return "early"


def topology(place: Place, web: int = 3, only: frozenset[str] = frozenset()) -> list[Host]:
    """The hosts of a lab with ``web`` web hosts, or those of them that ``only`` names (all when it is empty).

    A host's address and ports do not depend on ``only``. Raises FleetError of kind ``unknown_host`` or ``bad_size``.
    """
    if not 1 <= web <= MOST_WEB_HOSTS:
        raise FleetError(
            f"A lab of {web} web hosts is not possible.", kind="bad_size", remedy=f"Ask for 1 to {MOST_WEB_HOSTS}."
        )
    numbered = [("lb", 1)]
    numbered += [("kv", number + 1) for number in range(KEY_VALUE_HOSTS)]
    numbered += [("app", 1), ("rpm", 1), ("rpm", 2)]
    numbered += [("web", number + 1) for number in range(web)]
    network = ipaddress.ip_network(place.subnet)
    hosts = []
    for index, (role, number) in enumerate(numbered):
        published: tuple[tuple[int, int], ...] = ()
        if role == "lb":
            published = ((place.load_balancer_port, 80),)
        elif role == "kv":
            published = ((place.etcd_port(number), 2379),)
        hosts.append(
            Host(
                name=f"{role}{number}",
                role=role,
                address=str(network[index + 10]),
                ssh_port=place.first_port + 10 + index,
                tenant=TENANTS[0] if role in ("lb", "web", "kv") else TENANTS[1],
                cluster="" if role == "lb" else role,
                wave="" if role == "lb" else _wave(role, number),
                published=published,
            )
        )
    unknown = sorted(only - {host.name for host in hosts})
    if unknown:
        raise FleetError(
            f"This lab has no host {', '.join(unknown)}.",
            kind="unknown_host",
            remedy=f"It has {', '.join(host.name for host in hosts)}.",
        )
    return [host for host in hosts if not only or host.name in only]
