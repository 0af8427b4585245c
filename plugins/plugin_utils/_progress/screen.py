# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The screen of a run: everything that Ansible prints goes through here, above the live view where there is one.

Ansible forks a worker for every task, and a lock that another thread holds at that moment would stay locked in the
worker for ever. Ansible therefore forks under the lock of its Display; whatever is drawn here is drawn under the same
one, and under no other.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.screen_text import for_screen

EVERY_SECONDS = 0.5

CLEAR_BELOW = "\x1b[J"


def is_for_live_view(environment: dict[str, str], *, is_terminal: bool) -> bool:
    """Whether somebody looks at the run on a terminal that can move its cursor.

    ansible-runner, and so AWX, runs Ansible on a terminal too, but keeps what is printed; so may others.
    """
    kept = any(environment.get(name) for name in ("AWX_ISOLATED_DATA_DIR", "CI"))
    return is_terminal and not kept and environment.get("TERM", "") not in ("", "dumb", "unknown")


class Screen:
    """Prints for a ``display``, which is Ansible's: only its lock and its ways to print and to ask are used."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._process = os.getpid()
        self._draw: Callable[[], list[str]] | None = None
        self._drawn: list[str] = []
        self._shown = 0
        """How many lines of the view stand on the terminal, above the cursor."""
        self._asking = False
        self._ended = Event()

    def take_over(self) -> None:
        """From here on nothing is printed but through this screen. To take over again changes nothing."""
        if self._display.display == self.display:
            return
        self._print, self._ask, self._ask_until = (
            self._display.display,
            self._display.prompt,
            self._display.prompt_until,
        )
        self._display.display = self.display
        self._display.prompt = self.prompt
        self._display.prompt_until = self.prompt_until

    @property
    def has_view(self) -> bool:
        """Whether a live view is shown."""
        return self._draw is not None

    def display(self, msg: str, *arguments: Any, **options: Any) -> None:
        """Print as Display.display does, with nothing that the terminal would obey."""
        text = for_screen(msg)
        # Workers, and those who write to a file alone, do not touch the terminal.
        if self._draw is None or os.getpid() != self._process or options.get("log_only"):
            self._print(text, *arguments, **options)
            return
        with self._display._lock:
            self._erase()
            self._print(text, *arguments, **options)
            sys.stderr.flush()
            self._show()

    def prompt(self, *arguments: Any, **options: Any) -> Any:
        """Ask somebody; nothing moves meanwhile."""
        with self._silence():
            return self._ask(*arguments, **options)

    def prompt_until(self, *arguments: Any, **options: Any) -> Any:
        """The same for tasks that ask."""
        with self._silence():
            return self._ask_until(*arguments, **options)

    def start_view(self, draw: Callable[[], list[str]]) -> None:
        """Show a live view from now on. ``draw`` gives its lines, and is called under the lock of Display."""
        self._draw, self._ended = draw, Event()
        atexit.register(self.end_view)
        Thread(target=self._refresh, args=(self._ended,), name="bankops.fleet live view", daemon=True).start()

    def end_view(self) -> None:
        """Take the live view away for good."""
        if self._draw is not None and os.getpid() == self._process:
            self._ended.set()
            with self._display._lock:
                self._erase()
                self._draw = None

    @contextmanager
    def _silence(self) -> Iterator[None]:
        if self._draw is None or os.getpid() != self._process:
            yield
            return
        with self._display._lock:
            self._erase()
            self._asking = True
        try:
            yield
        finally:
            self._asking = False

    def _refresh(self, ended: Event) -> None:
        while not ended.wait(EVERY_SECONDS):
            with self._display._lock:
                if self._draw is not None and not self._asking and not ended.is_set():
                    self._drawn = self._draw()
                    self._erase()
                    self._show()

    def _erase(self) -> None:
        if self._shown:
            sys.stdout.write(f"\r\x1b[{self._shown}A{CLEAR_BELOW}")
            # Before anything goes to the other stream, which is the same terminal.
            sys.stdout.flush()
            self._shown = 0

    def _show(self) -> None:
        # The cursor waits at the beginning of the line below: whoever kills the run finds a clean line.
        if self._draw is not None and not self._asking:
            sys.stdout.write("".join(f"{line}\n" for line in self._drawn))
            self._shown = len(self._drawn)
        sys.stdout.flush()
