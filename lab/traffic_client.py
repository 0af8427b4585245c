# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users of the lab's services: a client that never retries in secret, and writes down every failure with its time.

Web requests go through the load balancer, each on a connection of its own and sent once. Writes go to etcd the way
etcd's own clients do it: they know every endpoint, and try the next when one does not answer. Each such change of
endpoint is recorded as a failover; a write that no endpoint takes in time, or that is not read back, has failed.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

WEB_TIMEOUT = 10.0  # what a browser's user would still wait for
ETCD_ATTEMPT_TIMEOUT = 3.0
ETCD_DEADLINE = 10.0  # longer than an election, as the deadline of a client of etcd should be
ETCD_WRITES_PER_SECOND = 5.0
AT_ONCE = 64


def now() -> str:
    """The time as RFC 3339 in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Record:
    """Counts and failures; safe to use from many threads. ``summary`` is written after each change of the second."""

    folder: Path
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("requests", "failed", "etcd_writes", "etcd_failed", "failovers"), 0)
    )
    started: str = field(default_factory=now)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str) -> None:
        with self.lock:
            self.counts[name] += 1

    def event(self, name: str, **details: Any) -> None:
        """Count under ``name`` and append the event with its time to events.jsonl."""
        with self.lock:
            self.counts[name] += 1
            with (self.folder / "events.jsonl").open("a") as file:
                file.write(json.dumps({"time": now(), "event": name, **details}) + "\n")

    def write_summary(self, ended: str | None) -> None:
        with self.lock:
            summary = {**self.counts, "started": self.started, "ended": ended}
            partial = self.folder / "summary.json.partial"
            partial.write_text(json.dumps(summary) + "\n")
            partial.rename(self.folder / "summary.json")


def request(endpoint: str, method: str, path: str, body: bytes | None, timeout: float) -> tuple[int, bytes]:
    """One request on a new connection. ``endpoint`` is host:port. Raises OSError or HTTPException."""
    connection = http.client.HTTPConnection(endpoint, timeout=timeout)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def reason_of(problem: Exception) -> str:
    """A failure in words."""
    return f"{type(problem).__name__}: {problem}".rstrip(": ")


def visit(record: Record, load_balancer: str) -> None:
    """One web request, sent once."""
    began = time.monotonic()
    try:
        status, _body = request(load_balancer, "GET", "/", None, WEB_TIMEOUT)
        reason = "" if status == 200 else f"status {status}"
    except (OSError, http.client.HTTPException) as problem:
        reason = reason_of(problem)
    record.count("requests")
    if reason:
        record.event("failed", reason=reason, seconds=round(time.monotonic() - began, 3))


def etcd_call(record: Record, endpoints: Sequence[str], first: int, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the endpoints in turn, from ``first`` on, until one answers. Raises TimeoutError when none did in time."""
    deadline = time.monotonic() + ETCD_DEADLINE
    encoded = json.dumps(body).encode()
    turn = first
    while True:
        endpoint = endpoints[turn % len(endpoints)]
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no endpoint answered within {ETCD_DEADLINE:g} s")
        try:
            status, text = request(endpoint, "POST", path, encoded, min(ETCD_ATTEMPT_TIMEOUT, left))
            if status == 200:
                answer: dict[str, Any] = json.loads(text)
                return answer
            reason = f"status {status}: {text.decode(errors='replace').strip()[:200]}"
        except (OSError, http.client.HTTPException, ValueError) as problem:
            reason = reason_of(problem)
        record.event("failovers", endpoint=endpoint, reason=reason)
        turn += 1
        time.sleep(0.05)


def write_and_read(record: Record, endpoints: Sequence[str], number: int) -> None:
    """Write a value through one endpoint and read it back through the next."""
    began = time.monotonic()
    key = base64.b64encode(f"fleet-traffic/{number % 100}".encode()).decode()
    value = base64.b64encode(f"{number}".encode()).decode()
    try:
        etcd_call(record, endpoints, number, "/v3/kv/put", {"key": key, "value": value})
        answer = etcd_call(record, endpoints, number + 1, "/v3/kv/range", {"key": key})
        found = answer.get("kvs", [{}])[0].get("value")
        reason = "" if found == value else f"read {found!r} after writing {value!r}"
    except TimeoutError as problem:
        reason = reason_of(problem)
    record.count("etcd_writes")
    if reason:
        record.event("etcd_failed", reason=reason, seconds=round(time.monotonic() - began, 3))


def pace(pool: ThreadPoolExecutor, per_second: float, stop: threading.Event, work: Callable[[int], None]) -> None:
    """Start ``work`` at a steady rate, however long it takes, until told to stop."""
    began = time.monotonic()
    number = 0
    while not stop.is_set():
        pool.submit(work, number)
        number += 1
        stop.wait(max(0.0, began + number / per_second - time.monotonic()))


def serve(
    folder: Path,
    load_balancer: str | None,
    endpoints: Sequence[str],
    rate: float,
    seconds: float,
    stop: threading.Event,
) -> None:
    """Send requests until told to stop, or for ``seconds``; the summary then says when it ended."""
    socket.setdefaulttimeout(WEB_TIMEOUT)
    record = Record(folder)
    record.write_summary(None)
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(AT_ONCE) as web, ThreadPoolExecutor(AT_ONCE) as etcd:
        paces = []
        if load_balancer is not None:
            address = load_balancer
            paces.append(threading.Thread(target=pace, args=(web, rate, stop, lambda _number: visit(record, address))))
        if endpoints:
            write = lambda number: write_and_read(record, endpoints, number)  # noqa: E731
            paces.append(threading.Thread(target=pace, args=(etcd, ETCD_WRITES_PER_SECOND, stop, write)))
        for thread in paces:
            thread.start()
        while not stop.wait(1):
            record.write_summary(None)
            if time.monotonic() > deadline:
                stop.set()
        for thread in paces:
            thread.join()
    record.write_summary(now())
