# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attempts whose process died: what the hosts know of them is recorded, then they are closed as incomplete.

Hosts that did not answer by then are asked again whenever somebody looks, as long as nothing else was done about them.
What became of a host that was left in the middle of its change nobody decides here: it stays begun, with an outcome
that is not known, until a further attempt on the same plan resumes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import (
    DIED,
    Book,
    close_incomplete,
    open_book,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.leases import keep_left, left_by, living_lease
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt, Progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import is_whole_number
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.guard import sealed_as
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

RUNS = {"heal": None, "apply": Phase.APPLY, "rollback": Phase.ROLLBACK}
"""What a host keeps of a plan, and the phase whose intent must have come before."""

_INTENT = f'"outcome":"{EntryOutcome.INTENT.value}"'.encode()
_RECONCILE, _CLOSE = (f'"phase":"{phase.value}"'.encode() for phase in (Phase.RECONCILE, Phase.CLOSE))
_STATES = ("complete", "failed", "interrupted", "running")
_LONGEST = 200


@dataclass(frozen=True)
class Learned:
    """What one host said: its runs, as far as they have their form, or why nothing could be learned."""

    outcome: EntryOutcome
    data: dict[str, Any]

    @property
    def runs(self) -> dict[str, Any]:
        """``{"heal" | "apply" | "rollback": {"state", "status", "started"}}``."""
        found: dict[str, Any] = self.data.get("runs", {})
        return found


def dead_attempts(state: State, chosen: Iterable[tuple[str, str]], now: datetime) -> list[tuple[Book, Attempt]]:
    """The attempts on these plans that died, of those that are closed the ones about which hosts are still to be asked.

    Raises FleetError of kind ``ledger_damaged``: nothing is added to a ledger that cannot be trusted.
    """
    books = [Book(state, tenant, plan, state.get_plan(tenant, plan)) for tenant, plan in chosen]
    dead = [(book, attempt) for book in books if (attempt := dead_attempt(book, now))]
    return [
        (open_book(state, book.tenant, book.plan), attempt)
        for book, attempt in dead
        if not attempt.closed or hosts_to_ask(book, attempt)
    ]


def dead_attempt(book: Book, now: datetime) -> Attempt | None:
    """The open attempt of a plan, if its owner does not live, or the last one, if it was closed because of that."""
    progress = book.progress()
    current = progress.current
    if current:
        return None if living_lease(book.state, book.tenant, current.owner, now) else current
    last = progress.attempts[-1] if progress.attempts else None
    return last if last and last.incomplete and _is_left(book, progress, last) else None


def _is_left(book: Book, progress: Progress, last: Attempt) -> bool:
    """Whether an attempt was closed because it died, and since then nobody gave it up or sealed the plan."""
    entries = (json.loads(line) for line in book.state.entries(book.tenant, book.plan) if _CLOSE in line)
    closed = (last.number, Phase.CLOSE)
    reason = next(entry["data"]["reason"] for entry in entries if (entry["attempt"], entry["phase"]) == closed)
    # Whoever gives up what was left half changed takes that lease away, and leaves no other trace.
    kept = any(lease.owner == left_by(book.plan) for lease in book.state.leases(book.tenant))
    given_up = progress.unfinished and not kept
    return reason == DIED and not given_up and sealed_as(book.state, book.tenant, book.plan) is None


def hosts_to_ask(book: Book, attempt: Attempt) -> list[str]:
    """The hosts of which an attempt has not said itself what became of them; once it is closed, the silent ones."""
    answered = _answers(book, attempt)[EntryOutcome.OK] if attempt.closed else set()
    return [host for host in _left_open(attempt) if host not in answered]


def _left_open(attempt: Attempt) -> list[str]:
    if attempt.purpose == "stage" or attempt.check_mode:
        return []
    return [host for batch in attempt.batches for host in batch if host not in attempt.judged]


def learn(answer: Mapping[str, Any]) -> Learned:
    """What the answer of ``updates_info`` says of the runs of a plan. The host may have said anything."""
    if answer.get("failed"):
        run = _still_running(answer.get("fleet_failure"))
        if run:
            return Learned(EntryOutcome.OK, {"runs": {run: {"state": "running", "status": None, "started": ""}}})
        return Learned(EntryOutcome.FAILED, {"msg": str(answer.get("msg", ""))[:_LONGEST]})
    said = answer.get("runs")
    runs = {run: _run(said[run]) for run in RUNS if run in said} if isinstance(said, Mapping) else {}
    return Learned(EntryOutcome.OK, {"runs": runs})


def _still_running(failure: Any) -> str | None:
    """The run whose unit a host says is still at work."""
    if not isinstance(failure, Mapping) or failure.get("kind") != "still_running":
        return None
    data = failure.get("data")
    unit = str(data.get("unit")) if isinstance(data, Mapping) else ""
    run = unit.removesuffix(".service").rpartition("-")[2]
    return run if run in RUNS else None


def _run(said: Any) -> dict[str, Any]:
    """A run in its form; what has another is not known."""
    found = said if isinstance(said, Mapping) else {}
    status = found.get("status")
    return {
        "state": found.get("state") if found.get("state") in _STATES else "unknown",
        "status": status if is_whole_number(status) else None,
        "started": str(found.get("started", ""))[:_LONGEST],
    }


def is_news(book: Book, attempt: Attempt, host: str, learned: Learned) -> bool:
    """Whether what a host said is to be recorded: that it is silent still is not."""
    return not attempt.closed or host not in _answers(book, attempt)[learned.outcome]


def record_learned(book: Book, attempt: Attempt, host: str, learned: Learned) -> None:
    """Record what a host said of an attempt that died.

    A change that the host knows of and the ledger does not is recorded as intended: its intent was lost, and whoever
    goes on with the plan must know that the host was begun.
    """
    book.write(attempt.number, host, Phase.RECONCILE, learned.outcome, learned.data)
    begun = {phase: learned.runs[run] for run, phase in RUNS.items() if phase and run in learned.runs}
    intended = _intended(book, host) if begun else set()
    for phase, run in begun.items():
        if phase.value not in intended:
            book.write(attempt.number, host, phase, EntryOutcome.INTENT, {"reconciled": True, "run": run})


def _intended(book: Book, host: str) -> set[str]:
    """The phases of which the ledger has an intent for a host. Of the other lines none is parsed: there may be many."""
    name = json.dumps(host, ensure_ascii=False).encode()
    lines = (line for line in book.state.entries(book.tenant, book.plan) if _INTENT in line and name in line)
    entries = (json.loads(line) for line in lines)
    return {entry["phase"] for entry in entries if (entry["host"], entry["outcome"]) == (host, EntryOutcome.INTENT)}


def close_dead(book: Book, attempt: Attempt, now: datetime, *, taken_in: int) -> dict[str, Any] | None:
    """Close a dead attempt as incomplete, unless it was closed before; None when somebody has done more by now.

    ``taken_in`` is how many entries were shipped from spools that it left. Returns what the close says:
    ``{"asked", "answered", "silent": [host], "failed": [host], "left": [host], "taken_in"}``. From the silent there was
    no answer, and from the failed none but a failure; ``left`` are in the middle of their change.
    """
    progress = book.progress()
    last = progress.attempts[-1]
    if (last.number, last.closed) != (attempt.number, attempt.closed):
        return None
    try:
        # The hosts it left half changed stay closed to other plans; and should its process only have slept, it finds
        # its lease gone, and asks to stop.
        keep_left(book.state, book.tenant, book.plan, book.head, progress.unfinished, now)
    except FleetError as problem:
        if problem.kind != "lease_held":
            raise
        return None
    asked, answers = _left_open(attempt), _answers(book, attempt)
    answered, failed = answers[EntryOutcome.OK], answers[EntryOutcome.FAILED]
    found = {
        "asked": len(asked),
        "answered": len(answered),
        "silent": sorted(set(asked) - answered - failed),
        "failed": sorted(failed),
        "left": sorted(progress.unfinished),
        "taken_in": taken_in,
    }
    if not attempt.closed:
        close_incomplete(book, attempt, DIED, **found)
    return found


def _answers(book: Book, attempt: Attempt) -> dict[EntryOutcome, set[str]]:
    """The hosts that were asked about an attempt, by what came of it at last; one that answered once has answered."""
    latest: dict[str, EntryOutcome] = {}
    lines = (line for line in book.state.entries(book.tenant, book.plan) if _RECONCILE in line)
    for entry in map(json.loads, lines):
        if (entry["attempt"], entry["phase"]) == (attempt.number, Phase.RECONCILE):
            host = entry["host"]
            latest[host] = EntryOutcome.OK if latest.get(host) is EntryOutcome.OK else EntryOutcome(entry["outcome"])
    outcomes = (EntryOutcome.OK, EntryOutcome.FAILED, EntryOutcome.UNREACHABLE)
    return {outcome: {host for host, found in latest.items() if found is outcome} for outcome in outcomes}
