# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where reports arrive, on loopback: a mail server with STARTTLS, an object store, and the webhooks of two services.

The mail server is aiosmtpd and the store moto, with its IAM; only the webhooks are invented here, after what Slack and
Microsoft document.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import boto3
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from ansible_collections.bankops.fleet.tests.fakes.authority import Authority

USER, PASSWORD = "fleet", "correct-horse"
HOST = "127.0.0.1"


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.create_server((HOST, 0)) as found:
        return int(found.getsockname()[1])


@dataclass
class Mailbox:
    """What a mail server took, and what it refuses: ``nobody@`` for ever, ``greylisted@`` the first time."""

    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    passwords: list[bytes] = field(default_factory=list)
    nobody_exists: bool = True
    port: int = 0
    _seen: Counter[str] = field(default_factory=Counter)

    def to(self, address: str) -> list[EmailMessage]:
        """The mails that were handed over for an address."""
        return [mail for recipients, mail in self.mails if address in recipients]

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self._seen[address] += 1
        if address.startswith("nobody@") and self.nobody_exists:
            return "550 5.1.1 <b>no such user</b> here"
        if address.startswith("greylisted@") and self._seen[address] == 1:
            return "451 4.7.1 greylisted, come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert session.ssl is not None, "a report came in clear text"
        mail = message_from_bytes(cast("bytes", envelope.content), policy=SMTP)
        self.mails.append((list(envelope.rcpt_tos), mail))
        return "250 taken"

    def check(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        """Whether a password is right; all that were seen are remembered."""
        self.passwords.append(given.password)
        return AuthResult(success=(given.login, given.password) == (USER.encode(), PASSWORD.encode()), handled=False)


@contextmanager
def mail_server(authority: Authority | None) -> Iterator[Mailbox]:
    """A mail server that wants STARTTLS and a password; without an authority it has no TLS to offer."""
    mailbox = Mailbox(port=free_port())
    tls = {"tls_context": authority.context, "require_starttls": True} if authority else {"auth_require_tls": False}
    controller = Controller(mailbox, hostname=HOST, port=mailbox.port, authenticator=mailbox.check, **tls)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@contextmanager
def silent_server() -> Iterator[int]:
    """A server that takes connections and never says a word; its port."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


@dataclass
class Webhooks:
    """What came to the webhooks, by path. ``busy`` is that the first time, ``broken`` until it is mended."""

    bodies: dict[str, list[Any]] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    broken: bool = True
    port: int = 0

    def answer(self, path: str, content_type: str, body: bytes) -> tuple[int, dict[str, str], str]:
        """Status, headers and text for a request."""
        first = path not in self.bodies
        self.bodies.setdefault(path, []).append(json.loads(body))
        self.times.setdefault(path, []).append(time.monotonic())
        if content_type != "application/json":
            return 400, {}, "invalid_payload"
        if "busy" in path and first:
            return 429, {"Retry-After": "2"}, "rate_limited"
        if "broken" in path and self.broken:
            return 500, {}, f"{path} <script>is broken</script>"
        if "elsewhere" in path:
            return 302, {"Location": "http://127.0.0.1:9/"}, ""
        return (202, {}, "") if path.startswith("/workflows/") else (200, {}, "ok")


@contextmanager
def webhook_server(authority: Authority) -> Iterator[Webhooks]:
    """The webhooks, over TLS."""
    webhooks = Webhooks()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, text = webhooks.answer(self.path, self.headers["Content-Type"], body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.socket = authority.context.wrap_socket(server.socket, server_side=True)
    webhooks.port = server.server_port
    with _serving(server):
        yield webhooks


@dataclass
class Store:
    """An object store. ``faults`` are statuses that the next requests to put an object with this in its key get."""

    url: str = ""
    ca_file: str = ""
    faults: dict[str, list[int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def furnish(self, buckets: Iterable[str], policy: dict[str, Any]) -> dict[str, str]:
        """Make buckets, and a user who may do what ``policy`` says, which is enforced from here on; the user's keys."""
        s3, iam = self._client("s3"), self._client("iam")
        for bucket in buckets:
            s3.create_bucket(Bucket=bucket)
        iam.create_user(UserName="fleet")
        iam.put_user_policy(UserName="fleet", PolicyName="reports", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName="fleet")["AccessKey"]
        _enforce(True)
        return {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}

    def objects(self, bucket: str) -> dict[str, bytes]:
        """What is in a bucket, for whoever may look at everything."""
        _enforce(False)
        s3 = self._client("s3")
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        found = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
        _enforce(True)
        return found

    def _client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin"}
        return boto3.client(service, region_name="us-east-1", endpoint_url=self.url, verify=self.ca_file, **keys)

    def fault_of(self, method: str, path: str) -> int | None:
        """Remember a request; the status that it shall get instead of its answer."""
        self.asked.append(f"{method} {path}")
        for part, statuses in self.faults.items():
            if method == "PUT" and part in path and statuses:
                return statuses.pop(0)
        return None


def _enforce(yes: bool) -> None:
    """Whether moto, which runs in this process, checks signatures and policies."""
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0.0 if yes else float("inf")
    ActionAuthenticatorMixin.request_count = 0


@contextmanager
def object_store(authority: Authority) -> Iterator[Store]:
    """moto's S3 and IAM over TLS."""
    moto = DomainDispatcherApplication(create_backend_app)
    store = Store(ca_file=str(authority.ca_file))

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        fault = store.fault_of(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if fault is None:
            return cast("Iterable[bytes]", moto(environ, start))
        # As S3 says it (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start(f"{fault} Slow Down", [("Content-Type", "application/xml")])
        return [b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"]

    server = make_server(HOST, 0, application, threaded=True, ssl_context=authority.context)
    store.url = f"https://{HOST}:{server.server_port}"
    try:
        with _serving(server):
            yield store
    finally:
        # The setting is the process's, and the tests that follow in it have none of these users.
        _enforce(False)


@contextmanager
def _serving(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
