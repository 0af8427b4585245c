# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state as a run uses it: a folder, or a database with what this machine has to do beside it.

With a database the evidence callback writes into a spool, a small state in a folder; tasks ship what stands there, and
a process of its own carries the callback's signs of life over. Nothing that forks workers ever talks to the database.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

_ONE_FILE = "sqlite"


def open_state(folder: Path, url: str | None) -> State:
    """The state at ``fleet_store_url``, or in the folder ``fleet_state_dir`` where no URL is set.

    The word ``sqlite`` alone stands for the file ``state.db`` in that folder. With a database the folder otherwise
    holds the spools of this machine alone. Raises FleetError: ``state_dir``, ``store_url``, ``library_missing``.
    """
    _refuse_no_folder(folder)
    if not url:
        return FolderState(folder)
    try:
        for library in ("sqlalchemy", "alembic"):
            import_module(library)
    except ImportError as problem:
        raise FleetError(
            f"fleet_store_url names a database, and a library for it is missing: {problem}.",
            kind="library_missing",
            remedy="Install what requirements.txt of bankops.fleet names where ansible-playbook runs.",
        ) from problem
    from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.connection import file_url
    from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState

    return SpooledState(file_url(folder / "state.db") if url == _ONE_FILE else url, folder)


def _refuse_no_folder(folder: Path) -> None:
    """What is there and is no folder would pass for a state without any plan."""
    name = str(folder)
    if "\0" in name or (os.path.lexists(name) and not os.path.isdir(name)):
        raise FleetError(
            f"fleet_state_dir is {name!r}, which is no folder.",
            kind="state_dir",
            remedy="Name the folder of the state; one that is not there yet is made when it is needed.",
        )


def import_early() -> None:
    """Import what a database needs, and connect to nothing.

    For the process that forks workers: each of them would spend half a second on it otherwise. What is missing is said
    by whoever opens the state.
    """
    with suppress(ImportError):
        import_module(f"{__name__}.spooled")
        import_module("psycopg")
