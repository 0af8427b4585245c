# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gates of the calendar: change windows and freezes, for a plan and right before a change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freezes import (
    Freeze,
    ReadCalendar,
    calendar_freezes,
    listed_freezes,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate, Verdict, gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import duration
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.windows import (
    Window,
    next_window,
    window_now,
    windows_between,
    zone_of,
)

# How far a plan without windows looks for freezes beyond its expiry: a host that was begun in time is finished.
_AFTERWARDS = timedelta(days=1)
_NAMED = 2


def window_end(policy: Mapping[str, Any], now: datetime) -> datetime | None:
    """When the window that is open closes (UTC); None when none is open, or the policy has none."""
    found = window_now(policy["window"], now) if policy["window"] else None
    return found.ends if found else None


def calendar_gates(policy: Mapping[str, Any], now: datetime, seconds: float, read: ReadCalendar) -> list[Gate]:
    """The gates ``window`` and ``freeze`` right before a change that takes ``seconds``.

    ``policy`` is ``Policy.as_data()``; ``read`` reads the calendar anew, for a freeze may be newer than the plan.
    """
    ends = now + timedelta(seconds=seconds)
    return [
        _decided("window", lambda: _window(policy, now, seconds)),
        _decided("freeze", lambda: _freeze(policy, Window(now, ends), read)),
    ]


def _window(policy: Mapping[str, Any], now: datetime, seconds: float) -> Gate:
    window = policy["window"]
    if window is None:
        return gate("window", Verdict.PASS, "none is set")
    zone, opened = zone_of(window["time_zone"]), window_now(window, now)
    if opened is None:
        return gate("window", Verdict.BLOCK, f"closed; {_next(window, now)}")
    if opened.ends - now < timedelta(seconds=seconds):
        left = duration(int((opened.ends - now).total_seconds()))
        evidence = (
            f"the window ends at {_shown(opened.ends, zone)} in {left}, and the change takes about "
            f"{duration(round(seconds))}; {_next(window, now)}"
        )
        return gate("window", Verdict.BLOCK, evidence)
    return gate("window", Verdict.PASS, f"open until {_shown(opened.ends, zone)}")


def _freeze(policy: Mapping[str, Any], change: Window, read: ReadCalendar) -> Gate:
    frozen = _first(listed_freezes(policy), change)
    frozen = frozen or _first(calendar_freezes(policy, change.begins, change.ends, read), change)
    if frozen:
        return gate("freeze", Verdict.BLOCK, _frozen(frozen, _zone(policy)))
    return gate("freeze", Verdict.PASS, "not frozen" if _has_freezes(policy) else "none is set")


def _first(freezes: Iterable[Freeze], span: Window) -> Freeze | None:
    return next((freeze for freeze in freezes if freeze.touches(span.begins, span.ends)), None)


@dataclass(frozen=True)
class _Outlook:
    """When hosts of one policy may be changed under a plan. Spans are by their begin, none from before the plan."""

    expires: datetime
    windows: list[Window]
    freezes: list[Freeze]
    free: list[Window]
    """What freezes leave of the windows."""
    free_anyway: list[Window]
    """What they leave of the whole time: for a change that an override lets happen outside any window."""
    problem: str
    """Why nobody knows all freezes; empty when they are known."""
    afterwards: str
    """When the next window opens, where none is open in time."""

    def first(self, spans: Iterable[Window], seconds: int) -> Window | None:
        """The first span in which a change can begin before the plan expires, and be finished."""
        needed = timedelta(seconds=seconds)
        return next((span for span in spans if span.begins < self.expires and span.ends - span.begins >= needed), None)


class PlannedCalendar:
    """The gates ``window`` and ``freeze`` of a plan's hosts; those of one policy share one look at the calendar."""

    def __init__(self, created: datetime, read: ReadCalendar) -> None:
        self._created = created.astimezone(timezone.utc)
        self._read = read
        self._outlooks: dict[str, _Outlook] = {}

    def gates(self, policy: Mapping[str, Any], seconds: int) -> list[Gate]:
        """Whether there is time for a change of ``seconds`` before the plan expires.

        ``policy`` is ``Policy.as_data()``. A window in the past of the plan is no window any more.
        """
        keys = ("window", "freezes", "freeze_calendar", "plan_expires_hours")
        same = digest({key: policy[key] for key in keys})
        if same not in self._outlooks:
            self._outlooks[same] = self._outlook(policy)
        outlook = self._outlooks[same]
        return [_planned_window(policy, outlook, seconds), _planned_freeze(policy, outlook, seconds)]

    def _outlook(self, policy: Mapping[str, Any]) -> _Outlook:
        expires = self._created + timedelta(hours=policy["plan_expires_hours"])
        whole = Window(self._created, expires + _AFTERWARDS)
        windows = [whole]
        if policy["window"]:
            opened = windows_between(policy["window"], self._created, expires)
            windows = [Window(max(each.begins, self._created), each.ends) for each in opened]
        latest = max(each.ends for each in [whole, *windows])
        freezes, problem = listed_freezes(policy), ""
        try:
            freezes += calendar_freezes(policy, self._created, latest, self._read)
        except FleetError as unreadable:
            problem = unreadable.message
        freezes = [freeze for freeze in freezes if freeze.touches(self._created, latest)]
        return _Outlook(
            expires=expires,
            windows=windows,
            freezes=freezes,
            free=_without(windows, freezes),
            free_anyway=_without([whole], freezes),
            problem=problem,
            afterwards="" if windows else _next(policy["window"], expires),
        )


def _planned_window(policy: Mapping[str, Any], outlook: _Outlook, seconds: int) -> Gate:
    window = policy["window"]
    if window is None:
        return gate("window", Verdict.PASS, "none is set")
    zone = zone_of(window["time_zone"])
    found = outlook.first(outlook.free, seconds) or outlook.first(outlook.windows, seconds)
    if found:
        evidence = f"from {_shown(found.begins, zone)} to {_shown(found.ends, zone)}"
        return gate("window", Verdict.PASS, evidence)
    expires = _shown(outlook.expires, zone)
    if not outlook.windows:
        evidence = f"none is open before the plan expires at {expires}; {outlook.afterwards}"
        return gate("window", Verdict.BLOCK, evidence)
    longest = max(each.ends - each.begins for each in outlook.windows)
    evidence = (
        f"none before the plan expires at {expires} is long enough: the longest has "
        f"{duration(int(longest.total_seconds()))} left, and the change takes about {duration(seconds)}"
    )
    return gate("window", Verdict.BLOCK, evidence)


def _planned_freeze(policy: Mapping[str, Any], outlook: _Outlook, seconds: int) -> Gate:
    zone = _zone(policy)
    if outlook.problem:
        return gate("freeze", Verdict.UNKNOWN, outlook.problem)
    if not _has_freezes(policy):
        return gate("freeze", Verdict.PASS, "none is set")
    spans = outlook.free if outlook.first(outlook.windows, seconds) else outlook.free_anyway
    free = outlook.first(spans, seconds)
    if free:
        return gate("freeze", Verdict.PASS, f"free from {_shown(free.begins, zone)} to {_shown(free.ends, zone)}")
    named = "; ".join(_frozen(freeze, zone) for freeze in outlook.freezes[:_NAMED])
    return gate("freeze", Verdict.BLOCK, f"no time is left before the plan expires: {named}")


def _without(windows: Sequence[Window], freezes: Iterable[Freeze]) -> list[Window]:
    """What freezes leave of windows."""
    left = list(windows)
    for freeze in freezes:
        left = [
            part
            for each in left
            for part in (
                Window(each.begins, min(each.ends, freeze.begins)),
                Window(max(each.begins, freeze.ends), each.ends),
            )
            if part.begins < part.ends
        ]
    return sorted(left, key=lambda each: each.begins)


def _decided(name: str, look: Callable[[], Gate]) -> Gate:
    """What a look at the calendar says, or that it cannot be looked at."""
    try:
        return look()
    except FleetError as problem:
        return gate(name, Verdict.UNKNOWN, problem.message)


def _next(window: Mapping[str, Any], now: datetime) -> str:
    found = next_window(window, now)
    if found is None:
        return "no other one opens"
    return f"the next one opens at {_shown(found.begins, zone_of(window['time_zone']))}"


def _frozen(freeze: Freeze, zone: ZoneInfo) -> str:
    return f"frozen from {_shown(freeze.begins, zone)} to {_shown(freeze.ends, zone)}: {freeze.what}"


def _has_freezes(policy: Mapping[str, Any]) -> bool:
    return bool(policy["freezes"] or policy["freeze_calendar"])


def _zone(policy: Mapping[str, Any]) -> ZoneInfo:
    return zone_of(policy["window"]["time_zone"]) if policy["window"] else ZoneInfo("UTC")


def _shown(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="minutes")
