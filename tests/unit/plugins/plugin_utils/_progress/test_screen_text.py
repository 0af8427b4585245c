# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing that a terminal would obey is left of a text, and what can be read of it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.screen_text import (
    MOST_CHARACTERS,
    Coloured,
    data_for_screen,
    for_screen,
    sentence_for_screen,
)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[31mgone", "?[2J?[31mgone"),
        ("\x1b]0;title\x07", "?]0;title?"),
        ("\x9b31m", "?31m"),
        ("\x1b]8;;http://evil.test\x1b\\click", "?]8;;http://evil.test?\\click"),
        ("done\rFAILED", "done?FAILED"),
        ("a\bb\x00c\x7f", "a?b?c?"),
        ("user\u202egpj.exe", "user?gpj.exe"),
        ("zero\u200bwidth\ufeff", "zero?width?"),
        ("not utf-8: \udcff\udc80", "not utf-8: ??"),
        ("line\u2028separator", "line?separator"),
        ("[bold red]markup[/]", "[bold red]markup[/]"),
        ("first\r\nsecond\n", "first\nsecond\n"),
        ("a\tb", "a\tb"),
        ("Größe 数 🎉", "Größe 数 🎉"),
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(hostile: str, shown: str) -> None:
    assert for_screen(hostile) == shown


@given(st.text(st.characters(), max_size=200))
def test_whatever_it_is_only_printable_characters_and_layout_are_left(text: str) -> None:
    shown = for_screen(text)
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    assert for_screen(shown) == shown


def test_a_megabyte_is_cut_in_its_middle_and_says_how_much_is_left_out() -> None:
    shown = for_screen("begin" + "x" * 1_000_000 + "end")
    assert len(shown) < MOST_CHARACTERS + 100
    assert shown.startswith("beginx")
    assert shown.endswith("xend")
    assert "x[… 900,008 characters left out …]x" in shown


def test_a_sentence_stays_one_line_and_short() -> None:
    shown = sentence_for_screen("begin\n" + "x" * 1_000_000 + "\r\nend")
    assert shown.startswith("begin?x")
    assert shown.endswith("x??end")
    assert "[… 999,011 characters left out …]" in shown
    assert len(shown) < 1100


def test_what_has_its_colours_from_ansible_keeps_them() -> None:
    assert for_screen(Coloured("\x1b[0;32m+ added\x1b[0m")) == "\x1b[0;32m+ added\x1b[0m"


def test_every_text_in_data_is_made_printable() -> None:
    hostile = {"before\x1b": "a\x1b[m", "lists": [{"x": "\x07"}, 3, None]}
    assert data_for_screen(hostile) == {"before?": "a?[m", "lists": [{"x": "?"}, 3, None]}
