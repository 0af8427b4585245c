# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Google Cloud of our own over real HTTP on loopback: as a server, and as the proxy that leads to googleapis.com."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.google import Reply, Request


class Answering(Protocol):
    """What stands behind the server: the APIs, or a record of their answers."""

    url: str

    def reply(self, request: Request) -> Reply:
        """The answer to a request."""


_Answering = TypeVar("_Answering", bound=Answering)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two packets, and nobody shall wait for the second.
    disable_nagle_algorithm = True
    google: Answering
    certificate: ssl.SSLContext | None
    closing: threading.Event
    tunnel = ""

    def do_CONNECT(self) -> None:
        """Be the server that the tunnel leads to."""
        if self.certificate is None:
            self.send_error(501)
            return
        self.tunnel = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        try:
            self.connection = self.certificate.wrap_socket(self.connection, server_side=True)
        except OSError:
            # Whoever does not trust the certificate hangs up.
            self.close_connection = True
            return
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer(self.headers.get("X-HTTP-Method-Override", "POST"))

    def _answer(self, verb: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        query = parts.query
        if verb != self.command:
            # So the library sends what is too long for an address.
            query, body = body.decode(), b""
        host = self.tunnel or str(self.headers.get("Host", ""))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        reply = self.google.reply(Request(verb, host, bool(self.tunnel), parts.path, query, token, body))
        if reply.how == "hang":
            self.closing.wait()
        try:
            self._send(reply)
        except OSError:
            # Whoever waited no longer has hung up.
            self.close_connection = True

    def _send(self, reply: Reply) -> None:
        content = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
        headers = {"Content-Type": "application/json; charset=UTF-8", **reply.headers}
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            content, headers["Content-Encoding"] = gzip.compress(content, 1), "gzip"
        if reply.how:
            self.close_connection = True
        self.send_response(reply.status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if reply.how else content)

    def log_message(self, *_arguments: object) -> None:
        """Tests print enough."""


@contextmanager
def serving(google: _Answering, certificate: ssl.SSLContext | None = None) -> Iterator[_Answering]:
    """The APIs at ``google.url``, as long as the context lasts.

    With a certificate for ``*.googleapis.com`` that is also the proxy by which they have their own names.
    """
    closing = threading.Event()
    handler = type("Handler", (_Handler,), {"google": google, "certificate": certificate, "closing": closing})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        google.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield google
        finally:
            closing.set()
            server.shutdown()
            thread.join()
