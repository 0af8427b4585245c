# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work on an object done once, although many hosts have that same object, or one that says the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest_of_bytes

Made = TypeVar("Made")
Value = TypeVar("Value")

MOST = 128
"""Objects kept at a time: more kinds of hosts than most fleets have, and some megabytes of updates."""


class Once(Generic[Made]):
    """What was made of an object, for whoever comes with the same object again.

    Objects are told apart by identity, which is quick. They are kept, so that none takes the place of another, and
    neither they nor what was made of them may be changed. Beyond ``MOST`` all are forgotten, which costs only time.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, Hashable], tuple[object, Made]] = {}

    def of(self, source: object, make: Callable[[], Made], also: Hashable = None) -> Made:
        """What ``make`` makes of ``source``, and of ``also`` if there is more that it depends on."""
        key = id(source), also
        if key not in self._kept:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = source, make()
        return self._kept[key][1]


class Alike:
    """Of equal plain data that was read again and again, the first: so that ``Once`` finds it by its identity.

    Nothing of what it gives may be changed. Beyond ``MOST`` values all are forgotten, which costs only time and memory.
    """

    def __init__(self) -> None:
        self._kept: dict[str, object] = {}

    def of(self, value: Value) -> Value:
        """The first value that is equal to this one, keys in the same order."""
        import orjson

        try:
            key = digest_of_bytes(orjson.dumps(value))
        except TypeError:
            # A number beyond 64 bits, which few have in common.
            return value
        if key not in self._kept and len(self._kept) >= MOST:
            self._kept.clear()
        found: Value = self._kept.setdefault(key, value)  # type: ignore[assignment]
        return found
