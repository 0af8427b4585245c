# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fake over real HTTPS on loopback, or HTTP as a machine's metadata service has it.

What Azure's own libraries could not have asked fails the test.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.bankops.fleet.tests.fakes.clouds.azure import answers
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import Answer, Azure
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.table import SKIP, operation

_TENANT = re.compile(r"/(?P<tenant>[^/]+)(?P<rest>/oauth2/v2\.0/token|/v2\.0/\.well-known/openid-configuration)")
_NO_SUCH = Answer(404, {"error": {"code": "NotFound", "message": "no such path"}})
_REFUSED = Answer(400, {"error": {"code": "BadRequest", "message": "the fake's test fails for this request"}})


Answering = Callable[[Azure, BaseHTTPRequestHandler, str, bytes], Answer]


@contextmanager
def serving(
    azure: Azure,
    context: ssl.SSLContext | None,
    *,
    tunnel: ssl.SSLContext | None = None,
    answering: Answering | None = None,
) -> Iterator[str]:
    """The cloud at the URL that is given, as long as the context lasts.

    With ``tunnel`` it is a proxy, behind which the cloud is under all names that the certificate has. Raises
    AssertionError at its end when somebody asked what the real one would not have understood.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(azure, context, tunnel, answering or answer_to)) as server:
        # Who hangs is not waited for.
        server.daemon_threads, server.block_on_close = True, False
        if context:
            # The handshake is made where the request is read, so that a client that breaks it off disturbs nobody.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
    assert azure.violations == []


def _handler(
    azure: Azure, context: ssl.SSLContext | None, tunnel: ssl.SSLContext | None, answering: Answering
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        secured = context is not None
        protocol_version = "HTTP/1.1"
        # Head and body in one piece: otherwise the second waits until the first is acknowledged.
        wbufsize = -1

        def handle(self) -> None:
            # Who does not trust the certificate goes away in the middle.
            with suppress(ConnectionError, ssl.SSLError):
                super().handle()

        def do_CONNECT(self) -> None:
            """Be the server that the tunnel leads to."""
            if tunnel is None:
                self.send_error(501)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            self.connection = tunnel.wrap_socket(self.connection, server_side=True)
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
            self.secured, self.close_connection = True, False

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = answering(azure, self, f"http{'s' if self.secured else ''}://{self.headers['Host']}", content)
            for spoil in azure.faults:
                spoiled = spoil(self.path.replace("%24", "$"), answer)
                if spoiled is not None:
                    answer = spoiled
                    break
            self._send(answer)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def _send(self, answer: Answer) -> None:
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            headers = dict(answer.headers)
            part = body[: len(body) // 2] if headers.pop("X-Cut", "") else body
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(part)
            if part != body:
                self.close_connection = True

        def log_message(self, *_arguments: object) -> None:
            """Tests print enough."""

    return Handler


def answer_to(azure: Azure, request: BaseHTTPRequestHandler, base: str, content: bytes) -> Answer:
    """The answer to a request; ``base`` is the URL by which the server was asked."""
    parts = urlsplit(request.path)
    asked = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(asked)
    if parts.path == "/metadata/identity/oauth2/token":
        return answers.machine_token(azure, query, dict(request.headers))
    if parts.path == "/common/discovery/instance":
        return answers.discovery(base)
    if issuer := _TENANT.fullmatch(parts.path):
        if issuer["rest"].endswith("token"):
            return answers.token(azure, issuer["tenant"], dict(parse_qsl(content.decode())))
        return answers.authority(base, issuer["tenant"])
    found = operation(request.command, parts.path)
    if found is None:
        azure.violations.append(f"{request.command} {parts.path} is no operation of the API")
        return _NO_SUCH
    its, path = found
    faults = list(its.faults({name: [value for each, value in asked if each == name] for name in query}))
    if SKIP in query and answers.link_of(parts.path, query) not in azure.links:
        faults.append(f"{request.path} is no link that was given out")
    azure.violations += [f"{its.name}: {each}" for each in faults]
    azure.calls.append((its.name, path.get("subscription_id", "")))
    if faults:
        return _REFUSED
    refused = answers.unauthorized(azure, request.headers.get("Authorization", ""))
    if refused:
        return refused
    answer = answers.listing(azure, its, path, query, f"{base}{parts.path}")
    if answer.status == 200:
        azure.violations += [f"the fake itself: {each}" for each in its.answer_faults(answer.body)]
    return answer
