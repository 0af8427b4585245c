# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an attempt has to itself while it runs, and who has it now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import is_dead
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import Lease, State

LEASE_SECONDS = 60.0
"""How long an attempt without a heartbeat counts as alive where nobody can look after its process."""


def lease_names(
    plan: str, head: Mapping[str, Any], batches: Iterable[Iterable[str]], *, changes_hosts: bool
) -> set[str]:
    """The plan itself; of an attempt that changes hosts also each of them, and their clusters."""
    names = {f"plan:{plan[:16]}"}
    if changes_hosts:
        hosts = [host for batch in batches for host in batch]
        clusters = {head["hosts"][host]["cluster"] for host in hosts} - {None, ""}
        names |= {f"host:{host}" for host in hosts} | {f"cluster:{cluster}" for cluster in clusters}
    return names


def take_lease(state: State, tenant: str, names: set[str], owner: str, now: datetime) -> Lease:
    """A lease for an attempt. Raises FleetError of kind ``lease_held``."""
    return state.acquire(tenant, names, owner, seconds=LEASE_SECONDS, now=now, is_dead=is_dead)


def living_lease(state: State, tenant: str, owner: str, now: datetime) -> Lease | None:
    """The lease of an owner that is alive as far as anybody knows; None means that its attempt is dead."""
    own = (lease for lease in state.leases(tenant) if lease.owner == owner)
    return next((lease for lease in own if lease.is_alive(now, is_dead)), None)
