# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a machine's tags to its place in the fleet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN, Machine
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import NAME_RULE, check_name

DEFAULT_KEYS = {
    "tenant": ("tenant", "Tenant", "customer", "Customer"),
    "environment": ("environment", "Environment", "env", "Env"),
    "cluster": ("cluster", "Cluster"),
    "wave": ("wave", "Wave"),
    "criticality": ("criticality", "Criticality"),
    "os": ("os", "OS"),
}
"""The tags that say each part of a placement, the first one first."""


class Placement(NamedTuple):
    """Where a machine belongs; ``unknown`` is what nothing says."""

    tenant: str
    environment: str
    cluster: str
    wave: str
    criticality: str
    os: str
    refused_tenant: str = UNKNOWN
    """What is called its tenant and can be no tenant's name."""


@dataclass(frozen=True)
class TagMapping:
    """Which tags say where a machine belongs, and what holds for a source's machines that have none of them."""

    keys: Mapping[str, tuple[str, ...]]
    defaults: Mapping[str, Mapping[str, str]]
    """By the source's name."""

    def place(self, source: str, machine: Machine) -> Placement:
        """The placement of a machine; a blank tag says nothing, and who cannot be a tenant is none."""
        tags, defaults = machine.tags, self.defaults.get(source, {})
        found = []
        for part, keys in self.keys.items():
            value = machine.placement.get(part, "").strip()
            for key in () if value else keys:
                if key in tags and (value := tags[key].strip()):
                    break
            found.append(value or defaults.get(part) or (machine.os if part == "os" else "") or UNKNOWN)
        placement = Placement(*found)
        if is_tenant(placement.tenant):
            return placement
        return placement._replace(tenant=UNKNOWN, refused_tenant=placement.tenant)


@lru_cache(maxsize=1_000)
def is_tenant(name: str) -> bool:
    """Whether a tenant can be called so: elsewhere it is part of paths."""
    try:
        check_name(name, "tenant")
    except FleetError:
        return False
    return True


def read_mapping(entry: Entry | None) -> dict[str, tuple[str, ...]]:
    """The tags of each part, in the order of Placement, as the option ``mapping`` changes the usual ones."""
    if entry is None:
        return dict(DEFAULT_KEYS)
    keys = {part: entry.texts(part, usual, example=part.title(), empty=False) for part, usual in DEFAULT_KEYS.items()}
    entry.refuse_others()
    return keys


def read_defaults(entry: Entry | None) -> dict[str, str]:
    """What a source's machines are where their tags say nothing (its option ``placement``)."""
    if entry is None:
        return {}
    defaults = {part: entry.text(part, example=f"{part}-1") for part in DEFAULT_KEYS}
    if defaults["tenant"] and not is_tenant(defaults["tenant"]):
        entry.fault("tenant", "is no name of a tenant", NAME_RULE)
    entry.refuse_others()
    return {part: value for part, value in defaults.items() if value}
