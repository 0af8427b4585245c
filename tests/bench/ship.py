# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast eight processes ship spools at once into one plan's ledger, in SQLite and in PostgreSQL.

Each process writes its records into a spool of its own, as a callback does, and ships them in segments of fifty, as at
the end of a batch; all of them wait for the same plan. Both databases wait for the disk at each commit. The figures are
entries per second from the first segment to the last, without the writing of the spools. The last line is JSON:
``ratio`` is the throughput of PostgreSQL through that of SQLite on the same disk; ``lost`` and ``twice`` count records,
and must be 0.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.synchronize import Barrier
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import this_owner  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import (  # noqa: E402
    build_entry_now,
    read_entries,
    verify,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._store import shipping  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import Spool  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState  # noqa: E402
from ansible_collections.bankops.fleet.tests.services.postgresql import running_server  # noqa: E402

PROCESSES = 8
RECORDS = 1000
SEGMENT = 50
TENANT = "bench"
EVIDENCE = {"before": {"openssl:amd64": "3.0.15-1"}, "after": {"openssl:amd64": "3.0.17-1"}, "log": "x" * 400}


def main() -> None:
    shipping.SEGMENT = SEGMENT
    with tempfile.TemporaryDirectory() as temporary, running_server(durable=True) as server:
        folder = Path(temporary)
        sqlite = measure(f"sqlite:///{folder / 'state.db'}", folder / "sqlite")
        postgresql = measure(server.url(server.make_database()), folder / "postgresql")
    lost, twice = (sqlite[n] + postgresql[n] for n in (1, 2))
    figures = {
        "ratio": round(postgresql[0] / sqlite[0], 2),
        "sqlite_per_second": round(sqlite[0]),
        "postgresql_per_second": round(postgresql[0]),
        "lost": lost,
        "twice": twice,
    }
    print(json.dumps({"bench": "ship", **figures}))
    if lost or twice:
        raise SystemExit(f"{lost} records were lost, {twice} were taken in twice.")


def measure(url: str, folder: Path) -> tuple[float, int, int]:
    """Entries per second, records that are not in the ledger, and those that are there more than once."""
    state = SpooledState(url, folder)
    with state.write_plan(TENANT) as writer:
        plan = writer.finish({"format": 1, "tenant": TENANT, "hosts": {}})
    begin = multiprocessing.Barrier(PROCESSES + 1)
    processes = [
        multiprocessing.Process(target=write_and_ship, args=(url, folder, plan, number, begin))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    begin.wait()
    begun = time.monotonic()
    for process in processes:
        process.join()
    seconds = time.monotonic() - begun
    checked = verify(state.entries(TENANT, plan))
    if not checked.ok or any(process.exitcode for process in processes):
        raise SystemExit(f"Shipping failed: {checked.problems[:3]}")
    taken = Counter(entry["host"] for entry in read_entries(state.entries(TENANT, plan)))
    wanted = {f"web{number}-{record}" for number in range(PROCESSES) for record in range(RECORDS)}
    return len(wanted) / seconds, len(wanted - set(taken)), sum(count - 1 for count in taken.values())


def write_and_ship(url: str, folder: Path, plan: str, number: int, begin: Barrier) -> None:
    """One machine: its spool is full when all begin."""
    state = SpooledState(url, folder / str(number))
    spool = Spool.create(folder / str(number), this_owner(os.getpid()))
    spool.begin(TENANT, plan, state.read_head(TENANT, plan)[0])
    write(spool, plan, number)
    begin.wait()
    shipping.ship_all(state, folder / str(number))


def write(spool: Spool, plan: str, number: int) -> None:
    """The records of a callback, without its wait for the disk at each."""
    lines: list[bytes] = []
    for record in range(RECORDS):
        previous = lines[-1] if lines else None
        about = {"plan": plan, "tenant": TENANT, "cycle": "2026-11", "attempt": 1, "host": f"web{number}-{record}"}
        kind = {"phase": Phase.HOOK, "outcome": EntryOutcome.OK}
        lines.append(build_entry_now(previous, data=EVIDENCE, **about, **kind))
    ledger = spool.root / "tenants" / TENANT / "plans" / plan / "ledger.jsonl"
    ledger.write_bytes(b"".join(line + b"\n" for line in lines))


if __name__ == "__main__":
    main()
