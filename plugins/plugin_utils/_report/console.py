# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import AttemptState, HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable, show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import duration, names
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import HostResult, Report

SHOWN_HOSTS = 60
"""In a larger fleet only the hosts that need attention are listed; the report has all."""

SHOWN_TROUBLES = 20
SHOWN_NAMES = 8


def render(report: Report) -> str:
    """The verdict, the table of outcomes, counts that add up to the population, and what needs attention."""
    return "\n".join(
        [
            f"Tenant {show(report.tenant)}, cycle {report.cycle}, plan {report.plan[:16]}",
            report.verdict,
            "",
            *_table(report),
            "",
            _counts(report),
            *_facts(report),
            *_troubles(report),
        ]
    )


def _table(report: Report) -> Iterator[str]:
    listed = [host for host in report.hosts if len(report.hosts) <= SHOWN_HOSTS or host.needs_attention]
    heading = ("HOST", "OUTCOME", "IN SERVICE", "WAVE", "PACKAGES", "DURATION", "REASON")
    yield from aligned([heading, *(_row(host) for host in listed)])
    if len(listed) < len(report.hosts):
        wait = " or wait" if report.waiting else ""
        yield f"({len(report.hosts) - len(listed)} hosts that are well{wait} are in the report)"


def _row(host: HostResult) -> tuple[str, ...]:
    changed = sum(change.changed for change in host.changes)
    return (
        show(host.host),
        host.outcome.value,
        host.in_service.value,
        f"{show(host.wave)} {host.batch}" if host.batch else "-",
        str(changed) if host.changes else "-",
        "-" if host.seconds is None else duration(round(host.seconds)) + (", rebooted" if host.rebooted else ""),
        show(host.reason) or "-",
    )


def aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The rows of a table, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _counts(report: Report) -> str:
    counted = [f"{report.counts[outcome]} {outcome.value}" for outcome in HostOutcome if report.counts[outcome]]
    return f"{' + '.join(counted)} = {sum(report.counts.values())} hosts"


def _facts(report: Report) -> Iterator[str]:
    unknown = f", and those of {report.unknown_cves} changes are not known" if report.unknown_cves else ""
    yield f"CVEs closed: {len(report.cves)}{unknown}"
    for approval in report.approvals:
        key = f" ({approval.key})" if approval.key else " in AWX"
        yield (
            f"approved: for {show(approval.purpose)} by {show(approval.approver)}{show(key)}, "
            f"{approval.created:%Y-%m-%d %H:%M:%S} until {approval.expires:%Y-%m-%d %H:%M:%S} UTC"
        )
    for executor in dict.fromkeys(attempt.executor for attempt in report.attempts if attempt.executor):
        numbers = [str(attempt.number) for attempt in report.attempts if attempt.executor == executor]
        yield f"executed: by {show(executor)}, attempt {', '.join(numbers)}"
    for attempt in report.attempts:
        if attempt.state is AttemptState.INCOMPLETE:
            yield f"incomplete: attempt {attempt.number} ({show(attempt.purpose)}), whose process ended before its end"
    if report.left:
        reasons = sorted({update.reason for update in report.left})
        each = ", ".join(f"{sum(update.reason == reason for update in report.left)} {reason}" for reason in reasons)
        yield f"updates left alone: {each}"
    for override in report.overrides:
        yield (
            f"override of {show(override.gate)} by {show(override.owner)} until {override.expires} "
            f"({show(override.reason)}): {show(override.effect)}: {names(override.hosts, SHOWN_NAMES)}"
        )
    if report.user_requests is not None:
        yield "user requests: " + ", ".join(_requests(report.user_requests.items()))
    if report.seconds is not None and report.began and report.ended:
        yield (
            f"duration: {duration(round(report.seconds))}, {report.began:%Y-%m-%d %H:%M:%S} to "
            f"{report.ended:%H:%M:%S} UTC, attempts: {len(report.attempts)}"
        )
    chain = "the chain verifies" if report.ledger.ok else "THE CHAIN IS BROKEN"
    torn = f"; never written whole, and beside it: {report.torn}" if report.torn else ""
    yield f"ledger: {report.ledger.count} entries, head {report.ledger.head[:16]}, {chain}{torn}"


def _requests(counts: Iterable[tuple[str, object]]) -> Iterator[str]:
    for key, value in counts:
        if isinstance(value, int):
            yield f"{value} {show(key).replace('_', ' ')}"


def _troubles(report: Report) -> Iterator[str]:
    if not report.troubles:
        return
    yield "needs attention:"
    for trouble in report.troubles[:SHOWN_TROUBLES]:
        yield f"  - {printable(trouble)}"
    if len(report.troubles) > SHOWN_TROUBLES:
        yield f"  - and {len(report.troubles) - SHOWN_TROUBLES} more, in the report"
