# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change windows: an RFC 5545 recurrence in the wall time of a zone, each occurrence open for an elapsed time.

``window`` is the policy's own mapping (``rrule``, ``start``, ``duration_minutes``, ``time_zone``) everywhere. Moments
are kept in UTC: Python compares two times of one zone by their wall time, which is wrong in the night of a change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

if TYPE_CHECKING:
    from dateutil.rrule import rrule

# No change of a clock moves a wall time by more.
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """One occurrence, in UTC; the end is the first moment that is no longer part of it."""

    begins: datetime
    ends: datetime


def zone_of(name: str) -> ZoneInfo:
    """The time zone. Raises FleetError of kind ``bad_time_zone`` for a name that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as problem:
        raise FleetError(
            f"The time zone {name!r} is not known here.",
            kind="bad_time_zone",
            remedy="Write it as the IANA database does, such as Europe/Berlin; where it is right, install tzdata.",
        ) from problem


def moment_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment (UTC) of a wall time. One that a change skips counts from before it, of one that is twice the first.

    That is how RFC 5545, section 3.3.5, reads them.
    """
    return wall.replace(tzinfo=zone).astimezone(timezone.utc)


def rule_of(window: Mapping[str, Any]) -> rrule:
    """The recurrence, in wall time. Raises ValueError or TypeError for what is none."""
    # Not every policy has a window, and what every task imports is paid for on every host.
    from dateutil.rrule import rrulestr

    return cast("rrule", rrulestr(window["rrule"], dtstart=datetime.fromisoformat(window["start"])))


def window_now(window: Mapping[str, Any], now: datetime) -> Window | None:
    """The window that is open; of several the one that is open longest."""
    return max(windows_between(window, now, now), key=lambda found: found.ends, default=None)


def next_window(window: Mapping[str, Any], now: datetime) -> Window | None:
    """The next window that opens after ``now``; None when the rule has come to its end."""
    zone = zone_of(window["time_zone"])
    for wall in rule_of(window).xafter(_wall(now, zone) - _A_DAY):
        if moment_of(wall, zone) > now:
            # Another may come before it: a wall time that a change skips is later than some that are after it.
            near = _occurrences(window, wall - _A_DAY, wall + _A_DAY)
            return min((found for found in near if found.begins > now), key=lambda found: found.begins)
    return None


def windows_between(window: Mapping[str, Any], first: datetime, last: datetime) -> list[Window]:
    """The windows that are open at some moment from ``first`` to ``last``, by their begin."""
    zone = zone_of(window["time_zone"])
    earliest = _wall(first, zone) - timedelta(minutes=window["duration_minutes"]) - _A_DAY
    found = _occurrences(window, earliest, _wall(last, zone) + _A_DAY)
    return sorted(
        (each for each in found if each.begins <= last and first < each.ends), key=lambda each: (each.begins, each.ends)
    )


def _occurrences(window: Mapping[str, Any], earliest: datetime, latest: datetime) -> Iterator[Window]:
    """Those that begin between two wall times."""
    zone, duration = zone_of(window["time_zone"]), timedelta(minutes=window["duration_minutes"])
    for wall in rule_of(window).between(earliest, latest, inc=True):
        begins = moment_of(wall, zone)
        yield Window(begins, begins + duration)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)
