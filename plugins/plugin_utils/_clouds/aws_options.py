# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory file says of AWS as a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry

ALL = "all"
# Of an instance; the other two are of one that is gone or goes for good.
STATES = ("pending", "running", "stopping", "stopped")

_CREDENTIALS = {
    f"{prefix}{name}"
    for prefix in ("", "aws_", "ec2_")
    for name in ("access_key", "access_key_id", "secret_key", "secret_access_key", "security_token", "session_token")
}


class _Form(TypedDict):
    pattern: str
    example: str


_ACCOUNT: _Form = {"pattern": r"\d{12}", "example": "123456789012"}
_ROLE: _Form = {"pattern": r"[\w+=,.@/-]{1,512}", "example": "fleet-inventory"}
# As the model of STS has them.
_EXTERNAL_ID: _Form = {"pattern": r"[\w+=,.@:/-]{2,1224}", "example": "fleet-7f3a"}
_SESSION_NAME: _Form = {"pattern": r"[\w+=,.@-]{2,64}", "example": "bankops-fleet"}
_ENDPOINT: _Form = {
    # The token of a session must not travel in clear text, but to this machine.
    "pattern": r"(https://[^\s/@?#]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?)(/[^\s@?#]*)?",
    "example": "https://vpce-1a2b3c.ec2.{region}.vpce.amazonaws.com",
}
_SERVICES = ("ec2", "organizations", "ssm", "sts")


@dataclass(frozen=True)
class Role:
    """A role that is assumed in an account."""

    name: str
    external_id: str
    session_name: str


@dataclass(frozen=True)
class Account:
    """An account that is read: in a role, or as a profile; without both as whoever the controller is to AWS."""

    number: str = ""
    role: Role | None = None
    profile: str = ""


@dataclass(frozen=True)
class Options:
    """What the inventory file says of a source."""

    profile: str
    """Who assumes the roles and lists the organization."""
    accounts: tuple[Account, ...]
    member_role: Role | None
    """Assumed in all accounts of the organization but the excluded ones."""
    excluded: frozenset[str]
    regions: tuple[str, ...]
    """Empty for all that are enabled."""
    regions_at: str
    """Their place in the inventory file, for what only botocore knows of them."""
    filters: tuple[Mapping[str, Any], ...]
    endpoints: Mapping[str, str]
    ssm: bool


def read_options(entry: Entry) -> Options:
    """The options of an entry; what is wrong with them is noted there."""
    _refuse_credentials(entry)
    accounts = tuple(_account(each) for each in entry.entries("accounts"))
    numbers = [account.number for account in accounts if account.number]
    if len(set(numbers)) < len(numbers):
        entry.fault("accounts", "has an account twice", "Name each account once.")
    if entry.has("accounts") and not accounts:
        entry.fault("accounts", "names no account", "Leave it out to read the account of the controller's credentials.")
    organization = entry.entry("organization")
    member_role, excluded = None, frozenset[str]()
    if organization:
        _refuse_credentials(organization)
        member_role = _role(organization)
        excluded = frozenset(organization.texts("exclude", **_ACCOUNT))
        organization.refuse_others()
        if entry.has("accounts"):
            entry.fault("organization", "stands beside accounts", "Make two sources of it.")
    endpoints = entry.entry("endpoints")
    urls = {}
    if endpoints:
        urls = {service: endpoints.text(service, **_ENDPOINT) for service in _SERVICES if endpoints.has(service)}
        endpoints.refuse_others()
    regions = entry.texts("regions", (ALL,), example="eu-central-1")
    if not regions:
        entry.fault("regions", "names no region", "Leave it out to read all regions.")
    if ALL in regions and len(regions) > 1:
        entry.fault("regions", "has all and others", "Write all alone, or the regions that are meant.")
    return Options(
        profile=entry.text("profile"),
        accounts=accounts,
        member_role=member_role,
        excluded=excluded,
        regions=() if ALL in regions else tuple(dict.fromkeys(regions)),
        regions_at=f"{entry.faults.file}: {entry.place}.regions",
        filters=_filters(entry.entry("filters")),
        endpoints=urls,
        ssm=entry.flag("ssm", False),
    )


def _refuse_credentials(entry: Entry) -> None:
    remedy = "Use a profile, the environment or the role of the machine, as AWS's own tools do."
    entry.refuse_credentials(_CREDENTIALS, remedy)


def _account(entry: Entry) -> Account:
    _refuse_credentials(entry)
    if entry.has("profile"):
        account = Account(profile=entry.text("profile"))
    else:
        if not entry.has("id"):
            entry.fault("id", "is missing", "Write the account's number in quotes, or a profile instead.")
        account = Account(entry.text("id", **_ACCOUNT), _role(entry))
    entry.refuse_others()
    return account


def _role(entry: Entry) -> Role:
    if not entry.has("role"):
        entry.fault("role", "is missing", "Write the name of the role that is assumed, like 'fleet-inventory'.")
    return Role(
        entry.text("role", **_ROLE),
        entry.text("external_id", **_EXTERNAL_ID),
        entry.text("session_name", "bankops-fleet", **_SESSION_NAME),
    )


def _filters(entry: Entry | None) -> tuple[Mapping[str, Any], ...]:
    """Filters as DescribeInstances wants them. What is terminated is gone, unless somebody asks for it."""
    found = {name: entry.texts(name, example="production") for name, _values in entry.items()} if entry else {}
    found.setdefault("instance-state-name", STATES)
    return tuple({"Name": name, "Values": list(values)} for name, values in found.items())
