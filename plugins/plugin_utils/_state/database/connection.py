# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections to the database: one engine a process, transactions that wait for one another, errors without secrets."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import files
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.problems import as_fleet_error

with suppress(ImportError):
    # Whoever opens the state says that it is missing.
    from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

LOCK_SECONDS = 60
"""How long a transaction waits for another one. Whoever holds a lock that long hangs."""

_CONNECT_SECONDS = 10
_DRIVERS = ("sqlite", "postgresql", "postgresql+psycopg")
_IMMEDIATE = "fleet_begin_immediate"
_SECRET_OPTIONS = ("password", "sslpassword")


class Database:
    """The database at a URL. Nothing is connected to before it is used, and no connection is shared with a fork."""

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        self.shown = self._url.set(query={}).render_as_string(hide_password=True)
        """The URL for people: without its password, and without options, which may hold another one."""
        self._process = 0
        self._engine: Engine | None = None
        self._of_parents: list[Engine] = []

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with; all that it reads is of one moment. Raises FleetError (see ``problems``)."""
        with self._errors():
            engine = self._own_engine()
            if engine.dialect.name == "postgresql":
                # SQLite knows nothing else.
                engine = engine.execution_options(isolation_level="REPEATABLE READ")
            with engine.connect() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable when this is left, and never happened when it is left by an exception.

        On SQLite no other one writes meanwhile. Raises FleetError.
        """
        with self._errors(), self._own_engine().execution_options(**{_IMMEDIATE: True}).begin() as connection:
            yield connection

    def exclude_others(self, connection: Connection, subject: str) -> None:
        """Let no other transaction be at the same subject until this one ends; it need not have a row to lock."""
        if connection.dialect.name == "postgresql":
            key = int.from_bytes(hashlib.sha256(f"bankops.fleet {subject}".encode()).digest()[:8], signed=True)
            connection.execute(select(func.pg_advisory_xact_lock(key)))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as problem:
            # Without what it came from: nobody knows what a driver writes into its texts.
            raise as_fleet_error(problem, self.shown, self._secrets()) from None

    def _secrets(self) -> list[str]:
        options = (self._url.query.get(option) for option in _SECRET_OPTIONS)
        return [str(secret) for secret in (self._url.password, *options) if secret]

    def _own_engine(self) -> Engine:
        if self._engine is None or self._process != os.getpid():
            if self._engine is not None:
                # Not even closed here: closing the connection of a parent would end it, or SQLite's locks on the file.
                self._of_parents.append(self._engine)
            self._engine, self._process = _make_engine(self._url), os.getpid()
        return self._engine


def file_url(path: Path) -> str:
    """The URL of a database in a file."""
    # Other processes have other working folders.
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def _parsed(text: str) -> URL:
    """The URL. Raises FleetError of kind ``store_url``, whose message holds nothing of it but the scheme or path."""
    if "\0" in text:
        raise _bad("fleet_store_url has a byte 0 in it")
    try:
        url = make_url(text)
    except ArgumentError:
        raise _bad("fleet_store_url is no URL") from None
    if url.drivername not in _DRIVERS:
        raise _bad(f"fleet_store_url has the scheme {url.drivername!r}")
    if url.drivername == "sqlite" and not os.path.isabs(url.database or ""):
        raise _bad(f"fleet_store_url names the file {url.database!r}, and not from the root on")
    if url.drivername != "sqlite" and not url.database:
        raise _bad("fleet_store_url names no database")
    return url if url.drivername == "sqlite" else url.set(drivername="postgresql+psycopg")


def _bad(what: str) -> FleetError:
    return FleetError(
        f"{what}.",
        kind="store_url",
        remedy="Write sqlite (the file state.db in fleet_state_dir), sqlite:////absolute/path.db or "
        "postgresql+psycopg://user@host/database.",
    )


def _make_engine(url: URL) -> Engine:
    options: dict[str, Any]
    if url.get_backend_name() == "sqlite":
        _make_file(Path(str(url.database)))
        options = {"timeout": LOCK_SECONDS, "check_same_thread": False}
    else:
        # A pooler between may give each transaction another connection, which knows no prepared statements.
        wanted = {"connect_timeout": _CONNECT_SECONDS, "application_name": "bankops.fleet", "prepare_threshold": None}
        options = {option: value for option, value in wanted.items() if option not in url.query}
    engine = create_engine(url, hide_parameters=True, pool_size=1, max_overflow=-1, connect_args=options)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _make_file(path: Path) -> None:
    """A file for its owner alone, which writes ahead: then whoever reads keeps nobody from writing."""
    with files.disk_errors():
        files.make_folders(path.parent)
        if path.exists() and path.stat().st_size:
            return
        # SQLite itself does not wait when two change the mode at once.
        with files.locked(path.with_name(f".{path.name}.lock")):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(path)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.Error as problem:
                raise FleetError(f"{path}: {problem}.", kind="state_error", remedy="Look at the file.") from problem
            finally:
                connection.close()
            files.sync(path.parent)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by _begin_sqlite alone.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # An acknowledged entry survives a power failure.
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    # One that writes locks first: one that reads before could not go on when another has written meanwhile.
    how = "IMMEDIATE" if connection.get_execution_options().get(_IMMEDIATE) else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {how}")


def _prepare_postgresql(connection: Any, _record: object) -> None:
    connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    connection.commit()
