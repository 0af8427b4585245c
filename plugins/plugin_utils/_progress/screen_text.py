# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may reach the screen: hostile text must not move its cursor, colour it, hide in it or bury what else it says."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable

_LAYOUT = re.compile(r"([\n\t])")

MOST_CHARACTERS = 100_000
"""A longer text is shown with its beginning and its end, where errors usually stand."""

MOST_OF_A_SENTENCE = 1000


class Coloured(str):
    """Text that went through ``for_screen`` and got colours since; there is nothing to take out of it."""

    __slots__ = ()


def for_screen(text: str) -> str:
    """A text of any number of lines, not longer than a screen bears, with ends of lines, tabs and what is printable."""
    if isinstance(text, Coloured) or (text.isprintable() and len(text) <= MOST_CHARACTERS):
        return text
    parts = _LAYOUT.split(_shortened(text.replace("\r\n", "\n"), MOST_CHARACTERS))
    return "".join(part if _LAYOUT.fullmatch(part) else printable(part) for part in parts)


def sentence_for_screen(text: str) -> str:
    """A text within a line."""
    return printable(_shortened(text, MOST_OF_A_SENTENCE))


def data_for_screen(value: Any) -> Any:
    """Plain data with every text in it, keys too, as ``for_screen`` has it."""
    if isinstance(value, str):
        return for_screen(value)
    if isinstance(value, dict):
        return {data_for_screen(key): data_for_screen(item) for key, item in value.items()}
    return [data_for_screen(item) for item in value] if isinstance(value, (list, tuple)) else value


def _shortened(text: str, most: int) -> str:
    left_out = len(text) - most
    if left_out <= 0:
        return text
    half = most // 2
    return f"{text[:half]}[… {left_out:,} characters left out …]{text[-half:]}"
