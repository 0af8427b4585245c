# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking records of spools into a ledger, each once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.queries import last_line, seal_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.upsert import put
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.interface import Record
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.lines import checked_line

with suppress(ImportError):
    # Whoever opens the state says that it is missing.
    from sqlalchemy import Connection, insert, select

    from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.tables import ENTRIES, SPOOLS, TORN


def take_in(
    connection: Connection, plan_id: int, tenant: str, spool: str, records: Iterable[Record], torn: Sequence[bytes]
) -> int:
    """Do what ``TakesIn.take_in`` promises, in a transaction that has the plan locked; by how many the entries grew."""
    own = {"plan_id": plan_id, "tenant": tenant}
    wanted = select(SPOOLS.c.taken).where(SPOOLS.c.plan_id == plan_id, SPOOLS.c.spool == spool)
    taken = int(connection.execute(wanted).scalar() or 0)
    seq, last = last_line(connection, plan_id)
    is_sealed = seal_of(connection, plan_id) is not None
    rows, late = [], []
    for record in records:
        if record.number <= taken:
            continue
        if record.number != taken + 1:
            raise _gap(spool, taken, record.number)
        taken = record.number
        if is_sealed:
            late.append({**own, "spool": f"{spool} late", "number": taken, "content": record.content})
        else:
            seq, last = seq + 1, checked_line(record.build(last))
            rows.append({**own, "seq": seq, "line": last})
    if rows:
        connection.execute(insert(ENTRIES), rows)
    if rows or late:
        # In the same transaction: whoever ships the same records again finds that they are there.
        put(connection, SPOOLS, [{**own, "spool": spool, "taken": taken}])
    put(connection, TORN, late)
    put(connection, TORN, [{**own, "spool": spool, "number": n, "content": it} for n, it in enumerate(torn, start=1)])
    return len(rows)


def _gap(spool: str, taken: int, number: int) -> FleetError:
    """The error for a spool that has lost records."""
    return FleetError(
        f"Of spool {spool} the records {taken + 1} to {number - 1} are missing.",
        kind="spool_damaged",
        remedy="Find out who took them out; move the spool's folder aside when nothing can bring them back.",
        data={"taken": taken, "number": number},
    )
