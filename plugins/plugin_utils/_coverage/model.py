# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is held against each other, and what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.sensors import Identity

_NOT_RUNNING = ("stopped", "other")


class Finding(StrEnum):
    """What is wrong with a machine, or cannot be told."""

    UNPROTECTED = "unprotected"
    UNMANAGED = "unmanaged"
    STALE = "stale"
    DUPLICATE = "duplicate"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Listed:
    """A host of the inventory."""

    host: str
    tenant: str
    identity: Identity
    power: str = UNKNOWN
    transport: str = ""
    """How commands reach it; empty where the inventory does not say."""
    managed_by: tuple[str, ...] = ()
    """The cloud's own ways to it."""
    not_managed_by: tuple[str, ...] = ()
    """Those that were asked about it, and do not reach it."""
    sensor_id: str = ""
    """Which sensor it has, where somebody says so: nothing else joins what stands on premises."""

    @property
    def is_running(self) -> bool:
        """Whether it may run, for all that is known."""
        return self.power not in _NOT_RUNNING


@dataclass(frozen=True, slots=True)
class Reached:
    """A machine that a cloud's way reaches, and that the cloud does not list: no host of the inventory."""

    identity: Identity
    region: str
    tenant: str = UNKNOWN


@dataclass(frozen=True)
class Readings:
    """What the inventory says of how it was read."""

    moments: Sequence[Mapping[str, str]] = ()
    """By inventory file, when it was ``read`` (UTC, RFC 3339): long ago, where that comes from a cache."""
    reached: Sequence[Reached] = ()
    not_named: int = 0
    """How many more of those that are only reached there are."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A host of a tenant's latest plan. Its account is ``unknown`` in plans of before that was kept."""

    host: str
    identity: Identity
    was_missing: bool = False
    """Whether the inventory of the plan itself had lost it."""


@dataclass(frozen=True)
class LatestPlan:
    """The last population that is known of a tenant."""

    plan: str
    cycle: str
    hosts: Iterable[Planned]


@dataclass(frozen=True, slots=True)
class Row:
    """One finding. ``host`` is the name in the inventory, or empty; ``name`` what it is called where it is known."""

    finding: Finding
    host: str
    name: str
    identity: Identity
    why: str
    sensors: tuple[str, ...] = ()
    """The ids of the sensors that it is about."""

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        cloud, account, instance_id = self.identity
        return {
            "finding": self.finding.value,
            "host": self.host,
            "name": self.name,
            "cloud": cloud,
            "account": account,
            "instance_id": instance_id,
            "why": self.why,
            "sensors": list(self.sensors),
        }


@dataclass
class TenantCoverage:
    """What was found of one tenant; ``unknown`` is the tenant of whoever has none."""

    tenant: str
    plan: str = ""
    cycle: str = ""
    machines: int = 0
    running: int = 0
    planned: int = 0
    protected: int = 0
    """Running machines with a sensor that was seen lately."""
    reduced: int = 0
    """Those of them whose sensor is in reduced functionality mode."""
    not_told: int = 0
    """Running machines of which nobody can say whether they are protected, because no sensors were read."""
    transports: Counter[str] = field(default_factory=Counter)
    """Running machines by the way to them."""
    managed_by: Counter[str] = field(default_factory=Counter)
    """Running machines by the cloud's own ways that work."""
    rows: list[Row] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How often each finding was made."""
        found = Counter(row.finding.value for row in self.rows)
        found[Finding.UNKNOWN] += self.not_told
        return {finding.value: found[finding.value] for finding in Finding}

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "tenant": self.tenant,
            "plan": self.plan,
            "cycle": self.cycle,
            "machines": self.machines,
            "running": self.running,
            "planned": self.planned,
            "protected": self.protected,
            "reduced": self.reduced,
            "transports": dict(sorted(self.transports.items())),
            "managed_by": dict(sorted(self.managed_by.items())),
            "counts": self.counts,
            "findings": [row.as_data() for row in self.rows],
        }


@dataclass(frozen=True)
class Looked:
    """What was looked at. ``sensors`` is None where no source of sensors is configured."""

    read: str
    """When the sensors were read (UTC, RFC 3339)."""
    stale_days: int
    sensors: int | None
    sources: Sequence[Mapping[str, Any]] = ()
    incomplete: Sequence[str] = ()
    """What the inventory says that it could not see."""
    inventory: Sequence[Mapping[str, str]] = ()
    """By inventory file, when it was read."""

    def as_data(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "read": self.read,
            "stale_days": self.stale_days,
            "sensors": self.sensors,
            "sources": [dict(source) for source in self.sources],
            "incomplete": list(self.incomplete),
            "inventory": [dict(each) for each in self.inventory],
        }
