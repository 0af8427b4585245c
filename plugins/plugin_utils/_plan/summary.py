# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan says to its reader: the facts, gathered in one pass, and a compact table for the console."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest
from ansible_collections.bankops.fleet.plugins.plugin_utils._once import Once
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.estimate import batch_seconds
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import (
    Decision,
    Gate,
    HostDocument,
    PlanHead,
    closed,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.overrides import is_valid
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import describe_left_out
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show

UNKNOWN = "unknown"
Key = TypeVar("Key")
_NAMED = 8


# Told apart by identity, since ``Gathering`` makes each once: to compare millions by their texts takes a minute.
@dataclass(frozen=True, eq=False)
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
    changes: tuple[ChangeLine, ...]


@dataclass(frozen=True)
class Facts:
    """What the summaries show. Lists of hosts are sorted."""

    plan: str
    head: PlanHead
    transactions: list[Transaction]
    """By their hosts."""
    holds: dict[tuple[str, ...], list[str]]
    """(package, owner, reason, ticket, expires, whether it has expired, the updates it keeps back) to hosts."""
    waivers: dict[tuple[str, ...], list[str]]
    """(owner, reason, ticket, expires, whether it has expired) to hosts."""
    gates: dict[tuple[str, str, str], list[str]]
    """(gate, verdict, evidence) of those that let nothing through, to hosts."""
    overridden: dict[tuple[str, str, str], list[str]]
    """The same of those that an override lets through."""
    overrides: dict[tuple[str, ...], list[str]]
    """(gate, owner, reason, ticket, expires, what it did in the plan) to hosts."""
    seconds: dict[str, int]
    """What each host's change takes by estimate."""

    @property
    def cves(self) -> list[str]:
        """The CVEs that are known to be closed."""
        return sorted({cve for line in self.hosts_of_changes for cve in line.cves or ()})

    @property
    def changes_of_unknown_cves(self) -> int:
        """Different changes of which nobody knows which CVEs they close."""
        return len({(line.name, line.candidate) for line in self.hosts_of_changes if line.cves is None})

    @cached_property
    def hosts_of_changes(self) -> Counter[ChangeLine]:
        """Every different change, with the number of hosts that have it before them."""
        found: Counter[ChangeLine] = Counter()
        for planned in self.transactions:
            for line in planned.changes:
                found[line] += len(planned.hosts)
        return found

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

    ``cves`` are ids that staging found in changelogs, by ``name=version``; they add to what the documents know. They
    are looked at when all documents were read, so whoever reads these may still find some.
    """
    gathering = Gathering(head["created"])
    for document in documents:
        gathering.take(document)
    return gathering.facts(head, cves or {})


class Gathering:
    """Takes the documents of a plan in any order, while they are made or read, and keeps none.

    ``created`` is the plan's own moment.
    """

    def __init__(self, created: str) -> None:
        self._created = created
        self._transactions: dict[tuple[ChangeLine, ...], list[str]] = defaultdict(list)
        self._holds: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._waivers: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._gates: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        self._overridden: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        self._overrides: dict[tuple[str, ...], list[str]] = defaultdict(list)
        self._seconds: dict[str, int] = {}
        self._lines: dict[tuple[Any, ...], ChangeLine] = {}
        self._same: Once[tuple[ChangeLine, ...]] = Once()

    def take(self, document: HostDocument) -> None:
        """Note what a document says."""
        host, transaction = document["host"], document["transaction"]
        self._seconds[host] = document["estimated_seconds"]
        for hold in document["holds"]:
            self._holds[_hold(hold)].append(host)
        for waiver in document.get("waivers", []):
            self._waivers[_waiver(waiver)].append(host)
        self.take_gates(host, document["gates"])
        for override in document["policy"]["overrides"]:
            self._overrides[_override(override, document["gates"], self._created)].append(host)
        self._transactions[self._same.of(transaction, lambda: self._changes(document))].append(host)

    def take_gates(self, host: str, gates: list[Gate]) -> None:
        """Note those of a host's gates that do not pass by themselves."""
        for found in closed(gates):
            self._gates[found["name"], found["verdict"], found["evidence"]].append(host)
        for found in gates:
            if "override" in found:
                self._overridden[found["name"], found["verdict"], found["evidence"]].append(host)

    def facts(self, head: PlanHead, cves: Mapping[str, Sequence[str]] | None = None) -> Facts:
        """What was noted, for the plan of this head, which says what is done with each host; ``cves`` as for gather."""
        patched = {host for host, entry in head["hosts"].items() if entry["decision"] == Decision.PATCH}
        known = {line: with_cves(line, cves or {}) for line in self._lines.values()}
        transactions = [
            Transaction(sorted(patched.intersection(hosts)), tuple(known[line] for line in changes))
            for changes, hosts in self._transactions.items()
        ]
        return Facts(
            digest(head),
            head,
            sorted((planned for planned in transactions if planned.hosts), key=lambda planned: planned.hosts),
            _sorted(self._holds),
            _sorted(self._waivers),
            _sorted(self._gates),
            _sorted(self._overridden),
            _sorted(self._overrides),
            self._seconds,
        )

    def _changes(self, document: HostDocument) -> tuple[ChangeLine, ...]:
        updates = {(update["name"], update["arch"]): update for update in document["pending"]}
        return tuple(
            self._line(change, updates.get((change["name"], change["arch"]))) for change in document["transaction"]
        )

    def _line(self, change: Mapping[str, Any], update: Mapping[str, Any] | None) -> ChangeLine:
        """The line of a change, the same for all hosts: a large fleet has few different ones, and millions in all.

        A package that the transaction takes along has no update of its own, and of those nothing more is known.
        """
        known = known_cves(update)
        said = (update["is_security"], update["severity"]) if update else (None, UNKNOWN)
        what = (change["name"], change["action"], change["installed"], change["candidate"])
        key = (*what, *said, known, update is None)
        if key not in self._lines:
            self._lines[key] = ChangeLine(
                name=change["name"],
                action=change["action"],
                installed=change["installed"] or "",
                candidate=change["candidate"] or "",
                is_security=("yes" if update["is_security"] else "no") if update else UNKNOWN,
                severity=said[1],
                cves=known,
            )
        return self._lines[key]


def known_cves(update: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """The CVEs of an update as its document has them; None where there is no update, or nobody knows."""
    if update is None or update["cves"] == UNKNOWN:
        return None
    return tuple(sorted(set(update["cves"])))


def with_cves(line: ChangeLine, found: Mapping[str, Sequence[str]]) -> ChangeLine:
    """The line with the ids that staging found for its update besides."""
    ids = found.get(f"{line.name}={line.candidate}")
    return replace(line, cves=tuple(sorted({*(line.cves or ()), *ids}))) if ids is not None else line


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
    if "left_out" in head:
        lines.append(f"not in the plan by the inventory: {describe_left_out(head['left_out'])}")
    for wave in head["waves"]:
        for number, batch in enumerate(wave["batches"], start=1):
            seconds = duration(batch_seconds(batch, facts.seconds))
            lines.append(f"  {show(wave['name']):<12} {number:>4}  {seconds:>8}  {names(batch, _NAMED)}")
    for (decision, reason), hosts in facts.reasons.items():
        lines.append(f"  {decision:<12} {show(reason)}: {names(hosts, _NAMED)}")
    for (gate, verdict, evidence), hosts in sorted(facts.gates.items()):
        lines.append(f"  gate {show(gate)} says {verdict}: {show(evidence)}: {names(hosts, _NAMED)}")
    for (gate, owner, reason, ticket, expires, effect), hosts in sorted(facts.overrides.items()):
        lines.append(
            f"  override of {show(gate)} by {show(owner)} until {expires} ({_why(reason, ticket)}): {show(effect)}: "
            f"{names(hosts, _NAMED)}"
        )
    for (package, owner, _reason, _ticket, expires, expired, _updates), hosts in sorted(facts.holds.items()):
        state = "expired" if expired else "until"
        lines.append(f"  held {show(package)} by {show(owner)}, {state} {expires}: {names(hosts, _NAMED)}")
    for (owner, reason, ticket, expires, expired), hosts in sorted(facts.waivers.items()):
        state = "expired, and waives nothing:" if expired else "until"
        why = _why(reason, ticket)
        lines.append(f"  waiver by {show(owner)}, {state} {expires} ({why}): {names(hosts, _NAMED)}")
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


def _why(reason: str, ticket: str) -> str:
    return show(f"{ticket}: {reason}" if ticket else reason)


def _sorted(named: Mapping[Key, Iterable[str]]) -> dict[Key, list[str]]:
    return {key: sorted(hosts) for key, hosts in named.items()}


def _hold(hold: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        hold["package"],
        hold["owner"] or "nobody",
        hold["reason"],
        hold.get("ticket", ""),
        hold["expires"] or "no date",
        "expired" if hold["expired"] else "",
        ", ".join(hold["updates"]),
    )


def _waiver(waiver: Mapping[str, Any]) -> tuple[str, ...]:
    answered = (waiver["owner"], waiver["reason"], waiver["ticket"], waiver["expires"])
    return *answered, "expired" if waiver["expired"] else ""


def _override(override: Mapping[str, Any], gates: Iterable[Gate], created: str) -> tuple[str, ...]:
    said = {key: override[key] for key in ("owner", "reason", "expires")}
    used = [found for found in gates if found["name"] == override["gate"] and found.get("override") == said]
    effect = "not needed by the plan"
    if used:
        effect = f"lets through {used[0]['verdict']}: {used[0]['evidence']}"
    elif not is_valid(override, datetime.fromisoformat(created).date()):
        effect = "had expired when the plan was made"
    return override["gate"], said["owner"], said["reason"], override.get("ticket", ""), said["expires"], effect
