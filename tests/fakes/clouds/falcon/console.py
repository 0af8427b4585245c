# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Falcon of our own: its CIDs, hosts, API clients and tokens, and what they answer.

Texts of errors are those that clients in use have met; what nobody told of an unknown child CID is assumed to be what a
wrong secret is told.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.table import device_fields

CID = "0123456789abcdef0123456789abcdef"
LIFETIME = 1799

_TERM = re.compile(r"(\w+):'([^']*)'")


@dataclass
class Client:
    """An API client of the console: what it may do, and for which child CIDs."""

    client_id: str = "c11e07"
    secret: str = "s3cret-of-the-api-client"  # noqa: S105
    cid: str = CID
    scopes: set[str] = field(default_factory=lambda: {"Hosts: Read"})
    children: set[str] = field(default_factory=set)


@dataclass
class Token:
    """A token that was given out, for one CID."""

    client: Client
    cid: str
    expires: float


@dataclass(frozen=True)
class Answer:
    """What goes back over the wire."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json"


@dataclass
class Console:
    """The state of a Falcon region. A test adds devices, changes what stands here, and switches faults on."""

    region: str = "us-1"
    client: Client = field(default_factory=Client)
    devices: list[dict[str, Any]] = field(default_factory=list)
    lifetime: int = LIFETIME
    page: int = 10_000
    """The most it gives at once, if that is less than what is asked for."""
    faults: list[Callable[[str, Answer], Answer | None]] = field(default_factory=list)
    """Each is asked with the path and the answer until it has one of its own to give; then it is spent."""
    tokens: dict[str, Token] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """The operations that were asked for, in their order."""
    violations: list[str] = field(default_factory=list)
    """What no client may ask. The server raises when it ends and there are some."""
    seconds: Callable[[], float] = time.time
    _offsets: dict[str, tuple[int, str]] = field(default_factory=dict)

    # What people and sensors do

    def add(self, aid: str, **values: Any) -> dict[str, Any]:
        """A host, as a sensor reports it."""
        device = {
            "device_id": aid,
            "cid": self.client.cid,
            "hostname": f"host-{aid}",
            "agent_version": "7.29.18202.0",
            "platform_name": "Linux",
            "product_type_desc": "Server",
            "status": "normal",
            "reduced_functionality_mode": "no",
            "last_seen": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.seconds())),
            **values,
        }
        assert device.keys() <= device_fields(), device.keys() - device_fields()
        self.devices.append(device)
        return device

    def revoke_all(self) -> None:
        """Take back every token."""
        self.tokens.clear()

    # The API

    def token(self, form: Mapping[str, str]) -> Answer:
        """Answer to ``oauth2AccessToken``."""
        region = {"X-Cs-Region": self.region}
        if form["client_id"] != self.client.client_id:
            return _error(400, f"Failed to generate access token for clientID={form['client_id']}", region)
        cid = form.get("member_cid", self.client.cid)
        if form["client_secret"] != self.client.secret or cid not in {self.client.cid, *self.client.children}:
            return _error(403, "Failed to issue access token - Not Authorized", region)
        value = secrets.token_urlsafe(24)
        self.tokens[value] = Token(self.client, cid, self.seconds() + self.lifetime)
        return Answer(201, {"access_token": value, "expires_in": self.lifetime, "token_type": "bearer"}, region)

    def revoke(self, form: Mapping[str, str]) -> Answer:
        """Answer to ``oauth2RevokeToken``."""
        self.tokens.pop(form["token"], None)
        return _content([])

    def granted(self, value: str, scope: str) -> Token | Answer:
        """The grant of a token, or the answer for who has none."""
        token = self.tokens.get(value)
        if token is None or token.expires <= self.seconds():
            return _error(401, "access denied, invalid bearer token")
        return token if scope in token.client.scopes else _error(403, "access denied, scope not permitted")

    def combined_devices(self, token: Token, query: Mapping[str, str]) -> Answer:
        """Answer to ``CombinedDevicesByFilter``."""
        condition = query.get("filter", "")
        wanted = query["fields"].split(",") if "fields" in query else sorted(device_fields())
        unknown = [name for name in wanted if name not in device_fields()]
        terms = list(_terms(condition))
        if unknown or (condition and not terms):
            return _error(400, f"invalid {'fields' if unknown else 'filter'}")
        found = [device for device in self.devices if device["cid"] == token.cid and _matches(device, terms)]
        start, of_filter = self._offsets.get(query.get("offset", ""), (0, condition))
        if ("offset" in query and query["offset"] not in self._offsets) or of_filter != condition:
            return _error(400, "invalid offset")
        found.sort(key=lambda device: str(device["device_id"]))
        end = start + min(int(query.get("limit", "100")), self.page)
        paging: dict[str, Any] = {"offset": query.get("offset", ""), "total": len(found)}
        if end < len(found):
            paging["next"] = secrets.token_urlsafe(16)
            self._offsets[paging["next"]] = end, condition
        records = [{name: device[name] for name in wanted if name in device} for device in found[start:end]]
        return _content(records, paging)


def _terms(condition: str) -> Iterator[tuple[str, str]]:
    """The equalities of a filter that joins them by ``+``; nothing where it is anything else, which is refused."""
    parts = condition.split("+") if condition else []
    found = [_TERM.fullmatch(part) for part in parts]
    if all(found):
        yield from ((term[1], term[2]) for term in found if term)


def _matches(device: Mapping[str, Any], terms: list[tuple[str, str]]) -> bool:
    return all(device.get(name) == value for name, value in terms)


def _content(resources: list[Any], paging: Mapping[str, Any] | None = None) -> Answer:
    meta: dict[str, Any] = {"query_time": 0.01, "powered_by": "device-api", "trace_id": secrets.token_hex(8)}
    if paging is not None:
        meta["pagination"] = paging
    return Answer(200, {"meta": meta, "errors": [], "resources": resources})


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    meta = {"query_time": 0.001, "powered_by": "crowdstrike-api-gateway", "trace_id": secrets.token_hex(8)}
    return Answer(status, {"meta": meta, "errors": [{"code": status, "message": message}]}, headers or {})
