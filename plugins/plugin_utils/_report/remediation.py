# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each update that was pending: put on hosts that were verified, or left on them, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import InTime
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import HostResult, PendingUpdate

NOT_PROVEN = "not_proven"
"""Why an update is open on a verified host: its evidence does not say that the package was changed."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Remedied:
    """An update that hosts got, on the day (UTC) on which they were found to be well with it."""

    update: PendingUpdate
    day: date
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Left:
    """An update that is still pending on hosts, and why."""

    update: PendingUpdate
    reason: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Remediation:
    """What became of the updates of a plan. What ``unknown`` hosts need nobody knows: they were not scanned."""

    remedied: tuple[Remedied, ...]
    left: tuple[Left, ...]
    unknown: tuple[str, ...]


class HostSets(Generic[Key]):
    """Which hosts have what, noted by groups of hosts, so that hosts of one kind cost as much as one of them.

    Equal sets come out as one tuple.
    """

    def __init__(self) -> None:
        self._groups: list[list[str]] = []
        self._of: dict[Key, list[int]] = defaultdict(list)
        self._unions: dict[tuple[int, ...], tuple[str, ...]] = {}
        self._same: dict[tuple[str, ...], tuple[str, ...]] = {}

    def note(self, hosts: list[str], keys: Iterable[Key]) -> None:
        """These hosts, which no other group has, have all of these keys."""
        number = len(self._groups)
        self._groups.append(hosts)
        for key in keys:
            self._of[key].append(number)

    def __iter__(self) -> Iterator[tuple[Key, tuple[str, ...]]]:
        """Each key with its hosts, sorted, in the order in which keys were first noted."""
        for key, groups in self._of.items():
            yield key, self._union(tuple(groups))

    def _union(self, groups: tuple[int, ...]) -> tuple[str, ...]:
        if groups not in self._unions:
            hosts = tuple(sorted({host for number in groups for host in self._groups[number]}))
            self._unions[groups] = self._same.setdefault(hosts, hosts)
        return self._unions[groups]


def remediation(hosts: Iterable[HostResult]) -> Remediation:
    """What became of the updates of these hosts, which are those of one plan."""
    alike: dict[tuple[int, int, HostOutcome, date | None], list[HostResult]] = defaultdict(list)
    unknown = []
    for host in hosts:
        if host.pending is None:
            unknown.append(host.host)
            continue
        day = host.ended.date() if host.ended and host.outcome is HostOutcome.VERIFIED else None
        alike[id(host.pending), id(host.changes), host.outcome, day].append(host)
    remedied: HostSets[tuple[PendingUpdate, date]] = HostSets()
    left: HostSets[tuple[PendingUpdate, str]] = HostSets()
    for (_pending, _changes, _outcome, day), same in alike.items():
        names, became = [host.host for host in same], list(_became(same[0]))
        left.note(names, ((update, why) for update, why in became if why))
        if day:
            remedied.note(names, ((update, day) for update, why in became if not why))
    return Remediation(
        tuple(Remedied(update, day, on) for (update, day), on in remedied),
        tuple(Left(update, why, on) for (update, why), on in left),
        tuple(sorted(unknown)),
    )


def _became(host: HostResult) -> Iterator[tuple[PendingUpdate, str]]:
    """Each update with why it is open, or nothing where the host got it. What it had already is not there."""
    verified = host.outcome is HostOutcome.VERIFIED
    changes = {change.package: change for change in host.changes} if verified else {}
    for update in host.pending or ():
        if not update.selected:
            yield update, update.reason or "not_selected"
        elif not verified:
            # A preflight found nothing left to do on a host that comes out unchanged.
            if host.outcome is not HostOutcome.UNCHANGED:
                yield update, host.outcome.value
        else:
            change = changes.get(f"{update.name}:{update.arch}")
            if change is None or (not change.changed and change.after != update.candidate):
                yield update, NOT_PROVEN
            elif change.changed:
                yield update, "" if host.ended else NOT_PROVEN


def days_between(first_seen: str, day: date) -> int | None:
    """Whole days since an update was first seen, never less than none; None where nobody knows."""
    try:
        return max(0, (day - date.fromisoformat(first_seen)).days)
    except ValueError:
        return None


def in_time(days: int | None, allowed: int | None) -> InTime:
    """Whether so many days are within the service level."""
    if days is None or allowed is None:
        return InTime.UNKNOWN
    return InTime.YES if days <= allowed else InTime.NO
