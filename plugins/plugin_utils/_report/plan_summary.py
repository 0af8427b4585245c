# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a plan, for the console and as ``summary.md`` beside it, with the CVEs that staging has found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

from ansible_collections.bankops.fleet.plugins.plugin_utils._collector import collector_paused
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.markdown import markdown
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import HostDocument, PlanHead
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.selection import update_key
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import Facts, gather, render_console
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import shapes
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

_STAGED = f'"phase":"{Phase.STAGE.value}"'.encode()


@collector_paused()
def summarise(state: State, tenant: str, plan: str) -> tuple[list[str], str]:
    """The lines for the console, and where the Markdown is. Raises FleetError as the state does."""
    return put_summary(state, _facts(state, tenant, plan))


def put_summary(state: State, facts: Facts) -> tuple[list[str], str]:
    """The same for facts that were gathered already."""
    path = state.put_report(facts.head["tenant"], facts.plan, "summary.md", markdown(facts).encode())
    return render_console(facts), path


def show(state: State, tenant: str, plan: str) -> list[str]:
    """The lines for the console alone; nothing is written. Every document of the plan is verified on the way."""
    return render_console(_facts(state, tenant, plan))


def _facts(state: State, tenant: str, plan: str) -> Facts:
    head: PlanHead = cast("PlanHead", state.get_plan(tenant, plan))
    documents: Iterator[HostDocument] = (
        cast("HostDocument", state.get_host_document(tenant, plan, host, entry["digest"]))
        for host, entry in head["hosts"].items()
    )
    return gather(head, documents, staged_cves(state, tenant, plan))


def staged_cves(state: State, tenant: str, plan: str) -> dict[str, list[str]]:
    """The CVE ids that staging found in changelogs, by ``name=version``. What is malformed is left out: not known."""
    found: dict[str, set[str]] = {}
    for line in state.entries(tenant, plan):
        if _STAGED not in line:
            continue
        entry = json.loads(line)
        if entry["phase"] != Phase.STAGE or entry["outcome"] not in (EntryOutcome.OK, EntryOutcome.CHANGED):
            continue
        try:
            known = shapes.cves(shapes.mapping(entry["data"]).get("cves", {}))
        except shapes.MalformedError:
            continue
        candidates = {change["name"]: change for change in state.get_host(tenant, plan, entry["host"])["transaction"]}
        for name in candidates.keys() & known.keys():
            found.setdefault(update_key(candidates[name]), set()).update(known[name])
    return {key: sorted(ids) for key, ids in found.items()}
