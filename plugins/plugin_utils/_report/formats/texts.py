# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts from outside, so that a reader sees what is in them and no program obeys it."""

from __future__ import annotations

CELL = 32_767
"""As many UTF-16 units as Excel takes in a cell; what Python's csv module reads without being asked is more."""


def visible(text: str) -> str:
    r"""The text on one line; what nobody would see is written as in Python: ``\x1b``, ``\n``, ``\u202e``, ``\udc80``.

    So nothing steers a terminal, turns the direction of writing, hides between other characters, or is no Unicode.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def shortened(text: str, most: int = CELL) -> str:
    """The text, of which no more than ``most`` UTF-16 units are left; where something was cut, it says so."""
    # Most texts are short, and no character is more than two units.
    if 2 * len(text) <= most:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * most:
        return text
    said = f" … (cut: {len(text):,} characters in all, whole in report.json)"
    return units[: 2 * (most - len(said))].decode("utf-16-le", "ignore") + said
