# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Azure of our own: subscriptions, machines, principals and tokens. A test fills it and changes what stands here.

Plain state, so that what is done to machines later has a place as well.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

TENANT = "31c75423-32d6-4322-88b7-c478bdde4858"
SUBSCRIPTION = "291bba3f-e0a5-47bc-a099-3bdcb2a50a05"
AUDIENCE = "https://management.azure.com"
LIFETIME = 3599
READ_ALL = frozenset(
    {
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachineScaleSets/read",
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
        "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read",
        "Microsoft.Compute/virtualMachineScaleSets/publicIPAddresses/read",
        "Microsoft.Network/networkInterfaces/read",
        "Microsoft.Network/publicIPAddresses/read",
        "Microsoft.Authorization/permissions/read",
        "Microsoft.Resources/subscriptions/read",
    }
)


@dataclass
class PublicAddress:
    """A public address; without an ``ip`` it is dynamic and its machine not started."""

    name: str
    ip: str = ""
    fqdn: str = ""


@dataclass
class Interface:
    """A network interface with one configuration."""

    name: str
    private_ip: str
    primary: bool = True
    public: PublicAddress | None = None
    label_fqdn: str = ""
    """The name that its DNS label gives it, if it has one."""
    suffix: str = "4xyzkq.ax.internal.cloudapp.net"


@dataclass
class VirtualMachine:
    """A virtual machine, or an instance of a uniform scale set."""

    name: str
    interfaces: list[Interface] = field(default_factory=list)
    vm_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    group: str = "fleet-rg"
    location: str = "westeurope"
    zones: tuple[str, ...] = ("1",)
    power: str = "running"
    provisioning: str = "Succeeded"
    tags: dict[str, str] = field(default_factory=dict)
    os_type: str = "Linux"
    """Empty where nothing is said of it."""
    image: Mapping[str, str] = field(
        default_factory=lambda: {
            "publisher": "Canonical",
            "offer": "ubuntu-24_04-lts",
            "sku": "server",
            "version": "latest",
        }
    )
    licence: str = ""
    computer_name: str = ""
    """Where it differs from the name."""
    agent: str = "Ready"
    """What the VM agent is said to be: ``Ready``, ``Not Ready``, or empty where nothing is said of it."""
    provisions_agent: bool = True
    allows_extensions: bool = True
    os_name: str = ""
    """What the agent says that the system is."""
    scale_set: str = ""
    """The name of the flexible scale set that it belongs to."""


@dataclass
class ScaleSet:
    """A scale set; the machines of a flexible one stand among those of the subscription."""

    name: str
    instances: list[VirtualMachine] = field(default_factory=list)
    flexible: bool = False
    group: str = "fleet-rg"
    location: str = "westeurope"


@dataclass
class Subscription:
    """A subscription, and which actions a principal is allowed in it."""

    id: str = SUBSCRIPTION
    name: str = "Fleet"
    tenant: str = TENANT
    state: str = "Enabled"
    actions: set[str] = field(default_factory=lambda: set(READ_ALL))
    not_actions: set[str] = field(default_factory=set)
    only_group: str = ""
    """The resource group that the principal's role is assigned on, if it is not the whole subscription."""
    registered: bool = True
    """Whether anybody ever registered Microsoft.Compute in it."""
    machines: list[VirtualMachine] = field(default_factory=list)
    scale_sets: list[ScaleSet] = field(default_factory=list)

    def allows(self, action: str) -> bool:
        """Whether the principal is allowed an action, somewhere in the subscription; in any case, with asterisks."""
        return _covers(self.actions, action) and not _covers(self.not_actions, action)


def _covers(patterns: set[str], action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


@dataclass
class Principal:
    """Who asks: a service principal with a secret or an assertion of its workload, or the identity of a machine."""

    client_id: str = "5e1d7c30-6a0b-4c4e-9a51-2f3c1b7a9d10"
    secret: str = "s3cret~of.the.principal"  # noqa: S105
    assertion: str = "assertion.of.a.workload"


@dataclass(frozen=True)
class Answer:
    """What goes back over the wire; a body of bytes as it is, anything else as JSON."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Azure:
    """The state of a cloud."""

    subscriptions: list[Subscription] = field(default_factory=lambda: [Subscription()])
    principal: Principal = field(default_factory=Principal)
    tenants: set[str] = field(default_factory=lambda: {TENANT})
    audience: str = AUDIENCE
    page: int = 1000
    """How many entries it gives at once; clients have no say in that."""
    lifetime: int = LIFETIME
    says_forbidden: bool = False
    """Whether a listing that is not allowed is refused; otherwise it has nothing, as clients in use have met it."""
    tells_agents: bool = True
    """Whether the listing of statuses tells of agents: nothing documents how much of the instance view it has."""
    faults: list[Callable[[str, Answer], Answer | None]] = field(default_factory=list)
    """Each is asked with the URL's path and query, and the answer, until one has an answer of its own to give."""
    tokens: dict[str, float] = field(default_factory=dict)
    """Each that was given out, and when it ends."""
    issued: Counter[str] = field(default_factory=Counter)
    """How often tokens were given out, by the way they were asked for."""
    links: set[str] = field(default_factory=set)
    """Paths and queries to next pages that were given out: no client makes them up."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """The operations that were asked for in their order, each with its subscription."""
    violations: list[str] = field(default_factory=list)
    """What no client may ask. The server raises when it ends and there are some."""

    @property
    def operations(self) -> Counter[str]:
        """How often each operation was asked for."""
        return Counter(name for name, _ in self.calls)

    def subscription(self, identity: str) -> Subscription | None:
        """The subscription with an id, in any case."""
        return next((each for each in self.subscriptions if each.id.lower() == identity.lower()), None)

    def issue(self, way: str) -> str:
        """A new token."""
        token = f"token-{secrets.token_urlsafe(24)}"
        self.tokens[token] = time.time() + self.lifetime
        self.issued[way] += 1
        return token

    def revoke(self) -> None:
        """Take back all tokens."""
        self.tokens.clear()
