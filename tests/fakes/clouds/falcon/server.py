# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fake over real HTTP, or HTTPS, on loopback. What falconpy's table does not know fails the test."""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.console import Answer, Console
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.table import Operation, operation

NO_SUCH = Answer(404, {"meta": {}, "errors": [{"code": 404, "message": "404: Page Not Found"}]})
REFUSED = Answer(400, {"meta": {}, "errors": [{"code": 400, "message": "the fake's test fails for this request"}]})
_FORM = "application/x-www-form-urlencoded"


@contextmanager
def serving(console: Console, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """The console's API at the URL that is given, as long as the context lasts.

    Raises AssertionError at its end when somebody asked what the real API would not have understood.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(console)) as server:
        # Who hangs is not waited for.
        server.daemon_threads, server.block_on_close = True, False
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
    assert console.violations == []


def _handler(console: Console) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            answer = _answer(console, self.command, parts.path, parts.query, content, dict(self.headers))
            for spoil in console.faults:
                spoiled = spoil(parts.path, answer)
                if spoiled is not None:
                    answer = spoiled
                    break
            self._send(answer)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def _send(self, answer: Answer) -> None:
            body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            headers = {
                "Content-Type": answer.kind,
                "Content-Length": str(len(body.encode())),
                "X-Cs-Traceid": "0a1b2c3d",
                "X-Ratelimit-Limit": "6000",
                "X-Ratelimit-Remaining": str(6000 - len(console.calls)),
                **answer.headers,
            }
            # Whoever waited has gone.
            with suppress(ConnectionError):
                self.send_response(answer.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

        def log_message(self, *_arguments: object) -> None:
            """Tests print enough."""

    return Handler


def _answer(console: Console, method: str, path: str, query: str, content: bytes, headers: Mapping[str, str]) -> Answer:
    found = operation(method, path)
    if found is None:
        console.violations.append(f"{method} {path} is no operation of the API")
        return NO_SUCH
    asked, is_form = parse_qs(query, keep_blank_values=True), headers.get("Content-Type") == _FORM
    form = parse_qs(content.decode(), keep_blank_values=True) if is_form else {}
    body = json.loads(content) if content and not is_form else None
    faults = list(found.faults(asked, form, body))
    console.violations += [f"{found.name}: {fault}" for fault in faults]
    console.calls.append(found.name)
    if faults:
        return REFUSED
    return _performed(console, found, _single(asked), _single(form), headers.get("Authorization", ""))


def _performed(
    console: Console, asked: Operation, query: Mapping[str, str], form: Mapping[str, str], authorization: str
) -> Answer:
    """What the console says to an operation that the table allows. One that it does not have is a violation as well."""
    if asked.name == "oauth2AccessToken":
        return console.token(form)
    if asked.name == "oauth2RevokeToken":
        client = console.client
        basic = b64encode(f"{client.client_id}:{client.secret}".encode()).decode()
        # falconpy writes the scheme in lower case.
        return console.revoke(form) if authorization.lower() == f"basic {basic}".lower() else Answer(401, {"meta": {}})
    readers: dict[str, tuple[str, Any]] = {"CombinedDevicesByFilter": ("Hosts: Read", console.combined_devices)}
    if asked.name not in readers:
        console.violations.append(f"{asked.name} is not in the fake")
        return NO_SUCH
    scope, read = readers[asked.name]
    granted = console.granted(authorization.removeprefix("Bearer "), scope)
    answer: Answer = granted if isinstance(granted, Answer) else read(granted, query)
    return answer


def _single(values: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: given[0] for name, given in values.items()}
