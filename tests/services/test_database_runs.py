# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of ansible-playbook on PostgreSQL: the password is nowhere, and a run that slept too long finds out."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import spools_in
from ansible_collections.bankops.fleet.tests.services.postgresql import OWNER, Server, running_server
from ansible_collections.bankops.fleet.tests.unit.plugins.action.databases import ControllerOnDatabase, FleetOnDatabase
from ansible_collections.bankops.fleet.tests.unit.plugins.action.test_the_way_of_a_plan import (
    BATCH,
    CLOSE,
    OPEN,
    PLAN,
    REPORT,
    play,
)
from ansible_collections.bankops.fleet.tests.unit.plugins.action.test_two_attempts_at_once import until


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def test_the_password_is_in_no_output_no_file_and_no_row(server: Server, tmp_path: Path) -> None:
    database = server.make_database()
    url = server.url(database)
    controller = ControllerOnDatabase(tmp_path, url)
    # On the command line it would be seen by everybody, and belongs to no test.
    hook = {
        "name": "Hook",
        "ansible.builtin.command": "true",
        "delegate_to": "localhost",
        "vars": {"fleet_phase": "hook"},
    }
    whole = (PLAN, play("fleet", OPEN, {**hook, "connection": "local"}), BATCH, play("fleet", CLOSE, REPORT))
    run = controller.run(*whole, arguments=("-vvv",))
    assert verify(controller.state.entries("alpha", controller.plan)).ok, run.stdout
    assert "hook" in {entry["phase"] for entry in controller.entries()}
    (tmp_path / "inventory.json").unlink()
    for secret in (server.password, url):
        assert secret not in run.stdout + run.stderr
        for path in tmp_path.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    with server.connect(database, OWNER) as owner:
        for (table,) in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            for row in owner.execute(f"SELECT * FROM {table}").fetchall():  # noqa: S608
                assert server.password.encode() not in b" ".join(
                    cell if isinstance(cell, bytes) else str(cell).encode() for cell in row
                )


def test_wrong_credentials_end_the_run_with_what_to_do_and_without_the_password(server: Server, tmp_path: Path) -> None:
    controller = ControllerOnDatabase(tmp_path, server.url(server.make_database(), password="a-wrong-secret"))  # noqa: S106
    run = controller.run(PLAN, arguments=("-vvv",))
    assert run.returncode != 0
    assert "password authentication failed" in run.stdout
    assert "PGPASSFILE" in run.stdout
    assert "a-wrong-secret" not in run.stdout + run.stderr


def test_a_run_that_slept_until_somebody_took_over_says_so_and_asks_to_stop(server: Server, tmp_path: Path) -> None:
    fleet = FleetOnDatabase(tmp_path, server.url(server.make_database()))
    log = tmp_path / "log"
    with fleet.at_work() as first:
        opened = fleet.lease().heartbeat
        # In the middle of a task that takes long.
        until(lambda: fleet.lease().heartbeat > opened, log, 30)
        os.kill(first.pid, signal.SIGSTOP)
        (spool,) = spools_in(tmp_path / "state")
        (touched,) = (spool.root / "tenants/north/leases").glob("*.json")
        os.utime(touched, (0, 0))
        until(lambda: fleet.lease().heartbeat.timestamp() == 0, log, 30)
        second = fleet.run()
        assert second.returncode == 0, second.stdout
        os.kill(first.pid, signal.SIGCONT)
        until(lambda: fleet.state.stop_requested("north") or spool.stop_reason("north"), log, 30)
        (fleet.folder / "go").touch()
        first.wait(30)
    assert "no longer holds its lease of tenant north" in log.read_text().replace("\n", " ")
    # Whichever task came next has carried the request to everybody.
    assert fleet.run().returncode == 0
    assert fleet.state.stop_requested("north")
