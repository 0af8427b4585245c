# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was found as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import Finding, Looked, Row, TenantCoverage
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.records import Recorded
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable, show
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.console import aligned

SHOWN_ROWS = 20
"""Of each finding of a tenant; the result has all of them."""

LONGEST = 200
"""Characters of a reason."""

_WHERE = {
    Recorded.LEDGER: "in the ledger of plan",
    Recorded.REPORT: "beside the sealed plan",
}


def render_looked(looked: Looked) -> Iterator[str]:
    """What was looked at."""
    if looked.sensors is None:
        yield "sensors: none were read, for no source of type falcon is configured; who is protected is unknown"
    else:
        cids = ", ".join(f"{show(each['cid'] or each['source'])} {each['sensors']}" for each in looked.sources)
        yield f"sensors: {looked.sensors} (CIDs: {cids or 'none'}), read {looked.read}"
    yield from (
        f"inventory: {show(Path(each['inventory']).name)}, read {show(each['read'])}" for each in looked.inventory
    )
    yield from (f"the inventory is incomplete: {show(part)}" for part in looked.incomplete)
    yield ""


def render(coverage: TenantCoverage, looked: Looked, recorded: Recorded) -> Iterator[str]:
    """What was found of a tenant."""
    tenant = "No tenant" if coverage.tenant == UNKNOWN else f"Tenant {show(coverage.tenant)}"
    yield f"{tenant}, plan {coverage.plan[:16]} of {coverage.cycle}" if coverage.plan else tenant
    planned = f", in the plan: {coverage.planned}" if coverage.plan else ""
    yield f"machines: {coverage.machines}, running: {coverage.running}{planned}"
    if looked.sensors is None:
        yield f"protected: unknown of {coverage.running} running"
    else:
        reduced = f", {coverage.reduced} of them in reduced functionality mode" if coverage.reduced else ""
        yield f"protected: {coverage.protected} of {coverage.running} running{reduced}"
    if coverage.transports:
        yield f"transports: {_counted(coverage.transports)}"
    if coverage.managed_by:
        yield f"managed by their clouds: {_counted(coverage.managed_by)}"
    counts = {finding: number for finding, number in coverage.counts.items() if number}
    yield f"findings: {_counted(counts) or 'none'}"
    yield from _table(coverage.rows)
    if recorded in _WHERE:
        yield f"recorded: {_WHERE[recorded]} {coverage.plan[:16]}"
    elif coverage.tenant != UNKNOWN:
        yield "recorded: nowhere"
    yield ""


def _table(rows: Sequence[Row]) -> Iterator[str]:
    shown: list[tuple[str, ...]] = [("FINDING", "MACHINE", "CLOUD", "ACCOUNT", "INSTANCE", "WHY")]
    left: dict[Finding, int] = {}
    for finding in Finding:
        own = [row for row in rows if row.finding is finding]
        shown += [_cells(row) for row in own[:SHOWN_ROWS]]
        if len(own) > SHOWN_ROWS:
            left[finding] = len(own) - SHOWN_ROWS
    if len(shown) > 1:
        yield from aligned(shown)
    yield from (f"and {number} more {finding.value}, which the result has" for finding, number in left.items())


def _cells(row: Row) -> tuple[str, ...]:
    cloud, account, instance_id = (("-" if part == UNKNOWN else show(part)) for part in row.identity)
    # What is in no inventory is called what Falcon or the plan calls it.
    return row.finding.value, show(row.name), cloud, account, instance_id, printable(row.why[:LONGEST])


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {show(name)}" for name, number in sorted(counts.items()) if number)
