# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Closing attempts: every host of the plan gets its outcome, and the lease is given back."""

from __future__ import annotations

from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, record_outcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import FINISHED, Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.outcome import count
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase


def close_attempt(book: Book, attempt: Attempt, *, now_missing: str) -> dict[str, Any]:
    """Give every host of the plan its outcome, close the attempt, and give its lease back.

    ``now_missing`` is the reason said of hosts that the attempt never came to. Hosts that wait as planned are in order.
    Returns ``{"counts": {outcome: n}, "hosts": {host: {"outcome", "in_service", "reason"}}, "waiting": [host],
    "in_order": bool}``.
    """
    if attempt.purpose == "rollback":
        return _close_rollback(book, attempt)
    if attempt.purpose == "stage":
        return _close_staging(book, attempt)
    if not attempt.check_mode:
        _record_left_over(book, attempt, now_missing)
    outcomes = book.progress().outcomes
    hosts = {
        host: {"outcome": done.outcome.value, "in_service": done.in_service, "reason": done.reason}
        for host, done in sorted(outcomes.items())
    }
    applied = not attempt.check_mode
    counts = count({host: done["outcome"] for host, done in hosts.items()}, book.head["hosts"]) if applied else {}
    waiting = {host for host, done in outcomes.items() if done.waiting}
    good = {HostOutcome.VERIFIED, HostOutcome.UNCHANGED}
    in_order = not applied or all(done.outcome in good or host in waiting for host, done in outcomes.items())
    return _closed(book, attempt, counts, hosts, sorted(waiting), in_order=in_order)


def _closed(
    book: Book,
    attempt: Attempt,
    counts: dict[str, int],
    hosts: dict[str, dict[str, str]],
    waiting: list[str],
    *,
    in_order: bool,
) -> dict[str, Any]:
    """Record that the attempt is over, give its lease back, and return what ``close_attempt`` returns."""
    outcome = EntryOutcome.OK if in_order else EntryOutcome.FAILED
    book.write(attempt.number, None, Phase.CLOSE, outcome, {"counts": counts})
    book.state.release(book.tenant, attempt.owner)
    return {"counts": counts, "hosts": hosts, "waiting": waiting, "in_order": in_order}


def _close_staging(book: Book, attempt: Attempt) -> dict[str, Any]:
    """A host that could not be staged keeps no other from being patched. Whether it serves nobody has looked at."""
    included = [host for batch in attempt.batches for host in batch]
    missing = [] if attempt.check_mode else sorted(set(included) - book.progress().staged)
    counts = {"asked_for": len(included), "not_staged": len(missing)}
    reason = "its packages are not on the host; stage again before the window, or its change is skipped"
    hosts = {host: {"outcome": "not_staged", "in_service": "unknown", "reason": reason} for host in missing}
    return _closed(book, attempt, counts, hosts, [], in_order=not missing)


def _close_rollback(book: Book, attempt: Attempt) -> dict[str, Any]:
    """Every host that was begun has its outcome; one that was not keeps the versions and the outcome it has."""
    progress = book.progress()
    included = [host for batch in attempt.batches for host in batch]
    begun = progress.attempts[-1]
    for host in included:
        if host in begun.started and host not in begun.judged:
            unknown = "the attempt ended before its outcome was known"
            record_outcome(book, attempt.number, host, HostOutcome.UNREACHABLE, unknown, "unknown")
    outcomes = book.progress().outcomes
    hosts = {
        host: {
            "outcome": outcomes[host].outcome.value,
            "in_service": outcomes[host].in_service,
            "reason": outcomes[host].reason,
        }
        for host in included
        if host in outcomes
    }
    back = [host for host in included if host in hosts and hosts[host]["outcome"] == HostOutcome.ROLLED_BACK]
    in_order = attempt.check_mode or len(back) == len(included)
    counts = {"rolled_back": len(back), "asked_for": len(included)}
    return _closed(book, attempt, counts, hosts, [], in_order=in_order)


def _record_left_over(book: Book, attempt: Attempt, now_missing: str) -> None:
    """Hosts without a final outcome: begun and never judged, or never begun."""
    progress = book.progress()
    included = {host for batch in attempt.batches for host in batch}
    for host in sorted(book.head["hosts"]):
        known = progress.outcomes.get(host)
        if known and (known.attempt == attempt.number or known.outcome in FINISHED):
            continue
        waits = host not in included
        reason = "outside the limit of this attempt" if waits else now_missing
        if host in progress.attempts[-1].started:
            # Not the last word: a further attempt examines it, as after a controller that died.
            unknown = "the attempt ended before its outcome was known"
            record_outcome(book, attempt.number, host, HostOutcome.UNREACHABLE, unknown, "unknown")
        elif progress.in_the_middle(host):
            earlier = f"{reason}; an earlier attempt ended in the middle of its change"
            record_outcome(book, attempt.number, host, HostOutcome.NOT_ATTEMPTED, earlier, "unknown")
        elif known is None or known.outcome is HostOutcome.NOT_ATTEMPTED:
            record_outcome(book, attempt.number, host, HostOutcome.NOT_ATTEMPTED, reason, "yes", waiting=waits)
