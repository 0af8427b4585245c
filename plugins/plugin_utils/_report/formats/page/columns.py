# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data of the tables that a page searches, filters and sorts: columns of numbers, in which a text stands once.

A column of texts is ``{"of": [texts, sorted as people sort], "at": [a place in "of" for each row]}``, so that the page
sorts and filters by whole numbers, and searches each text once. A column of numbers is a list, with null for what is
not known. A set of hosts is a list of kinds of hosts, or bits in base64 where that is shorter.
"""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    ChangeRow,
    CveRow,
    Document,
    HostRow,
    OpenUpdate,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page.marks import MARKS, ORDER
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page.shell import shown
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page.words import NONE, plain

_DIGITS = re.compile(r"(\d{1,18})")
# A kind's number in a list has about this many characters, with its comma.
_CHARACTERS = 4
# No plan has an empty name.
_ALL_PLANS = ""


class HostSets:
    """Sets of rows of the table of hosts, said by kinds: hosts that are in the same sets are of one kind.

    A fleet is made from a few images, so there are few kinds; where no two hosts are alike, each is a kind.
    """

    def __init__(self, hosts: Sequence[HostRow]) -> None:
        self._count = len(hosts)
        self._rows: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for row, host in enumerate(hosts):
            self._rows[host.tenant, host.plan][host.host].append(row)
            self._rows[host.tenant, _ALL_PLANS][host.host].append(row)
        self._members: list[list[int]] = []
        # Rows with the same hosts share one tuple, so its identity tells a set without reading its names again.
        self._known: dict[tuple[str, str, int], int] = {}

    def number(self, tenant: str, hosts: tuple[str, ...], plan: str = _ALL_PLANS) -> int:
        """The number of the set of these hosts, in one plan or in all of the tenant; the caller keeps the tuple."""
        key = (tenant, plan, id(hosts))
        if key not in self._known:
            self._known[key] = len(self._members)
            rows = self._rows[tenant, plan]
            self._members.append([row for host in hosts for row in rows.get(host, ())])
        return self._known[key]

    def stored(self) -> dict[str, Any]:
        """``{"kinds": the kind of each row, "of": for each set the kinds in it}``, when all sets are numbered."""
        kinds, made = [0] * self._count, 1
        for rows in self._members:
            # Those of a kind that are in this set become a kind of their own.
            split: dict[int, int] = {}
            for row in rows:
                kinds[row] = split.setdefault(kinds[row], made + len(split))
            made += len(split)
        places = {kind: place for place, kind in enumerate(dict.fromkeys(kinds))}
        kinds = [places[kind] for kind in kinds]
        return {"kinds": kinds, "of": [_packed(sorted({kinds[row] for row in rows})) for rows in self._members]}


def _packed(kinds: list[int]) -> list[int] | str:
    last = kinds[-1] if kinds else 0
    if len(kinds) * _CHARACTERS <= last // 6:
        return kinds
    bits = bytearray(last // 8 + 1)
    for kind in kinds:
        bits[kind >> 3] |= 1 << (kind & 7)
    return base64.b64encode(bits).decode()


def tables(document: Document) -> dict[str, Any]:
    """Everything that the script of the report shows: marks, sets of hosts, and the columns of each table."""
    # Those that somebody must look at come first; the others stay in the order of the report.
    hosts = sorted(document.hosts, key=lambda host: not host.needs_attention)
    sets = HostSets(hosts)
    columns = {
        "hosts": _hosts(hosts),
        "changes": _changes(document.changes, sets),
        "cves": _cves(document.cves, sets),
        "updates": _updates(document.open_updates, sets),
    }
    return {"marks": MARKS, "tables": columns, "sets": sets.stored()}


def _hosts(hosts: Sequence[HostRow]) -> dict[str, Any]:
    return {
        "host": _texts(row.host for row in hosts),
        "tenant": _texts(row.tenant for row in hosts),
        "cycle": _texts(row.cycle for row in hosts),
        "outcome": _texts(row.outcome for row in hosts),
        "in_service": _texts(row.in_service for row in hosts),
        "reason": _texts(row.reason for row in hosts),
        "notes": _texts("; ".join(row.notes) for row in hosts),
        "cloud": _texts(row.cloud for row in hosts),
        "environment": _texts(row.environment for row in hosts),
        "region": _texts(row.region for row in hosts),
        "cluster": _texts(row.cluster for row in hosts),
        "wave": _texts(row.wave for row in hosts),
        "batch": [row.batch for row in hosts],
        "updates": [row.updates for row in hosts],
        "changed": [row.changed for row in hosts],
        "seconds": _rounded(row.seconds for row in hosts),
        "away": _rounded(row.away_seconds for row in hosts),
        "rebooted": _answers(row.rebooted for row in hosts),
        "attention": _answers(row.needs_attention for row in hosts),
    }


def _changes(changes: Sequence[ChangeRow], sets: HostSets) -> dict[str, Any]:
    return {
        "package": _texts(row.package for row in changes),
        "before": _texts("not installed" if row.before is None else row.before for row in changes),
        "after": _texts(_after(row) for row in changes),
        "severity": _severities(changes),
        "cves": _texts(_names(row.cves) for row in changes),
        "tenant": _texts(row.tenant for row in changes),
        "cycle": _texts(row.cycle for row in changes),
        "hosts": [len(row.hosts) for row in changes],
        "set": [sets.number(row.tenant, row.hosts, row.plan) for row in changes],
    }


def _cves(cves: Sequence[CveRow], sets: HostSets) -> dict[str, Any]:
    return {
        "cve": _texts(row.cve for row in cves),
        "tenant": _texts(row.tenant for row in cves),
        "status": _texts(row.status for row in cves),
        "severity": _severities(cves),
        "packages": _texts(_names(row.packages) for row in cves),
        "days": [row.days for row in cves],
        "allowed": [row.allowed_days for row in cves],
        "in_time": _texts(row.in_time for row in cves),
        "first_seen": _texts(row.first_seen or "unknown" for row in cves),
        "closed": _texts(row.closed or NONE for row in cves),
        "hosts_closed": [len(row.hosts_closed) for row in cves],
        "set_closed": [sets.number(row.tenant, row.hosts_closed) for row in cves],
        "hosts": [len(row.hosts_open) for row in cves],
        "set": [sets.number(row.tenant, row.hosts_open) for row in cves],
    }


def _updates(updates: Sequence[OpenUpdate], sets: HostSets) -> dict[str, Any]:
    return {
        "package": _texts(row.package for row in updates),
        "candidate": _texts(row.candidate for row in updates),
        "tenant": _texts(row.tenant for row in updates),
        "severity": _severities(updates),
        "cves": _texts(_names(row.cves) for row in updates),
        "first_seen": _texts(row.first_seen for row in updates),
        "days": [row.days for row in updates],
        "allowed": [row.allowed_days for row in updates],
        "in_time": _texts(row.in_time for row in updates),
        "reason": _texts(plain(row.reason) for row in updates),
        "hosts": [len(row.hosts) for row in updates],
        "set": [sets.number(row.tenant, row.hosts) for row in updates],
    }


def _after(row: ChangeRow) -> str:
    if not row.changed:
        return "as before"
    return "removed" if row.after is None else row.after


def _names(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "unknown"
    return ", ".join(names) or "none known"


def _severities(rows: Iterable[ChangeRow | CveRow | OpenUpdate]) -> dict[str, Any]:
    """What is no security update has no severity that anybody waits for."""
    return _texts(row.severity if isinstance(row, CveRow) or row.is_security else "no security" for row in rows)


def _answers(values: Iterable[bool]) -> dict[str, Any]:
    return _texts("yes" if value else "no" for value in values)


def _rounded(values: Iterable[float | None]) -> list[int | None]:
    return [None if value is None else round(value) for value in values]


def _texts(values: Iterable[str]) -> dict[str, Any]:
    texts = [str(shown(value)) for value in values]
    of = sorted(set(texts), key=_natural)
    places = {text: place for place, text in enumerate(of)}
    return {"of": of, "at": [places[text] for text in texts]}


def _natural(text: str) -> tuple[int, list[Any]]:
    """A key that sorts what has a mark by its meaning, and host2 before host10."""
    parts = enumerate(_DIGITS.split(text.lower()))
    return ORDER.get(text, len(ORDER)), [int(part) if place % 2 else part for place, part in parts]
