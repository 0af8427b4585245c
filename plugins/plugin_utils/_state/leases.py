# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may have a lease; and leases as files of a folder, whose times of modification are their owners' signs of life.

A heartbeat comes from a thread of a process that forks all the time. So it opens nothing and locks nothing that a child
could inherit: it touches the owner's own file, which whoever takes the lease over has removed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import files
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.interface import Lease

_SHOWN_NAMES = 5


def granted(wanted: Lease, all_held: Iterable[Lease], is_dead: Callable[[str], bool]) -> Lease:
    """The lease as it may be taken, with the owners whose leases it takes over.

    Raises FleetError of kind ``lease_held`` when another one stands in its way.
    """
    taken = []
    for held in all_held:
        shared = sorted(held.names & wanted.names)
        is_own = held.owner == wanted.owner
        if (shared or is_own) and held.is_alive(wanted.heartbeat, is_dead):
            raise _held(held, shared)
        if shared and not is_own:
            taken.append(held.owner)
    return replace(wanted, taken_from=tuple(sorted(taken)))


def lost(tenant: str, owner: str) -> FleetError:
    """The error for an owner that has no lease any more."""
    return FleetError(
        f"{owner} no longer holds its lease of tenant {tenant}: somebody took it over or gave it back.",
        kind="lease_lost",
        remedy="Stop what it protects, and look who else is at work.",
    )


def acquire(folder: Path, wanted: Lease, is_dead: Callable[[str], bool]) -> Lease:
    """Write the wanted lease, unless another stands in its way. The caller holds the lock of the folder.

    Raises FleetError of kind ``lease_held``.
    """
    lease = granted(wanted, read_all(folder, wanted.tenant), is_dead)
    path = _path(folder, lease.owner)
    document = {
        "names": sorted(lease.names),
        "owner": lease.owner,
        "acquired": lease.acquired.isoformat(),
        "seconds": lease.seconds,
        "taken_from": list(lease.taken_from),
    }
    # The new one first: a crash between the two leaves a lease too many, never one too few.
    files.replace(path, canonical(document))
    _touch(path, lease.heartbeat)
    for owner in lease.taken_from:
        _path(folder, owner).unlink(missing_ok=True)
    files.sync(folder)
    return _read(path, lease.tenant)


def renew(folder: Path, tenant: str, owner: str, now: datetime) -> None:
    """Give a sign of life. Raises FleetError of kind ``lease_lost``."""
    try:
        _touch(_path(folder, owner), now)
    except FileNotFoundError:
        raise lost(tenant, owner) from None


def release(folder: Path, owner: str) -> None:
    """Give a lease back; nothing happens when it is not there."""
    _path(folder, owner).unlink(missing_ok=True)


def read_all(folder: Path, tenant: str) -> list[Lease]:
    """All leases of the folder, also those whose owner gave no sign of life for long."""
    found = []
    for path in sorted(folder.glob("[!.]*.json")):
        try:
            found.append(_read(path, tenant))
        except FileNotFoundError:
            # Given back between the look into the folder and the look at it.
            continue
    return found


def _path(folder: Path, owner: str) -> Path:
    return folder / f"{hashlib.sha256(owner.encode()).hexdigest()[:16]}.json"


def _touch(path: Path, now: datetime) -> None:
    os.utime(path, (now.timestamp(), now.timestamp()))


def _read(path: Path, tenant: str) -> Lease:
    document = files.read_json(path)
    try:
        return Lease(
            tenant=tenant,
            names=frozenset(document["names"]),
            owner=document["owner"],
            acquired=datetime.fromisoformat(document["acquired"]),
            heartbeat=datetime.fromtimestamp(path.stat().st_mtime, timezone.utc),
            seconds=float(document["seconds"]),
            taken_from=tuple(document["taken_from"]),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise FleetError(
            f"{path} is no lease: {problem!r}.",
            kind="state_damaged",
            remedy="Make sure that no attempt is running, then remove it.",
        ) from problem


def _held(held: Lease, shared: list[str]) -> FleetError:
    more = f" and {len(shared) - _SHOWN_NAMES} more" if len(shared) > _SHOWN_NAMES else ""
    what = f"{', '.join(shared[:_SHOWN_NAMES])}{more}" if shared else "another lease"
    return FleetError(
        f"{held.owner} has held {what} of tenant {held.tenant} since {held.acquired.isoformat(timespec='seconds')}; "
        f"its last sign of life is of {held.heartbeat.isoformat(timespec='seconds')}.",
        kind="lease_held",
        remedy=f"Wait for its end; it counts as dead {held.seconds:g} s after its last sign of life.",
        data={"owner": held.owner, "heartbeat": held.heartbeat.isoformat(), "names": shared},
    )
