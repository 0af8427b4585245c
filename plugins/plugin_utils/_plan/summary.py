# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan says to its reader: the facts, gathered in one pass, and a compact table for the console."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.estimate import batch_seconds
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import (
    Decision,
    Gate,
    HostDocument,
    PlanHead,
    closed,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.overrides import is_valid
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.selection import update_key

UNKNOWN = "unknown"
_NAMED = 8


@dataclass(frozen=True)
class ChangeLine:
    """A change of a transaction with what is known of its update. ``cves`` is None where they are not known."""

    name: str
    action: str
    installed: str
    candidate: str
    is_security: str
    severity: str
    cves: tuple[str, ...] | None


@dataclass(frozen=True)
class Transaction:
    """Hosts that have the very same changes before them."""

    hosts: list[str]
    changes: list[ChangeLine]


@dataclass
class Facts:
    """What the summaries show. Lists of hosts are sorted."""

    plan: str
    head: PlanHead
    transactions: dict[tuple[tuple[Any, ...], ...], Transaction] = field(default_factory=dict)
    holds: dict[tuple[str, ...], list[str]] = field(default_factory=lambda: defaultdict(list))
    """(package, owner, reason, expires, whether it has expired, the updates it keeps back) to hosts."""
    gates: dict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """(gate, verdict, evidence) of those that let nothing through, to hosts."""
    overrides: dict[tuple[str, ...], list[str]] = field(default_factory=lambda: defaultdict(list))
    """(gate, owner, reason, expires, what it did in the plan) to hosts."""
    seconds: dict[str, int] = field(default_factory=dict)

    @property
    def cves(self) -> list[str]:
        """The CVEs that are known to be closed."""
        return sorted(
            {cve for planned in self.transactions.values() for line in planned.changes for cve in line.cves or ()}
        )

    @property
    def changes_of_unknown_cves(self) -> int:
        """Different changes of which nobody knows which CVEs they close."""
        return len(
            {
                (line.name, line.candidate)
                for planned in self.transactions.values()
                for line in planned.changes
                if line.cves is None
            }
        )

    @property
    def total_seconds(self) -> int:
        """Seconds that all batches and the soaks between the waves take."""
        busy = [wave for wave in self.head["waves"] if wave["batches"]]
        batches = sum(batch_seconds(batch, self.seconds) for wave in busy for batch in wave["batches"])
        return batches + sum(wave["soak_minutes"] * 60 for wave in busy[:-1])

    @property
    def decisions(self) -> Counter[str]:
        """How many hosts the plan patches, leaves unchanged, skips, and cannot reach."""
        return Counter(entry["decision"] for entry in self.head["hosts"].values())

    @property
    def reasons(self) -> dict[tuple[str, str], list[str]]:
        """(decision, reason) of the hosts that are not patched, to hosts."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for host, entry in sorted(self.head["hosts"].items()):
            if entry["decision"] != Decision.PATCH:
                found[entry["decision"], entry["reason"]].append(host)
        return found


def gather(head: PlanHead, documents: Iterable[HostDocument], cves: Mapping[str, Sequence[str]] | None = None) -> Facts:
    """Read the documents of a plan once, in any order; none is kept.

    ``cves`` are ids that staging found in changelogs, by ``name=version``; they add to what the documents know.
    """
    facts = Facts(digest(head), head)
    for document in documents:
        host = document["host"]
        facts.seconds[host] = document["estimated_seconds"]
        for hold in document["holds"]:
            facts.holds[_hold(hold)].append(host)
        for found in closed(document["gates"]):
            facts.gates[found["name"], found["verdict"], found["evidence"]].append(host)
        for override in document["policy"]["overrides"]:
            facts.overrides[_override(override, document["gates"], head["created"])].append(host)
        if head["hosts"][host]["decision"] == Decision.PATCH:
            # A large fleet has the same transaction on many hosts; as a key it costs less than its digest.
            same = tuple(tuple(change.values()) for change in document["transaction"])
            if same not in facts.transactions:
                facts.transactions[same] = Transaction([], _lines(document, cves or {}))
            facts.transactions[same].hosts.append(host)
    named = (facts.holds, facts.gates, facts.overrides)
    for hosts in (*(on for by in named for on in by.values()), *(same.hosts for same in facts.transactions.values())):
        hosts.sort()
    return facts


def render_console(facts: Facts) -> list[str]:
    """The summary for a console, line by line."""
    head, counts = facts.head, facts.decisions
    known = f"{len(facts.cves)} known CVEs"
    if facts.changes_of_unknown_cves:
        known += f", those of {facts.changes_of_unknown_cves} changes unknown until they are staged"
    lines = [
        f"Plan {facts.plan[:16]} of tenant {show(head['tenant'])}, cycle {head['cycle']}: {len(head['hosts'])} hosts, "
        + ", ".join(f"{counts[decision.value]} {decision.value}" for decision in Decision),
        f"closes {known}; about {duration(facts.total_seconds)} with soak; expires {head['expires']}",
    ]
    for wave in head["waves"]:
        for number, batch in enumerate(wave["batches"], start=1):
            seconds = duration(batch_seconds(batch, facts.seconds))
            lines.append(f"  {show(wave['name']):<12} {number:>4}  {seconds:>8}  {names(batch, _NAMED)}")
    for (decision, reason), hosts in facts.reasons.items():
        lines.append(f"  {decision:<12} {show(reason)}: {names(hosts, _NAMED)}")
    for (gate, verdict, evidence), hosts in sorted(facts.gates.items()):
        lines.append(f"  gate {show(gate)} says {verdict}: {show(evidence)}: {names(hosts, _NAMED)}")
    for (gate, owner, reason, expires, effect), hosts in sorted(facts.overrides.items()):
        lines.append(
            f"  override of {show(gate)} by {show(owner)} until {expires} ({show(reason)}): {show(effect)}: "
            f"{names(hosts, _NAMED)}"
        )
    for (package, owner, _reason, expires, expired, _updates), hosts in sorted(facts.holds.items()):
        state = "expired" if expired else "until"
        lines.append(f"  held {show(package)} by {show(owner)}, {state} {expires}: {names(hosts, _NAMED)}")
    return lines


def duration(seconds: int) -> str:
    """Seconds for people: ``45 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def names(hosts: Sequence[str], most: int) -> str:
    """Hosts for people; beyond ``most``, how many more there are."""
    more = len(hosts) - most
    return ", ".join(show(host) for host in hosts[:most]) + (f" and {more} more" if more > 0 else "")


def _hold(hold: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        hold["package"],
        hold["owner"] or "nobody",
        hold["reason"],
        hold["expires"] or "no date",
        "expired" if hold["expired"] else "",
        ", ".join(hold["updates"]),
    )


def _override(override: Mapping[str, Any], gates: Iterable[Gate], created: str) -> tuple[str, ...]:
    said = {key: override[key] for key in ("owner", "reason", "expires")}
    used = [found for found in gates if found["name"] == override["gate"] and found.get("override") == said]
    effect = "not needed by the plan"
    if used:
        effect = f"lets through {used[0]['verdict']}: {used[0]['evidence']}"
    elif not is_valid(override, datetime.fromisoformat(created).date()):
        effect = "had expired when the plan was made"
    return override["gate"], *said.values(), effect


def _lines(document: HostDocument, staged: Mapping[str, Sequence[str]]) -> list[ChangeLine]:
    updates = {(update["name"], update["arch"]): update for update in document["pending"]}
    return [_line(change, updates.get((change["name"], change["arch"])), staged) for change in document["transaction"]]


def _line(
    change: Mapping[str, Any], update: Mapping[str, Any] | None, staged: Mapping[str, Sequence[str]]
) -> ChangeLine:
    """A package that the transaction takes along has no update of its own, and of those nothing more is known."""
    known = update["cves"] if update else UNKNOWN
    found = staged.get(update_key(change))
    cves = (
        None
        if known == UNKNOWN and found is None
        else tuple(sorted({*(() if known == UNKNOWN else known), *(found or ())}))
    )
    return ChangeLine(
        name=change["name"],
        action=change["action"],
        installed=change["installed"] or "",
        candidate=change["candidate"] or "",
        is_security=("yes" if update["is_security"] else "no") if update else UNKNOWN,
        severity=update["severity"] if update else UNKNOWN,
        cves=cves,
    )
