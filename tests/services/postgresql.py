# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A PostgreSQL of its own for each test run, in a temporary folder, on loopback alone."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

BINARIES = "/usr/lib/postgresql"
ADMIN = "postgres"
OWNER = "fleet"


@dataclass(frozen=True)
class Server:
    """A running server. ``password`` is that of every role of it."""

    port: int
    password: str

    def url(self, database: str, role: str = OWNER, password: str | None = None) -> str:
        """The URL of a database, as ``fleet_store_url`` has it."""
        return f"postgresql+psycopg://{role}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres", role: str = ADMIN) -> psycopg.Connection:
        """A connection that commits each statement by itself."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            dbname=database,
            user=role,
            password=self.password,
            autocommit=True,
            connect_timeout=10,
        )

    def make_role(self, role: str, options: str = "") -> None:
        """A role that may log in and has no rights but those in ``options``."""
        with self.connect() as connection:
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} " + options)
            connection.execute(statement.format(sql.Identifier(role), sql.Literal(self.password)))

    def make_database(self) -> str:
        """An empty database of ``OWNER``; its name."""
        name = f"fleet{next(_NUMBERS)}"
        with self.connect() as connection:
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(OWNER)))
        return name


_NUMBERS = count(1)


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[Server]:
    """Start a server, and stop it at the end. It belongs to an ordinary user: it refuses to be root's.

    A durable one waits for the disk at each commit, as those do that people use.
    """
    binaries = max(Path(BINARIES).glob("*/bin"), key=lambda path: int(path.parent.name))
    folder, password = Path(tempfile.mkdtemp(prefix="fleet-postgresql-")), secrets.token_urlsafe(12)
    try:
        data, secret = folder / "data", folder / "password"
        secret.write_text(password)
        for path in (folder, secret):
            shutil.chown(path, ADMIN)
        initdb = ["-D", data, "-U", ADMIN, "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
        _as_admin([binaries / "initdb", *initdb, "--no-sync"])
        port = _free_port()
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        settings += "" if durable else " -c fsync=off -c synchronous_commit=off"
        started = [binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", settings]
        _as_admin([*started, "start"])
        try:
            server = Server(port, password)
            server.make_role(OWNER)
            yield server
        finally:
            _as_admin([binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_admin(command: list[object]) -> None:
    switch = ["setpriv", f"--reuid={ADMIN}", f"--regid={ADMIN}", "--clear-groups"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*switch, *map(str, command)], cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(done.stdout)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
