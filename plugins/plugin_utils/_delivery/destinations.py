# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where reports go: the destinations of the role's variables, held against its argument specification and its rules."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.specification import check

_SPECIFICATION = Path(__file__).parents[3] / "roles" / "report" / "meta" / "argument_specs.yml"

ALL = "all"
"""The word by which a destination says that it takes the reports of every tenant."""

# What RFC 5321 allows is more; nothing of that is worth a header that means something else than it seems to.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_ADDRESS = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_DOMAIN}")
_SERVER = re.compile(rf"{_DOMAIN}|[0-9A-Fa-f:]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class Kind(StrEnum):
    """How reports travel."""

    EMAIL = "email"
    S3 = "s3"
    SLACK = "slack"
    TEAMS = "teams"


WEBHOOKS = (Kind.SLACK, Kind.TEAMS)
CARRIES_FILES = (Kind.EMAIL, Kind.S3)
# Keys that mean something to one type alone; the others stand in every destination.
_OWN = {
    Kind.EMAIL: frozenset({"to", "sender", "server", "port", "tls", "max_mb"}),
    Kind.S3: frozenset({"bucket", "prefix", "region", "endpoint_url", "kms_key_id"}),
    Kind.SLACK: frozenset[str](),
    Kind.TEAMS: frozenset[str](),
}
_NEEDED = {
    Kind.EMAIL: ("to", "sender", "server"),
    Kind.S3: ("bucket", "formats"),
    Kind.SLACK: (),
    Kind.TEAMS: (),
}
# Keys of the credentials; without those of S3, boto3 looks where it always does, at a role of the machine for one.
_SECRETS = {
    Kind.EMAIL: ({"username", "password"}, {"username", "password"}),
    Kind.S3: ({"access_key", "secret_key", "session_token"}, {"access_key", "secret_key"}),
    Kind.SLACK: ({"url"}, {"url"}),
    Kind.TEAMS: ({"url"}, {"url"}),
}


@dataclass(frozen=True)
class Destination:
    """A checked destination. ``tenants`` is None where it takes those of all; ``own`` has the keys of its type.

    ``credentials`` are secret, and in no text that is made of this.
    """

    name: str
    kind: Kind
    tenants: frozenset[str] | None
    formats: tuple[str, ...]
    on_trouble_only: bool
    link: str
    ca_file: str
    own: Mapping[str, Any]
    credentials: Mapping[str, str] = field(repr=False)

    def takes(self, tenant: str) -> bool:
        """Whether it asked for the reports of this tenant."""
        return self.tenants is None or tenant in self.tenants

    @property
    def secrets(self) -> frozenset[str]:
        """What must stand in no record: of a webhook also the part of its address that gives access."""
        found = {value for key, value in self.credentials.items() if key not in ("username", "access_key")}
        if "url" in self.credentials:
            parts = urlsplit(self.credentials["url"])
            found |= {parts.path, parts.query}
        return frozenset(found - {"", "/"})


@cache
def destination_option() -> dict[str, Any]:
    """The option ``report_destinations`` of the role's argument specification: the one definition of its keys."""
    document = yaml.safe_load(_SPECIFICATION.read_text(encoding="utf-8"))
    option: dict[str, Any] = document["argument_specs"]["main"]["options"]["report_destinations"]
    return option


def read_destinations(given: Any, credentials: Any, tenants: list[str]) -> tuple[Destination, ...]:
    """The destinations of ``report_destinations`` with what ``report_credentials`` has for each.

    ``tenants`` are all that are known. Raises FleetError of kind ``bad_destination`` that names everything wrong; no
    message quotes a credential.
    """
    values, faults = check(destination_option(), "report_destinations", given)
    problems = [f"{fault.key}: {fault.value}: {fault.what}. {fault.remedy}".rstrip() for fault in faults]
    if not isinstance(credentials, Mapping) or not all(isinstance(own, Mapping) for own in credentials.values()):
        problems.append("report_credentials: must be a mapping of the names of destinations to mappings.")
    if not problems:
        problems += _problems(values, credentials, set(tenants))
    if problems:
        raise FleetError(
            "The destinations of the reports cannot be used; nothing was sent:\n"
            + "\n".join(f"- {problem}" for problem in problems),
            kind="bad_destination",
            data={"problems": problems},
        )
    return tuple(_destination(value, credentials.get(value["name"], {})) for value in values)


def _destination(value: Mapping[str, Any], credentials: Mapping[str, Any]) -> Destination:
    kind = Kind(value["type"])
    own = {key: value[key] for key in _OWN[kind] if value.get(key) is not None}
    if kind is Kind.EMAIL:
        own = {"port": _PORTS[_tls(value)], "tls": _tls(value), "max_mb": 20, **own}
    return Destination(
        name=value["name"],
        kind=kind,
        tenants=None if value["tenants"] == ALL else frozenset(value["tenants"]),
        formats=tuple(value.get("formats", ())),
        on_trouble_only=value["when"] == "trouble",
        link=value.get("link", ""),
        ca_file=str(Path(value["ca_file"]).expanduser()) if value.get("ca_file") else "",
        own=own,
        credentials={key: str(secret) for key, secret in credentials.items()},
    )


def _problems(values: list[Mapping[str, Any]], credentials: Mapping[str, Any], tenants: set[str]) -> Iterator[str]:
    names = [value["name"] for value in values]
    for name in sorted(set(credentials) - set(names)):
        yield f"report_credentials: {show(name)} is the name of no destination."
    for index, value in enumerate(values):
        where = f"report_destinations[{index}] ({show(value['name'])})"
        if not _NAME.fullmatch(value["name"]):
            yield f"{where}: name: use letters, digits, dots, dashes and underscores, at most 63."
        if names.count(value["name"]) > 1:
            yield f"{where}: name: there is another of this name."
        own = credentials.get(value["name"], {})
        for problem in (
            *_general(value, tenants),
            *_credentials(Kind(value["type"]), own),
            *_BY_KIND[value["type"]](value),
        ):
            yield f"{where}: {problem}"
        if value["type"] in WEBHOOKS and "url" in own:
            yield from (
                f"report_credentials.{value['name']}.url: {problem}" for problem in _web_address(str(own["url"]))
            )


def _general(value: Mapping[str, Any], tenants: set[str]) -> Iterator[str]:
    kind = Kind(value["type"])
    for key in sorted(set().union(*_OWN.values()) - _OWN[kind]):
        if value.get(key) is not None:
            yield f"{key}: means nothing to type {kind}."
    for key in _NEEDED[kind]:
        if not value.get(key):
            yield f"{key}: is missing; type {kind} needs it."
    if value.get("formats") and kind not in CARRIES_FILES:
        yield f"formats: a message of type {kind} carries no files. Leave it out, and say where they are by link."
    yield from _tenants(value["tenants"], tenants)
    if value.get("link"):
        yield from (f"link: {problem}" for problem in _web_address(value["link"]))
    if value.get("ca_file") and not Path(value["ca_file"]).expanduser().is_file():
        yield f"ca_file: there is no file {show(value['ca_file'])} on the controller."


def _tenants(named: Any, known: set[str]) -> Iterator[str]:
    if named == ALL:
        return
    if not isinstance(named, list) or not named or not all(isinstance(tenant, str) for tenant in named):
        yield f"tenants: must be a list of tenants, or the word {ALL}."
        return
    for tenant in sorted(set(named) - known):
        yield f"tenants: no plan of {show(tenant)} was ever made. Known are: {', '.join(sorted(known)) or 'none'}."


def _credentials(way: Kind, own: Mapping[str, Any]) -> Iterator[str]:
    known, needed = _SECRETS[way]
    unknown = sorted(str(key) for key in own if key not in known)
    if unknown:
        takes = ", ".join(sorted(known))
        yield f"its report_credentials have {', '.join(map(show, unknown))}; type {way} takes {takes}."
    # What came out of a vault is no str in every version of Ansible, and becomes one.
    # More than ASCII no login of a mail server takes, and no key of a store has.
    if any(
        isinstance(value, (Mapping, list, bool, type(None))) or not (str(value).isprintable() and str(value).isascii())
        for value in own.values()
    ):
        yield "its report_credentials are not all printable ASCII text."
    missing = sorted(needed - set(own))
    if missing and (own or way in WEBHOOKS):
        yield f"its report_credentials lack {', '.join(missing)}."


def _email(value: Mapping[str, Any]) -> Iterator[str]:
    for key, addresses in (("to", value.get("to") or []), ("sender", [value.get("sender") or "none@example"])):
        for address in addresses:
            if not _ADDRESS.fullmatch(address):
                yield f"{key}: {show(address)} is no address of the form name@domain."
    server = value.get("server") or ""
    if server and not _SERVER.fullmatch(server):
        yield f"server: {show(server)} is no name and no address."
    if not 1 <= value.get("port", 1) <= 65535:
        yield f"port: {value['port']} is not from 1 to 65535."
    if not 1 <= value.get("max_mb", 1) <= 1000:
        yield f"max_mb: {value['max_mb']} is not from 1 to 1000."
    if _tls(value) == "none" and not is_loopback(server):
        yield f"tls: none is only for a server on this machine; {show(server)} is none. Leave it out for STARTTLS."


def _tls(value: Mapping[str, Any]) -> str:
    return str(value.get("tls") or "starttls")


def _bucket(value: Mapping[str, Any]) -> Iterator[str]:
    if value.get("bucket") and not _BUCKET.fullmatch(value["bucket"]):
        yield f"bucket: {show(value['bucket'])} is no name of a bucket."
    prefix = value.get("prefix") or ""
    if prefix and (not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/"))):
        yield f"prefix: {show(prefix)}: use letters, digits and !-_.*'() between slashes, none at the ends."
    if value.get("endpoint_url"):
        yield from (f"endpoint_url: {problem}" for problem in _web_address(value["endpoint_url"]))


def _webhook(_value: Mapping[str, Any]) -> Iterator[str]:
    yield from ()


_BY_KIND = {Kind.EMAIL: _email, Kind.S3: _bucket, Kind.SLACK: _webhook, Kind.TEAMS: _webhook}


def _web_address(url: str) -> Iterator[str]:
    """What is wrong with the address of a service. The address itself may be a secret, and is not quoted."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or not url.isascii() or re.search(r"[\s<>|\"\\^`{}\x00-\x1f\x7f]", url):
        yield "is no address of the form https://host/…"
    elif parts.username is not None or parts.password is not None:
        yield "has a user or a password in it."
    elif parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        yield "must begin with https://; only a server on this machine may be asked without."


def is_loopback(host: str) -> bool:
    """Whether a server is certainly this machine: what a name server says of another name is not certain."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
