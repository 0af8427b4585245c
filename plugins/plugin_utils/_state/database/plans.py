# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan on its way into the database: its hosts in portions, seen by nobody before all of it is there."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import (
    canonical,
    decoded,
    digest_of_bytes,
    encoded,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.connection import Database
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.upsert import put
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.interface import PlanWriter
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import encode_host

with suppress(ImportError):
    # Whoever opens the state says that it is missing.
    from sqlalchemy import Connection, delete, insert, select, update

    from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.tables import HOSTS, PLANS

_PORTION_BYTES = 4_000_000
# Of a writer that was killed; no plan takes that long to write.
_LEFT_BEHIND = timedelta(days=1)


class DatabasePlanWriter(PlanWriter):
    """Writes under a plan without a digest, which gets its digest and its head at the end, in one transaction."""

    def __init__(self, database: Database, tenant: str) -> None:
        self._database = database
        self._tenant = tenant
        self._digests: dict[str, str] = {}
        self._waiting: dict[str, bytes] = {}
        self._waiting_bytes = 0
        now = datetime.now(timezone.utc)
        with database.writing() as connection:
            unfinished = PLANS.c.digest.is_(None) & (PLANS.c.tenant == tenant)
            connection.execute(delete(PLANS).where(unfinished, PLANS.c.begun < now - _LEFT_BEHIND))
            begun = connection.execute(insert(PLANS).values(tenant=tenant, begun=now).returning(PLANS.c.id))
            self._id = int(begun.scalar_one())

    def put_host(self, host: str, document: dict[str, Any]) -> str:
        content = encoded(document)
        self._waiting[encode_host(host)] = content
        self._waiting_bytes += len(content)
        if self._waiting_bytes > _PORTION_BYTES:
            with self._database.writing() as connection:
                self._write_waiting(connection)
        self._digests[host] = digest_of_bytes(content)
        return self._digests[host]

    def get_host(self, host: str) -> dict[str, Any]:
        name = encode_host(host)
        content = self._waiting.get(name)
        if content is None:
            wanted = select(HOSTS.c.document).where(HOSTS.c.plan_id == self._id, HOSTS.c.host == name)
            with self._database.reading() as connection:
                content = connection.execute(wanted).scalar_one()
        document: dict[str, Any] = decoded(content)
        return document

    def finish(self, head: dict[str, Any]) -> str:
        if {host: entry["digest"] for host, entry in head["hosts"].items()} != self._digests:
            raise ValueError("The head of a plan names exactly the documents that were put.")
        content = canonical(head)
        plan = digest_of_bytes(content)
        with self._database.writing() as connection:
            self._database.exclude_others(connection, f"plans of {self._tenant}")
            same = select(PLANS.c.id).where(PLANS.c.tenant == self._tenant, PLANS.c.digest == plan)
            if connection.execute(same).scalar() is None:
                self._write_waiting(connection)
                connection.execute(update(PLANS).where(PLANS.c.id == self._id).values(digest=plan, head=content))
        return plan

    def discard(self) -> None:
        """Take away what was not published."""
        with self._database.writing() as connection:
            connection.execute(delete(PLANS).where(PLANS.c.id == self._id, PLANS.c.digest.is_(None)))

    def _write_waiting(self, connection: Connection) -> None:
        own = {"plan_id": self._id, "tenant": self._tenant}
        put(connection, HOSTS, [{**own, "host": name, "document": it} for name, it in self._waiting.items()])
        self._waiting.clear()
        self._waiting_bytes = 0
