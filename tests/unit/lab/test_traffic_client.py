# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The traffic client retries nothing in secret, and writes every failure down."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.lab import traffic_client
from ansible_collections.bankops.fleet.lab.traffic_client import Record, visit, write_and_read


class Endpoint:
    """A server that keeps values as etcd's JSON gateway does, shared by all endpoints of ``values``."""

    def __init__(self, values: dict[str, str], status: int = 200) -> None:
        self.requests: list[str] = []
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer({})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/put") and status == 200:
                    values[body["key"]] = body["value"]
                self.answer({"kvs": [{"value": values.get(body["key"])}]})

            def answer(self, body: dict[str, Any]) -> None:
                endpoint.requests.append(self.path)
                encoded = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def values() -> dict[str, str]:
    return {}


@pytest.fixture
def good(values: dict[str, str]) -> Iterator[Endpoint]:
    endpoint = Endpoint(values)
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


@pytest.fixture
def failing(values: dict[str, str]) -> Iterator[Endpoint]:
    endpoint = Endpoint(values, status=503)
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


@pytest.fixture
def closed() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path)


def events(record: Record) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (record.folder / "events.jsonl").read_text().splitlines()]


def test_a_request_that_is_answered_counts_once(record: Record, good: Endpoint) -> None:
    visit(record, good.address)
    assert (record.counts["requests"], record.counts["failed"]) == (1, 0)


def test_a_failing_answer_is_a_failed_request_and_is_not_sent_again(record: Record, failing: Endpoint) -> None:
    visit(record, failing.address)
    assert (record.counts["requests"], record.counts["failed"]) == (1, 1)
    assert failing.requests == ["/"]
    assert events(record)[0]["reason"] == "status 503"


def test_a_refused_connection_is_a_failed_request_with_its_time_and_reason(record: Record, closed: str) -> None:
    visit(record, closed)
    (event,) = events(record)
    assert event["event"] == "failed"
    assert "ConnectionRefusedError" in event["reason"]
    assert event["time"].endswith("Z")


def test_a_write_goes_to_the_next_endpoint_and_the_change_is_recorded(
    record: Record, good: Endpoint, failing: Endpoint, closed: str, values: dict[str, str]
) -> None:
    write_and_read(record, [failing.address, closed, good.address], number=0)
    assert (record.counts["etcd_writes"], record.counts["etcd_failed"]) == (1, 0)
    assert record.counts["failovers"] == 3  # the write met both, and the read, which begins one further, the second
    assert list(values.values()) == [base64.b64encode(b"0").decode()]


def test_a_write_that_no_endpoint_takes_in_time_has_failed(
    record: Record, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_client, "ETCD_DEADLINE", 0.2)
    write_and_read(record, [closed], number=1)
    assert (record.counts["etcd_writes"], record.counts["etcd_failed"]) == (1, 1)
    assert events(record)[-1]["event"] == "etcd_failed"


def test_a_value_that_is_not_read_back_has_failed(record: Record, good: Endpoint, values: dict[str, str]) -> None:
    other = Endpoint({})
    write_and_read(record, [good.address, other.address], number=0)
    other.server.shutdown()
    other.server.server_close()
    assert record.counts["etcd_failed"] == 1
    assert "read None after writing" in events(record)[-1]["reason"]


def test_the_summary_says_whether_the_client_has_ended(record: Record) -> None:
    record.write_summary(None)
    assert json.loads((record.folder / "summary.json").read_text())["ended"] is None
    record.write_summary("2026-11-21T00:00:00Z")
    assert json.loads((record.folder / "summary.json").read_text())["ended"] == "2026-11-21T00:00:00Z"
