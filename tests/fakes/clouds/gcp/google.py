# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Google's APIs in front of a cloud of our own: what they admit, what they answer, and what goes wrong on the way.

Every request is held against the discovery document that comes with google-api-python-client; what does not fit is
refused and noted in ``violations``, which a test asserts to be empty.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp import fields
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.answers import METHODS, Call, RefusalError
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.discovery import Method, document
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.state import Cloud
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.tokens import Tokens

LIST_INSTANCES = "compute.instances.aggregatedList"
TOKEN = "oauth2.token"  # noqa: S105
# The pages of the REST reference admit it besides what the discovery document names, and google-auth uses it.
_ADMITTED = {"iamcredentials": "https://www.googleapis.com/auth/iam"}
APIS = (("compute", "v1"), ("cloudresourcemanager", "v3"), ("iamcredentials", "v1"))


@dataclass
class Trouble:
    """What goes wrong with the next calls of a method: a status, or a way to answer that is none."""

    what: int | str
    """``malformed`` is a page of a portal, ``cut`` ends in the middle, ``hang`` never comes."""
    reason: str = "backendError"
    method: str = LIST_INSTANCES
    project: str = ""
    """Only calls for it, unless empty."""
    times: int = 1
    spare: int = 0
    """So many calls go well before."""
    retry_after: str = ""


@dataclass(frozen=True)
class Request:
    """A request as it arrived; ``proxied`` where it came through us as the proxy to its host."""

    verb: str
    host: str
    proxied: bool
    path: str
    query: str
    token: str
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer: JSON, or a text that is none. ``how`` is empty, ``cut`` or ``hang``."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    how: str = ""


@dataclass(frozen=True)
class Asked:
    """A call that arrived."""

    host: str
    proxied: bool
    method: str
    parameters: Mapping[str, Any]
    account: str


@dataclass
class FakeGoogle:
    """The cloud, the APIs in front of it, and what was asked of them. Later parts add to ``methods`` and ``apis``."""

    cloud: Cloud = field(default_factory=Cloud)
    tokens: Tokens = field(default_factory=Tokens)
    apis: tuple[tuple[str, str], ...] = APIS
    methods: dict[str, Callable[[Call], dict[str, Any]]] = field(default_factory=lambda: dict(METHODS))
    troubles: list[Trouble] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.methods["iamcredentials.projects.serviceAccounts.generateAccessToken"] = self.tokens.lend
        self._lock = threading.Lock()

    def calls(self, method: str = LIST_INSTANCES, **parameters: Any) -> list[Asked]:
        """The calls of a method with these parameters, and any others."""
        return [
            call for call in self.asked if call.method == method and parameters.items() <= dict(call.parameters).items()
        ]

    def reply(self, request: Request) -> Reply:
        """What the APIs answer."""
        try:
            if (request.verb, request.path) == ("POST", "/token"):
                return self._token(request)
            return self._answer(request)
        except RefusalError as refusal:
            return Reply(refusal.status, refusal.body)

    def _token(self, request: Request) -> Reply:
        self.asked.append(Asked(request.host, request.proxied, TOKEN, {}, ""))
        return self._in_trouble(TOKEN, {}) or Reply(200, self.tokens.grant(parse_qs(request.body.decode())))

    def _answer(self, request: Request) -> Reply:
        method, in_path = self._method(request)
        parameters, wrong = method.parameters(in_path, parse_qs(request.query, keep_blank_values=True))
        body = json.loads(request.body) if request.body else None
        wrong += method.body_faults(body)
        selected: fields.Selection = {}
        if "fields" in parameters:
            try:
                selected = fields.selection(parameters["fields"])
                fields.check(selected, method.answer, method.document)
            except fields.SelectionError as problem:
                wrong.append(f"{method.id}: fields: {problem}")
        account = self._account(method, request.token)
        self.asked.append(Asked(request.host, request.proxied, method.id, parameters, account))
        if wrong:
            self.violations += wrong
            raise RefusalError(400, "invalid", wrong[0])
        project = self.cloud.projects.get(parameters.get("project", ""))
        time.sleep(project.latency if project else 0)
        if trouble := self._in_trouble(method.id, parameters):
            return trouble
        if method.id not in self.methods:
            self.violations.append(f"{method.id}: not played here")
            raise RefusalError(501, "notImplemented", "Not Implemented")
        answer = self.methods[method.id](Call(self.cloud, account, parameters, body))
        self.violations += [f"the fake itself: {fault}" for fault in method.answer_faults(answer)]
        return Reply(200, fields.select(answer, selected))

    def _method(self, request: Request) -> tuple[Method, dict[str, str]]:
        for api in self.apis:
            if found := document(*api).find(request.verb, request.path):
                method, in_path = found
                return method, {name: unquote(value) for name, value in in_path.items()}
        self.violations.append(
            f"{request.verb} {request.path}: no method of {', '.join(name for name, _ in self.apis)}"
        )
        raise RefusalError(404, "notFound", "Not Found")

    def _account(self, method: Method, text: str) -> str:
        """Whose token it is. Raises RefusalError for one that is not known, or opens too little."""
        token = self.tokens.issued.get(text)
        if token is None:
            raise RefusalError(401, "authError", "Request had invalid authentication credentials.")
        admitted = method.access | {_ADMITTED.get(method.id.partition(".")[0], "")}
        if method.access and not admitted & token.access:
            message = "Request had insufficient authentication scopes."
            raise RefusalError(403, "insufficientPermissions", message, "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
        return token.account

    def _in_trouble(self, method: str, parameters: Mapping[str, Any]) -> Reply | None:
        """What a call runs into, which is one less for the next."""
        trouble = self._take_trouble(method, parameters)
        if trouble is None:
            return None
        if isinstance(trouble.what, int):
            refusal = RefusalError(trouble.what, trouble.reason, f"Trouble: {trouble.reason}")
            return Reply(
                trouble.what, refusal.body, {"Retry-After": trouble.retry_after} if trouble.retry_after else {}
            )
        if trouble.what == "malformed":
            return Reply(200, "<html><body>Please log in</body></html>")
        return Reply(200, "", how=trouble.what)

    def _take_trouble(self, method: str, parameters: Mapping[str, Any]) -> Trouble | None:
        with self._lock:
            for trouble in self.troubles:
                if trouble.method != method or trouble.project not in ("", parameters.get("project", "")):
                    continue
                if trouble.spare:
                    trouble.spare -= 1
                    continue
                trouble.times -= 1
                if not trouble.times:
                    self.troubles.remove(trouble)
                return trouble
        return None
