# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work on an object done once, although many hosts have that same object."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")

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
