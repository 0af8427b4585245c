# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of Debian package versions (deb-version(7)), so that thousands of comparisons need no process."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any, Callable, Tuple


def compare(left: str, right: str) -> int:
    """Negative, zero or positive as ``left`` is older than, equal to or newer than ``right``."""
    left_epoch, left_upstream, left_revision = _split(left)
    right_epoch, right_upstream, right_revision = _split(right)
    return (
        left_epoch - right_epoch
        or _compare_part(left_upstream, right_upstream)
        or _compare_part(left_revision, right_revision)
    )


sort_key: Callable[[str], Any] = cmp_to_key(compare)


def _split(version: str) -> Tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    return int(epoch) if epoch.isdigit() else 0, upstream, revision


def _rank(text: str, position: int) -> int:
    """The weight of one character: a tilde sorts before the end, letters before everything else."""
    if position >= len(text) or text[position].isdigit():
        return 0
    letter = text[position]
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256


def _compare_part(left: str, right: str) -> int:
    at_left = at_right = 0
    while at_left < len(left) or at_right < len(right):
        while (at_left < len(left) and not left[at_left].isdigit()) or (
            at_right < len(right) and not right[at_right].isdigit()
        ):
            difference = _rank(left, at_left) - _rank(right, at_right)
            if difference:
                return difference
            at_left, at_right = at_left + 1, at_right + 1
        left_number, at_left = _number(left, at_left)
        right_number, at_right = _number(right, at_right)
        if left_number != right_number:
            return left_number - right_number
    return 0


def _number(text: str, start: int) -> Tuple[int, int]:
    end = start
    while end < len(text) and text[end].isdigit():
        end += 1
    return int(text[start:end] or "0"), end
