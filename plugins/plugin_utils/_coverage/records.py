# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The evidence: an entry in the ledger of the tenant's latest plan, or a report beside it once that is sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import Looked, TenantCoverage
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import redact
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.guard import unless_sealed
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

REPORT = "coverage-after-seal.json"
FORMAT = 1


class Recorded(StrEnum):
    """Where a coverage is kept."""

    LEDGER = "ledger"
    REPORT = "report"
    NOWHERE = "nowhere"


def record_coverage(state: State, coverage: TenantCoverage, looked: Looked, provenance: Mapping[str, Any]) -> Recorded:
    """Keep what was found of a tenant; nowhere as long as it has no plan. Raises FleetError as the state does."""
    if not coverage.plan:
        return Recorded.NOWHERE
    tenant, plan = coverage.tenant, coverage.plan
    # How many sensors there are, and in which CIDs, is other tenants' business as well.
    found = {
        "read": looked.read,
        "stale_days": looked.stale_days,
        "sensors_were_read": looked.sensors is not None,
        "incomplete": list(looked.incomplete),
        "inventory": [dict(each) for each in looked.inventory],
        **coverage.as_data(),
    }
    book = Book(state, tenant, plan, state.get_plan(tenant, plan))

    def write() -> bool:
        # Attempt 0: like an approval it belongs to the plan, and to none of the attempts on it.
        book.write(0, None, Phase.COVERAGE, EntryOutcome.OK, {"coverage": found, "provenance": dict(provenance)})
        return True

    if unless_sealed(state, tenant, plan, write):
        return Recorded.LEDGER
    # Read again just before: somebody else may be looking as well.
    kept = [*_kept(state, tenant, plan), redact({"coverage": found, "provenance": dict(provenance)})]
    document = {"format": FORMAT, "tenant": tenant, "plan": plan, "coverages": kept}
    state.put_report(tenant, plan, REPORT, json.dumps(document, indent=1, ensure_ascii=False).encode())
    return Recorded.REPORT


def _kept(state: State, tenant: str, plan: str) -> list[Any]:
    try:
        content = state.get_report(tenant, plan, REPORT)
    except FleetError as problem:
        if problem.kind == "report_missing":
            return []
        raise
    try:
        document = json.loads(content)
        kept: list[Any] = document["coverages"]
        if document["format"] != FORMAT or not isinstance(kept, list):
            raise ValueError(document["format"])
    except (ValueError, KeyError, TypeError) as problem:
        raise FleetError(
            f"{REPORT} of plan {plan[:16]} of tenant {tenant} is not as this version writes it.",
            kind="coverage_damaged",
            remedy="Move it away, and find out who changed it. A new one is made then.",
        ) from problem
    return kept
