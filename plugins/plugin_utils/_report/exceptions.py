# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exceptions of a plan as rows: holds, overrides and waivers, whether they still hold or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import ExceptionRow
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import Hold, Report


def exception_rows(report: Report, as_of: date) -> tuple[ExceptionRow, ...]:
    """One row for each exception, however many hosts and updates it is about. Expired ones say so as of this day."""
    return *_holds(report, as_of), *_overrides(report, as_of), *_waivers(report, as_of)


def _holds(report: Report, as_of: date) -> Iterator[ExceptionRow]:
    same: dict[tuple[str, str, str, str, str], list[Hold]] = defaultdict(list)
    for hold in report.holds:
        same[hold.package, hold.owner, hold.reason, hold.ticket, hold.expires].append(hold)
    for (package, owner, reason, ticket, expires), holds in same.items():
        kept = sorted({name for hold in holds for name in hold.updates.split(", ") if name})
        yield ExceptionRow(
            tenant=report.tenant,
            kind="hold",
            subject=package,
            owner=owner,
            reason=reason,
            ticket=ticket,
            expires=expires,
            expired=_is_over(expires, as_of),
            effect=_effect_of_hold(kept, expired=holds[0].expired),
            hosts=tuple(sorted({host for hold in holds for host in hold.hosts})),
        )


def _effect_of_hold(kept: list[str], *, expired: bool) -> str:
    if expired:
        return "had expired when the plan was made, and kept nothing back"
    return f"keeps back {', '.join(kept)}" if kept else "no update is pending that it would keep back"


def _overrides(report: Report, as_of: date) -> Iterator[ExceptionRow]:
    for override in report.overrides:
        yield ExceptionRow(
            tenant=report.tenant,
            kind="override",
            subject=override.gate,
            owner=override.owner,
            reason=override.reason,
            ticket=override.ticket,
            expires=override.expires,
            expired=_is_over(override.expires, as_of),
            effect=override.effect,
            hosts=override.hosts,
        )


def _waivers(report: Report, as_of: date) -> Iterator[ExceptionRow]:
    for waiver in report.waivers:
        yield ExceptionRow(
            tenant=report.tenant,
            kind="waiver",
            subject=", ".join(waiver.hosts),
            owner=waiver.owner,
            reason=waiver.reason,
            ticket=waiver.ticket,
            expires=waiver.expires,
            expired=_is_over(waiver.expires, as_of),
            effect="had expired when the plan was made, and waived nothing" if waiver.expired else "is not patched",
            hosts=waiver.hosts,
        )


def _is_over(expires: str, as_of: date) -> bool:
    """Whether the last day has gone by; a hold of the package manager has none."""
    try:
        return date.fromisoformat(expires) < as_of
    except ValueError:
        return False
