# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The screen of a run, on a terminal that is only remembered."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.screen import Screen, is_for_live_view
from ansible_collections.bankops.fleet.tests.fakes.terminal import Terminal


class Display:
    """As much of Ansible's Display as a screen uses."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.during_question: Callable[[], None] = lambda: None

    def display(self, msg: str, color: str | None = None, stderr: bool = False, log_only: bool = False) -> None:
        if not log_only:
            (sys.stderr if stderr else sys.stdout).write(msg + "\n")

    def prompt(self, msg: str, private: bool = False) -> str:
        time.sleep(0.05)
        self.during_question()
        return "yes"

    def prompt_until(self, msg: str, **options: Any) -> bytes:
        return self.prompt(msg).encode()


class Watched:
    """A screen, and the terminal on which it stands."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.display = Display()
        self.screen = Screen(self.display)
        self.screen.take_over()
        self._capsys, self._terminal = capsys, Terminal(80)

    def lines(self) -> list[str]:
        """What stands there; read under the lock, for a view that is drawn half is not what anybody sees."""
        with self.display._lock:
            # As a terminal's driver does it for every program.
            self._terminal.feed(self._capsys.readouterr().out.replace("\n", "\r\n"))
        return self._terminal.lines


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Watched:
    monkeypatch.setattr("ansible_collections.bankops.fleet.plugins.plugin_utils._progress.screen.EVERY_SECONDS", 0.005)
    return Watched(capsys)


def test_what_is_printed_goes_above_the_view(watched: Watched) -> None:
    frames = iter([f"frame {number}", "second line"] for number in range(10_000))
    watched.screen.start_view(lambda: next(frames))
    for number in range(5):
        time.sleep(0.03)
        watched.display.display(f"line {number}")
        *above, first, second, rest = watched.lines()
        assert above == [f"line {earlier}" for earlier in range(number + 1)]
        assert (first[:6], second, rest) == ("frame ", "second line", "")
    watched.screen.end_view()
    assert watched.lines() == [*(f"line {number}" for number in range(5)), ""]
    time.sleep(0.03)
    assert watched.lines() == [*(f"line {number}" for number in range(5)), ""]


def test_nothing_moves_while_somebody_is_asked(watched: Watched) -> None:
    asked: list[list[str]] = []
    watched.display.during_question = lambda: asked.append(list(watched.lines()))
    watched.screen.start_view(lambda: ["the view"])
    time.sleep(0.03)
    assert watched.lines() == ["the view", ""]
    assert watched.display.prompt("Go on?") == "yes"
    assert watched.display.prompt_until("Go on?", seconds=1) == b"yes"
    assert asked == [[""], [""]]
    time.sleep(0.03)
    assert watched.lines() == ["the view", ""]
    watched.screen.end_view()


def test_text_that_a_terminal_would_obey_is_printable_with_and_without_a_view(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.display.display("\x1b[2Jgone\r")
    watched.display.display("\x1b[2Jgone\r", stderr=True)
    assert capsys.readouterr() == ("?[2Jgone?\n", "?[2Jgone?\n")
    watched.screen.start_view(lambda: ["the view"])
    watched.display.display("\x1b[2Jgone\r", stderr=True)
    watched.screen.end_view()
    assert "?[2Jgone?\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "is_terminal", "live"),
    [
        ({"TERM": "xterm-256color"}, True, True),
        ({"TERM": "xterm-256color"}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({}, True, False),
        ({"TERM": "xterm-256color", "AWX_ISOLATED_DATA_DIR": "/runner/artifacts/1"}, True, False),
        ({"TERM": "xterm-256color", "CI": "true"}, True, False),
        ({"TERM": "screen", "CI": ""}, True, True),
    ],
)
def test_a_view_is_for_people_at_a_terminal_alone(environment: dict[str, str], is_terminal: bool, live: bool) -> None:
    assert is_for_live_view(environment, is_terminal=is_terminal) is live
