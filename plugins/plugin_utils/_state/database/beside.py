# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands beside a plan, approvals and reports, and that it stays what a seal says of it."""

from __future__ import annotations

from contextlib import suppress

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.queries import last_line, seal_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.sealed import (
    REPORTS,
    SUMS,
    Closed,
    digests_of,
    files_beside,
    plan_sealed,
    report_sealed,
)

with suppress(ImportError):
    # Whoever opens the state says that it is missing.
    from sqlalchemy import Connection, func, insert, select

    from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database import tables

_PIECE_BYTES = 1 << 25


def add_approval(connection: Connection, plan_id: int, tenant: str, statement: bytes, signature: str) -> None:
    """Put an approval after those that are there; the caller has the plan locked."""
    table = tables.APPROVALS
    last = connection.execute(select(func.max(table.c.number)).where(table.c.plan_id == plan_id)).scalar()
    row = {"plan_id": plan_id, "tenant": tenant, "number": int(last or 0) + 1}
    connection.execute(insert(table).values(**row, statement=statement, signature=signature))


def read_approvals(connection: Connection, plan_id: int) -> list[tuple[bytes, str]]:
    """The approvals of a plan, oldest first."""
    table = tables.APPROVALS
    wanted = select(table.c.statement, table.c.signature).where(table.c.plan_id == plan_id).order_by(table.c.number)
    return [(row.statement, row.signature) for row in connection.execute(wanted)]


def read_report(connection: Connection, plan_id: int, name: str) -> bytes | None:
    """A report; None where there is none of that name."""
    table = tables.REPORTS
    pieces: list[bytes] = []
    # A driver has several times what it reads in memory, and a table of a large fleet has some hundred MB.
    while not pieces or len(pieces[-1]) == _PIECE_BYTES:
        piece = func.substr(table.c.content, len(pieces) * _PIECE_BYTES + 1, _PIECE_BYTES)
        row = connection.execute(select(piece).where(table.c.plan_id == plan_id, table.c.name == name)).first()
        if row is None:
            return None
        # Of nothing SQLite makes null.
        pieces.append(bytes(row[0] or b""))
    return b"".join(pieces)


def report_names(connection: Connection, plan_id: int) -> list[str]:
    """The names of a plan's reports, sorted."""
    table = tables.REPORTS
    return sorted(connection.execute(select(table.c.name).where(table.c.plan_id == plan_id)).scalars())


def refuse_sealed(connection: Connection, plan_id: int, tenant: str, plan: str) -> None:
    """Raise FleetError of kind ``plan_sealed`` when a seal closes the plan, which the caller has locked."""
    number = seal_of(connection, plan_id)
    if number is not None:
        raise plan_sealed(tenant, plan, number)


def refuse_sealed_report(connection: Connection, plan_id: int, tenant: str, plan: str, name: str) -> None:
    """Raise it when a seal names this report; the caller has the plan locked."""
    number = seal_of(connection, plan_id)
    if number is None:
        return
    table = tables.SEAL_FILES
    own = (table.c.tenant == tenant, table.c.number == number, table.c.name == SUMS)
    sums = connection.execute(select(table.c.content).where(*own)).scalar()
    if f"{REPORTS}/{name}" in digests_of(sums or b""):
        raise report_sealed(tenant, plan, name)


def refuse_unlike(connection: Connection, plan_id: int, tenant: str, closed: Closed) -> None:
    """Raise ``ledger_moved`` or ``plan_moved`` where the plan, which the caller has locked, is not what a seal says."""
    closed.refuse_other_ledger(tenant, *last_line(connection, plan_id))
    approvals, names = read_approvals(connection, plan_id), report_names(connection, plan_id)
    beside = files_beside(approvals, names, lambda name: read_report(connection, plan_id, name) or b"")
    closed.refuse_other_files(tenant, beside)
