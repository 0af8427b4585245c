# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as Markdown, for the approver. Every value is data: it cannot become a link, HTML or another table cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.estimate import batch_seconds
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Decision, HostDocument, PlanHead
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import describe_left_out
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import (
    ChangeLine,
    Facts,
    duration,
    gather,
)

_COLUMNS = ("Package", "Change", "From", "To", "Security", "Severity", "CVEs")
_MOST_TRANSACTIONS = 100

# What marks up, and what GitHub and GitLab make links of without any mark.
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|!~&@]|:(?=//)|(?<=www)\.)")


def render_markdown(
    head: PlanHead, host_documents: Iterable[HostDocument], cves: Mapping[str, Sequence[str]] | None = None
) -> str:
    """The plan as a page of Markdown. ``cves`` as in ``summary.gather``."""
    return markdown(gather(head, host_documents, cves))


def markdown(facts: Facts) -> str:
    """The page for facts that were gathered already."""
    parts = (_opening, _rollout, _changes, _not_patched, _gates, _overrides, _holds, _waivers)
    return "\n".join(line for part in parts for line in part(facts)) + "\n"


def text(value: object) -> str:
    """A value that Markdown shows as it is, on one line."""
    shown = "".join(character if character.isprintable() else " " for character in str(value))
    return _SPECIAL.sub(r"\\\1", shown)


def _opening(facts: Facts) -> Iterator[str]:
    head, counts = facts.head, facts.decisions
    yield f"# Plan of {text(head['tenant'])} for {text(head['cycle'])}"
    yield ""
    yield from _table(
        ("", ""),
        [
            ("Digest", facts.plan),
            ("Created", head["created"]),
            ("Expires", head["expires"]),
            ("Revision", head["revision"]),
            ("Policy", head["policy_digest"]),
            ("Hosts", f"{len(head['hosts'])}: " + ", ".join(f"{counts[kind.value]} {kind.value}" for kind in Decision)),
            *(
                [("Not in the plan by the inventory", describe_left_out(head["left_out"]))]
                if "left_out" in head
                else []
            ),
            ("Estimated duration", f"{duration(facts.total_seconds)}, soak between the waves included"),
            ("May fail before the plan stops", head["limits"]["max_failed"]),
        ],
    )
    closed = f"closes {len(facts.cves)} known CVEs" + (f": {', '.join(facts.cves)}" if facts.cves else "")
    yield f"This plan {text(closed)}."
    if facts.changes_of_unknown_cves:
        yield f"Which CVEs {facts.changes_of_unknown_cves} of its changes close is unknown."
    yield ""


def _besides(head: PlanHead) -> Iterator[tuple[str, str]]:
    if "left_out" in head:
        yield "Not in the plan by the inventory", describe_left_out(head["left_out"])


def _rollout(facts: Facts) -> Iterator[str]:
    yield "## Waves and batches"
    yield ""
    rows = []
    for wave in facts.head["waves"]:
        for number, batch in enumerate(wave["batches"], start=1):
            seconds = duration(batch_seconds(batch, facts.seconds))
            soak = f"{wave['soak_minutes']} min" if number == len(wave["batches"]) else ""
            rows.append((wave["name"], number, ", ".join(batch), seconds, soak))
    yield from _table(("Wave", "Batch", "Hosts", "Estimate", "Soak after it"), rows)


def _changes(facts: Facts) -> Iterator[str]:
    yield "## What changes"
    yield ""
    if not facts.transactions:
        yield "Nothing."
        yield ""
    elif len(facts.transactions) > _MOST_TRANSACTIONS:
        yield from _changes_of_many(facts)
    else:
        for planned in facts.transactions:
            yield f"### {len(planned.changes)} changes on {len(planned.hosts)} hosts"
            yield ""
            yield f"Hosts: {text(', '.join(planned.hosts))}"
            yield ""
            yield from _table(_COLUMNS, map(_change, planned.changes))


def _changes_of_many(facts: Facts) -> Iterator[str]:
    """Where nearly every host has a transaction of its own, a table of each would be longer than anybody reads."""
    yield f"There are {len(facts.transactions)} different transactions. The document of each host has its own, exactly."
    yield ""
    rows = sorted((*_change(line), hosts) for line, hosts in facts.hosts_of_changes.items())
    yield from _table((*_COLUMNS, "Hosts"), rows)


def _change(line: ChangeLine) -> tuple[str, ...]:
    cves = "unknown" if line.cves is None else ", ".join(line.cves) or "none"
    return line.name, line.action, line.installed, line.candidate, line.is_security, line.severity, cves


def _not_patched(facts: Facts) -> Iterator[str]:
    if facts.reasons:
        yield "## Hosts that are not patched"
        yield ""
        rows = [(decision, reason, ", ".join(hosts)) for (decision, reason), hosts in facts.reasons.items()]
        yield from _table(("Decision", "Reason", "Hosts"), rows)


def _gates(facts: Facts) -> Iterator[str]:
    if facts.gates:
        yield "## Gates that do not pass"
        yield ""
        yield from _table(
            ("Gate", "Verdict", "Evidence", "Hosts"), [(*key, ", ".join(on)) for key, on in sorted(facts.gates.items())]
        )


def _overrides(facts: Facts) -> Iterator[str]:
    if facts.overrides:
        yield "## Overrides"
        yield ""
        rows = [(*key, ", ".join(hosts)) for key, hosts in sorted(facts.overrides.items())]
        yield from _table(("Gate", "Owner", "Reason", "Ticket", "Expires", "Effect", "Hosts"), rows)


def _holds(facts: Facts) -> Iterator[str]:
    if facts.holds:
        yield "## Holds"
        yield ""
        rows = []
        for (package, owner, reason, ticket, expires, expired, updates), hosts in sorted(facts.holds.items()):
            until = f"{expires} (expired: keeps nothing back)" if expired else expires
            rows.append((package, owner, reason, ticket, until, updates or "none pending", ", ".join(hosts)))
        yield from _table(("Package", "Owner", "Reason", "Ticket", "Expires", "Updates", "Hosts"), rows)


def _waivers(facts: Facts) -> Iterator[str]:
    if facts.waivers:
        yield "## Waivers"
        yield ""
        rows = [
            (owner, reason, ticket, f"{expires} (expired: waives nothing)" if expired else expires, ", ".join(hosts))
            for (owner, reason, ticket, expires, expired), hosts in sorted(facts.waivers.items())
        ]
        yield from _table(("Owner", "Reason", "Ticket", "Expires", "Hosts"), rows)


def _table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(heading)} |"
    yield "|" + " --- |" * len(heading)
    for row in rows:
        yield f"| {' | '.join(text(cell) for cell in row)} |"
    yield ""
