# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AWX of our own: the part of its REST API (24.6) that tells of workflow jobs, over real HTTP.

It wants its token, answers in pages, and fails as it was told to: ``troubles`` are statuses of the next answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 2
EDGES = ("success_nodes", "failure_nodes", "always_nodes")
_NODES = re.compile(r"/api/v2/workflow_jobs/(\d+)/workflow_nodes/")
_GATEWAY = "<html><body><h1>502 Bad Gateway</h1></body></html>"


class FakeAwx:
    """One workflow job with its nodes. Times are seconds of a minute of their own."""

    def __init__(self, token: str = "t0ken-of-a-job", launched_by: str = "olivia") -> None:  # noqa: S107
        self.token, self.url = token, ""
        self.troubles: list[int | str] = []
        self.asked: list[str] = []
        self.users = {"olivia": 1, "alice": 2}
        self.nodes: list[dict[str, Any]] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self._seconds = 0
        user = self._user(launched_by)
        launcher = {"id": user["id"], "name": user["username"], "type": "user", "url": f"/api/v2/users/{user['id']}/"}
        self.workflow = {"id": 7, "status": "running", "launched_by": launcher, "summary_fields": {"created_by": user}}
        self.objects["/api/v2/workflow_jobs/7/"] = self.workflow

    # What people and playbooks do

    def node(self, *parents: dict[str, Any], identifier: str = "", edge: str = "success_nodes") -> dict[str, Any]:
        """A node that runs after its parents."""
        number = 100 + len(self.nodes)
        node: dict[str, Any] = {"id": number, "identifier": identifier or f"node-{number}", "job": None}
        node.update({name: [] for name in EDGES}, summary_fields={})
        for parent in parents:
            parent[edge].append(number)
        self.nodes.append(node)
        return node

    def run(self, node: dict[str, Any], artifacts: Any = None, status: str = "successful") -> dict[str, Any]:
        """The job of a node, ended unless it is ``running``."""
        job = self._start(node, "job", status)
        job["artifacts"] = artifacts if artifacts is not None else {}
        job["summary_fields"]["source_workflow_job"] = {"id": 7, "status": "running", "type": "workflow_job"}
        return job

    def decide(self, node: dict[str, Any], user: str | None, status: str = "successful") -> dict[str, Any]:
        """The approval of a node, decided by ``user``."""
        approval = self._start(node, "workflow_approval", status)
        approval["timed_out"] = False
        if user is not None:
            approval["summary_fields"]["approved_or_denied_by"] = self._user(user)
        return approval

    def _start(self, node: dict[str, Any], kind: str, status: str) -> dict[str, Any]:
        number = 1000 + node["id"]
        node["job"] = number
        node["summary_fields"]["job"] = {"id": number, "status": status, "type": kind}
        self._seconds += 1
        finished = None if status == "running" else f"2026-11-24T10:00:{self._seconds:02}.123456Z"
        started = {"id": number, "type": kind, "status": status, "finished": finished, "summary_fields": {}}
        self.objects[f"/api/v2/{kind}s/{number}/"] = started
        return started

    def _user(self, name: str) -> dict[str, Any]:
        return {"id": self.users.setdefault(name, 10 + len(self.users)), "username": name}

    # The API

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Status and body of a GET."""
        if _NODES.fullmatch(path) and path.split("/")[4] == str(self.workflow["id"]):
            return 200, self._page(path, query)
        found = self.objects.get(path)
        return (200, found) if found else (404, {"detail": "Not found."})

    def _page(self, path: str, query: dict[str, list[str]]) -> dict[str, Any]:
        number = int(query.get("page", ["1"])[0])
        first, last = (number - 1) * PAGE, number * PAGE
        following = f"{path}?order_by=id&page={number + 1}&page_size={PAGE}" if last < len(self.nodes) else None
        return {"count": len(self.nodes), "next": following, "results": self.nodes[first:last]}


@contextmanager
def serving(awx: FakeAwx) -> Iterator[FakeAwx]:
    """The API on a port of its own, as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            awx.asked.append(self.path)
            trouble = awx.troubles.pop(0) if awx.troubles else None
            if isinstance(trouble, str):
                self._send(200, trouble, "text/html")
            elif trouble == 302:
                self._send(302, "", "text/html", Location=f"http://localhost:1{self.path}")
            elif trouble is not None:
                self._send(trouble, _GATEWAY, "text/html", **{"Retry-After": "1"} if trouble == 429 else {})
            elif self.headers.get("Authorization") != f"Bearer {awx.token}":
                self._send(401, json.dumps({"detail": "Authentication credentials were not provided."}))
            else:
                parts = urlsplit(self.path)
                status, body = awx.answer(parts.path, parse_qs(parts.query))
                self._send(status, json.dumps(body))

        def _send(self, status: int, body: str, kind: str = "application/json", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: object) -> None:
            """Tests print enough."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        awx.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield awx
        finally:
            server.shutdown()
            thread.join()
