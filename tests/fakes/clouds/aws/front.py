# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands before a fake AWS: it notes every call, holds it against what AWS allows, and has faults.

Behind it is a WSGI application that answers: moto, or recorded answers.
"""

from __future__ import annotations

import io
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from werkzeug.serving import WSGIRequestHandler, make_server

HOST = "127.0.0.1"
Environ: TypeAlias = dict[str, Any]
Start: TypeAlias = Callable[..., Any]
Application: TypeAlias = Callable[[Environ, Start], Iterable[bytes]]

# Calls that may be made, and the bounds of MaxResults as their documentation has them.
READS: Mapping[str, tuple[int, int] | None] = {
    "ec2:DescribeInstances": (5, 1000),
    "ec2:DescribeRegions": None,
    "organizations:ListAccounts": (1, 20),
    "ssm:DescribeInstanceInformation": (5, 50),
    "sts:AssumeRole": None,
    "sts:GetCallerIdentity": None,
}
FURNISHER = "bankops-furnisher"
"""In the name of the agent of who fills a fake: its calls are neither noted nor refused."""


@dataclass(frozen=True)
class Call:
    """A request as it was understood."""

    name: str
    """As in a policy: ``ec2:DescribeInstances``."""
    access_key: str
    region: str
    parameters: Mapping[str, Any]

    @property
    def service(self) -> str:
        """The service, as signatures name it."""
        return self.name.partition(":")[0]


@dataclass
class Fault:
    """What happens to requests instead of their answer: an error, other bytes, silence, or an end of the connection."""

    call: str = ""
    region: str = ""
    access_key: str = ""
    """Whose requests; empty for everybody's."""
    times: float = 1
    after: int = 0
    """So many requests that fit are answered first."""
    code: str = ""
    message: str = "as the test wants it"
    status: int = 400
    headers: Mapping[str, str] = field(default_factory=dict)
    change: Callable[[bytes], bytes] | None = None
    """What becomes of the body of a right answer."""
    hangs: bool = False
    resets: bool = False

    def hits(self, call: Call) -> bool:
        """Whether this request is struck; it is counted."""
        own = ((self.call, call.name), (self.region, call.region), (self.access_key, call.access_key))
        if any(wanted and wanted != found for wanted, found in own) or self.times <= 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


def throttled(times: float, call: str = "ec2:DescribeInstances", **more: Any) -> Fault:
    """As EC2 says that it was asked too often."""
    return Fault(call, times=times, code="RequestLimitExceeded", status=503, **more)


@dataclass
class Front:
    """The WSGI application before the one that answers."""

    answers: Application
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    """What AWS would not have taken; a fixture asserts that there is nothing."""
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def count(self, name: str = "") -> int:
        """How often a call was made; how many calls there were at all."""
        return sum(1 for call in self.calls if name in ("", call.name))

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if FURNISHER in environ.get("HTTP_USER_AGENT", ""):
            return self.answers(environ, start)
        call = understood(environ, body)
        self.calls.append(call)
        self.violations += violations(call)
        for fault in self.faults:
            if fault.hits(call):
                return self._strike(fault, call, environ, start)
        return self.answers(environ, start)

    def _strike(self, fault: Fault, call: Call, environ: Environ, start: Start) -> Iterable[bytes]:
        if fault.hangs:
            self.released.wait()
        if fault.hangs or fault.resets:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return []
        if fault.change:
            said: list[Any] = []
            body = fault.change(b"".join(self.answers(environ, lambda *line: said.extend(line))))
            start(said[0], [(name, value) for name, value in said[1] if name.lower() != "content-length"])
            return [body]
        return refusal(call.service, fault.code, fault.message, start, status=fault.status, headers=fault.headers)


def understood(environ: Environ, body: bytes) -> Call:
    """The call that a request is."""
    found = re.match(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    if not found:
        return Call("unsigned:request", "", "", {})
    access_key, region, service = found.groups()
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return Call(f"{service}:{target.rpartition('.')[2]}", access_key, region, json.loads(body))
    parameters = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    return Call(f"{service}:{parameters.get('Action', '')}", access_key, region, parameters)


def violations(call: Call) -> Iterator[str]:
    """What AWS would not take of a call."""
    if call.name not in READS:
        yield f"{call.name} is not among the calls that a reader of an inventory makes"
        return
    bounds, wanted = READS[call.name], call.parameters.get("MaxResults")
    if bounds and wanted is not None and not bounds[0] <= int(wanted) <= bounds[1]:
        yield f"{call.name}: MaxResults {wanted} is not within {bounds}"


def refusal(
    service: str, code: str, message: str, start: Start, *, status: int = 400, headers: Mapping[str, str] | None = None
) -> Iterable[bytes]:
    """An error in the words of a service's protocol."""
    if service in ("ssm", "organizations"):
        kind, text = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    else:
        error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        within = f"<Errors>{error}</Errors>" if service == "ec2" else error
        outer = "Response" if service == "ec2" else "ErrorResponse"
        kind, text = (
            "text/xml",
            f"<{outer}>{within}<RequestID>00000000-0000-4000-8000-000000000000</RequestID></{outer}>",
        )
    start(f"{status} refused", [("Content-Type", kind), *(headers or {}).items()])
    return [text.encode()]


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serving(front: Front, context: ssl.SSLContext | None = None) -> Iterator[Front]:
    """The front on a port of loopback, over TLS with a context."""
    server = make_server(HOST, 0, front, threaded=True, request_handler=_Silent, ssl_context=context)
    server.daemon_threads = True  # type: ignore[attr-defined]
    front.url = f"{'https' if context else 'http'}://{HOST}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        front.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
