# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups of hosts, made of their variables without a template, and a record of names that became the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN, Power
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.classify import Host
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.semantics import stands_alone

FLEET = "fleet"
STOPPED, UNASSIGNED, UNREACHABLE_TRANSPORT = "fleet_stopped", "fleet_unassigned", "fleet_unreachable_transport"
DUPLICATE, UNPROTECTED = "fleet_duplicate", "fleet_unprotected"
ALWAYS = (FLEET, STOPPED, UNASSIGNED, UNREACHABLE_TRANSPORT, DUPLICATE)
"""They are there though nobody is in them. An empty ``fleet_unprotected`` would say that somebody has looked."""


class GroupNames:
    """Names of groups, each made safe once, and those that this brought together."""

    def __init__(self, safe: Callable[[str], str]) -> None:
        self._safe = safe
        self._known: dict[str, str] = {}
        self._originals: dict[str, set[str]] = defaultdict(set)

    def name(self, original: str) -> str:
        """The safe name of a group."""
        found = self._known.get(original)
        if found is None:
            # What a configuration says may carry Ansible's marks; a record is plain text.
            original = str(original)
            found = self._known[original] = str(self._safe(original))
            self._originals[found].add(original)
        return found

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
    for prefix, value in (
        ("cloud", machine.cloud.value),
        ("region", machine.region),
        ("tenant", placement.tenant),
        ("environment", placement.environment),
        ("cluster", "" if stands_alone(placement.cluster) else placement.cluster),
        ("wave", placement.wave),
        ("os", placement.os),
    ):
        if value and value != UNKNOWN:
            yield names.name(f"{prefix}_{value}")
