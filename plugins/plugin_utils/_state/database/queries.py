# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of the tables at several places, and how rows become what the state speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.interface import Lease
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import check_digest, check_name

with suppress(ImportError):
    # Whoever opens the state says that it is missing.
    from sqlalchemy import Connection, RowMapping, Select, select

    from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.tables import (
        CYCLE_PLANS,
        ENTRIES,
        LEASES,
        PLANS,
        SEAL_FILES,
        SEALS,
    )


def published(tenant: str, plan: str) -> tuple[Any, Any]:
    """The conditions of a plan that is there as a whole."""
    return PLANS.c.tenant == check_name(tenant, "tenant"), PLANS.c.digest == check_digest(plan)


def last_line(connection: Connection, plan_id: int) -> tuple[int, bytes | None]:
    """The number and the text of a ledger's last line; 0 and None where there is none."""
    own = select(ENTRIES.c.seq, ENTRIES.c.line).where(ENTRIES.c.plan_id == plan_id)
    found = connection.execute(own.order_by(ENTRIES.c.seq.desc()).limit(1)).first()
    return (int(found.seq), bytes(found.line)) if found else (0, None)


def seal_of(connection: Connection, plan_id: int) -> int | None:
    """The number of the seal that closes a plan's ledger. Who has the plan locked knows that it stays so."""
    number = connection.execute(select(PLANS.c.sealed).where(PLANS.c.id == plan_id)).scalar()
    return None if number is None else int(number)


def plans_of_cycle(connection: Connection, cycle: str) -> list[tuple[str, str]]:
    """The tenants and plans of a cycle, in their order."""
    wanted = select(CYCLE_PLANS.c.tenant, CYCLE_PLANS.c.plan).where(CYCLE_PLANS.c.cycle == cycle)
    return [(row.tenant, row.plan) for row in connection.execute(wanted.order_by(CYCLE_PLANS.c.position))]


def as_cycle(cycle: str, plans: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A cycle as the state returns it."""
    return {"cycle": cycle, "plans": [{"tenant": tenant, "plan": plan} for tenant, plan in plans]}


def lease_of(tenant: str, owner: str) -> tuple[Any, Any]:
    """The conditions of an owner's lease."""
    return LEASES.c.tenant == check_name(tenant, "tenant"), LEASES.c.owner == owner


def read_leases(connection: Connection, tenant: str) -> list[Lease]:
    """All leases of a tenant."""
    wanted = select(LEASES).where(LEASES.c.tenant == tenant).order_by(LEASES.c.owner)
    return [_as_lease(row) for row in connection.execute(wanted).mappings()]


def _as_lease(row: RowMapping) -> Lease:
    return Lease(
        tenant=row["tenant"],
        names=frozenset(row["names"]),
        owner=row["owner"],
        acquired=row["acquired"],
        heartbeat=row["heartbeat"],
        seconds=row["seconds"],
        taken_from=tuple(row["taken_from"]),
    )


def read_dates(connection: Connection, wanted: Select[Any]) -> dict[str, str]:
    """The days by key."""
    return {row.key.decode(): row.day.isoformat() for row in connection.execute(wanted)}


def read_seals(connection: Connection, tenant: str) -> list[dict[str, bytes]]:
    """The files of all seals of a tenant, in the order of their numbers."""
    both = (SEALS.c.tenant == SEAL_FILES.c.tenant) & (SEALS.c.number == SEAL_FILES.c.number)
    wanted = select(SEALS.c.number, SEAL_FILES.c.name, SEAL_FILES.c.content).outerjoin(SEAL_FILES, both)
    wanted = wanted.where(SEALS.c.tenant == tenant).order_by(SEALS.c.number, SEAL_FILES.c.name)
    found: dict[int, dict[str, bytes]] = {}
    for number, name, content in connection.execute(wanted):
        found.setdefault(number, {}).update({} if name is None else {name: content})
    return list(found.values())
