# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of deliveries: the plan's ledger and ``deliveries.json`` beside it, until the plan is sealed.

Neither may change then, so what is delivered later stands in ``deliveries-after-seal.json``, which no seal names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.parcels import Parcel
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import START, read_entries
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

REPORT, AFTER_SEAL = "deliveries.json", "deliveries-after-seal.json"
FORMAT = 1


@dataclass(frozen=True)
class Delivery:
    """How a parcel fared: the targets that were reached, and why others were not."""

    parcel: Parcel
    reached: tuple[str, ...]
    refused: Mapping[str, str]
    tries: int

    @property
    def ok(self) -> bool:
        """Whether every target was reached."""
        return not self.refused

    def as_data(self) -> dict[str, Any]:
        """What is recorded: ``content_sha256`` is that of the facts, the files' digests are of their bytes."""
        return {
            "destination": self.parcel.destination.name,
            "type": self.parcel.destination.kind.value,
            "content_sha256": self.parcel.content,
            "files": [{"name": file.name, "sha256": file.sha256, "bytes": file.bytes} for file in self.parcel.files],
            "outcome": (EntryOutcome.OK if self.ok else EntryOutcome.FAILED).value,
            "reached": list(self.reached),
            "refused": dict(self.refused),
            "tries": self.tries,
        }


def facts_of(state: State, tenant: str, plan: str) -> str:
    """The hash of the ledger's last entry that is reported: what was delivered and who is protected changes nothing."""
    last = START
    for entry in read_entries(state.entries(tenant, plan)):
        if entry["phase"] not in (Phase.DISTRIBUTE, Phase.COVERAGE):
            last = entry["hash"]
    return last


def read_deliveries(state: State, tenant: str, plan: str) -> list[dict[str, Any]]:
    """All deliveries of a plan, oldest first. Raises FleetError of kind ``deliveries_damaged``."""
    return [entry for name in (REPORT, AFTER_SEAL) for entry in _read(state, tenant, plan, name)]


def _read(state: State, tenant: str, plan: str, name: str) -> list[dict[str, Any]]:
    try:
        content = state.get_report(tenant, plan, name)
    except FleetError as problem:
        if problem.kind == "report_missing":
            return []
        raise
    try:
        document = json.loads(content)
        deliveries: list[dict[str, Any]] = document["deliveries"]
        if document["format"] != FORMAT or not all(_is_delivery(entry) for entry in deliveries):
            raise ValueError(document["format"])
    except (ValueError, KeyError, TypeError) as problem:
        raise FleetError(
            f"{name} of plan {plan[:16]} of tenant {tenant} is not as this version writes it.",
            kind="deliveries_damaged",
            remedy="Compare it with the ledger. Without it, everything would be sent again.",
        ) from problem
    return deliveries


def _is_delivery(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("reached"), list) and "content_sha256" in entry


def reached_before(deliveries: list[dict[str, Any]], parcel: Parcel) -> frozenset[str]:
    """The targets of this destination that have the same content already."""
    return frozenset(
        target
        for entry in deliveries
        if (entry["destination"], entry["content_sha256"]) == (parcel.destination.name, parcel.content)
        for target in entry["reached"]
    )


def record_delivery(book: Book, delivery: Delivery) -> bool:
    """Keep a delivery; whether it is in the ledger too. Raises FleetError and OSError when it cannot be kept at all."""
    data = delivery.as_data()
    outcome = EntryOutcome.OK if delivery.ok else EntryOutcome.FAILED
    # Attempt 0: like an approval it belongs to the plan, and to none of the attempts on it.
    in_ledger = _unless_sealed(lambda: book.write(0, None, Phase.DISTRIBUTE, outcome, {"delivery": data}))
    now = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    entry = {"time": now, "in_ledger": in_ledger, **data}
    # The reports of a sealed plan may be sent all the same. It may be sealed between the two, as well.
    if not (in_ledger and _unless_sealed(lambda: _keep(book, REPORT, entry))):
        _keep(book, AFTER_SEAL, entry)
    return in_ledger


def _unless_sealed(write: Callable[[], object]) -> bool:
    """Write, and say whether it could be: a seal lets nothing be changed that it closes."""
    try:
        write()
    except FleetError as problem:
        if problem.kind != "plan_sealed":
            raise
        return False
    return True


def _keep(book: Book, name: str, entry: Mapping[str, Any]) -> None:
    # Read again just before: somebody else may be sending as well.
    kept = [*_read(book.state, book.tenant, book.plan, name), entry]
    document = {"format": FORMAT, "tenant": book.tenant, "plan": book.plan, "deliveries": kept}
    book.state.put_report(book.tenant, book.plan, name, json.dumps(document, indent=1, ensure_ascii=False).encode())
