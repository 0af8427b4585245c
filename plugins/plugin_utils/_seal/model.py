# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a seal says (``seal.json``), and the names of what a bundle holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import (
    canonical,
    decoded,
    digest_of_bytes,
    is_whole_number,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import as_text, moment_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import sealed
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import check_cycle, check_name

SEAL_NAMESPACE = "bankops-fleet-seal"

PLAN, LEDGER, SEAL, README = "plan.json", "ledger.jsonl", sealed.SEAL, "README.txt"
SUMS, SIGNATURE = sealed.SUMS, "SHA256SUMS.sig"
SEAL_SIGNERS, APPROVAL_SIGNERS = "allowed_signers.seal", "allowed_signers.approvals"
HOSTS, APPROVALS, REPORTS = "hosts", sealed.APPROVALS, sealed.REPORTS

BUNDLES = "bundles"
"""Where they go below ``fleet_state_dir`` when nobody says otherwise."""

NO_RESULTS = frozenset(f"{REPORTS}/{name}" for name in ("summary.md", "deliveries.json", "figures.json"))
"""What is kept among the reports and says nothing of what became of the plan."""

_FORMAT = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
_BUNDLE = re.compile(r"[0-9]{4,}-.+-[0-9a-f]{16}")


class Why(StrEnum):
    """Why a plan could be closed."""

    COMPLETE = "complete"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Previous:
    """The tenant's seal before this one; ``root`` is the SHA-256 of its SHA256SUMS."""

    number: int
    root: str


@dataclass(frozen=True)
class Seal:
    """What is signed of a plan besides its files; ``sealed`` is UTC, RFC 3339, in whole seconds.

    ``hosts`` are counts by outcome, ``attempts`` ``{"number", "purpose", "state"}``, ``count`` and ``head`` the number
    of the ledger's entries and its last hash.
    """

    tenant: str
    number: int
    plan: str
    cycle: str
    why: Why
    sealed: str
    sealed_by: str
    hosts: dict[str, int]
    attempts: list[dict[str, Any]]
    count: int
    head: str
    previous: Previous | None

    @property
    def bundle(self) -> str:
        """The name of the folder."""
        return f"{self.number:04}-{self.cycle}-{self.plan[:16]}"

    @property
    def moment(self) -> datetime:
        """When it was sealed, by the clock of who did."""
        return moment_of(self.sealed)

    def as_bytes(self) -> bytes:
        """``seal.json``."""
        ledger = {"count": self.count, "head": self.head}
        own = {key: value for key, value in vars(self).items() if key not in ("count", "head")}
        previous = vars(self.previous) if self.previous else None
        return canonical({**own, "format": _FORMAT, "why": self.why.value, "ledger": ledger, "previous": previous})


def read_seal(content: bytes, place: str) -> Seal:
    """The seal in the bytes of a ``seal.json``. Raises FleetError of kind ``seal_malformed``."""
    try:
        value = decoded(content)
        previous = value["previous"]
        read = Seal(
            **{key: _text(value[key]) for key in ("tenant", "plan", "cycle", "sealed", "sealed_by")},
            number=_from_one(value["number"]),
            why=Why(value["why"]),
            hosts={_text(outcome): _whole(count) for outcome, count in value["hosts"].items()},
            attempts=[_attempt(each) for each in value["attempts"]],
            count=_whole(value["ledger"]["count"]),
            head=_hash(value["ledger"]["head"]),
            previous=None if previous is None else Previous(_from_one(previous["number"]), _hash(previous["root"])),
        )
        check_name(read.tenant, "tenant")
        check_cycle(read.cycle)
        # Bytes that say more, or say it otherwise, could be read in two ways.
        if read.as_bytes() != content or as_text(read.moment) != read.sealed or not _DIGEST.fullmatch(read.plan):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, FleetError) as problem:
        raise FleetError(
            f"{place} is no seal as this version writes it.",
            kind="seal_malformed",
            remedy="Compare it with a copy; if a newer version of bankops.fleet wrote it, use that one.",
        ) from problem
    return read


def root_of(sums: bytes) -> str:
    """The root of a seal: the SHA-256 of its SHA256SUMS, which names every file of the bundle."""
    return digest_of_bytes(sums)


def principal_of(tenant: str) -> str:
    """The name under which an allowed-signers file lists the key that seals a tenant's plans, and no other's."""
    return f"seal@{tenant}"


def is_bundle_name(name: str) -> bool:
    """Whether a folder is named as a bundle is."""
    return _BUNDLE.fullmatch(name) is not None


def _attempt(value: Any) -> dict[str, Any]:
    """An attempt of a seal. What else it says is lost, and then its bytes are not those of the seal."""
    return {"number": _whole(value["number"]), "purpose": _text(value["purpose"]), "state": _text(value["state"])}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if not is_whole_number(value) or value < 0:
        raise TypeError
    return value


def _from_one(value: Any) -> int:
    number = _whole(value)
    if number < 1:
        raise ValueError
    return number


def _hash(value: Any) -> str:
    if not _DIGEST.fullmatch(_text(value)):
        raise ValueError
    return str(value)
