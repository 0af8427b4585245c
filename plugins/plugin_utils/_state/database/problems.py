# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a database says, as an error that a user can act on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

with suppress(ImportError):
    # Whoever opens the state says that it is missing.
    from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

_LOCKED = "Find out which process holds the lock, and whether it hangs."
_DENIED = "Look at the user in fleet_store_url and its password, which a passfile (PGPASSFILE) may hold."
_RIGHTS = "The user in fleet_store_url must own the tables, or have been given its rights on them."
_UNREACHABLE = "Look whether the server runs and can be reached from here; then run this again."
_FILE = "Look at the owner, the mode and the free space of the database's folder."

# By the classes and codes of PostgreSQL, appendix A of its manual.
_BY_SQLSTATE = {
    "55P03": ("state_locked", _LOCKED),
    "40P01": ("state_locked", _LOCKED),
    "28": ("store_denied", _DENIED),
    "42501": ("store_denied", _RIGHTS),
    "3D": ("store_unreachable", "Make the database, or correct its name in fleet_store_url."),
    "53100": ("state_error", "Make room on the disk of the database."),
}
_BY_TEXT = {
    "is locked": ("state_locked", _LOCKED),
    "is not a database": ("state_damaged", "Restore it from a backup, or correct fleet_store_url."),
    "malformed": ("state_damaged", "Restore it from a backup."),
    # Before a connection stands there is no code.
    "password authentication failed": ("store_denied", _DENIED),
    "no password supplied": ("store_denied", _DENIED),
    "authentication failed": ("store_denied", _DENIED),
    'role "': ("store_denied", _DENIED),
    "does not exist": ("store_unreachable", "Make the database, or correct its name in fleet_store_url."),
}


def as_fleet_error(problem: SQLAlchemyError, place: str, secrets: Iterable[str]) -> FleetError:
    """The error for what SQLAlchemy raised; ``place`` is the URL for people, ``secrets`` must not stand in its text.

    Kinds: ``state_locked``, ``state_damaged``, ``state_error``, ``store_unreachable``, ``store_denied``.
    """
    cause: Any = problem.orig if isinstance(problem, DBAPIError) else problem
    said = " ".join(str(cause).split()) or type(cause).__name__
    for secret in secrets:
        said = said.replace(secret, "***")
    kind, remedy = _kind_of(problem, cause, said)
    return FleetError(f"The state in {place} cannot be used: {said.rstrip('.')}.", kind=kind, remedy=remedy)


def _kind_of(problem: SQLAlchemyError, cause: Any, said: str) -> tuple[str, str]:
    state = getattr(cause, "sqlstate", None)
    if state:
        found = _BY_SQLSTATE.get(state) or _BY_SQLSTATE.get(state[:2])
        return found or ("state_error", "Look at the server's log.")
    for text, known in _BY_TEXT.items():
        if text in said:
            return known
    if type(cause).__module__.startswith("psycopg") and isinstance(problem, OperationalError):
        return "store_unreachable", _UNREACHABLE
    return "state_error", _FILE
