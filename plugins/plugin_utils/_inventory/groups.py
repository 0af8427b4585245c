# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups of hosts, made of their variables without a template, and a record of names that became the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN, Power
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.classify import Host
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.names import NEVER
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.semantics import stands_alone

FLEET = "fleet"
STOPPED, UNASSIGNED, UNREACHABLE_TRANSPORT = "fleet_stopped", "fleet_unassigned", "fleet_unreachable_transport"
DUPLICATE, UNPROTECTED = "fleet_duplicate", "fleet_unprotected"
ALWAYS = (FLEET, STOPPED, UNASSIGNED, UNREACHABLE_TRANSPORT, DUPLICATE)
"""They are there though nobody is in them. An empty ``fleet_unprotected`` would say that somebody has looked."""
PREFIXES = ("cloud", "region", "tenant", "environment", "cluster", "wave", "os")
_BEGINNINGS = tuple(f"{prefix}_" for prefix in PREFIXES)
_DECIDED = frozenset({*ALWAYS, UNPROTECTED})


def is_decided(name: str) -> bool:
    """Whether a group is one whose hosts are decided here, by what they are, and by nobody else."""
    return name in _DECIDED or name.startswith(_BEGINNINGS)


class GroupNames:
    """Names of groups, each made safe once, and those that this brought together."""

    def __init__(self, safe: Callable[[str], str]) -> None:
        self._safe = safe
        self._known: dict[str, str] = {}
        self._originals: dict[str, set[str]] = defaultdict(set)
        self.renamed: dict[str, str] = {}
        """By name, what groups are called that an expression would have named as one of ours or as a host."""

    def name(self, original: str) -> str:
        """The safe name of a group."""
        found = self._known.get(original)
        if found is None:
            # What a configuration says may carry Ansible's marks; a record is plain text.
            original = str(original)
            found = self._known[original] = str(self._safe(original))
            self._originals[found].add(original)
        return found

    def of_expression(self, original: str, hosts: Collection[str]) -> str:
        """The safe name of a group that an expression makes, perhaps of a tag: it adds to none of ours, and is no host.

        ``hosts`` are the names of all hosts.
        """
        name = wanted = self.name(original)
        while is_decided(name) or name.startswith(f"{FLEET}_") or name in hosts or name in NEVER:
            name = f"x_{name}"
        if name != wanted:
            self.renamed[wanted] = name
        return name

    def merged(self) -> dict[str, list[str]]:
        """By safe name, the several names that it stands for: hosts that somebody meant to keep apart are in one group.

        What a single name was before, the variables of its hosts say.
        """
        return {name: sorted(found) for name, found in sorted(self._originals.items()) if len(found) > 1}


def groups_of(host: Host, names: GroupNames) -> Iterable[str]:
    """The groups that a host is in. What is unknown makes no group but ``fleet_unassigned``."""
    machine, placement = host.machine, host.placement
    if host.left_out is None:
        yield FLEET
    else:
        if machine.power != Power.RUNNING:
            yield STOPPED
        if placement.tenant == UNKNOWN:
            yield UNASSIGNED
        if host.transport == UNKNOWN:
            yield UNREACHABLE_TRANSPORT
    if host.is_duplicate:
        yield DUPLICATE
    if host.is_unprotected:
        yield UNPROTECTED
    values = (
        machine.cloud.value,
        machine.region,
        placement.tenant,
        placement.environment,
        "" if stands_alone(placement.cluster) else placement.cluster,
        placement.wave,
        placement.os,
    )
    for prefix, value in zip(PREFIXES, values, strict=True):
        if value and value != UNKNOWN:
            yield names.name(f"{prefix}_{value}")
