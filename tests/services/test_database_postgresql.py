# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state in PostgreSQL: the promises of every state, and what only a server has: roles, passwords, other clients."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.tables import METADATA
from ansible_collections.bankops.fleet.plugins.plugin_utils._store import open_state
from ansible_collections.bankops.fleet.tests.services.postgresql import OWNER, Server, running_server
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state import contract
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import Store, publish, state
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract_of_leases import Leases
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract_of_schema import Migrations
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract_of_seals import Seals
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.databases import without_keeper
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._store.contract_of_shipping import (
    Harbour,
    Shipping,
    plan,
)

__all__ = ["plan", "state"]

NUMBERS = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture(scope="module")
def used_database(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database whose tables are there already."""
    name = server.make_database()
    without_keeper(server.url(name), tmp_path_factory.mktemp("local")).tenants()
    return name


@pytest.fixture
def database(server: Server, used_database: str) -> str:
    """A database of nothing but empty tables; its name."""
    tables = ", ".join(table.name for table in METADATA.sorted_tables)
    with server.connect(used_database, OWNER) as owner:
        owner.execute(f"TRUNCATE {tables}")
    return used_database


@pytest.fixture
def store(server: Server, database: str, tmp_path: Path) -> Store:
    return Store(lambda: without_keeper(server.url(database), tmp_path / "local"))


class TestPlans(contract.Plans):
    pass


class TestCycles(contract.Cycles):
    pass


class TestKept(contract.Kept):
    pass


class TestSeals(Seals):
    pass


class TestLedger(contract.Ledger):
    pass


class TestDates(contract.Dates):
    pass


class TestLeases(Leases):
    pass


@pytest.fixture
def harbour(server: Server, database: str, tmp_path: Path) -> Harbour:
    return Harbour(lambda: without_keeper(server.url(database), tmp_path / "local"), tmp_path / "local")


class TestShipping(Shipping):
    pass


@pytest.fixture
def empty(server: Server) -> str:
    return server.url(server.make_database())


class TestMigrations(Migrations):
    pass


# What cannot be used says why, and never the password


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"password": "wrong-secret"}, "store_denied", "password authentication failed"),
        ({"role": "nobody"}, "store_denied", "authentication failed"),
        ({"database": "elsewhere"}, "store_unreachable", "does not exist"),
        ({"port": 1}, "store_unreachable", "refused"),
    ],
)
def test_a_database_that_cannot_be_used_says_why_without_the_password(
    server: Server, database: str, tmp_path: Path, change: dict[str, Any], kind: str, said: str
) -> None:
    parts = {"database": database, "role": OWNER, "password": server.password, **change}
    at = Server(parts.pop("port", server.port), server.password)
    with pytest.raises(FleetError) as refused:
        open_state(tmp_path, at.url(**parts)).tenants()
    assert refused.value.kind == kind
    assert said in refused.value.message
    assert refused.value.remedy
    text = str(refused.value.as_result())
    assert parts["password"] not in text
    assert f"{parts['role']}:***@127.0.0.1" in text


def test_a_role_without_rights_is_told_so(server: Server, database: str, tmp_path: Path) -> None:
    server.make_role("powerless")
    with pytest.raises(FleetError) as refused:
        open_state(tmp_path, server.url(database, role="powerless")).tenants()
    assert (refused.value.kind, "permission denied" in refused.value.message) == ("store_denied", True)


def test_a_server_that_was_restarted_is_used_again(server: Server, database: str, state: State) -> None:
    plan = publish(state)
    with server.connect() as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
    with pytest.raises(FleetError) as lost:
        state.plans("tenant1")
    assert lost.value.kind in ("store_unreachable", "state_error")
    assert state.plans("tenant1") == [plan]


# Readers of one tenant

READABLE = ("plans", "hosts", "entries", "approvals", "baselines", "reports", "seals", "seal_files", "cycle_plans")


@pytest.fixture
def reader(server: Server, database: str, state: State) -> Iterator[psycopg.Connection]:
    """A connection of a role that may read north's rows, in a database that has those of south as well."""
    for tenant in ("north", "south"):
        plan = publish(state, f"web-of-{tenant}", tenant=tenant)
        state.append(tenant, plan, partial(saying, f"entry of {tenant}"))
        state.put_approval(tenant, plan, tenant.encode(), "signature")
        state.put_baseline(tenant, plan, "web", {})
        state.put_report(tenant, plan, "report.html", tenant.encode())
        state.put_seal(tenant, 1, {"seal.json": tenant.encode()})
        state.put_cycle("2026-11", [{"tenant": tenant, "plan": plan}])
        state.request_stop(tenant, "look first")
    state.put_cycle("2026-11-e1", [{"tenant": "south", "plan": plan}])
    with server.connect(database, OWNER) as owner:
        role = f"auditor{next(NUMBERS)}"
        server.make_role(role)
        owner.execute("SELECT grant_reader('north', %s)", [role])
        with server.connect(database, role) as connection:
            yield connection
        owner.execute("SELECT revoke_reader(%s)", [role])


def saying(text: str, _last: bytes | None) -> bytes:
    """A line of a ledger, whatever stands before it."""
    return text.encode()


def rows(connection: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def test_a_reader_sees_the_rows_of_its_tenant_and_of_no_other(reader: psycopg.Connection) -> None:
    for table in READABLE:
        assert {row[0] for row in rows(reader, f"SELECT tenant FROM {table}")} == {"north"}, table  # noqa: S608
    assert rows(reader, "SELECT convert_from(line, 'UTF8') FROM entries") == [("entry of north",)]
    # An emergency cycle of another tenant is nobody else's business.
    assert rows(reader, "SELECT cycle FROM cycles") == [("2026-11",)]


@pytest.mark.parametrize("table", ["leases", "stops", "spools", "alembic_version"])
def test_a_reader_sees_nothing_that_is_for_controllers_alone(reader: psycopg.Connection, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(reader, f"SELECT * FROM {table}")  # noqa: S608


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO plans (tenant, begun) VALUES ('north', now())",
        "UPDATE entries SET line = 'x'",
        "DELETE FROM approvals",
        "TRUNCATE reports",
        "SELECT * FROM plans FOR UPDATE",
        "ALTER TABLE entries DISABLE ROW LEVEL SECURITY",
        "DROP POLICY reader ON entries",
        "CREATE POLICY all_of_it ON entries USING (true)",
        f"SET ROLE {OWNER}",
        "SELECT grant_reader('south', current_user::text)",
        "SELECT revoke_reader(current_user::text)",
        "CREATE VIEW all_plans AS SELECT * FROM plans",
    ],
)
def test_a_reader_changes_nothing_and_gets_no_further(reader: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.Error) as refused:
        reader.execute(statement)
    assert refused.value.sqlstate in ("42501", "42704"), refused.value


def test_a_reader_finds_no_way_around(reader: psycopg.Connection) -> None:
    # A view of its own reads with its own rights.
    reader.execute("CREATE TEMPORARY VIEW mine AS SELECT tenant FROM entries")
    assert rows(reader, "SELECT * FROM mine") == [("north",)]
    # Switched off, row security is an error and not a way past it.
    reader.execute("SET row_security = off")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(reader, "SELECT tenant FROM entries")
    reader.execute("SET row_security = on")
    # What the planner knows of the values in a column is kept from those who do not see all rows.
    told = rows(reader, "SELECT most_common_vals::text FROM pg_stats WHERE schemaname = 'public'")
    assert "south" not in str(told)


def test_a_reader_reads_one_tenant_at_a_time_and_none_when_that_is_taken_back(
    server: Server, database: str, reader: psycopg.Connection
) -> None:
    with server.connect(database, OWNER) as owner:
        owner.execute("SELECT grant_reader('south', %s)", [reader.info.user])
        assert rows(reader, "SELECT tenant FROM entries") == [("south",)]
        owner.execute("SELECT revoke_reader(%s)", [reader.info.user])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(reader, "SELECT tenant FROM entries")


def test_who_is_above_the_rules_is_made_no_reader(server: Server, database: str) -> None:
    server.make_role("above", "BYPASSRLS")
    server.make_role("beside", "IN ROLE above")
    server.make_role("super", "SUPERUSER")
    server.make_role("under", "IN ROLE super")
    server.make_role("further", "IN ROLE under")
    server.make_role("member", f"IN ROLE {OWNER}")
    with server.connect(database, OWNER) as owner:
        above = [(role, "above row-level") for role in ("above", "beside", "super", "under", "further")]
        for role, why in (*above, ("member", "a member of the role"), (OWNER, "owns")):
            with pytest.raises(psycopg.errors.RaiseException, match=why):
                owner.execute("SELECT grant_reader('north', %s)", [role])
