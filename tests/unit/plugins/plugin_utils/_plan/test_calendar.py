# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gates of the calendar: what fits is let through, what does not or cannot be known is held, and why is said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.calendar import (
    PlannedCalendar,
    calendar_gates,
    window_end,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.windows import window_now

from .calendars import ics
from .fleets import policy

# Every second Tuesday of a month, 22:00 to 02:00 in Berlin: 2026-11-10 and 2026-12-08.
WINDOW = {
    "rrule": "FREQ=MONTHLY;BYDAY=2TU",
    "start": "2026-01-13T22:00",
    "duration_minutes": 240,
    "time_zone": "Europe/Berlin",
}
FREEZE = {"from": "2026-11-10", "to": "2026-11-10", "reason": "Card campaign", "owner": "retail"}
CALENDAR = "/srv/freezes.ics"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def nothing(_path: str) -> bytes:
    raise FileNotFoundError(2, "No such file or directory")


def now(moment: str, seconds: float, content: bytes | None = None, **variables: Any) -> dict[str, tuple[str, str]]:
    read = nothing if content is None else lambda _path: content
    gates = calendar_gates(policy(**variables).as_data(), at(moment), seconds, read)
    return {found["name"]: (found["verdict"], found["evidence"]) for found in gates}


def planned(created: str, seconds: int, content: bytes | None = None, **variables: Any) -> dict[str, tuple[str, str]]:
    read = nothing if content is None else lambda _path: content
    gates = PlannedCalendar(at(created), read).gates(policy(**variables).as_data(), seconds)
    return {found["name"]: (found["verdict"], found["evidence"]) for found in gates}


# Right before the change


def test_without_windows_and_freezes_everything_passes() -> None:
    assert now("2026-11-10T12:00Z", 900) == {"window": ("pass", "none is set"), "freeze": ("pass", "none is set")}


def test_a_change_that_fits_into_the_window_passes() -> None:
    found = now("2026-11-10T22:30+01:00", 900, patch_window=WINDOW)
    assert found["window"] == ("pass", "open until 2026-11-11T02:00+01:00")


def test_a_change_that_would_outlast_the_window_is_not_begun() -> None:
    assert now("2026-11-11T01:48+01:00", 900, patch_window=WINDOW)["window"] == (
        "block",
        "the window ends at 2026-11-11T02:00+01:00 in 12 min, and the change takes about 15 min; "
        "the next one opens at 2026-12-08T22:00+01:00",
    )


def test_outside_the_window_nothing_is_begun() -> None:
    found = now("2026-11-11T02:00+01:00", 1, patch_window=WINDOW)
    assert found["window"] == ("block", "closed; the next one opens at 2026-12-08T22:00+01:00")


def test_a_rule_that_ended_says_so() -> None:
    ended = {**WINDOW, "rrule": "FREQ=MONTHLY;BYDAY=2TU;UNTIL=20260601T000000"}
    assert now("2026-11-10T22:30+01:00", 1, patch_window=ended)["window"] == ("block", "closed; no other one opens")


def test_a_zone_that_this_machine_does_not_know_is_unknown() -> None:
    frozen = policy(patch_window=WINDOW).as_data()
    frozen["window"]["time_zone"] = "Mars/Base"
    window, _freeze = calendar_gates(frozen, at("2026-11-10T22:30+01:00"), 1, nothing)
    assert (window["verdict"], window["evidence"]) == ("unknown", "The time zone 'Mars/Base' is not known here.")


def test_a_freeze_holds_what_would_reach_into_it() -> None:
    before: dict[str, Any] = {"patch_freezes": [FREEZE]}
    frozen = "frozen from 2026-11-10T00:00+00:00 to 2026-11-11T00:00+00:00: Card campaign (retail)"
    assert now("2026-11-09T23:44Z", 900, **before)["freeze"] == ("pass", "not frozen")
    assert now("2026-11-09T23:46Z", 900, **before)["freeze"] == ("block", frozen)
    assert now("2026-11-11T00:00Z", 900, **before)["freeze"] == ("pass", "not frozen")


def test_a_freeze_that_was_added_to_the_calendar_since_is_seen() -> None:
    variables = {"patch_freeze_calendar": CALENDAR}
    assert now("2026-11-10T12:00Z", 900, ics(), **variables)["freeze"] == ("pass", "not frozen")
    event = "DTSTART:20261110T110000Z\nDTEND:20261110T150000Z\nSUMMARY:Incident 4711"
    assert now("2026-11-10T12:00Z", 900, ics(event), **variables)["freeze"] == (
        "block",
        "frozen from 2026-11-10T11:00+00:00 to 2026-11-10T15:00+00:00: Incident 4711",
    )


@pytest.mark.parametrize("content", [None, b"", b"<html></html>"])
def test_a_calendar_that_cannot_be_read_is_unknown(content: bytes | None) -> None:
    for look in (now, planned):
        verdict, evidence = look("2026-11-10T12:00+00:00", 900, content, patch_freeze_calendar=CALENDAR)["freeze"]
        assert verdict == "unknown"
        assert evidence.startswith("the freeze calendar /srv/freezes.ics cannot be read: ")


def test_a_freeze_of_the_policy_is_known_without_the_calendar() -> None:
    found = now("2026-11-10T12:00Z", 900, patch_freeze_calendar=CALENDAR, patch_freezes=[FREEZE])
    assert found["freeze"][0] == "block"


def test_the_end_of_the_window_is_there_for_who_plans_with_it() -> None:
    frozen = policy(patch_window=WINDOW).as_data()
    assert window_end(frozen, at("2026-11-10T23:00+01:00")) == at("2026-11-11T02:00+01:00")
    assert window_end(frozen, at("2026-11-10T12:00+01:00")) is None
    assert window_end(policy().as_data(), at("2026-11-10T12:00+01:00")) is None


# The first example waits for imports.
@settings(deadline=None)
@given(st.integers(0, 3 * 24 * 60), st.integers(1, 6 * 3600))
def test_what_passes_is_done_before_the_window_ends(minute: int, seconds: int) -> None:
    moment = at("2026-11-09T20:00+01:00") + timedelta(minutes=minute)
    frozen = policy(patch_window=WINDOW).as_data()
    window, _freeze = calendar_gates(frozen, moment, seconds, nothing)
    opened = window_now(frozen["window"], moment)
    fits = opened is not None and moment + timedelta(seconds=seconds) <= opened.ends
    assert (window["verdict"] == "pass") == fits


# In the plan


def test_the_plan_names_the_window_it_can_be_applied_in() -> None:
    found = planned("2026-11-07T09:00+01:00", 900, patch_window=WINDOW)
    assert found["window"] == ("pass", "from 2026-11-10T22:00+01:00 to 2026-11-11T02:00+01:00")


def test_a_window_that_is_open_counts_with_what_is_left_of_it() -> None:
    assert planned("2026-11-11T01:30+01:00", 900, patch_window=WINDOW)["window"] == (
        "pass",
        "from 2026-11-11T01:30+01:00 to 2026-11-11T02:00+01:00",
    )
    verdict, evidence = planned("2026-11-11T01:50+01:00", 900, patch_window=WINDOW)["window"]
    assert verdict == "block"
    assert evidence == (
        "none before the plan expires at 2026-11-18T01:50+01:00 is long enough: the longest has 10 min left, "
        "and the change takes about 15 min"
    )


def test_a_plan_that_expires_before_the_next_window_says_so() -> None:
    assert planned("2026-11-11T09:00+01:00", 900, patch_window=WINDOW)["window"] == (
        "block",
        "none is open before the plan expires at 2026-11-18T09:00+01:00; the next one opens at 2026-12-08T22:00+01:00",
    )


def test_a_window_is_named_that_no_freeze_takes() -> None:
    nightly = {**WINDOW, "rrule": "FREQ=DAILY"}
    found = planned("2026-11-10T09:00+01:00", 900, patch_window=nightly, patch_freezes=[{**FREEZE, "to": "2026-11-11"}])
    assert found["window"] == ("pass", "from 2026-11-12T01:00+01:00 to 2026-11-12T02:00+01:00")
    assert found["freeze"] == ("pass", "free from 2026-11-12T01:00+01:00 to 2026-11-12T02:00+01:00")


def test_a_freeze_over_every_window_blocks_the_freeze_and_not_the_window() -> None:
    found = planned("2026-11-07T09:00+01:00", 900, patch_window=WINDOW, patch_freezes=[{**FREEZE, "to": "2026-11-11"}])
    assert found["window"][0] == "pass"
    assert found["freeze"] == (
        "block",
        "no time is left before the plan expires: "
        "frozen from 2026-11-10T01:00+01:00 to 2026-11-12T01:00+01:00: Card campaign (retail)",
    )


def test_without_a_window_to_be_in_the_freezes_of_the_whole_time_count() -> None:
    """Somebody may override the window alone."""
    frozen = [{**FREEZE, "from": "2026-11-10", "to": "2026-12-31"}]
    found = planned("2026-11-11T09:00+01:00", 900, patch_window=WINDOW, patch_freezes=frozen)
    assert (found["window"][0], found["freeze"][0]) == ("block", "block")
    free = planned("2026-11-11T09:00+01:00", 900, patch_window=WINDOW, patch_freezes=[FREEZE])
    assert (free["window"][0], free["freeze"][0]) == ("block", "pass")


def test_a_recurring_freeze_of_the_calendar_is_seen_by_the_plan() -> None:
    daily = ics("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY\nSUMMARY:All year")
    found = planned("2026-11-07T09:00+01:00", 900, daily, patch_freeze_calendar=CALENDAR)
    assert found["freeze"][0] == "block"
    assert "All year" in found["freeze"][1]


def test_hosts_of_one_policy_share_one_look_at_the_calendar() -> None:
    reads: list[str] = []

    def read(path: str) -> bytes:
        reads.append(path)
        return ics()

    calendar = PlannedCalendar(at("2026-11-07T09:00+01:00"), read)
    for seconds in range(100):
        calendar.gates(policy(patch_freeze_calendar=CALENDAR).as_data(), seconds)
    calendar.gates(policy(patch_freeze_calendar="/srv/other.ics").as_data(), 900)
    assert reads == [CALENDAR, "/srv/other.ics"]
