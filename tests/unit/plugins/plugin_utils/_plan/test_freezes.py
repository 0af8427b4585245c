# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Freezes: a day is a day of its zone, events recur, and a calendar that cannot be read is never an empty one."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freezes import (
    LARGEST_CALENDAR,
    MOST_RULES,
    Freeze,
    calendar_freezes,
    listed_freezes,
    read_calendar,
)

from .calendars import ics
from .fleets import policy

SPAN = (datetime(2026, 12, 1, tzinfo=timezone.utc), datetime(2027, 1, 10, tzinfo=timezone.utc))


def listed(**freeze: str) -> tuple[str, str, str]:
    (found,) = listed_freezes(policy(patch_freezes=[{"reason": "Year end", "owner": "operations", **freeze}]).as_data())
    return found.begins.isoformat(), found.ends.isoformat(), found.what


def spans(content: bytes, zone: str | None = None) -> list[tuple[str, str, str]]:
    variables: dict[str, Any] = {"patch_freeze_calendar": "/srv/freezes.ics"}
    if zone:
        start = {"rrule": "FREQ=DAILY", "start": "2026-01-01T22:00", "duration_minutes": 60}
        variables["patch_window"] = {**start, "time_zone": zone}
    found = calendar_freezes(policy(**variables).as_data(), *SPAN, lambda _path: content)
    return [(f"{each.begins:%m-%dT%H:%M}", f"{each.ends:%m-%dT%H:%M}", each.what) for each in found]


def refused(content: bytes) -> str:
    with pytest.raises(FleetError) as caught:
        spans(content)
    return caught.value.message


# Listed in the policy


def test_a_freeze_of_one_day_is_that_day_in_its_zone() -> None:
    day = {"from": "2026-12-24", "to": "2026-12-24"}
    assert listed(**day)[:2] == ("2026-12-24T00:00:00+00:00", "2026-12-25T00:00:00+00:00")
    assert listed(**day, time_zone="America/New_York") == (
        "2026-12-24T05:00:00+00:00",
        "2026-12-25T05:00:00+00:00",
        "Year end (operations)",
    )


def test_a_day_of_a_clock_change_is_as_long_as_it_is() -> None:
    begins, ends, _what = listed(**{"from": "2026-10-25", "to": "2026-10-25", "time_zone": "Europe/Berlin"})
    assert datetime.fromisoformat(ends) - datetime.fromisoformat(begins) == timedelta(hours=25)


def test_a_time_as_the_end_is_the_end() -> None:
    found = listed(**{"from": "2026-12-24T12:00", "to": "2026-12-24T18:30", "time_zone": "Europe/Berlin"})
    assert found[:2] == ("2026-12-24T11:00:00+00:00", "2026-12-24T17:30:00+00:00")


def test_a_change_touches_a_freeze_when_a_part_of_it_is_in_it() -> None:
    hour = timedelta(hours=1)
    begins = SPAN[0]
    freeze = Freeze(begins, begins + hour, "")
    assert freeze.touches(begins - hour, begins + timedelta(seconds=1))
    assert not freeze.touches(begins - hour, begins)
    assert freeze.touches(begins + hour / 2, begins + 2 * hour)
    assert not freeze.touches(begins + hour, begins + 2 * hour)
    moment = Freeze(begins, begins, "")
    assert moment.touches(begins - hour, begins + hour)
    assert moment.touches(begins, begins + hour)
    assert not moment.touches(begins - hour, begins)


# Of a calendar


def test_an_event_of_whole_days_is_frozen_in_the_zone_of_the_window() -> None:
    event = "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nSUMMARY:Christmas"
    assert spans(ics(event)) == [("12-24T00:00", "12-27T00:00", "Christmas")]
    assert spans(ics(event), "Europe/Berlin") == [("12-23T23:00", "12-26T23:00", "Christmas")]


def test_the_zone_of_the_calendar_goes_before_that_of_the_window() -> None:
    content = ics("DTSTART;VALUE=DATE:20261224", head="X-WR-TIMEZONE:America/New_York")
    assert spans(content, "Europe/Berlin") == [("12-24T05:00", "12-25T05:00", "without a title")]


def test_an_event_has_its_own_zone() -> None:
    event = "DTSTART;TZID=America/New_York:20261224T100000\nDURATION:PT2H"
    assert spans(ics(event), "Europe/Berlin") == [("12-24T15:00", "12-24T17:00", "without a title")]


def test_an_event_that_recurs_is_frozen_each_time() -> None:
    event = "DTSTART;VALUE=DATE:20260131\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1\nSUMMARY:Month end"
    assert spans(ics(event)) == [("12-31T00:00", "01-01T00:00", "Month end")]


def test_an_exception_of_an_event_that_recurs_is_free() -> None:
    event = "DTSTART;VALUE=DATE:20261201\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;VALUE=DATE:20261208"
    assert [begins for begins, _ends, _what in spans(ics(event))] == ["12-01T00:00", "12-15T00:00"]


def test_an_event_that_was_cancelled_freezes_nothing() -> None:
    assert spans(ics("DTSTART;VALUE=DATE:20261224\nSTATUS:CANCELLED")) == []


def test_a_calendar_without_events_freezes_nothing() -> None:
    assert spans(ics()) == []


def test_a_title_cannot_break_the_line() -> None:
    ((_begins, _ends, what),) = spans(ics("DTSTART;VALUE=DATE:20261224\nSUMMARY:a\\nb\x1b[31m"))
    assert what.isprintable()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Found no components"),
        (b"<html>Please log in</html>", "could not be parsed"),
        (b"\xff\xfe\x00", "could not be parsed"),
        (ics("DTSTART;VALUE=DATE:20261224")[: -len("END:VCALENDAR\r\n")], "Found no components"),
        (ics("DTSTART;VALUE=DATE:20261224").replace(b"VCALENDAR", b"VTODO"), "it is a VTODO"),
        (ics("SUMMARY:when?"), "an event has no DTSTART"),
        (ics("DTSTART:soon"), "Got: 'soon'"),
        (ics("DTSTART;VALUE=DATE:20261224\nnonsense"), "could not be parsed"),
        (ics("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=NEVER"), "Expected frequency, got: NEVER"),
        (ics("DTSTART;TZID=Mars/Base:20261224T100000"), "the time zone Mars/Base of an event is not known"),
        (
            ics("DTSTART:20261224T100000Z\nRRULE:FREQ=DAILY\nEXDATE;TZID=Mars/Base:20261225T100000"),
            "the time zone Mars/Base of an event is not known",
        ),
        (ics(head="X-WR-TIMEZONE:Mars/Base"), "The time zone 'Mars/Base' is not known here."),
        (ics() + ics(), "Found multiple components"),
    ],
)
def test_a_broken_calendar_is_said_to_be_broken(content: bytes, said: str) -> None:
    assert said in refused(content)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY",
        "FREQ=HOURLY",
        "freq=minutely;interval=5",
        "FREQ=DAILY,HOURLY",
        "FREQ=DAILY;BYHOUR=8,9",
        "FREQ=YEARLY;BYSECOND=0,1,2",
        "FREQ=DAILY;BYMINUTE=0,1",
        "FREQ=WEEKLY\nRRULE:FREQ=MINUTELY",
    ],
)
def test_what_recurs_more_than_once_a_day_is_refused_at_once(rule: str) -> None:
    began = process_time()
    assert "an event recurs more than once a day" in refused(ics(f"DTSTART:20000101T000000Z\nRRULE:{rule}"))
    assert process_time() - began < 1


def test_what_recurs_without_end_on_one_day_is_refused_at_once() -> None:
    began = process_time()
    said = refused(ics("DTSTART:20000101T000000Z\nRRULE:FREQ=DAILY;INTERVAL=0"))
    assert "recurs without end on one day (FREQ=DAILY;INTERVAL=0)" in said
    assert process_time() - began < 1


def test_a_time_zone_that_changes_every_minute_is_refused_at_once() -> None:
    change = "DTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=MINUTELY"
    zone = f"BEGIN:VTIMEZONE\nTZID:Restless\nBEGIN:STANDARD\n{change}\nEND:STANDARD\nEND:VTIMEZONE"
    began = process_time()
    said = refused(ics("DTSTART;TZID=Restless:20261224T100000", head=zone))
    assert "more than once a day (FREQ=MINUTELY)" in said
    assert process_time() - began < 1


def test_one_time_of_the_day_may_be_named() -> None:
    event = "DTSTART:20261222T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYHOUR=9;BYMINUTE=30;BYSECOND=0;COUNT=1"
    assert [begins for begins, _ends, _what in spans(ics(event))] == ["12-22T08:00", "12-22T09:30"]


def test_a_calendar_that_is_too_large_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "freezes.ics"
    path.write_bytes(ics("DTSTART;VALUE=DATE:20261224\nDESCRIPTION:" + "x" * LARGEST_CALENDAR))
    began = process_time()
    assert "it is larger than 1000000 bytes" in refused(read_calendar(str(path)))
    event = "DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=YEARLY"
    assert "more than 500 rules of recurrence" in refused(ics(*[event] * (MOST_RULES + 1)))
    assert process_time() - began < 1


def test_a_missing_calendar_is_no_empty_one(tmp_path: Path) -> None:
    frozen = policy(patch_freeze_calendar=str(tmp_path / "freezes.ics")).as_data()
    with pytest.raises(FleetError, match="No such file or directory"):
        calendar_freezes(frozen, *SPAN, read_calendar)


# The first example waits for imports.
@settings(deadline=None)
@given(st.data())
def test_no_damage_to_a_calendar_is_another_kind_of_error(data: st.DataObject) -> None:
    whole = ics("DTSTART;TZID=Europe/Berlin:20261224T100000\nDTEND;TZID=Europe/Berlin:20261224T120000\nSUMMARY:Freeze")
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:place] + data.draw(st.binary(max_size=3)) + whole[place + data.draw(st.integers(0, 20)) :]
    with contextlib.suppress(FleetError):
        spans(damaged)
