# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading pending updates: the ``packages`` part of what ``updates_info`` returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.locks import (
    SYSTEM_CLOCK,
    Clock,
    read_locks,
    read_other_actors,
    wait_for_locks,
    wait_until_alone,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.managers import find_backend
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import Selection, read_transaction

# A refresh beside apt-daily would fail at once; the nightly job is usually done within this many seconds.
REFRESH_LOCK_SECONDS = 60.0


def read_packages(
    commands: Commands,
    *,
    manager: str = "auto",
    refresh: bool,
    selection: Mapping[str, Any],
    planned: Optional[Sequence[Mapping[str, Any]]] = None,
    lock_timeout: float = 0,
    root: Path = Path("/"),
    clock: Clock = SYSTEM_CLOCK,
) -> Dict[str, Any]:
    """The ``packages`` of ``updates_info`` (docs/contracts.md). Changes nothing but the metadata cache.

    ``manager`` is ``auto``, ``apt`` or ``dnf``; ``selection`` as in docs/contracts.md. With ``planned``, a transaction,
    only what is left of it is read. Others at work with packages are waited for, at most ``lock_timeout`` seconds; who
    is left then stands in the result. A host with neither manager gets ``manager: None`` and empty lists.

    Raises FleetError of kind ``bad_selection``, ``selection_conflict``, ``manager_unsupported``, ``command_failed`` or
    ``command_timeout``; a failed refresh is not raised but returned.
    """
    chosen = Selection.from_data(selection)
    backend = find_backend(commands, manager, root)
    if backend is None:
        return {
            "manager": None,
            "pending": [],
            "transaction": [],
            "not_pending": [],
            "held": [],
            "locks": [],
            "interrupted": {"interrupted": False, "details": []},
            "other_actors": [],
            "refreshed": False,
            "refresh_error": None,
            "download_bytes": 0,
            "disk_bytes": 0,
        }
    wait_until_alone(backend.lock_patterns, lock_timeout, clock, root)
    refresh_error = None
    if refresh:
        try:
            wait_for_locks(backend.lock_patterns, REFRESH_LOCK_SECONDS, clock, root)
            refresh_error = backend.refresh()
        except FleetError as problem:
            refresh_error = problem.message
    details = backend.interrupted()
    wanted = read_transaction(planned or [])
    left = None if planned is None else backend.read_planned(wanted)
    updates = left or backend.read_updates(chosen)
    pending = {change.key for change in updates.transaction}
    gone = [change for change in wanted if change.key not in pending]
    versions = backend.versions(gone) if gone else {}
    return {
        "manager": backend.name,
        "pending": [update.as_data() for update in updates.pending],
        "transaction": [change.as_data() for change in updates.transaction],
        "not_pending": [{"name": c.name, "arch": c.arch, "installed": versions[c.key]} for c in gone],
        "held": [{"name": name, "version": version} for name, version in updates.held],
        "locks": read_locks(backend.lock_patterns, root),
        "interrupted": {"interrupted": bool(details), "details": details},
        "other_actors": read_other_actors(root),
        "refreshed": refresh and refresh_error is None,
        "refresh_error": refresh_error,
        "download_bytes": updates.download_bytes,
        "disk_bytes": updates.disk_bytes,
    }
