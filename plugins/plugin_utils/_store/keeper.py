# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keeper: a small process that carries an attempt's signs of life from its spool to the database.

A task may take an hour, and the process whose sign of life counts forks workers all the time, so it must not talk to
a database itself. It touches the lease in its spool; the keeper, which shares nothing with it, writes the time of that
touch into the database. So a process that sleeps gives no sign of life there either. A lease that somebody took over
is gone from the spool then, where the callback sees it and asks to stop.

The keeper ends when the lease is given back or lost, or its owner has ended. The URL reaches it by its standard input,
which no list of processes shows.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import has_ended
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import Spool

EVERY_SECONDS = 5.0
_READY = b"ready\n"
_READY_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_MODULE = "ansible_collections.bankops.fleet.plugins.plugin_utils._store.keeper"
# Python finds this collection there without Ansible, whose finder the new process does not have.
_ROOT = Path(__file__).parents[_MODULE.count(".")]


@dataclass(frozen=True)
class Order:
    """Whose lease is kept, in which database, and the spool's folder."""

    url: str
    spool: Path
    tenant: str
    owner: str

    def __repr__(self) -> str:
        # The URL may hold a password.
        return f"Order({self.owner} of {self.tenant})"


def start_keeper(order: Order) -> None:
    """Start a keeper that outlives this process; return when the first sign of life has reached the database.

    Raises FleetError of kind ``keeper_failed``.
    """
    # What it is told fits into a pipe that nobody reads yet.
    order_read, order_write = os.pipe()
    answer_read, answer_write = os.pipe()
    os.write(order_write, json.dumps({**asdict(order), "spool": str(order.spool)}).encode())
    os.close(order_write)
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    with (order.spool / "keeper.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=order_read,
            stdout=answer_write,
            stderr=log,
            cwd="/",
            env={**os.environ, "PYTHONPATH": path},
            # No signal of a terminal reaches it: it ends when it has nothing to keep.
            start_new_session=True,
        )
    os.close(order_read)
    os.close(answer_write)
    with os.fdopen(answer_read, "rb") as said:
        answered, _writable, _failed = select.select([said], [], [], _READY_SECONDS)
        answer = said.readline() if answered else b"it does not answer"
    if answer != _READY:
        process.kill()
        process.wait()
        why = answer.decode(errors="replace").strip() or "it ended"
        raise FleetError(
            f"The process that keeps the lease of this attempt could not begin: {why}",
            kind="keeper_failed",
            remedy=f"Look into {order.spool / 'keeper.log'}.",
        )


def keep(order: Order, state: State, began: Callable[[], None], *, every: float = EVERY_SECONDS) -> None:
    """Carry signs of life over to ``state`` until there is nothing to keep; call ``began`` after the first.

    Raises FleetError when the first one cannot be carried over.
    """
    spool = Spool(order.spool)
    _renew(order, state, spool)
    began()
    due = time.monotonic() + every
    while not has_ended(order.owner) and spool.leases(order.tenant):
        time.sleep(min(every, _LOOK_SECONDS))
        if time.monotonic() < due:
            continue
        due = time.monotonic() + every
        try:
            _renew(order, state, spool)
            spool.note_beat()
        except FleetError as problem:
            if problem.kind == "lease_lost":
                # The callback finds its lease gone, and asks to stop, unless it was given back meanwhile.
                spool.release(order.tenant, order.owner)
            else:
                # The database may come back before the lease counts as dead.
                spool.note_beat(str(problem))


def _renew(order: Order, state: State, spool: Spool) -> None:
    for lease in spool.leases(order.tenant):
        state.renew(order.tenant, lease.owner, now=lease.heartbeat)


def main() -> None:
    """Keep the lease that the order on the standard input names."""
    # It is imported by whoever starts a keeper, and imports what they are.
    from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState

    told = json.load(sys.stdin)
    order = Order(**{**told, "spool": Path(told["spool"])})
    try:
        keep(order, SpooledState(order.url, order.spool.parents[1]), _say_ready)
    except FleetError as problem:
        print(problem.message, flush=True)  # noqa: T201  read by start_keeper
        sys.exit(1)


def _say_ready() -> None:
    sys.stdout.buffer.write(_READY)
    sys.stdout.close()


if __name__ == "__main__":
    main()
