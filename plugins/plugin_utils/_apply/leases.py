# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an attempt has to itself while it runs, and who has it now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import is_dead
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import Lease, State

LEASE_SECONDS = 60.0
"""How long an attempt without a heartbeat counts as alive where nobody can look after its process."""

_PLAN = "plan:"
_SHOWN_HOSTS = 10


def lease_names(
    plan: str, head: Mapping[str, Any], batches: Iterable[Iterable[str]], *, changes_hosts: bool
) -> set[str]:
    """The plan itself; of an attempt that changes hosts also each of them, and their clusters."""
    names = {f"{_PLAN}{plan[:16]}"}
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


def left_by(plan: str) -> str:
    """The owner of a lease that nobody holds: it names what incomplete attempts on a plan left half changed."""
    return f"incomplete:{plan[:16]}"


def keep_left(
    state: State, tenant: str, plan: str, head: Mapping[str, Any], hosts: Iterable[str], now: datetime
) -> None:
    """Take over the leases of dead attempts on a plan, and keep ``hosts`` from attempts on other plans.

    Whoever opens a further attempt on the same plan takes this over. Raises FleetError of kind ``lease_held`` when
    somebody is at work on it already.
    """
    owner, batches = left_by(plan), [sorted(hosts)]
    names = lease_names(plan, head, batches, changes_hosts=True)
    # Dead from its beginning: it gives no sign of life.
    state.acquire(tenant, names, owner, seconds=0, now=now, is_dead=is_dead)
    if not batches[0]:
        state.release(tenant, owner)


def refuse_unfinished(state: State, tenant: str, plan: str, names: set[str], now: datetime) -> None:
    """Raise FleetError (``plan_unfinished``) when a dead attempt on another plan left hosts in the middle of a change.

    ``names`` are those of the wanted lease: such a host, or a neighbour in its cluster, may be drained, and only the
    record of its own plan says so.
    """
    dead = (lease for lease in state.leases(tenant) if lease.names & names and not lease.is_alive(now, is_dead))
    left = {name.removeprefix(_PLAN) for lease in dead for name in lease.names if name.startswith(_PLAN)} - {plan[:16]}
    if not left:
        return
    for cycle in state.cycles():
        for entry in state.get_cycle(cycle)["plans"]:
            if entry["tenant"] == tenant and entry["plan"][:16] in left:
                _refuse_left_behind(state, tenant, entry["plan"], names)


def _refuse_left_behind(state: State, tenant: str, plan: str, names: set[str]) -> None:
    head, progress = state.get_plan(tenant, plan), read_progress(state.entries(tenant, plan))
    left = [
        host
        for host in sorted(progress.unfinished)
        if {f"host:{host}", f"cluster:{head['hosts'][host]['cluster']}"} & names
    ]
    if left:
        raise FleetError(
            f"An attempt on plan {plan[:16]} of cycle {head['cycle']} died in the middle of the change of "
            f"{', '.join(left[:_SHOWN_HOSTS])}.",
            kind="plan_unfinished",
            remedy=f"Bring that to an end first, with patch_apply.yml or patch_rollback.yml of cycle {head['cycle']}. "
            "Where neither can be, see that all are in service; then bankops.fleet.patch_attempt state=abandoned.",
            data={"plan": plan, "hosts": left},
        )
