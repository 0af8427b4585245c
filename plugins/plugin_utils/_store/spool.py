# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Spools: what the evidence callback of one attempt writes while the shared state is a database.

A spool is a small state in a folder of its own, so that the callback writes there just what it writes into a state that
is a folder: numbered and chained records, each synced, its signs of life, and a request to stop.

``<fleet_state_dir>/spool/<id>/``
    ``owner``                               whose callback writes here
    ``tenants/<tenant>/plans/<plan>/``      ``ledger.jsonl``, the records; ``shipped``, how many bytes were taken in
    ``tenants/<tenant>/leases/``            the lease, as long as the attempt has it
    ``tenants/<tenant>/STOP``               a request to stop that was not shipped yet
    ``keeper``                              touched when a sign of life has reached the database; why not, when not
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import files, lines
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import STOP_FILE, FolderState
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import check_name
from ansible_collections.bankops.fleet.plugins.plugin_utils._store import import_early

KEEPER_SILENCE = 30.0
"""Seconds without a sign of life in the database, after which the callback complains; a lease lives twice as long."""

_ABANDONED = 24 * 3600.0
_OWNER, _KEEPER, _SHIPPED, _ARMED_STOP = "owner", "keeper", "shipped", "stop-armed"


class Spool(FolderState):
    """The spool in a folder; its name is what the database knows it by, and never comes twice."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.name = root.name
        self.root = root

    @classmethod
    def create(cls, folder: Path, owner: str) -> Spool:
        """A new spool of an owner (see ``_apply.owner``) below ``fleet_state_dir``."""
        name = secrets.token_hex(8)
        new, root = folder / "spool" / f".new-{name}", folder / "spool" / name
        with files.disk_errors():
            files.make_folders(new)
            files.write_new(new / _OWNER, owner.encode())
            files.write_new(new / _KEEPER, b"")
            # What says that nothing can be written is written while something can.
            files.write_new(new / _ARMED_STOP, b"The evidence callback could not write its spool.\n")
            new.rename(root)
            files.sync(root.parent)
        return cls(root)

    @property
    def owner(self) -> str:
        """Whose callback writes here."""
        with files.disk_errors():
            return (self.root / _OWNER).read_text(encoding="utf-8")

    def begin(self, tenant: str, plan: str, head: bytes) -> None:
        """Make room for the records of a plan, whose head is kept beside them."""
        path = self._plan(tenant, plan) / "plan.json"
        with files.disk_errors():
            files.make_folders(path.parent)
            files.replace(path, head)

    # The callback's side

    def renew(self, tenant: str, owner: str, *, now: datetime) -> None:
        """Give a sign of life. Raises FleetError of kind ``keeper_silent`` when none reaches the database any more."""
        super().renew(tenant, owner, now=now)
        path = self.root / _KEEPER
        with files.disk_errors():
            last = path.stat().st_mtime
        if time.time() - last > KEEPER_SILENCE:
            since = datetime.fromtimestamp(last, timezone.utc)
            raise FleetError(
                f"None has reached the database since {since:%H:%M:%S} UTC. {path.read_text(encoding='utf-8')}".strip(),
                kind="keeper_silent",
                remedy="Others may take over the hosts of this attempt.",
            )

    def request_stop(self, tenant: str, reason: str) -> str:
        """Ask to stop: the next task ships the request."""
        try:
            super().request_stop(tenant, reason)
        except FleetError:
            armed, stop = self.root / _ARMED_STOP, self._tenant(tenant) / STOP_FILE
            with files.disk_errors():
                armed.rename(stop)
        return f"the request to stop of tenant {tenant}"

    # The keeper's side

    def note_beat(self, trouble: str = "") -> None:
        """Say that a sign of life has reached the database, or why it has not."""
        path = self.root / _KEEPER
        with files.disk_errors():
            if trouble:
                # Put there whole: whoever looked in between would see a sign of life, or no reason.
                new, last = path.with_name(f".{_KEEPER}.new"), path.stat().st_mtime_ns
                new.write_text(trouble, encoding="utf-8")
                os.utime(new, ns=(last, last))
                new.replace(path)
            else:
                path.write_bytes(b"")

    # The shipper's side

    def has_news(self, tenant: str, plan: str) -> bool:
        """Whether there is more than what was shipped."""
        path = self._ledger(tenant, plan)
        with files.disk_errors():
            return path.exists() and path.stat().st_size != _offset(path)

    def unshipped(self, tenant: str, plan: str, at_most: int) -> tuple[list[bytes], int]:
        """The next records that were not marked as shipped, and where they end."""
        path = self._ledger(tenant, plan)
        with files.disk_errors():
            begin = _offset(path)
            records = list(islice(lines.whole_lines(path, begin), at_most))
        return records, begin + sum(len(record) + 1 for record in records)

    def mark_shipped(self, tenant: str, plan: str, end: int) -> None:
        """Remember where the next shipping begins. It is not lost when this is: the database knows the numbers."""
        with files.disk_errors():
            files.write_new(self._ledger(tenant, plan).with_name(_SHIPPED), str(end).encode(), safe=False)

    def stop_reason(self, tenant: str) -> str | None:
        """Why the callback asks to stop, as long as nobody has shipped that."""
        with files.disk_errors():
            try:
                return (self._tenant(tenant) / STOP_FILE).read_text(encoding="utf-8", errors="replace").strip()
            except FileNotFoundError:
                return None

    def forget_stop(self, tenant: str) -> None:
        """The request stands in the database now."""
        with files.disk_errors():
            (self._tenant(tenant) / STOP_FILE).unlink(missing_ok=True)

    def remove_if_over(self, is_dead: Callable[[str], bool]) -> None:
        """Remove a spool whose callback will write no more and that has nothing left to ship."""
        plans = [(tenant, plan) for tenant in self.tenants() for plan in self.plans(tenant)]
        left = any(self.unshipped(tenant, plan, 1)[0] for tenant, plan in plans)
        if not left and (is_dead(self.owner) or self._is_abandoned()):
            shutil.rmtree(self.root, ignore_errors=True)

    def _is_abandoned(self) -> bool:
        """Of a process that nobody here can look after: its lease is given back, and that for long."""
        leases = [lease for tenant in self.tenants() for lease in self.leases(tenant)]
        return not leases and time.time() - (self.root / _KEEPER).stat().st_mtime > _ABANDONED


def spools_in(folder: Path, tenant: str | None = None) -> Iterator[Spool]:
    """The spools below ``fleet_state_dir``, of one tenant or of all."""
    wanted = "*" if tenant is None else check_name(tenant, "tenant")
    with files.disk_errors():
        roots = {path.parents[1] for path in (folder / "spool").glob(f"[!.]*/tenants/{wanted}")}
    yield from (Spool(root) for root in sorted(roots))


def callback_state(folder: Path) -> FolderState:
    """The state that the evidence callback writes to, by the folder that ``patch_attempt`` named."""
    if not (folder / _OWNER).is_file():
        return FolderState(folder)
    import_early()
    return Spool(folder)


def _offset(ledger: Path) -> int:
    try:
        return int(ledger.with_name(_SHIPPED).read_bytes())
    except (FileNotFoundError, ValueError):
        return 0
