# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a plan as lines for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable, show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import duration, names
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.console import aligned
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.status_model import (
    BatchStatus,
    PlanState,
    PlanStatus,
)

SHOWN_BATCHES = 24
"""In a larger plan a wave is one line, and only its batches in work are listed beside it."""

SHOWN_HOSTS = 20
SHOWN_REASONS = 3
SHOWN_NAMES = 8
SHOWN_TROUBLES = 20


def render(status: PlanStatus) -> list[str]:
    """The status, line by line."""
    return [
        f"Tenant {show(status.tenant)}, cycle {status.cycle}, plan {status.plan[:16]}: {_state(status)}",
        "",
        *aligned([("WAVE", "BATCH", "HOSTS", "STATUS"), *_batches(status)]),
        "",
        *_in_work(status),
        *_facts(status),
        *_troubles(status),
    ]


def _state(status: PlanStatus) -> str:
    if status.attempt and status.state in (PlanState.RUNNING, PlanState.INTERRUPTED):
        attempt = status.attempt
        mode = " in check mode" if attempt.check_mode else ""
        since = f"attempt {attempt.number} ({show(attempt.purpose)}{mode}) since {_clock(attempt.opened)}"
        stops = f", no further host is begun ({status.stop})" if status.stop else ""
        return f"{status.state.value}, {since}{stops}"
    if status.state is PlanState.STOPPED:
        return f"stopped by {status.stop}"
    if status.soaks_until:
        return f"{status.state.value}, soaks until {_clock(status.soaks_until)}"
    return status.state.value


def _batches(status: PlanStatus) -> Iterator[tuple[str, ...]]:
    if len(status.batches) <= SHOWN_BATCHES:
        yield from (_row(batch, str(batch.batch)) for batch in status.batches)
        return
    busy = {host.phase for host in status.in_work}
    for wave in dict.fromkeys(batch.wave for batch in status.batches):
        own = [batch for batch in status.batches if batch.wave == wave]
        counts: Counter[str] = sum((Counter(batch.counts) for batch in own), Counter())
        hosts, left = sum(batch.hosts for batch in own), sum(batch.left for batch in own)
        yield _row(BatchStatus(wave, len(own), hosts, left, dict(counts)), f"all {len(own)}")
        yield from (_row(batch, str(batch.batch)) for batch in own if busy & batch.counts.keys())


def _row(batch: BatchStatus, number: str) -> tuple[str, ...]:
    return show(batch.wave), number, str(batch.hosts), _counted(batch.counts)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {key.replace('_', ' ')}" for key, number in sorted(counts.items()))


def _in_work(status: PlanStatus) -> Iterator[str]:
    if not status.in_work:
        return
    hosts = sorted(status.in_work, key=lambda host: host.since)
    rows = [
        (
            show(host.host),
            show(host.phase) if host.doing else f"{show(host.phase)} done",
            duration(max(0, round((status.now - host.since).total_seconds()))),
        )
        for host in hosts[:SHOWN_HOSTS]
    ]
    yield from aligned([("IN WORK", "PHASE", "SINCE"), *rows])
    if len(hosts) > SHOWN_HOSTS:
        yield f"and {len(hosts) - SHOWN_HOSTS} more"
    yield ""


def _facts(status: PlanStatus) -> Iterator[str]:
    yield f"hosts: {_counted(status.counts)} = {status.hosts}"
    spent = f": {names(status.spent, SHOWN_NAMES)}" if status.spent else ""
    yield f"failure budget: {len(status.spent)} of {status.allowed} spent{spent}"
    for waiting in status.waiting[:SHOWN_REASONS]:
        yield f"{waiting.hosts} waiting: {show(waiting.reason) or 'no reason was given'}"
    if status.mean_seconds is not None:
        yield f"pace: {duration(round(status.mean_seconds))} a host, of {len(status.measured_seconds)} measured"
    if status.estimated_end:
        left = duration(max(0, round((status.estimated_end - status.now).total_seconds())))
        yield f"estimated end: {_clock(status.estimated_end)}, in about {left} of work and soak"
    for attempt in status.incomplete:
        yield f"incomplete: attempt {attempt.number} ({show(attempt.purpose)}), opened {_clock(attempt.opened)}"
    yield f"expires: {status.expires}"
    if status.last_entry:
        age = duration(max(0, round((status.now - status.last_entry).total_seconds())))
        yield f"ledger: {status.entries} entries, the last one {age} ago"


def _troubles(status: PlanStatus) -> Sequence[str]:
    if not status.troubles:
        return ()
    shown = [f"  - {printable(text)}" for text in status.troubles]
    more = len(shown) - SHOWN_TROUBLES
    return ["needs attention:", *shown[:SHOWN_TROUBLES], *([f"  - and {more} more"] if more > 0 else [])]


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
