# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of rpm versions (rpm-version(7)), for ``[epoch:]version-release``."""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import Any, Callable, Tuple

_SEGMENT = re.compile(r"[0-9]+|[a-zA-Z]+|~|\^")


def compare(left: str, right: str) -> int:
    """Negative, zero or positive as ``left`` is older than, equal to or newer than ``right``."""
    for one, other in zip(_split(left), _split(right)):
        difference = _compare_part(one, other)
        if difference:
            return difference
    return 0


sort_key: Callable[[str], Any] = cmp_to_key(compare)


def _split(version: str) -> Tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    number, _hyphen, release = rest.partition("-")
    return epoch, number, release


def _compare_part(left: str, right: str) -> int:
    ours, theirs = _SEGMENT.findall(left), _SEGMENT.findall(right)
    for one, other in zip(ours, theirs):
        if one == other:
            continue
        difference = _weight(one) - _weight(other)
        if difference:
            return difference
        if one.isdigit() and int(one) == int(other):
            continue
        return 1 if (int(one) > int(other) if one.isdigit() else one > other) else -1
    if len(ours) == len(theirs):
        return 0
    longer, sign = (ours, 1) if len(ours) > len(theirs) else (theirs, -1)
    # A tilde sorts before the end of the version, everything else after it.
    return -sign if longer[min(len(ours), len(theirs))] == "~" else sign


def _weight(segment: str) -> int:
    """Pre-releases (tilde), then snapshots (caret), then letters, then numbers."""
    if segment in "~^":
        return "~^".index(segment)
    return 3 if segment.isdigit() else 2
