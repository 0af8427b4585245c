# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The auditor's sample: hosts drawn by a seed, each with what its plan and its ledger say of it.

Who knows the seed draws the same again with any tool that makes SHA-256: no generator of random numbers is needed, and
so no version of one.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    ApprovalRow,
    ChangeRow,
    Dossier,
    HostRow,
    Sample,
    Step,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.facts import PlanFacts
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import PendingUpdate
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.rows import approval_rows, change_rows, host_rows
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

METHOD = (
    "Every host of every plan of the population is written as <seed>/<tenant>/<plan>/<host> (UTF-8, no line feed); the "
    "hosts whose text has the lowest SHA-256, compared as hexadecimal digits, are drawn, in that order."
)
_LONGEST_DETAIL = 300


def draw(seed: str, population: Iterable[tuple[str, str, str]], size: int) -> list[tuple[str, str, str]]:
    """So many (tenant, plan, host) of the population, or all where it is smaller."""
    return sorted(population, key=lambda host: (hashlib.sha256("/".join((seed, *host)).encode()).hexdigest(), host))[
        :size
    ]


def sample(state: State, plans: Sequence[PlanFacts], seed: str, size: int) -> Sample:
    """The dossiers of the hosts that are drawn, read from their ledgers in one pass of each."""
    by_plan = {(facts.report.tenant, facts.report.plan): facts for facts in plans}
    population = [(*key, host.host) for key, facts in by_plan.items() for host in facts.report.hosts]
    drawn = draw(seed, population, size)
    wanted: dict[tuple[str, str], list[str]] = defaultdict(list)
    for tenant, plan, host in drawn:
        wanted[tenant, plan].append(host)
    found = {
        (tenant, plan, dossier.host.host): dossier
        for (tenant, plan), hosts in wanted.items()
        for dossier in _dossiers(state, by_plan[tenant, plan], hosts)
    }
    return Sample(seed, METHOD, len(population), tuple(found[each] for each in drawn))


def _dossiers(state: State, facts: PlanFacts, names: Sequence[str]) -> Iterable[Dossier]:
    report = facts.report
    steps, approvals = _steps(state, report.tenant, report.plan, names), tuple(approval_rows(report))
    for host in report.hosts:
        if host.host in steps:
            (host_row,) = host_rows(report, [host])
            yield _dossier(
                host_row,
                host.pending,
                approvals,
                [replace(row, hosts=(host.host,)) for row in change_rows(report, [host])],
                steps[host.host],
            )


def _dossier(
    host: HostRow,
    pending: Sequence[PendingUpdate] | None,
    approvals: tuple[ApprovalRow, ...],
    changes: Sequence[ChangeRow],
    steps: Sequence[Step],
) -> Dossier:
    said = ["what was pending is not known: the host was not scanned"] if pending is None else map(_pending, pending)
    return Dossier(host, tuple(said), approvals, tuple(changes), tuple(steps))


def _pending(update: PendingUpdate) -> str:
    cves = "CVEs not known" if update.cves is None else ", ".join(update.cves) or "no CVE"
    left = "" if update.selected else f"; left alone: {update.reason}"
    return f"{update.name} {update.candidate} ({update.severity}; {cves}; first seen {update.first_seen or '?'}){left}"


def _steps(state: State, tenant: str, plan: str, hosts: Sequence[str]) -> dict[str, list[Step]]:
    """What the ledger says of these hosts. Only lines that name one are parsed, of many thousands."""
    key = b'"host":'
    marks = tuple(key + json.dumps(host, ensure_ascii=False).encode() + b"," for host in hosts)
    found: dict[str, list[Step]] = {host: [] for host in hosts}
    # The keys are sorted: after the host there is nothing that a host has said.
    lines = (line for line in state.entries(tenant, plan) if line.startswith(marks, line.rfind(key)))
    for entry in read_entries(lines):
        if entry["host"] in found:
            found[entry["host"]].append(_step(entry))
    return found


def _step(entry: Mapping[str, Any]) -> Step:
    data = entry["data"] if isinstance(entry["data"], Mapping) else {}
    return Step(
        seq=entry["seq"],
        time=str(entry["time"]),
        attempt=entry["attempt"],
        phase=str(entry["phase"]),
        outcome=str(entry["outcome"]),
        detail=_detail(data),
    )


def _detail(data: Mapping[str, Any]) -> str:
    """What the entry says in a line: the words it brings, and what was changed."""
    parts = [f"{key.replace('_', ' ')}: {data[key]}" for key in ("verdict", "settled", "in_service") if key in data]
    parts += [str(data[key]) for key in ("reason", "msg") if data.get(key)]
    before, after = data.get("before"), data.get("after")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        changed = [
            f"{name} {before.get(name)} to {after[name]}" for name in sorted(after) if before.get(name) != after[name]
        ]
        parts.append(", ".join(changed) or "no version was changed")
    text = "; ".join(parts)
    return text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"
