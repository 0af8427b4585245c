# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a mapping of a file key by key: what is wrong is collected, with its place, value and remedy."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import MARK, redact
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean, show

# Whatever stands before the host of an address is the user's who asks.
_USER = re.compile(r"(?<=//)\S*@")


@dataclass
class Faults:
    """Everything that is wrong with one file."""

    file: str
    lines: list[str] = field(default_factory=list)

    def add(self, place: str, value: object, what: str, remedy: str) -> None:
        """Note a fault. ``what`` is a clause without a full stop; a ``value`` of None is not shown.

        Nor are its secrets: it is in the wrong place, or not what belongs there, so it may be anything.
        """
        shown = "" if value is None else show(_USER.sub(f"{MARK}@", str(redact(value))))
        self.lines.append(": ".join(filter(None, (self.file, place, shown, f"{what}. {remedy}".rstrip()))))

    def refuse(self) -> None:
        """Raise FleetError of kind ``bad_inventory`` when there is a fault."""
        if self.lines:
            raise FleetError("\n".join(self.lines), kind="bad_inventory")


class Entry:
    """A mapping of the file. Every reader returns something of the type it promises, whatever stands there.

    A fault is noted once, and the file is refused before anything is done with what was read.
    """

    def __init__(self, faults: Faults, place: str, value: object) -> None:
        self.faults = faults
        self.place = place
        self._asked: set[str] = set()
        self._refused: set[str] = set()
        self._value: Mapping[Any, Any] = {}
        if isinstance(value, Mapping):
            self._value = value
        else:
            faults.add(place, value, "is no mapping", "Write keys and values.")

    def fault(self, key: str, what: str, remedy: str) -> None:
        """Note a fault of the value of a key."""
        self.faults.add(self._at(key), self._value.get(key), what, remedy)

    def has(self, key: str) -> bool:
        """Whether there is such a key, with a value."""
        self._asked.add(key)
        return self._value.get(key) is not None

    def text(
        self,
        key: str,
        default: str = "",
        *,
        choices: Collection[str] = (),
        pattern: str = "",
        example: str = "",
        empty: bool = False,
    ) -> str:
        """A text; one of ``choices``, or one that ``pattern`` matches as a whole, which ``example`` does.

        An ``empty`` one is taken only where that is said.
        """
        if not self.has(key):
            return default
        value = self._value[key]
        if not isinstance(value, str) or not (value or empty):
            self.fault(key, "is no text", f"Write it in quotes, like '{example or default or 'name'}'.")
            return default
        return str(value) if self._fits(key, value, choices, pattern, example) else default

    def texts(
        self,
        key: str,
        default: Collection[str] = (),
        *,
        pattern: str = "",
        example: str = "",
        choices: Collection[str] = (),
        empty: bool = True,
    ) -> tuple[str, ...]:
        """A list of texts; a single one stands for a list of it. An ``empty`` one is a fault where that is said."""
        if not self.has(key):
            return tuple(default)
        value = self._value[key]
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, (list, tuple)) or not all(isinstance(each, str) and each for each in found):
            self.fault(key, "is no list of texts", f"Write it like ['{example or 'name'}'].")
            return tuple(default)
        if not found and not empty:
            self.fault(key, "is empty", "Leave it out, or write what is meant.")
        return tuple(str(each) for each in found if self._fits(key, each, choices, pattern, example))

    def flag(self, key: str, default: bool) -> bool:
        """A truth value."""
        if not self.has(key):
            return default
        value = self._value[key]
        if not isinstance(value, bool):
            self.fault(key, "is neither true nor false", "Write true or false.")
            return default
        return bool(value)

    def number(self, key: str, default: float, *, least: float, most: float) -> float:
        """A number within bounds."""
        if not self.has(key):
            return default
        value = self._value[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            self.fault(key, "is not in range", f"Write a number from {least:g} to {most:g}.")
            return default
        return float(value)

    def entry(self, key: str) -> Entry | None:
        """A mapping within this one; None where there is none."""
        return Entry(self.faults, self._at(key), self._value[key]) if self.has(key) else None

    def entries(self, key: str) -> list[Entry]:
        """A list of mappings."""
        if not self.has(key):
            return []
        value = self._value[key]
        if not isinstance(value, (list, tuple)):
            self.fault(key, "is no list", "Write a list of mappings.")
            return []
        return [Entry(self.faults, f"{self._at(key)}[{number}]", each) for number, each in enumerate(value)]

    def texts_or_entries(self, key: str, default: Collection[str], *, example: str = "") -> list[str | Entry]:
        """A list of texts and mappings; a single text stands for a list of it."""
        if not self.has(key):
            return list(default)
        value = self._value[key]
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, (list, tuple)):
            self.fault(key, "is no list", f"Write it like ['{example or 'name'}'].")
            return list(default)
        return [
            str(each) if isinstance(each, str) else Entry(self.faults, f"{self._at(key)}[{number}]", each)
            for number, each in enumerate(found)
        ]

    def items(self) -> Iterator[tuple[str, Any]]:
        """All keys and values, for a mapping whose keys are the user's own."""
        self._asked.update(map(str, self._value))
        yield from ((str(key), value) for key, value in self._value.items())

    def refuse_credentials(self, keys: Collection[str], remedy: str) -> None:
        """Note the keys that hold credentials. Their values are not shown, and the keys are no options."""
        for key in self._value:
            if str(key) in keys:
                self._refused.add(str(key))
                self.faults.add(self._at(str(key)), None, "is a credential, which no inventory file holds", remedy)

    def refuse_others(self) -> None:
        """Note the keys that nobody asked for: a misspelt option must not be ignored."""
        for key in self._value:
            if str(key) not in self._asked | self._refused:
                known = sorted(self._asked)
                remedy = did_you_mean(str(key), known) or f"The options here are {', '.join(known)}."
                self._refused.add(str(key))
                self.faults.add(self._at(str(key)), None, "is no option", remedy)

    def _at(self, key: str) -> str:
        return f"{self.place}.{show(key)}" if self.place else show(key)

    def _fits(self, key: str, value: str, choices: Collection[str], pattern: str, example: str) -> bool:
        if choices and value not in choices:
            remedy = did_you_mean(value, choices) or f"Write one of {', '.join(choices)}."
            self.faults.add(self._at(key), value, "is not known", remedy)
            return False
        if pattern and not re.fullmatch(pattern, value):
            self.faults.add(self._at(key), value, "has not the right form", f"Write it like '{example}'.")
            return False
        return True
