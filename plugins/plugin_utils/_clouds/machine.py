# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine as every source describes it, and what a source is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline

UNKNOWN = "unknown"


class Cloud(StrEnum):
    """Where a machine runs; the values are those of ``fleet_cloud``."""

    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"
    ONPREM = "onprem"


class Power(StrEnum):
    """Whether a machine can be reached at all. What is neither is on its way from one to the other, or not known."""

    RUNNING = "running"
    STOPPED = "stopped"
    OTHER = "other"


class Transport(StrEnum):
    """By which way commands reach a machine; the values are those of ``fleet_transport``."""

    SSH = "ssh"
    SSM = "ssm"
    AZURE = "azure"
    GCP = "gcp"


@dataclass(slots=True)
class Machine:
    """A machine as its source says; texts are as they came, so hostile, and ``unknown`` is what was not said.

    ``account`` is an AWS account's number, an Azure subscription's or a Google project's id. With the cloud and the
    ``instance_id`` (AWS ``i-…``, Azure ``vmId`` in lower case, Google the number) it is the machine's identity.
    """

    cloud: Cloud
    account: str
    region: str
    zone: str
    instance_id: str
    name: str
    power: Power
    os: str = UNKNOWN
    tags: Mapping[str, str] = field(default_factory=dict)
    private_ip: str = ""
    public_ip: str = ""
    private_dns: str = ""
    public_dns: str = ""
    resource: str = ""
    """How the cloud's API names it: an ARN, a resource id, a self link."""
    scaling_group: str = ""
    """The Auto Scaling group, scale set or managed instance group that it belongs to."""
    managed_by: tuple[Transport, ...] = ()
    """The cloud's own ways to run commands on it, as far as the source knows that they work."""
    not_managed_by: tuple[Transport, ...] = ()
    """Those that the source asked about it, and that do not work."""
    is_listed: bool = True
    """False where the cloud itself does not list it, and one of its ways reaches it all the same: it is no host."""
    sensor_id: str = ""
    """Which sensor it has, where its source says so; only the users' files do."""
    placement: Mapping[str, str] = field(default_factory=dict)
    """What its source itself says of its place (``tenant``, ``wave``, …), before any tag; only the users' files do."""
    raw: Any = None
    """What the API said, where that was asked for."""

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells this machine from every other one, whatever they are named."""
        return self.cloud.value, self.account, self.instance_id


@dataclass(frozen=True)
class Scope:
    """A part of a source that is read by itself: an account and a region, where the source has them."""

    source: str
    account: str = ""
    region: str = ""

    def __str__(self) -> str:
        return ", ".join(part for part in (f"source {self.source}", self.account, self.region) if part)


class Source(Protocol):
    """Where machines are listed. Scopes are read side by side, each in a thread of its own."""

    @property
    def name(self) -> str:
        """The name that its entry in the inventory file gives it."""

    def scopes(self, deadline: Deadline) -> Sequence[Scope]:
        """What there is to be read. Raises SourceError; ScopesError with those that are known besides."""

    def machines(self, scope: Scope, deadline: Deadline) -> Iterator[Machine]:
        """The machines of a scope, page by page. Raises SourceError, after some machines perhaps."""
