# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change windows: wall time recurs, elapsed time passes, and no night of a clock change is an exception."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.windows import (
    Window,
    next_window,
    window_now,
    windows_between,
    zone_of,
)

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")


def window(rrule: str, start: str, minutes: int, zone: str = "UTC") -> dict[str, Any]:
    return {"rrule": rrule, "start": start, "duration_minutes": minutes, "time_zone": zone}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(timezone.utc)


def opened(found: Window | None) -> tuple[datetime, datetime] | None:
    return (found.begins, found.ends) if found else None


PATCH_TUESDAY = window("FREQ=MONTHLY;BYDAY=2TU", "2026-01-13T22:00", 240, "Europe/Berlin")


def test_a_window_is_open_from_its_begin_to_its_end() -> None:
    begins, ends = utc("2026-11-10T22:00+01:00"), utc("2026-11-11T02:00+01:00")
    second = timedelta(seconds=1)
    assert window_now(PATCH_TUESDAY, begins - second) is None
    assert opened(window_now(PATCH_TUESDAY, begins)) == (begins, ends)
    assert opened(window_now(PATCH_TUESDAY, ends - second)) == (begins, ends)
    assert window_now(PATCH_TUESDAY, ends) is None


def test_a_window_over_midnight_is_open_on_the_next_day() -> None:
    assert window_now(PATCH_TUESDAY, utc("2026-11-11T01:59+01:00")) is not None


def test_the_wall_time_stays_the_same_in_summer() -> None:
    assert opened(next_window(PATCH_TUESDAY, utc("2026-07-01T00:00Z"))) == (
        utc("2026-07-14T22:00+02:00"),
        utc("2026-07-15T02:00+02:00"),
    )


def test_there_is_no_window_before_the_first_one() -> None:
    assert opened(next_window(PATCH_TUESDAY, utc("2020-01-01T00:00Z"))) == (
        utc("2026-01-13T22:00+01:00"),
        utc("2026-01-14T02:00+01:00"),
    )


@pytest.mark.parametrize(
    ("zone", "start", "begins", "ends"),
    [
        # In the night to summer an hour is missing from the clock, and not from the window.
        ("Europe/Berlin", "2026-03-29T01:00", "2026-03-29T01:00+01:00", "2026-03-29T04:00+02:00"),
        ("America/New_York", "2026-03-08T01:00", "2026-03-08T01:00-05:00", "2026-03-08T04:00-04:00"),
        # In the night to winter an hour is there twice, and the window has it once.
        ("Europe/Berlin", "2026-10-25T01:00", "2026-10-25T01:00+02:00", "2026-10-25T02:00+01:00"),
        ("America/New_York", "2026-11-01T00:00", "2026-11-01T00:00-04:00", "2026-11-01T01:00-05:00"),
        # A time that the change skips comes as much later; one that is there twice is the first.
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T03:30+02:00", "2026-03-29T05:30+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T02:30+02:00", "2026-10-25T03:30+01:00"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T01:30-04:00", "2026-11-01T02:30-05:00"),
    ],
)
def test_a_window_in_the_night_of_a_clock_change_is_as_long_as_it_says(
    zone: str, start: str, begins: str, ends: str
) -> None:
    daily = window("FREQ=DAILY", start, 120, zone)
    first, last = utc(begins), utc(ends)
    assert last - first == timedelta(minutes=120)
    assert opened(window_now(daily, first)) == (first, last)
    assert window_now(daily, first - timedelta(seconds=1)) is None
    assert window_now(daily, last) is None


def test_of_windows_that_overlap_the_one_counts_that_is_open_longest() -> None:
    twice = window("FREQ=DAILY;BYHOUR=20,22", "2026-01-13T20:00", 240)
    found = window_now(twice, utc("2026-02-01T23:00Z"))
    assert opened(found) == (utc("2026-02-01T22:00Z"), utc("2026-02-02T02:00Z"))


def test_a_rule_that_has_come_to_its_end_has_no_next_window() -> None:
    ended = window("FREQ=DAILY;UNTIL=20260120T000000", "2026-01-13T22:00", 60)
    assert next_window(ended, utc("2026-01-18T00:00Z")) is not None
    assert next_window(ended, utc("2026-01-20T00:00Z")) is None


@pytest.mark.parametrize("name", ["Europe/Berln", "", "../etc/passwd", "Europe", "UTC\0"])
def test_a_zone_that_is_not_known_is_an_error(name: str) -> None:
    with pytest.raises(FleetError) as caught:
        zone_of(name)
    assert caught.value.kind == "bad_time_zone"


# Against an occurrence after the other, counted by hand


def occurrences(start: datetime, step: timedelta, minutes: int, zone: str) -> list[tuple[datetime, datetime]]:
    """Each as it would be on a clock on the wall, of 200 of them."""
    found = []
    for number in range(200):
        begins = (start + number * step).replace(tzinfo=ZoneInfo(zone)).astimezone(timezone.utc)
        found.append((begins, begins + timedelta(minutes=minutes)))
    return found


# The first example waits for imports.
@settings(deadline=None)
@given(
    st.sampled_from(ZONES),
    st.integers(0, 60 * 24 * 60).map(lambda minute: datetime.fromisoformat("2025-12-01") + timedelta(minutes=minute)),
    st.sampled_from([("FREQ=DAILY", 1), ("FREQ=DAILY;INTERVAL=3", 3), ("FREQ=WEEKLY", 7)]),
    st.integers(1, 3 * 24 * 60),
    st.integers(0, 190 * 24 * 60),
)
def test_a_moment_is_in_a_window_exactly_if_an_occurrence_has_it(
    zone: str, start: datetime, rule: tuple[str, int], minutes: int, offset: int
) -> None:
    every = window(rule[0], start.isoformat(timespec="minutes"), minutes, zone)
    known = occurrences(start, timedelta(days=rule[1]), minutes, zone)
    now = start.replace(tzinfo=timezone.utc) + timedelta(minutes=offset)
    open_now = [each for each in known if each[0] <= now < each[1]]
    assert opened(window_now(every, now)) == max(open_now, key=lambda each: each[1], default=None)
    assert opened(next_window(every, now)) == min(each for each in known if each[0] > now)
    until = now + timedelta(days=5)
    between = sorted(each for each in known if each[0] <= until and now < each[1])
    assert [opened(each) for each in windows_between(every, now, until)] == between
