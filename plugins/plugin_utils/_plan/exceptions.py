# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exceptions as a file: packages kept back and hosts that are not patched, each with who answers for it and until when.

The file is YAML, on the controller, and named by ``patch_exceptions_file``::

    holds:
      - {package: "postgresql*", hosts: ["db*"], owner: databases, reason: …, ticket: RISK-7, expires: 2026-12-31}
    waivers:
      - {host: web3, owner: web team, reason: …, ticket: RISK-9, expires: 2027-01-31}
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.gate_semantics import WRITE_DAY, is_day, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate, Verdict, gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import Problem, did_you_mean, show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.specification import Fault, check_all

VARIABLE = "patch_exceptions_file"
_ANSWERED = {name: {"type": "str", "required": True} for name in ("owner", "reason", "ticket", "expires")}
_OPTIONS: dict[str, dict[str, Any]] = {
    "holds": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "package": {"type": "str", "required": True},
            "hosts": {"type": "list", "elements": "str", "default": ["*"]},
            **_ANSWERED,
        },
    },
    "waivers": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"host": {"type": "str", "required": True}, **_ANSWERED},
    },
}


@dataclass(frozen=True)
class Hold:
    """A package (glob) kept back until the end of a day."""

    package: str
    owner: str
    reason: str
    expires: date
    ticket: str = ""

    def holds_on(self, day: date) -> bool:
        """Whether the hold still holds; its last day is included."""
        return day <= self.expires


@dataclass(frozen=True)
class Waiver:
    """A host that is not patched until the end of a day."""

    owner: str
    reason: str
    expires: date
    ticket: str

    def holds_on(self, day: date) -> bool:
        """Whether the host is still left alone; the last day is included."""
        return day <= self.expires


@dataclass(frozen=True)
class Exceptions:
    """What a file says: holds by the patterns of their hosts, waivers by host. Nothing where it has ``faults``."""

    holds: tuple[tuple[tuple[str, ...], Hold], ...] = ()
    waivers: tuple[tuple[str, Waiver], ...] = ()
    faults: tuple[Fault, ...] = ()

    def holds_of(self, host: str) -> tuple[Hold, ...]:
        """The holds of a host."""
        return tuple(
            hold for patterns, hold in self.holds if any(fnmatch.fnmatchcase(host, pattern) for pattern in patterns)
        )

    def waivers_of(self, host: str) -> tuple[Waiver, ...]:
        """The waivers of a host."""
        return tuple(waiver for name, waiver in self.waivers if name == host)


@dataclass
class ExceptionFiles:
    """The files that hosts name, each read once."""

    read: dict[str, Exceptions] = field(default_factory=dict)

    def of(self, path: str | None) -> Exceptions:
        """What the file says; nothing where none is named."""
        if path is None:
            return Exceptions()
        if path not in self.read:
            self.read[path] = read_exceptions(path)
        return self.read[path]

    def unknown_hosts(self, inventory: Collection[str]) -> Iterator[Problem]:
        """A waiver of a host that nobody has waives nothing, and its author believes that it does."""
        for path, exceptions in self.read.items():
            for index, (host, _waiver) in enumerate(exceptions.waivers):
                if host not in inventory:
                    remedy = did_you_mean(host, inventory) or "Take the waiver out when its host is gone."
                    key = f"waivers[{index}].host"
                    yield Problem(path, key, show(host), "is not in the inventory", remedy, host)


def read_exceptions(path: str) -> Exceptions:
    """Read a file; what is wrong with it is in ``faults``, with keys such as ``holds[0].expires``."""
    if not Path(path).is_absolute():
        remedy = 'Write it as "{{ inventory_dir }}/exceptions.yml".'
        return Exceptions(faults=(Fault(VARIABLE, show(path), "is no absolute path", remedy),))
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    # A text that is not UTF-8, and a day that is none: YAML makes dates of what looks like one.
    except (OSError, ValueError, yaml.YAMLError) as problem:
        what = f"cannot be read: {show(str(problem))}"
        return Exceptions(faults=(Fault(VARIABLE, show(path), what, "Put a YAML file of holds and waivers there."),))
    if not isinstance(content, Mapping):
        what = "must be a mapping with the keys holds and waivers"
        return Exceptions(faults=(Fault(VARIABLE, show(path), what, "Write holds: [] where there is none."),))
    values, faults = check_all(_OPTIONS, "", content)
    faults = faults or [*_faults("holds", values["holds"], "package"), *_faults("waivers", values["waivers"], "host")]
    if faults:
        return Exceptions(faults=tuple(faults))
    return Exceptions(
        holds=tuple((tuple(each.pop("hosts")), Hold(**_dated(each))) for each in values["holds"]),
        waivers=tuple((each.pop("host"), Waiver(**_dated(each))) for each in values["waivers"]),
    )


def _faults(listed: str, entries: Iterable[Mapping[str, Any]], subject: str) -> Iterator[Fault]:
    for index, entry in enumerate(entries):
        key = f"{listed}[{index}]"
        yield from said(key, entry, (subject, "owner", "reason", "ticket"), listed.removesuffix("s"))
        if not is_day(entry["expires"]):
            yield Fault(f"{key}.expires", show(entry["expires"]), "is no date", WRITE_DAY)


def _dated(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "expires": date.fromisoformat(entry["expires"])}


# What a plan freezes of exceptions


def waiver_gates(waivers: Iterable[Waiver], today: date) -> list[Gate]:
    """The gate of each waiver that holds on this day (UTC); one that has expired stops nothing."""
    return [
        gate(
            "waiver",
            Verdict.BLOCK,
            f"not patched until {waiver.expires.isoformat()} by {show(waiver.owner)} ({show(waiver.ticket)}): "
            f"{show(waiver.reason)}",
        )
        for waiver in waivers
        if waiver.holds_on(today)
    ]


def frozen_waivers(waivers: Iterable[Waiver], today: date) -> list[dict[str, Any]]:
    """The waivers of a host as its document has them, those that have expired among them."""
    return [{**_answered(waiver), "expired": not waiver.holds_on(today)} for waiver in waivers]


def frozen_holds(holds: Iterable[Hold], names: Collection[str], today: date) -> list[dict[str, Any]]:
    """The holds of a host as its document has them; ``names`` are its pending packages, of which each keeps back."""
    return [
        {
            "package": hold.package,
            **_answered(hold),
            "expired": not hold.holds_on(today),
            "updates": sorted(set(fnmatch.filter(names, hold.package))),
        }
        for hold in holds
    ]


def held_by_manager(names: Collection[str], held: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The holds of the package manager itself, which nobody owns."""
    for package in held:
        yield {
            "package": package["name"],
            "owner": None,
            "reason": f"held at {package['version']} in the package manager itself",
            "ticket": "",
            "expires": None,
            "expired": False,
            "updates": [package["name"]] if package["name"] in names else [],
        }


def _answered(exception: Hold | Waiver) -> dict[str, str]:
    return {
        "owner": exception.owner,
        "reason": exception.reason,
        "ticket": exception.ticket,
        "expires": exception.expires.isoformat(),
    }
