# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Overrides: somebody answers, until a day, for letting a change through a gate that is closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate, Verdict

OVERRIDABLE = frozenset({"window", "freeze", "population", "ticket", "disk", "checks", "metadata"})
"""Gates about a risk that a person can weigh."""

NOT_OVERRIDABLE = {
    "approval": "an override would be a way around the second person",
    "identity": "the plan would change a machine that it was not made for",
    "manager": "the plan would change a machine that it was not made for",
    "versions": "the transaction would be another one than was planned",
    "scan": "without a whole scan nobody knows what would be changed",
    "locks": "two package managers at once damage the host; wait for the other one",
    "clock": "the ledger would not say when things happened",
    "cluster": "users would lose the service; patch_cluster_max_down says how many hosts may be away",
    "backend": "users would lose the service; patch_load_balancer.min_healthy says how many must stay",
    "removals": "patch_allow_removals says whether packages may be removed",
    "waiver": "a waiver ends by its expiry in patch_exceptions_file",
    "holds": "a hold ends by its expiry in patch_holds",
    "interrupted": "it always passes",
    "reboot": "it always passes",
}
"""The other gates, and why nobody can let a change through them."""


def with_overrides(gates: Iterable[Gate], overrides: Sequence[Mapping[str, Any]], today: date) -> list[Gate]:
    """The gates, and at each that does not pass what overrides it on this day (UTC).

    ``overrides`` are the policy's (``gate``, ``owner``, ``reason``, ``expires``). Verdict and evidence stay what they
    are. An override that was at a gate before is judged anew; one that has expired is named in the evidence.
    """
    return [_judged(found, [each for each in overrides if each["gate"] == found["name"]], today) for found in gates]


def _judged(found: Gate, overrides: Sequence[Mapping[str, Any]], today: date) -> Gate:
    judged: Gate = {"name": found["name"], "verdict": found["verdict"], "evidence": found["evidence"]}
    if judged["verdict"] == Verdict.PASS or judged["name"] not in OVERRIDABLE:
        return judged
    for override in overrides:
        if is_valid(override, today):
            return {**judged, "override": {key: override[key] for key in ("owner", "reason", "expires")}}
    for override in overrides:
        expired = f"; the override by {override['owner']} expired on {override['expires']}"
        if not judged["evidence"].endswith(expired):
            judged["evidence"] += expired
    return judged


def is_valid(override: Mapping[str, Any], today: date) -> bool:
    """Whether an override still holds; its last day (UTC) is included."""
    return today <= date.fromisoformat(override["expires"])
