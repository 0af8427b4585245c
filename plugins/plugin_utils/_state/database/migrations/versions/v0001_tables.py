# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of the first version. What is made here never changes: a later version alters it."""

from __future__ import annotations

from typing import Any, TypeAlias

revision = "0001"
down_revision = None

try:
    import sqlalchemy as sa
    from alembic import op
except ImportError:
    # Whoever opens the state says that it is missing.
    pass
else:
    Column: TypeAlias = sa.Column[Any]
    NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("digest", sa.Text),
        sa.Column("head", sa.LargeBinary),
        sa.Column("begun", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plans"),
        sa.UniqueConstraint("tenant", "digest", name="uq_plans_tenant_digest"),
        sa.UniqueConstraint("id", "tenant", name="uq_plans_id_tenant"),
    )
    _of_a_plan("hosts", [_text("host")], [_bytes("document")])
    _of_a_plan("entries", [sa.Column("seq", NUMBER, autoincrement=False, nullable=False)], [_bytes("line")])
    _of_a_plan("spools", [_text("spool")], [sa.Column("taken", NUMBER, nullable=False)])
    _of_a_plan("torn", [_text("spool"), _number("number")], [_bytes("content")])
    _of_a_plan("approvals", [_number("number")], [_bytes("statement"), _text("signature")])
    _of_a_plan("baselines", [_text("host")], [_bytes("state")])
    _of_a_plan("reports", [_text("name")], [_bytes("content")])
    _keyed("cycles", [_text("cycle")])
    _keyed(
        "cycle_plans",
        [_text("cycle"), _text("tenant")],
        _number("position"),
        _text("plan"),
        sa.ForeignKeyConstraint(["cycle"], ["cycles.cycle"], name="fk_cycle_plans_cycle"),
    )
    _keyed(
        "leases",
        [_text("tenant"), _text("owner")],
        sa.Column("names", sa.JSON, nullable=False),
        sa.Column("acquired", MOMENT, nullable=False),
        sa.Column("heartbeat", MOMENT, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("taken_from", sa.JSON, nullable=False),
    )
    _keyed(
        "first_seen",
        [_text("tenant"), _bytes("key_sha256")],
        _bytes("key"),
        sa.Column("day", sa.Date, nullable=False),
    )
    _keyed("stops", [_text("tenant")], _text("reason"), sa.Column("requested", MOMENT, nullable=False))
    _keyed("seals", [_text("tenant"), _number("number")])
    _keyed(
        "seal_files",
        [_text("tenant"), _number("number"), _text("name")],
        _bytes("content"),
        sa.ForeignKeyConstraint(
            ["tenant", "number"], ["seals.tenant", "seals.number"], name="fk_seal_files_tenant_number"
        ),
    )


def _of_a_plan(name: str, keys: list[Column], columns: list[Column]) -> None:
    plan = [sa.Column("plan_id", NUMBER, autoincrement=False, nullable=False), _text("tenant")]
    op.create_table(
        name,
        *plan,
        *keys,
        *columns,
        sa.PrimaryKeyConstraint("plan_id", *(key.name for key in keys), name=f"pk_{name}"),
        sa.ForeignKeyConstraint(
            ["plan_id", "tenant"],
            ["plans.id", "plans.tenant"],
            name=f"fk_{name}_plan_id_tenant",
            ondelete="CASCADE",
        ),
    )


def _keyed(name: str, keys: list[Column], *others: sa.schema.SchemaItem) -> None:
    op.create_table(name, *keys, *others, sa.PrimaryKeyConstraint(*(key.name for key in keys), name=f"pk_{name}"))


def _text(name: str) -> Column:
    return sa.Column(name, sa.Text, nullable=False)


def _bytes(name: str) -> Column:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _number(name: str) -> Column:
    return sa.Column(name, sa.Integer, autoincrement=False, nullable=False)
