# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database together with what this machine does for it: spools are shipped, and leases of living attempts kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import Lease
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database import DatabaseState
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.keeper import Order, start_keeper
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.shipping import ship_news, sweep
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import Spool, spools_in


class SpooledState(DatabaseState):
    """Whoever reads or writes a ledger first ships what the tenant's spools on this machine hold.

    So a guard sees what the callback has recorded before, and nobody can forget to ship. Whoever takes a lease gets a
    spool, and a keeper (``keeper``) that carries the callback's signs of life over for as long as it holds.
    """

    def __init__(self, url: str, folder: Path, keep: Callable[[Order], None] = start_keeper) -> None:
        super().__init__(url)
        self._url = url
        self._folder = folder
        self._keep = keep

    def append(self, tenant: str, plan: str, build: Callable[[bytes | None], bytes]) -> bytes:
        ship_news(self, self._folder, tenant)
        return super().append(tenant, plan, build)

    def entries(self, tenant: str, plan: str) -> Iterator[bytes]:
        ship_news(self, self._folder, tenant)
        return super().entries(tenant, plan)

    def torn(self, tenant: str, plan: str) -> list[bytes]:
        ship_news(self, self._folder, tenant)
        return super().torn(tenant, plan)

    def stop_requested(self, tenant: str) -> str | None:
        ship_news(self, self._folder, tenant)
        return super().stop_requested(tenant)

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
        sweep(self, self._folder, tenant)
        lease = super().acquire(tenant, names, owner, seconds=seconds, now=now, is_dead=is_dead)
        if seconds <= 0:
            # It stands for what dead attempts left (_apply.leases.keep_left): nobody writes, or gives a sign of life.
            return lease
        try:
            spool = Spool.create(self._folder, owner)
            spool.acquire(tenant, lease.names, owner, seconds=seconds, now=now, is_dead=is_dead)
            self._keep(Order(url=self._url, spool=spool.root, tenant=tenant, owner=owner))
        except BaseException:
            self.release(tenant, owner)
            raise
        return lease

    def release(self, tenant: str, owner: str) -> None:
        # In this order: what is gone from the spool the keeper does not take for lost.
        for spool in spools_in(self._folder, tenant):
            spool.release(tenant, owner)
        super().release(tenant, owner)

    def evidence_dir(self, tenant: str, plan: str, owner: str) -> Path:
        for spool in spools_in(self._folder, tenant):
            if any(lease.owner == owner for lease in spool.leases(tenant)):
                spool.begin(tenant, plan, self.read_head(tenant, plan)[0])
                return spool.root
        raise FleetError(
            f"{owner} has no lease of tenant {tenant}, and so no spool below {self._folder}.",
            kind="lease_lost",
            remedy="Look who else is at work; then run this again.",
        )
