# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host is still the one that was planned for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timezone
from enum import StrEnum
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.gates import MOMENTARY, missing_from, momentary_gates
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate, HostDocument, Verdict, closed, gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.overrides import with_overrides

Change = Mapping[str, Any]


class PreflightVerdict(StrEnum):
    """What a preflight says of a host."""

    PROCEED = "proceed"
    NOTHING_TO_DO = "nothing_to_do"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Preflight:
    """The verdict, what stands against it, and how the pending updates differ from the planned ones."""

    verdict: PreflightVerdict
    blocks: list[Gate] = field(default_factory=list)
    appeared: list[dict[str, Any]] = field(default_factory=list)
    """Changes that a plan made now would have besides, or with another version: reported and left alone."""
    vanished: list[dict[str, Any]] = field(default_factory=list)
    """Planned changes that are no longer pending; the gate ``versions`` says whether they are done."""
    remaining: list[dict[str, Any]] = field(default_factory=list)
    """The planned changes that are still to be made."""
    notes: list[str] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """Plain data, for a task's result and the ledger."""
        return {**asdict(self), "verdict": self.verdict.value}


def evaluate(document: HostDocument | Mapping[str, Any], scan: Mapping[str, Any], now: datetime) -> Preflight:
    """Compare a host's document with a fresh scan (both as in docs/contracts.md)."""
    missing = list(missing_from(scan))
    if missing:
        incomplete = gate("scan", Verdict.UNKNOWN, f"the scan is incomplete: {', '.join(missing)}")
        return Preflight(PreflightVerdict.BLOCKED, [incomplete])
    planned = {_key(change): dict(change) for change in document["transaction"]}
    fresh = {_key(change): dict(change) for change in scan["packages"]["transaction"]}
    appeared = [change for key, change in fresh.items() if not _same(planned.get(key), change)]
    done = {key for key, change in planned.items() if key in fresh and _is_done(change, fresh[key])}
    vanished = [change for key, change in planned.items() if key not in fresh or key in done]
    remaining = [change for key, change in planned.items() if key in fresh and key not in done]
    # What the plan stopped for reasons of its own stays stopped; what was about that moment is looked at again. Who is
    # missing from the inventory was held against the plan before, and would not be missed now.
    gates = [found for found in document["gates"] if found["name"] not in MOMENTARY or found["name"] == "population"]
    gates += [_identity(document, scan), _manager(document, scan), _versions(planned, fresh, scan["packages"])]
    gates += momentary_gates(scan, document["policy"])
    if scan["packages"]["refresh_error"]:
        evidence = f"the package lists could not be refreshed: {scan['packages']['refresh_error']}"
        gates.append(gate("metadata", Verdict.UNKNOWN, evidence))
    today = now.astimezone(timezone.utc).date()
    gates = with_overrides(gates, document["policy"]["overrides"], today)
    blocks = closed(gates)
    notes = [*map(_overridden, (found for found in gates if "override" in found))]
    notes += _notes(document, appeared, vanished, today)
    if scan["packages"]["interrupted"]["interrupted"]:
        # What was unpacked and never configured is pending no more, and is not done either.
        remaining = list(planned.values())
    verdict = PreflightVerdict.PROCEED if remaining else PreflightVerdict.NOTHING_TO_DO
    return Preflight(PreflightVerdict.BLOCKED if blocks else verdict, blocks, appeared, vanished, remaining, notes)


BINDING = frozenset(("identity", "manager", "scan"))
"""What must hold of a host whatever state it is in: that it is the machine of the plan."""


def regardless(found: Preflight, document: HostDocument | Mapping[str, Any], note: str) -> Preflight:
    """The preflight of a host that must be brought to an end, or back, however unwell it is: it goes the whole way.

    Its checks are what is to be mended, and its locks may be our own; both are judged when it is verified.
    """
    blocks = [gate for gate in found.blocks if gate["name"] in BINDING]
    verdict = PreflightVerdict.BLOCKED if blocks else PreflightVerdict.PROCEED
    whole = [dict(change) for change in document["transaction"]]
    notes = [*found.notes, *([note] if note else [])]
    notes += [f"{gate['name']}: {gate['evidence']}" for gate in found.blocks if gate not in blocks]
    return replace(found, verdict=verdict, blocks=blocks, remaining=whole, notes=notes)


def _key(change: Change) -> tuple[str, str]:
    return change["name"], change["arch"]


def _same(planned: Change | None, fresh: Change) -> bool:
    return planned is not None and planned["candidate"] == fresh["candidate"] and planned["action"] == fresh["action"]


def _is_done(planned: Change, fresh: Change) -> bool:
    """The host is at the planned version, and a newer one is pending already."""
    return planned["candidate"] is not None and planned["candidate"] == fresh["installed"]


def _identity(document: Mapping[str, Any] | HostDocument, scan: Mapping[str, Any]) -> Gate:
    planned, found = document["identity"]["machine_id"], scan["state"]["machine_id"]
    if not planned or planned == "unknown" or planned != found:
        return gate("identity", Verdict.BLOCK, f"the plan is for the machine {planned}, and this is {found}")
    return gate("identity", Verdict.PASS, f"machine id {found}")


def _manager(document: Mapping[str, Any] | HostDocument, scan: Mapping[str, Any]) -> Gate:
    planned, found = document["manager"], scan["packages"]["manager"]
    if planned != found:
        return gate(
            "manager", Verdict.BLOCK, f"planned with {planned}, and the host has {found or 'neither apt nor dnf'}"
        )
    return gate("manager", Verdict.PASS, str(found))


def _versions(planned: Mapping[Any, Change], fresh: Mapping[Any, Change], packages: Mapping[str, Any]) -> Gate:
    """A package that is still to be changed must be at the version from which the plan changes it, and may get there.

    One that is not pending any more is done, or was withdrawn by whoever published it, and then is not installed.
    """
    moved = [
        f"{change['name']} is at {fresh[key]['installed'] or 'no version'} and was planned from "
        f"{change['installed'] or 'no version'}"
        for key, change in planned.items()
        if key in fresh and fresh[key]["installed"] not in (change["installed"], change["candidate"])
    ]
    installed = {_key(entry): entry["installed"] for entry in packages["not_pending"]}
    moved += [
        f"{change['name']} is still at {change['installed'] or 'no version'}, and "
        f"{change['candidate'] or 'its removal'} is not offered any more"
        for key, change in planned.items()
        # What is half done is pending no more; it is healed, and then seen.
        if key not in fresh
        and not packages["interrupted"]["interrupted"]
        # Not known is not done.
        and installed.get(key, change["installed"]) == change["installed"]
    ]
    if moved:
        return gate("versions", Verdict.BLOCK, "; ".join(moved))
    return gate("versions", Verdict.PASS, "as planned")


def _overridden(found: Gate) -> str:
    override = found["override"]
    return (
        f"{found['name']}: {found['evidence']}; let through by {override['owner']} until {override['expires']}: "
        f"{override['reason']}"
    )


def _notes(
    document: Mapping[str, Any] | HostDocument,
    appeared: list[dict[str, Any]],
    vanished: list[dict[str, Any]],
    today: date,
) -> list[str]:
    notes = [f"{_shown(change)} has appeared since the plan and is left alone" for change in appeared]
    notes += [f"{_shown(change)} is no longer pending" for change in vanished]
    for hold in document["holds"]:
        if hold["expires"] and not hold["expired"] and hold["expires"] < today.isoformat():
            notes.append(f"the hold of {hold['owner']} on {hold['package']} has expired; this plan still keeps it back")
    return notes


def _shown(change: Change) -> str:
    return f"{change['action']} {change['name']} {change['candidate'] or change['installed']}"
