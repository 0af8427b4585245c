# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only a database has: URLs, versions of tables, files that SQLite writes, rows that somebody changes."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import timedelta
from multiprocessing import Process
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database import plans
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database import state as database_state
from ansible_collections.bankops.fleet.plugins.plugin_utils._store import open_state
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import publish
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract_of_schema import (
    Migrations,
    test_the_code_knows_the_latest_version_without_asking_alembic,
)
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.databases import without_keeper

__all__ = ["test_the_code_knows_the_latest_version_without_asking_alembic"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store" / "state.db"


@pytest.fixture
def empty(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def state(empty: str, tmp_path: Path) -> SpooledState:
    return without_keeper(empty, tmp_path / "local")


class TestMigrations(Migrations):
    pass


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("/srv/fleet/state.db", "is no URL"),
        ("my secret@word", "is no URL"),
        ("sqlite3", "is no URL"),
        ("mysql://fleet:secret@db/fleet", "has the scheme 'mysql'"),
        ("postgresql+asyncpg://fleet:secret@db/fleet", "has the scheme 'postgresql+asyncpg'"),
        ("postgresql+psycopg://fleet:secret@db", "names no database"),
        ("sqlite://", "and not from the root on"),
        ("sqlite:////tmp/a\0b", "has a byte 0 in it"),
        ("sqlite:///state.db", "names the file 'state.db', and not from the root on"),
    ],
)
def test_a_url_of_no_database_of_ours_is_refused_and_says_no_secret(tmp_path: Path, url: str, why: str) -> None:
    with pytest.raises(FleetError) as refused:
        open_state(tmp_path, url)
    assert refused.value.kind == "store_url"
    assert why in refused.value.message
    assert refused.value.remedy.startswith("Write sqlite (the file state.db in fleet_state_dir), sqlite:////absolute/")
    assert "secret" not in str(refused.value.as_result())


@pytest.mark.parametrize("url", [None, "sqlite", "sqlite:////nowhere/state.db"])
def test_a_state_in_what_is_no_folder_is_refused_and_one_that_is_not_there_yet_is_not(
    tmp_path: Path, url: str | None
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in (tmp_path / "file", tmp_path / "link", Path("/tmp/a\0b")):
        with pytest.raises(FleetError, match=r"fleet_state_dir is '.*', which is no folder") as refused:
            open_state(place, url)
        assert refused.value.kind == "state_dir"
    open_state(tmp_path / "new", url)


@pytest.mark.parametrize("query", ["", "?password=other-secret&sslmode=disable"])
def test_a_server_that_is_away_is_named_without_the_password(tmp_path: Path, query: str) -> None:
    state = open_state(tmp_path, f"postgresql://fleet:the-secret@127.0.0.1:1/fleet{query}")
    with pytest.raises(FleetError) as refused:
        state.tenants()
    assert refused.value.kind == "store_unreachable"
    assert "postgresql+psycopg://fleet:***@127.0.0.1:1/fleet cannot be used" in refused.value.message
    assert "secret" not in str(refused.value.as_result())
    # Neither where a defect would print it.
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_a_run_without_a_database_does_not_import_one() -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from ansible_collections.bankops.fleet.plugins.plugin_utils._store import open_state, shipping, spool;"
        "shipping.ship_all(open_state(Path('/nowhere'), None), Path('/nowhere'));"
        "sys.exit([name for name in ('sqlalchemy', 'alembic', 'psycopg') if name in sys.modules] or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / ".collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_file_is_for_its_owner_alone_and_read_while_it_is_written(state: SpooledState, file: Path) -> None:
    plan = publish(state)
    for path in (file.parent, *file.parent.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    with sqlite3.connect(file, isolation_level=None) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        other.execute("BEGIN IMMEDIATE")
        assert state.plans("tenant1") == [plan]


def test_who_waits_too_long_for_a_lock_is_told_so(
    empty: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.connection.LOCK_SECONDS", 0.1
    )
    state = without_keeper(empty, tmp_path)
    publish(state)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FleetError) as refused:
            state.put_cycle("2026-11", [])
    assert refused.value.kind == "state_locked"


def test_a_file_that_is_no_database_is_damaged(state: SpooledState, file: Path) -> None:
    content = b"this is no database, and longer than a header is" * 3
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(FleetError) as refused:
        state.tenants()
    assert (refused.value.kind, str(file) in refused.value.message) == ("state_damaged", True)
    assert file.read_bytes() == content


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_a_long_ledger_is_read_in_portions_and_not_only_at_once(
    state: SpooledState, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_state, "_ENTRIES_AT_ONCE", 2)
    plan = publish(state)
    for number in range(count):
        state.append("tenant1", plan, lambda last: b"%d" % (int(last or -1) + 1))
        assert next(iter(state.entries("tenant1", plan))) == b"0", number
    assert [int(line) for line in state.entries("tenant1", plan)] == list(range(count))


def test_a_plan_that_somebody_changed_is_refused(state: SpooledState, file: Path) -> None:
    plan = publish(state, "web1")

    def read_host() -> None:
        state.get_host("tenant1", plan, "web1")

    def read_plan() -> None:
        state.get_plan("tenant1", plan)

    for table, column, read in (("hosts", "document", read_host), ("plans", "head", read_plan)):
        with sqlite3.connect(file) as other:
            other.execute(f"UPDATE {table} SET {column} = ?", [b'{"format":1,"hosts":{},"host":"web9"}'])  # noqa: S608
        with pytest.raises(FleetError) as refused:
            read()
        assert refused.value.kind == "plan_changed"
        assert f"plan {plan} in sqlite:///{file}" in refused.value.message


def test_what_a_killed_writer_left_of_a_plan_is_nobodys_plan_and_goes(
    state: SpooledState, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "_PORTION_BYTES", 10)
    writer = Process(target=write_until_killed, args=(state,))
    writer.start()
    until_rows(file, "hosts")
    os.kill(int(writer.pid or 0), signal.SIGKILL)
    writer.join()
    assert (state.tenants(), state.plans("tenant1")) == ([], [])
    monkeypatch.setattr(plans, "_LEFT_BEHIND", timedelta(0))
    publish(state, "web9")
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT host FROM hosts").fetchall() == [("web9",)]


def write_until_killed(state: SpooledState) -> None:
    with state.write_plan("tenant1") as writer:
        for number in range(10_000):
            writer.put_host(f"web{number}", {"format": 1, "log": "long enough"})
        time.sleep(60)


def until_rows(file: Path, table: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with sqlite3.connect(file) as other:
                if other.execute(f"SELECT count(*) FROM {table}").fetchone()[0]:  # noqa: S608
                    return
        except sqlite3.OperationalError:
            pass
        time.sleep(0.02)
    raise AssertionError(table)


def test_a_request_to_stop_everybody_stops_everybody(state: SpooledState, file: Path) -> None:
    publish(state)
    with sqlite3.connect(file) as other:
        other.execute("INSERT INTO stops (tenant, reason, requested) VALUES ('', 'an incident', '2026-11-21 03:00:00')")
    assert str(state.stop_requested("tenant1")).startswith("The request of everybody in table stops of sqlite:////")
