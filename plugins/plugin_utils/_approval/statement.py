# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is signed: the approval of a plan, and the opening of an attempt, as canonical JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical, decoded, is_whole_number
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import as_text, moment_of

APPROVAL_NAMESPACE = "bankops-fleet-approval"
ATTEMPT_NAMESPACE = "bankops-fleet-attempt"
PURPOSES = ("apply", "rollback")
"""What may be approved. Staging needs no approval: it touches no service."""

_FORMAT = 1


@dataclass(frozen=True)
class Statement:
    """The approval of one plan of one tenant for one purpose."""

    plan: str
    tenant: str
    purpose: str
    approver: str
    created: datetime
    expires: datetime

    def as_bytes(self) -> bytes:
        """The bytes that are signed."""
        moments = {"created": as_text(self.created), "expires": as_text(self.expires)}
        return canonical({"format": _FORMAT, **vars(self), **moments})


@dataclass(frozen=True)
class Opening:
    """Who opens an attempt says which, and when."""

    plan: str
    tenant: str
    attempt: int
    purpose: str
    opened: datetime

    def as_bytes(self) -> bytes:
        """The bytes that are signed."""
        return canonical({"format": _FORMAT, **vars(self), "opened": as_text(self.opened)})


def read_statement(content: bytes) -> Statement:
    """The approval in signed bytes. Raises FleetError of kind ``approval_invalid``."""
    try:
        value = _fields(content)
        texts = {key: _text(value[key]) for key in ("plan", "tenant", "purpose", "approver")}
        read = Statement(**texts, created=moment_of(value["created"]), expires=moment_of(value["expires"]))
        _require_same(read.as_bytes(), content)
    except (ValueError, KeyError) as problem:
        raise _malformed("approval", "approval_invalid") from problem
    return read


def read_opening(content: bytes) -> Opening:
    """The opening in signed bytes. Raises FleetError of kind ``opening_invalid``."""
    try:
        value = _fields(content)
        texts = {key: _text(value[key]) for key in ("plan", "tenant", "purpose")}
        read = Opening(**texts, attempt=_whole(value["attempt"]), opened=moment_of(value["opened"]))
        _require_same(read.as_bytes(), content)
    except (ValueError, KeyError) as problem:
        raise _malformed("opening", "opening_invalid") from problem
    return read


def _require_same(written: bytes, content: bytes) -> None:
    """Bytes that say more, or say it otherwise, could be read in two ways."""
    if written != content:
        raise ValueError


def _fields(content: bytes) -> dict[str, Any]:
    value = decoded(content)
    if not isinstance(value, dict) or value.get("format") != _FORMAT:
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _whole(value: Any) -> int:
    if not is_whole_number(value):
        raise ValueError
    return value


def _malformed(what: str, kind: str) -> FleetError:
    return FleetError(
        f"The statement is no {what} as this version writes it.", kind=kind, remedy="Find out who wrote it."
    )
