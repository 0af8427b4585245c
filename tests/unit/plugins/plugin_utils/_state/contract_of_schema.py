# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of the tables, on every database. Who has one inherits from this and gives it a fixture ``empty``: a URL."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.connection import Database
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.schema import MIGRATIONS, SCHEMA, upgrade
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.tables import METADATA
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import at_once, publish
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract_of_seals import seal_of
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.databases import without_keeper


class Migrations:
    def test_from_nothing_they_make_the_tables_that_the_code_speaks_of(self, empty: str, tmp_path: Path) -> None:
        without_keeper(empty, tmp_path).tenants()
        with Database(empty).reading() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []

    def test_a_table_that_differs_would_be_seen(self, empty: str, tmp_path: Path) -> None:
        without_keeper(empty, tmp_path).tenants()
        with Database(empty).writing() as connection:
            connection.execute(text("ALTER TABLE stops ADD COLUMN more TEXT"))
            assert compare_metadata(MigrationContext.configure(connection), METADATA) != []

    def test_those_of_an_earlier_version_are_brought_up_to_date_with_what_they_hold(
        self, empty: str, tmp_path: Path
    ) -> None:
        with Database(empty).writing() as connection:
            upgrade(connection, "0001")
            connection.execute(text("INSERT INTO cycles (cycle) VALUES ('2026-11')"))
        assert without_keeper(empty, tmp_path).cycles() == ["2026-11"]
        assert version(empty) == SCHEMA

    def test_a_plan_that_was_sealed_before_they_said_so_is_sealed(self, empty: str, tmp_path: Path) -> None:
        with Database(empty).writing() as connection:
            upgrade(connection, "0002")
            insert = "INSERT INTO plans (id, tenant, digest, head, begun) VALUES (1, 'tenant1', :plan, :head, :begun)"
            moment = datetime(2026, 11, 1)  # noqa: DTZ001  written as text
            connection.execute(text(insert), {"plan": "a" * 64, "head": b"{}", "begun": moment.isoformat()})
            for number, content in ((1, b"none"), (2, seal_of("a" * 64, 0, "0" * 64)["seal.json"])):
                named = {"number": number, "content": content}
                connection.execute(text("INSERT INTO seals VALUES ('tenant1', :number)"), named)
                files = "INSERT INTO seal_files VALUES ('tenant1', :number, 'seal.json', :content)"
                connection.execute(text(files), named)
        with pytest.raises(FleetError, match=r"seal 2\)") as refused:
            without_keeper(empty, tmp_path).append("tenant1", "a" * 64, lambda _last: b"late")
        assert refused.value.kind == "plan_sealed"

    def test_many_processes_that_find_them_old_bring_them_up_to_date_once(self, empty: str, tmp_path: Path) -> None:
        at_once(publish_one, *((empty, tmp_path, number) for number in range(4)))
        assert len(without_keeper(empty, tmp_path).plans("tenant1")) == 4

    def test_those_of_a_later_version_are_refused_and_left_alone(self, empty: str, tmp_path: Path) -> None:
        without_keeper(empty, tmp_path).tenants()
        with Database(empty).writing() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(FleetError) as refused:
            without_keeper(empty, tmp_path).tenants()
        assert refused.value.kind == "store_newer"
        assert f"are of version 9999, and this version of bankops.fleet knows {SCHEMA}." in refused.value.message
        assert refused.value.remedy.startswith("Use the version of bankops.fleet that made them")
        assert version(empty) == "9999"

    def test_a_migration_that_breaks_leaves_nothing(self, empty: str, tmp_path: Path) -> None:
        with Database(empty).writing() as connection:
            # In the way of the last table that the first version makes.
            connection.execute(text("CREATE TABLE seal_files (x TEXT)"))
        with pytest.raises(FleetError, match="seal_files"):
            without_keeper(empty, tmp_path).tenants()
        with Database(empty).writing() as connection:
            assert not has_table(connection, "plans")
            connection.execute(text("DROP TABLE seal_files"))
        assert without_keeper(empty, tmp_path).tenants() == []


def test_the_code_knows_the_latest_version_without_asking_alembic() -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(configuration).get_heads() == [SCHEMA]


def publish_one(url: str, folder: Path, number: int) -> None:
    publish(without_keeper(url, folder), f"web{number}")


def version(url: str) -> str:
    with Database(url).reading() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())


def has_table(connection: Connection, name: str) -> bool:
    return connection.dialect.has_table(connection, name)
