# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a state knows of a seal: which ledger it closes, so that nothing is appended to that one afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import decoded

SEAL = "seal.json"
_NO_ENTRY = "0" * 64


@dataclass(frozen=True)
class Closed:
    """What ``seal.json`` says of a ledger: its plan, the number of its lines, and the hash of the last one."""

    plan: str
    count: int
    head: str

    def refuse_other(self, tenant: str, count: int, last: bytes | None) -> None:
        """Raise FleetError of kind ``ledger_moved`` when another ledger than this one stands there."""
        head = _NO_ENTRY if last is None else _object(last).get("hash")
        if (count, head) != (self.count, self.head):
            raise FleetError(
                f"The ledger of plan {self.plan[:16]} of tenant {tenant} has {count} entries, and the seal says "
                f"{self.count}: somebody wrote into it while it was being sealed.",
                kind="ledger_moved",
                remedy="Run this again; the seal then closes the ledger as it is.",
            )


def closed_by(contents: Mapping[str, bytes]) -> Closed | None:
    """The ledger that a seal with these files closes; None where they do not say."""
    seal = _object(contents.get(SEAL, b""))
    ledger = seal.get("ledger")
    if not isinstance(seal.get("plan"), str) or not isinstance(ledger, dict):
        return None
    return Closed(seal["plan"], ledger.get("count", 0), ledger.get("head", ""))


def plan_sealed(tenant: str, plan: str, number: int) -> FleetError:
    """The error for a plan that the seal of this number closes."""
    return FleetError(
        f"Plan {plan[:16]} of tenant {tenant} is sealed (seal {number}): nothing can be added to its record.",
        kind="plan_sealed",
        remedy="Make a new plan, in an emergency cycle if need be; that is also the way to take a change back "
        "once its plan is sealed.",
    )


def _object(content: bytes) -> dict[str, Any]:
    """The JSON object that the bytes are; an empty one where they are none."""
    try:
        value = decoded(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
