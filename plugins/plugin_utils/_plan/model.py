# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shapes of a plan (docs/contracts.md) and its enums."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NotRequired, TypedDict


class Decision(StrEnum):
    """What a plan does with a host."""

    PATCH = "patch"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    UNREACHABLE = "unreachable"


class Verdict(StrEnum):
    """What a gate says. Only ``pass`` lets a change through."""

    PASS = "pass"  # noqa: S105  a verdict, no password
    BLOCK = "block"
    UNKNOWN = "unknown"


class Gate(TypedDict):
    """A check that must pass before change. ``override`` (owner, reason, expires) lets one through all the same."""

    name: str
    verdict: str
    evidence: str
    override: NotRequired[dict[str, str]]


class HostEntry(TypedDict):
    """A host in the head of a plan."""

    digest: str
    wave: str
    cluster: str | None
    decision: str
    reason: str
    updates: int


class WavePlan(TypedDict):
    """A wave in the head of a plan; every batch is a list of hosts."""

    name: str
    soak_minutes: int
    batches: list[list[str]]


class LeftOut(TypedDict):
    """Hosts of a tenant that no plan works on, by reason, and how many machines the inventory has of no tenant."""

    stopped: list[str]
    unreachable_transport: list[str]
    unassigned: int


class PlanHead(TypedDict):
    """What ``plan.json`` holds; its canonical digest is the plan's identity."""

    format: int
    tenant: str
    cycle: str
    created: str
    expires: str
    policy_digest: str
    revision: str
    waves: list[WavePlan]
    limits: dict[str, Any]
    hosts: dict[str, HostEntry]
    missing: list[str]
    query: NotRequired[dict[str, str | None]]
    """What found the population: ``inventory``, ``hosts`` (the pattern) and ``limit``. Plans of before have none."""
    left_out: NotRequired[LeftOut]
    """Whom the inventory has besides; only where it says it."""


class HostDocument(TypedDict):
    """What ``hosts/<host>.json`` holds."""

    format: int
    host: str
    tenant: str
    identity: dict[str, str | None]
    placement: NotRequired[dict[str, str]]
    """``cloud``, ``account``, ``region`` and ``environment``. Plans of before have none, and no ``waivers``."""
    manager: str | None
    exactness: str
    selection: dict[str, Any]
    transaction: list[dict[str, Any]]
    pending: list[dict[str, Any]]
    holds: list[dict[str, Any]]
    waivers: NotRequired[list[dict[str, Any]]]
    gates: list[Gate]
    policy: dict[str, Any]
    state_digest: str | None
    estimated_seconds: int


def gate(name: str, verdict: Verdict, evidence: str) -> Gate:
    """A gate as plain data."""
    return {"name": name, "verdict": verdict.value, "evidence": evidence}


def closed(gates: list[Gate]) -> list[Gate]:
    """The gates that do not let a change through."""
    return [found for found in gates if found["verdict"] != Verdict.PASS.value and "override" not in found]
