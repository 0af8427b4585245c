# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state in a database, behind the same interface as the folder's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, timezone
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical, decoded, digest_of_bytes
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import leases
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database import beside
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.connection import Database
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.intake import take_in
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.plans import DatabasePlanWriter
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.queries import (
    as_cycle,
    last_line,
    lease_of,
    plans_of_cycle,
    published,
    read_dates,
    read_leases,
    read_seals,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.schema import prepare
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.upsert import put
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.interface import (
    Lease,
    PlanWriter,
    Record,
    TakesIn,
    baseline_missing,
    cycle_missing,
    plan_missing,
    report_missing,
    seal_exists,
    seal_gap,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.lines import checked_line
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import (
    check_cycle,
    check_digest,
    check_name,
    check_report,
    cycle_order,
    encode_host,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.sealed import closed_by

with suppress(ImportError):
    # Whoever opens the state says that it is missing.
    from sqlalchemy import Connection, Select, delete, func, insert, select, update

    from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.tables import (
        BASELINES,
        CYCLE_PLANS,
        CYCLES,
        ENTRIES,
        FIRST_SEEN,
        HOSTS,
        LEASES,
        PLANS,
        REPORTS,
        SEAL_FILES,
        SEALS,
        STOPS,
        TORN,
    )

# Read at a time, so that neither a large ledger stands in memory nor a transaction stays open while its reader thinks.
_ENTRIES_AT_ONCE = 1024
_EVERYBODY = ""


class DatabaseState(TakesIn):
    """The state at a URL of SQLAlchemy. The tables are made, or brought up to date, at the first use.

    What this machine has to do with it besides, ``_store.spooled`` adds.

    Raises FleetError of kind ``store_url`` for a URL that names no database of ours; at its first use ``store_newer``,
    ``store_unreachable`` and ``store_denied`` besides what every state may raise.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._prepared = False

    @property
    def place(self) -> str:
        """Where the state is, for people."""
        return self._database.shown

    # Plans

    @contextmanager
    def write_plan(self, tenant: str) -> Iterator[PlanWriter]:
        writer = DatabasePlanWriter(self._ready(), check_name(tenant, "tenant"))
        try:
            yield writer
        finally:
            writer.discard()

    def read_head(self, tenant: str, plan: str) -> tuple[bytes, str]:
        wanted = select(PLANS.c.head).where(*published(tenant, plan))
        return self._content(wanted, self._place(plan)), self._place(plan)

    def read_host(self, tenant: str, plan: str, host: str) -> tuple[bytes, str]:
        place = f"{host} of {self._place(plan)}"
        wanted = select(HOSTS.c.document).join(PLANS, HOSTS.c.plan_id == PLANS.c.id)
        wanted = wanted.where(*published(tenant, plan), HOSTS.c.host == encode_host(host))
        return self._content(wanted, place), place

    def tenants(self) -> list[str]:
        return self._column(select(PLANS.c.tenant).where(PLANS.c.digest.is_not(None)).distinct())

    def plans(self, tenant: str) -> list[str]:
        own = PLANS.c.tenant == check_name(tenant, "tenant")
        return self._column(select(PLANS.c.digest).where(own, PLANS.c.digest.is_not(None)))

    # Cycles

    def put_cycle(self, cycle: str, plans: Iterable[dict[str, str]]) -> dict[str, Any]:
        check_cycle(cycle)
        given = {check_name(entry["tenant"], "tenant"): check_digest(entry["plan"]) for entry in plans}
        with self._writing() as connection:
            self._database.exclude_others(connection, "cycles")
            if connection.execute(select(CYCLES).where(CYCLES.c.cycle == cycle)).first() is None:
                connection.execute(insert(CYCLES).values(cycle=cycle))
            merged = dict(plans_of_cycle(connection, cycle)) | given
            rows = [
                {"cycle": cycle, "tenant": tenant, "position": position, "plan": plan}
                for position, (tenant, plan) in enumerate(merged.items(), start=1)
            ]
            put(connection, CYCLE_PLANS, rows)
        return as_cycle(cycle, merged.items())

    def get_cycle(self, cycle: str) -> dict[str, Any]:
        check_cycle(cycle)
        with self._reading() as connection:
            found = connection.execute(select(CYCLES).where(CYCLES.c.cycle == cycle)).first()
            plans = plans_of_cycle(connection, cycle)
        if found is None:
            raise cycle_missing(cycle, self.place)
        return as_cycle(cycle, plans)

    def cycles(self) -> list[str]:
        return sorted(self._column(select(CYCLES.c.cycle)), key=cycle_order)

    # The ledger

    def append(self, tenant: str, plan: str, build: Callable[[bytes | None], bytes]) -> bytes:
        with self._writing() as connection:
            plan_id = self._locked_plan(connection, tenant, plan)
            beside.refuse_sealed(connection, plan_id, tenant, plan)
            seq, last = last_line(connection, plan_id)
            line = checked_line(build(last))
            row = {"plan_id": plan_id, "tenant": tenant, "seq": seq + 1, "line": line}
            connection.execute(insert(ENTRIES).values(row))
        return line

    def entries(self, tenant: str, plan: str) -> Iterator[bytes]:
        with self._reading() as connection:
            plan_id = self._plan_id(connection, tenant, plan)
            last = connection.execute(select(func.max(ENTRIES.c.seq)).where(ENTRIES.c.plan_id == plan_id)).scalar()
        return self._lines(plan_id, int(last or 0))

    def _lines(self, plan_id: int, last: int) -> Iterator[bytes]:
        for begin in range(1, last + 1, _ENTRIES_AT_ONCE):
            portion = ENTRIES.c.seq.between(begin, min(begin + _ENTRIES_AT_ONCE - 1, last))
            wanted = select(ENTRIES.c.line).where(ENTRIES.c.plan_id == plan_id, portion).order_by(ENTRIES.c.seq)
            with self._reading() as connection:
                lines = connection.execute(wanted).scalars().all()
            yield from lines

    def torn(self, tenant: str, plan: str) -> list[bytes]:
        """The ends of records of spools; an append to the database itself happens whole or not at all."""
        with self._reading() as connection:
            own = TORN.c.plan_id == self._plan_id(connection, tenant, plan)
            wanted = select(TORN.c.content).where(own).order_by(TORN.c.spool, TORN.c.number)
            return list(connection.execute(wanted).scalars())

    def take_in(self, tenant: str, plan: str, spool: str, records: Iterable[Record], torn: Sequence[bytes] = ()) -> int:
        with self._writing() as connection:
            plan_id = self._locked_plan(connection, tenant, plan)
            return take_in(connection, plan_id, tenant, spool, records, torn)

    # Approvals and baselines

    def put_approval(self, tenant: str, plan: str, statement: bytes, signature: str) -> None:
        with self._writing() as connection:
            plan_id = self._locked_plan(connection, tenant, plan)
            beside.refuse_sealed(connection, plan_id, tenant, plan)
            beside.add_approval(connection, plan_id, tenant, statement, signature)

    def approvals(self, tenant: str, plan: str) -> list[tuple[bytes, str]]:
        with self._reading() as connection:
            return beside.read_approvals(connection, self._plan_id(connection, tenant, plan))

    def put_baseline(self, tenant: str, plan: str, host: str, host_state: dict[str, Any]) -> None:
        with self._writing() as connection:
            own = {"plan_id": self._plan_id(connection, tenant, plan), "tenant": tenant, "host": encode_host(host)}
            put(connection, BASELINES, [{**own, "state": canonical(host_state)}])

    def get_baseline(self, tenant: str, plan: str, host: str) -> dict[str, Any]:
        with self._reading() as connection:
            own = BASELINES.c.plan_id == self._plan_id(connection, tenant, plan)
            wanted = select(BASELINES.c.state).where(own, BASELINES.c.host == encode_host(host))
            content = connection.execute(wanted).scalar()
        if content is None:
            raise baseline_missing(host, f"The baseline of {host} in {self._place(plan)}")
        baseline: dict[str, Any] = decoded(content)
        return baseline

    # Leases

    def acquire(
        self,
        tenant: str,
        names: Iterable[str],
        owner: str,
        *,
        seconds: float,
        now: datetime,
        is_dead: Callable[[str], bool],
    ) -> Lease:
        wanted = Lease(check_name(tenant, "tenant"), frozenset(names), owner, now, now, seconds)
        with self._writing() as connection:
            self._database.exclude_others(connection, f"leases of {tenant}")
            lease = leases.granted(wanted, read_leases(connection, tenant), is_dead)
            gone = (owner, *lease.taken_from)
            connection.execute(delete(LEASES).where(LEASES.c.tenant == tenant, LEASES.c.owner.in_(gone)))
            row = {"tenant": tenant, "owner": owner, "acquired": now, "heartbeat": now, "seconds": seconds}
            listed = {"names": sorted(lease.names), "taken_from": list(lease.taken_from)}
            connection.execute(insert(LEASES).values(**row, **listed))
        return lease

    def renew(self, tenant: str, owner: str, *, now: datetime) -> None:
        with self._writing() as connection:
            renewed = connection.execute(update(LEASES).where(*lease_of(tenant, owner)).values(heartbeat=now))
        if renewed.rowcount == 0:
            raise leases.lost(tenant, owner)

    def release(self, tenant: str, owner: str) -> None:
        with self._writing() as connection:
            connection.execute(delete(LEASES).where(*lease_of(tenant, owner)))

    def leases(self, tenant: str) -> list[Lease]:
        with self._reading() as connection:
            return read_leases(connection, check_name(tenant, "tenant"))

    # Dates, stops and reports

    def first_seen(self, tenant: str, keys: Iterable[str], now: date) -> dict[str, str]:
        wanted = select(FIRST_SEEN.c.key, FIRST_SEEN.c.day).where(FIRST_SEEN.c.tenant == check_name(tenant, "tenant"))
        with self._reading() as connection:
            dates = read_dates(connection, wanted)
        new = sorted(set(keys) - set(dates))
        if not new:
            return dates
        with self._writing() as connection:
            self._database.exclude_others(connection, f"dates of {tenant}")
            dates = read_dates(connection, wanted)
            new = [key for key in new if key not in dates]
            own = {"tenant": tenant, "day": now}
            rows = [
                {**own, "key_sha256": bytes.fromhex(digest_of_bytes(key.encode())), "key": key.encode()} for key in new
            ]
            if rows:
                connection.execute(insert(FIRST_SEEN), rows)
        return dates | dict.fromkeys(new, now.isoformat())

    def stop_requested(self, tenant: str) -> str | None:
        whose = STOPS.c.tenant.in_((_EVERYBODY, check_name(tenant, "tenant")))
        with self._reading() as connection:
            found = connection.execute(select(STOPS.c.tenant).where(whose).order_by(STOPS.c.tenant)).scalar()
        return None if found is None else self._stop(found)

    def request_stop(self, tenant: str, reason: str) -> str:
        if tenant not in self.tenants():
            raise FleetError(
                f"The request to stop tenant {tenant} cannot be written: it has no plan in {self.place}.",
                kind="state_error",
                remedy="Look at fleet_store_url.",
            )
        with self._writing() as connection:
            self._database.exclude_others(connection, f"stop of {tenant}")
            if connection.execute(select(STOPS.c.tenant).where(STOPS.c.tenant == tenant)).scalar() is None:
                row = {"tenant": tenant, "reason": reason.replace("\0", ""), "requested": datetime.now(timezone.utc)}
                connection.execute(insert(STOPS).values(row))
        return self._stop(tenant)

    def put_report(self, tenant: str, plan: str, name: str, content: bytes) -> str:
        check_report(name)
        with self._writing() as connection:
            plan_id = self._locked_plan(connection, tenant, plan)
            beside.refuse_sealed_report(connection, plan_id, tenant, plan, name)
            put(connection, REPORTS, [{"plan_id": plan_id, "tenant": tenant, "name": name, "content": content}])
        return f"{name} of {self._place(plan)}"

    def drop_report(self, tenant: str, plan: str, name: str) -> None:
        check_report(name)
        with self._writing() as connection:
            plan_id = self._locked_plan(connection, tenant, plan)
            beside.refuse_sealed_report(connection, plan_id, tenant, plan, name)
            connection.execute(delete(REPORTS).where(REPORTS.c.plan_id == plan_id, REPORTS.c.name == name))

    def get_report(self, tenant: str, plan: str, name: str) -> bytes:
        check_report(name)
        with self._reading() as connection:
            content = beside.read_report(connection, self._plan_id(connection, tenant, plan), name)
        if content is None:
            raise report_missing(f"{name} of {self._place(plan)}")
        return content

    def reports(self, tenant: str, plan: str) -> list[str]:
        with self._reading() as connection:
            return beside.report_names(connection, self._plan_id(connection, tenant, plan))

    # Seals

    def put_seal(self, tenant: str, number: int, contents: dict[str, bytes]) -> None:
        own = {"tenant": check_name(tenant, "tenant"), "number": number}
        rows = [{**own, "name": check_name(name, "name of a file"), "content": it} for name, it in contents.items()]
        with self._writing() as connection:
            self._database.exclude_others(connection, f"seals of {tenant}")
            last = connection.execute(select(func.max(SEALS.c.number)).where(SEALS.c.tenant == tenant)).scalar() or 0
            if 1 <= number <= last:
                raise seal_exists(tenant, number)
            if number != last + 1:
                raise seal_gap(tenant, number)
            connection.execute(insert(SEALS).values(own))
            if rows:
                connection.execute(insert(SEAL_FILES), rows)
            closed = closed_by(contents)
            if closed is not None:
                plan_id = self._locked_plan(connection, tenant, closed.plan)
                beside.refuse_unlike(connection, plan_id, tenant, closed)
                connection.execute(update(PLANS).where(PLANS.c.id == plan_id).values(sealed=number))

    def seals(self, tenant: str) -> list[dict[str, bytes]]:
        with self._reading() as connection:
            return read_seals(connection, check_name(tenant, "tenant"))

    # Helpers

    def _ready(self) -> Database:
        if not self._prepared:
            prepare(self._database)
            self._prepared = True
        return self._database

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._ready().reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._ready().writing() as connection:
            yield connection

    def _content(self, wanted: Select[Any], place: str) -> bytes:
        with self._reading() as connection:
            content = connection.execute(wanted).scalar()
        if content is None:
            raise plan_missing(place)
        return bytes(content)

    def _column(self, wanted: Select[Any]) -> list[str]:
        with self._reading() as connection:
            return sorted(connection.execute(wanted).scalars())

    def _plan_id(self, connection: Connection, tenant: str, plan: str) -> int:
        return self._found(connection, select(PLANS.c.id).where(*published(tenant, plan)), plan)

    def _locked_plan(self, connection: Connection, tenant: str, plan: str) -> int:
        """The plan's number; nobody else has it locked until the transaction ends."""
        wanted = select(PLANS.c.id).where(*published(tenant, plan)).with_for_update(key_share=True)
        return self._found(connection, wanted, plan)

    def _found(self, connection: Connection, wanted: Select[Any], plan: str) -> int:
        found = connection.execute(wanted).scalar()
        if found is None:
            raise plan_missing(self._place(plan))
        return int(found)

    def _place(self, plan: str) -> str:
        return f"plan {plan} in {self.place}"

    def _stop(self, tenant: str) -> str:
        return f"The request of {tenant or 'everybody'} in table stops of {self.place}"
