# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real servers on loopback for the health checks to ask."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Route = Callable[[BaseHTTPRequestHandler], None]


def answer(handler: BaseHTTPRequestHandler, status: int, body: str = "", **headers: str) -> None:
    """Send one whole answer."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body.encode())))
    handler.end_headers()
    handler.wfile.write(body.encode())


def no_such_page(handler: BaseHTTPRequestHandler) -> None:
    """What an unknown path gets."""
    answer(handler, 404, "no such page")


class Server:
    """An HTTP server whose routes a test sets; a path without a route is 404."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.seen: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                outer.seen.append({**dict(self.headers), "path": self.path})
                outer.routes.get(self.path, no_such_page)(self)

            do_POST = do_GET  # noqa: N815 - the name the standard library looks for

            def log_message(self, *_told: Any) -> None:
                """Stay silent."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._http.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; further connections are refused."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    """A web server with a page, a redirect to it, a failure and a body that never ends."""
    web = Server()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _second in range(50):
                handler.wfile.write(b".")
                handler.wfile.flush()
                time.sleep(0.1)
        except OSError:
            return

    web.routes = {
        "/": lambda handler: answer(handler, 200, "Welcome"),
        "/moved": lambda handler: answer(handler, 302, Location="/"),
        "/elsewhere": lambda handler: answer(handler, 302, Location="ftp://127.0.0.1/"),
        "/failure": lambda handler: answer(handler, 503, "out of order"),
        "/drip": drip,
    }
    yield web
    web.stop()


class EtcdMember:
    """One member, answering in the shapes that etcd 3.4.23 of Debian 12 was seen to answer in."""

    def __init__(self, cluster: EtcdCluster, number: int) -> None:
        self.cluster = cluster
        self.number = number
        self.identity = str(1000 + number)
        self.lag = 0
        self.sees_leader: str | None = None
        self.learner = False
        self.server = Server()
        self.server.routes = {
            "/health": self._health,
            f"/{cluster.gateway}/maintenance/status": self._status,
            f"/{cluster.gateway}/cluster/member/list": self._members,
        }
        self.running = True

    def stop(self) -> None:
        """Stop this member."""
        if self.running:
            self.running = False
            self.server.stop()

    def _leader(self) -> str | None:
        return self.sees_leader or self.cluster.leader()

    def _health(self, handler: BaseHTTPRequestHandler) -> None:
        healthy = self._leader() is not None and not self.cluster.alarm
        answer(handler, 200 if healthy else 503, json.dumps({"health": "true" if healthy else "false"}))

    def _header(self) -> dict[str, str]:
        return {"cluster_id": "77", "member_id": self.identity, "revision": "1", "raft_term": "2"}

    def _status(self, handler: BaseHTTPRequestHandler) -> None:
        status: dict[str, Any] = {
            "header": self._header(),
            "version": "3.4.23",
            "raftIndex": str(self.cluster.index - self.lag),
            "raftTerm": "2",
            "raftAppliedIndex": str(self.cluster.index - self.lag),
        }
        leader = self._leader()
        if leader:
            status["leader"] = leader
        else:
            status["errors"] = ["etcdserver: no leader"]
        if self.cluster.alarm:
            status.setdefault("errors", []).append(self.cluster.alarm)
        if self.learner:
            status["isLearner"] = True
        answer(handler, 200, json.dumps(status))

    def _members(self, handler: BaseHTTPRequestHandler) -> None:
        members = [{"ID": member.identity, "name": f"kv{member.number}"} for member in self.cluster.members]
        answer(handler, 200, json.dumps({"header": self._header(), "members": members}))


class EtcdCluster:
    """Members that lose their leader with their quorum, as real ones do."""

    def __init__(self, gateway: str = "v3", size: int = 3) -> None:
        self.gateway = gateway
        self.index = 5000
        self.alarm = ""
        self.members = [EtcdMember(self, number) for number in range(1, size + 1)]

    def leader(self) -> str | None:
        """The first running member leads while a majority runs."""
        running = [member for member in self.members if member.running]
        return running[0].identity if len(running) > len(self.members) // 2 else None

    @property
    def endpoints(self) -> list[str]:
        """Where the clients connect."""
        return [member.server.url for member in self.members]

    def stop(self) -> None:
        """Stop all members."""
        for member in self.members:
            member.stop()


@pytest.fixture
def cluster() -> Iterator[EtcdCluster]:
    """Three healthy members."""
    etcd = EtcdCluster()
    yield etcd
    etcd.stop()


@pytest.fixture
def old_cluster() -> Iterator[EtcdCluster]:
    """Three members of etcd 3.3, which calls its gateway v3beta."""
    etcd = EtcdCluster("v3beta")
    yield etcd
    etcd.stop()
