# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of the state. Each row names its tenant, so that one rule says who may read it (migration 0002).

``migrations/versions`` makes them; a test compares what it makes with what is said here.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

try:
    from sqlalchemy import (
        JSON,
        BigInteger,
        Column,
        Date,
        DateTime,
        Double,
        ForeignKey,
        ForeignKeyConstraint,
        Integer,
        LargeBinary,
        MetaData,
        Table,
        Text,
        UniqueConstraint,
    )
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeDecorator
except ImportError:
    # Whoever opens the state says that it is missing.
    pass
else:
    METADATA = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        }
    )

    class Moment(TypeDecorator[datetime]):
        """A moment in UTC; SQLite has no zones, so there it is kept without and read back with one."""

        impl = DateTime(timezone=True)
        cache_ok = True

        def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
            if value is None:
                return None
            moment = value.astimezone(timezone.utc)
            return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

        def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
            if value is None:
                return None
            return value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)

    # SQLite counts the rows of a table by itself only in a column of exactly this type.
    _Number = BigInteger().with_variant(Integer, "sqlite")

    PLANS = Table(
        "plans",
        METADATA,
        Column("id", _Number, primary_key=True),
        Column("tenant", Text, nullable=False),
        # Both are null as long as the plan is being written.
        Column("digest", Text),
        Column("head", LargeBinary),
        Column("begun", Moment, nullable=False),
        # The number of the seal that closes its ledger.
        Column("sealed", Integer),
        UniqueConstraint("tenant", "digest"),
        UniqueConstraint("id", "tenant"),
    )

    def _of_a_plan(name: str, *columns: Column[Any]) -> Table:
        """A table whose rows belong to a plan, and go with it when it was never finished."""
        return Table(
            name,
            METADATA,
            Column("plan_id", _Number, primary_key=True, autoincrement=False),
            Column("tenant", Text, nullable=False),
            *columns,
            # Both columns, so that no row names another tenant than its plan does.
            ForeignKeyConstraint(["plan_id", "tenant"], ["plans.id", "plans.tenant"], ondelete="CASCADE"),
        )

    HOSTS = _of_a_plan(
        "hosts",
        Column("host", Text, primary_key=True),
        Column("document", LargeBinary, nullable=False),
    )
    ENTRIES = _of_a_plan(
        "entries",
        Column("seq", _Number, primary_key=True, autoincrement=False),
        Column("line", LargeBinary, nullable=False),
    )
    SPOOLS = _of_a_plan(
        "spools",
        Column("spool", Text, primary_key=True),
        # The number of the last record that was taken in.
        Column("taken", _Number, nullable=False),
    )
    TORN = _of_a_plan(
        "torn",
        Column("spool", Text, primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("content", LargeBinary, nullable=False),
    )
    APPROVALS = _of_a_plan(
        "approvals",
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("statement", LargeBinary, nullable=False),
        Column("signature", Text, nullable=False),
    )
    BASELINES = _of_a_plan(
        "baselines",
        Column("host", Text, primary_key=True),
        Column("state", LargeBinary, nullable=False),
    )
    REPORTS = _of_a_plan(
        "reports",
        Column("name", Text, primary_key=True),
        Column("content", LargeBinary, nullable=False),
    )

    CYCLES = Table("cycles", METADATA, Column("cycle", Text, primary_key=True))
    CYCLE_PLANS = Table(
        "cycle_plans",
        METADATA,
        Column("cycle", Text, ForeignKey("cycles.cycle"), primary_key=True),
        Column("tenant", Text, primary_key=True),
        Column("position", Integer, nullable=False),
        Column("plan", Text, nullable=False),
    )
    LEASES = Table(
        "leases",
        METADATA,
        Column("tenant", Text, primary_key=True),
        Column("owner", Text, primary_key=True),
        Column("names", JSON, nullable=False),
        Column("acquired", Moment, nullable=False),
        Column("heartbeat", Moment, nullable=False),
        Column("seconds", Double, nullable=False),
        Column("taken_from", JSON, nullable=False),
    )
    FIRST_SEEN = Table(
        "first_seen",
        METADATA,
        Column("tenant", Text, primary_key=True),
        # Names and versions are what hosts say: of any length, with any characters.
        Column("key_sha256", LargeBinary, primary_key=True),
        Column("key", LargeBinary, nullable=False),
        Column("day", Date, nullable=False),
    )
    STOPS = Table(
        "stops",
        METADATA,
        # Empty: everybody is to stop.
        Column("tenant", Text, primary_key=True),
        Column("reason", Text, nullable=False),
        Column("requested", Moment, nullable=False),
    )
    SEALS = Table(
        "seals",
        METADATA,
        Column("tenant", Text, primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
    )
    SEAL_FILES = Table(
        "seal_files",
        METADATA,
        Column("tenant", Text, primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("name", Text, primary_key=True),
        Column("content", LargeBinary, nullable=False),
        ForeignKeyConstraint(["tenant", "number"], ["seals.tenant", "seals.number"]),
    )
