# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The version of the tables: made and brought up to date by Alembic when they are older, refused when newer."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.connection import Database

with suppress(ImportError):
    # Whoever opens the state says that it is missing.
    from sqlalchemy import Connection, inspect, text
    from sqlalchemy.exc import DBAPIError

SCHEMA = "0003"
"""The version this code works with: the latest of ``migrations/versions``, known without importing Alembic."""

MIGRATIONS = Path(__file__).parent / "migrations"


def prepare(database: Database) -> None:
    """Make the tables be of this version. Raises FleetError (``store_newer``) when they are of a later one."""
    if _version(database) == SCHEMA:
        return
    with database.writing() as connection:
        # Whoever waited here finds the work done.
        database.exclude_others(connection, "schema")
        found = _read(connection) if inspect(connection).has_table("alembic_version") else None
        if found is not None and found > SCHEMA:
            raise _newer(database, found)
        if found != SCHEMA:
            upgrade(connection)


def upgrade(connection: Connection, revision: str = SCHEMA) -> None:
    """Bring the tables to a version, in the transaction of this connection."""
    from alembic import command
    from alembic.config import Config

    configuration = Config(attributes={"connection": connection})
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(configuration, revision)


def _version(database: Database) -> str | None:
    """The version of the tables; None where there are none yet."""
    with database.reading() as connection:
        try:
            return _read(connection)
        except DBAPIError:
            # Asking first would cost every task a look more than it costs the very first one to ask twice.
            connection.rollback()
            # It is there where somebody else has made it in between, or where it was not the table that was wanting.
            return _read(connection) if inspect(connection).has_table("alembic_version") else None


def _read(connection: Connection) -> str | None:
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _newer(database: Database, found: str) -> FleetError:
    return FleetError(
        f"The tables in {database.shown} are of version {found}, and this version of bankops.fleet knows {SCHEMA}.",
        kind="store_newer",
        remedy="Use the version of bankops.fleet that made them, or a later one.",
        data={"found": found, "known": SCHEMA},
    )
