# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change freezes: spans of the policy, and the events of a calendar file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.windows import moment_of, zone_of

ReadCalendar = Callable[[str], bytes]
"""Reads the calendar file at a path; raises OSError."""

_A_DAY = timedelta(days=1)
_TIMES = ("DTSTART", "DTEND", "RECURRENCE-ID", "RDATE", "EXDATE")

# Every recurrence from an event's first day on is gone through, at every guard. Freezes last days: a calendar that
# would take minutes is not what it should be.
LARGEST_CALENDAR = 1_000_000
"""In bytes."""
MOST_RULES = 500
"""By which events recur."""
_FREQUENCIES = frozenset(("DAILY", "WEEKLY", "MONTHLY", "YEARLY"))
_TIMES_OF_DAY = ("BYHOUR", "BYMINUTE", "BYSECOND")


@dataclass(frozen=True)
class Freeze:
    """A span (UTC) in which nothing is changed; the end is the first moment that is no longer part of it."""

    begins: datetime
    ends: datetime
    what: str
    """Why, and who says so."""

    def touches(self, begins: datetime, ends: datetime) -> bool:
        """Whether a change in this span would be in the freeze. An event without a duration stops what runs over it."""
        return self.begins < ends and (begins < self.ends or begins <= self.begins)


def read_calendar(path: str) -> bytes:
    """A calendar file of the controller, no more of it than is needed to see that it is too large."""
    with Path(path).open("rb") as file:
        return file.read(LARGEST_CALENDAR + 1)


def listed_freezes(policy: Mapping[str, Any]) -> list[Freeze]:
    """Those that the policy lists."""
    return [_listed(freeze) for freeze in policy["freezes"]]


def calendar_freezes(policy: Mapping[str, Any], first: datetime, last: datetime, read: ReadCalendar) -> list[Freeze]:
    """Those of the calendar that touch the time from ``first`` to ``last``.

    Raises FleetError of kind ``calendar_unreadable``: a calendar in part would be taken for one with fewer freezes.
    """
    path = policy["freeze_calendar"]
    if path is None:
        return []
    window = policy["window"]
    zone = zone_of(window["time_zone"]) if window else ZoneInfo("UTC")
    try:
        found = list(_events(read(path), first, last, zone))
    # What the libraries raise for a calendar that is broken in one way or another.
    except (OSError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as problem:
        raise FleetError(
            f"the freeze calendar {show(path)} cannot be read: {show(str(problem))}",
            kind="calendar_unreadable",
            remedy="Put a whole iCalendar file there.",
        ) from problem
    return [freeze for freeze in found if freeze.touches(first, last)]


def _listed(freeze: Mapping[str, Any]) -> Freeze:
    zone = zone_of(freeze["time_zone"])
    begins, ends = span_of(freeze["from"], freeze["to"])
    return Freeze(moment_of(begins, zone), moment_of(ends, zone), f"{show(freeze['reason'])} ({show(freeze['owner'])})")


def span_of(first: str, last: str) -> tuple[datetime, datetime]:
    """Wall times of dates or times; a date as the last one includes that day. Raises ValueError."""
    ends = datetime.fromisoformat(last)
    return datetime.fromisoformat(first), ends + _A_DAY if is_date(last) else ends


def is_date(text: str) -> bool:
    """Whether a text that is a date or a time is a date."""
    return len(text) == len("2026-12-31")


def _events(content: bytes, first: datetime, last: datetime, zone: ZoneInfo) -> Iterator[Freeze]:
    # Few policies have a calendar, and these take longer to import than anything else here.
    import recurring_ical_events
    from icalendar import Calendar

    if len(content) > LARGEST_CALENDAR:
        raise ValueError(f"it is larger than {LARGEST_CALENDAR} bytes")
    calendar = Calendar.from_ical(content)
    _refuse_broken(calendar)
    _refuse_endless(calendar)
    # The calendar's own zone is the better guess of what its days mean, where it says one.
    zone = zone_of(str(calendar["X-WR-TIMEZONE"])) if "X-WR-TIMEZONE" in calendar else zone
    query = recurring_ical_events.of(calendar)
    # Days and times without a zone are compared as if they were UTC, so a day more is looked at on both sides.
    for event in query.between(first.astimezone(timezone.utc) - _A_DAY, last.astimezone(timezone.utc) + _A_DAY):
        if str(event.get("STATUS", "")).upper() != "CANCELLED":
            begins, ends = (_moment(event[key].dt, zone) for key in ("DTSTART", "DTEND"))
            yield Freeze(begins, ends, show(event.get("SUMMARY", "without a title")))


def _refuse_broken(calendar: Any) -> None:
    """The parser leaves out what it cannot read, and a time of an unknown zone loses its zone. Raises ValueError."""
    if calendar.name != "VCALENDAR":
        raise ValueError(f"it is a {calendar.name}")
    for component in calendar.walk():
        if component.errors:
            raise ValueError(str(component.errors[0][1]))
        if component.name == "VEVENT" and "DTSTART" not in component:
            raise ValueError("an event has no DTSTART")
        for key in _TIMES if component.name == "VEVENT" else ():
            found = component.get(key, [])
            for value in found if isinstance(found, list) else [found]:
                moments = [each.dt for each in getattr(value, "dts", [value])]
                if "TZID" in value.params and any(getattr(moment, "tzinfo", None) is None for moment in moments):
                    raise ValueError(f"the time zone {value.params['TZID']} of an event is not known")


def _refuse_endless(calendar: Any) -> None:
    """Refuse what recurs so often that nobody could wait for it, also in a time zone. Raises ValueError."""
    found = [component.get("RRULE", []) for component in calendar.walk()]
    rules = [rule for each in found for rule in (each if isinstance(each, list) else [each])]
    if len(rules) > MOST_RULES:
        raise ValueError(f"it has more than {MOST_RULES} rules of recurrence")
    for rule in rules:
        several_times = any(len(rule.get(part, [])) > 1 for part in _TIMES_OF_DAY)
        if several_times or not _FREQUENCIES.issuperset(rule.get("FREQ", [])):
            raise ValueError(f"an event recurs more than once a day ({rule.to_ical().decode()})")
        if any(interval < 1 for interval in rule.get("INTERVAL", [])):
            raise ValueError(f"an event recurs without end on one day ({rule.to_ical().decode()})")


def _moment(value: date, zone: ZoneInfo) -> datetime:
    if not isinstance(value, datetime):
        return moment_of(datetime.combine(value, time()), zone)
    return moment_of(value, zone) if value.tzinfo is None else value.astimezone(timezone.utc)
