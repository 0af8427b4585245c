# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a type cannot say about windows, freezes, tickets and overrides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freezes import span_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.overrides import NOT_OVERRIDABLE, OVERRIDABLE
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean, show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.specification import Fault
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.windows import rule_of, zone_of

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?")
# One rule and nothing else: rrulestr would take several lines, a DTSTART of its own, and steps of nothing.
_RULE = re.compile(r"(?!.*INTERVAL=0*(;|$))[A-Za-z0-9=;,+-]+", re.IGNORECASE)
_FREQUENCIES = ("FREQ=YEARLY", "FREQ=MONTHLY", "FREQ=WEEKLY", "FREQ=DAILY")
_A_WEEK = 7 * 24 * 60
_WRITE_RULE = 'Write it as RFC 5545 does, without DTSTART, such as "FREQ=MONTHLY;BYDAY=2TU".'
WRITE_DAY = "Write it as 2026-12-31."
_WRITE_TIME = "Write the local date and time without a zone, such as 2026-01-13T22:00."


def check_gates(values: Mapping[str, Any]) -> Iterator[Fault]:
    """The faults of those of these values that are there, each by itself."""
    if values.get("patch_window"):
        yield from _window(values["patch_window"])
    for index, freeze in enumerate(values.get("patch_freezes", ())):
        yield from _freeze(f"patch_freezes[{index}]", freeze)
    path = values.get("patch_freeze_calendar")
    if path is not None and not path.startswith("/"):
        remedy = 'Write it as "{{ inventory_dir }}/freezes.ics".'
        yield Fault("patch_freeze_calendar", show(path), "is no absolute path", remedy)
    if values.get("patch_change_ticket"):
        yield from _pattern(values["patch_change_ticket"]["pattern"])
    for index, override in enumerate(values.get("patch_overrides", ())):
        yield from _override(f"patch_overrides[{index}]", override)


def _window(window: Mapping[str, Any]) -> Iterator[Fault]:
    key = "patch_window"
    faults = list(_zone(f"{key}.time_zone", window["time_zone"]))
    if not 1 <= window["duration_minutes"] <= _A_WEEK:
        what = f"must be 1 to {_A_WEEK} (a week)"
        faults.append(Fault(f"{key}.duration_minutes", show(window["duration_minutes"]), what, ""))
    if not _is_time(window["start"]):
        faults.append(Fault(f"{key}.start", show(window["start"]), "is no date and time", _WRITE_TIME))
        yield from faults
        return
    yield from [*faults, *_rule(window["rrule"], window["start"])]


@lru_cache(maxsize=256)
def _rule(rule: str, start: str) -> tuple[Fault, ...]:
    """Of many hosts of one group this is asked again and again, and a rule that never occurs takes its time."""
    wanted = {"rrule": rule.upper(), "start": start}
    what = _malformed(wanted)
    if what:
        return (Fault("patch_window.rrule", show(rule), what, _WRITE_RULE),)
    occurrence = next(iter(rule_of(wanted)), None)
    if occurrence == datetime.fromisoformat(start):
        return ()
    if occurrence is None:
        return (Fault("patch_window.rrule", show(rule), "never occurs", _WRITE_RULE),)
    what = f"is no occurrence of {show(rule)}"
    return (Fault("patch_window.start", show(start), what, f"The first one after it is {occurrence:%Y-%m-%dT%H:%M}."),)


def _malformed(window: Mapping[str, Any]) -> str:
    """What is wrong with the text of a rule, or nothing."""
    rule = window["rrule"]
    if not _RULE.fullmatch(rule):
        return "is no recurrence rule"
    if not set(rule.split(";")) & set(_FREQUENCIES):
        return "must recur yearly, monthly, weekly or daily"
    if "COUNT=" in rule and "UNTIL=" in rule:
        return "has both COUNT and UNTIL, of which there may be one"
    if re.search(r"UNTIL=\w*Z", rule):
        return "has an UNTIL in UTC, and it must be local time (without Z)"
    try:
        rule_of(window)
    except (ValueError, TypeError) as problem:
        return f"is no recurrence rule: {show(str(problem))}"
    return ""


def _freeze(key: str, freeze: Mapping[str, Any]) -> Iterator[Fault]:
    yield from said(key, freeze, ("reason", "owner"), "freeze")
    faults = list(_zone(f"{key}.time_zone", freeze["time_zone"]))
    for name in ("from", "to"):
        if not _is_time(freeze[name]) and not is_day(freeze[name]):
            remedy = "Write it as 2026-12-31 or 2026-12-31T18:00."
            faults.append(Fault(f"{key}.{name}", show(freeze[name]), "is neither a date nor a local time", remedy))
    if not faults:
        begins, ends = span_of(freeze["from"], freeze["to"])
        if ends <= begins:
            faults.append(Fault(f"{key}.to", show(freeze["to"]), f"is not after {freeze['from']}", ""))
    yield from faults


def _pattern(pattern: str) -> Iterator[Fault]:
    key = "patch_change_ticket.pattern"
    try:
        re.compile(pattern)
    except re.error as problem:
        yield Fault(key, show(pattern), f"is no regular expression: {problem}", 'Write it as "CHG[0-9]{7}".')
        return
    if re.fullmatch(pattern, ""):
        yield Fault(key, show(pattern), "matches no id as well", 'Write it as "CHG[0-9]{7}".')


def _override(key: str, override: Mapping[str, Any]) -> Iterator[Fault]:
    name = override["gate"]
    if name in NOT_OVERRIDABLE:
        what = f"cannot be overridden: {NOT_OVERRIDABLE[name]}"
        yield Fault(f"{key}.gate", name, what, f"These can be: {', '.join(sorted(OVERRIDABLE))}.")
    elif name not in OVERRIDABLE:
        remedy = did_you_mean(name, OVERRIDABLE) or f"These can be overridden: {', '.join(sorted(OVERRIDABLE))}."
        yield Fault(f"{key}.gate", show(name), "is no gate", remedy)
    yield from said(key, override, ("owner", "reason"), "override")
    if not is_day(override["expires"]):
        yield Fault(f"{key}.expires", show(override["expires"]), "is no date", WRITE_DAY)


def said(key: str, given: Mapping[str, Any], names: Sequence[str], of_what: str) -> Iterator[Fault]:
    """A fault for each of the texts that is empty."""
    for name in names:
        if not given[name].strip():
            yield Fault(f"{key}.{name}", "", "is empty", f"Say the {name} of the {of_what}.")


def _zone(key: str, name: str) -> Iterator[Fault]:
    try:
        zone_of(name)
    except FleetError as problem:
        remedy = did_you_mean(name, available_timezones()) or problem.remedy
        yield Fault(key, show(name), "is no time zone that is known here", remedy)


def is_day(text: str) -> bool:
    """Whether a text is a real day, such as 2026-12-31."""
    return _is(date, _DAY, text)


def _is_time(text: str) -> bool:
    return _is(datetime, _TIME, text)


def _is(kind: type[date], form: re.Pattern[str], text: str) -> bool:
    """Whether a text is of a form and a real day: fromisoformat alone takes weeks and zones as well."""
    if not form.fullmatch(text):
        return False
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True
