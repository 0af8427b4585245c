# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A terminal: programs run on a real pseudo-terminal, and what they print is shown as one would see it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PIECE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+|\x1b")


class Terminal:
    """What stands on the terminal and above it. Any escape sequence but those of colours and of our view is refused."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines = [""]
        self._row, self._column = 0, 0

    def feed(self, text: str) -> None:
        """Take what a program printed; it does not end within an escape sequence."""
        for piece in _PIECE.finditer(text):
            self._take(piece)

    def _take(self, piece: re.Match[str]) -> None:
        whole, argument, command = piece.group(0), piece.group(1), piece.group(2)
        if whole == "\r":
            self._column = 0
        elif whole == "\n":
            self._down()
        elif command is None:
            assert whole != "\x1b", "an escape sequence that no terminal view needs"
            self._write(whole)
        elif command == "A":
            self._row = max(0, self._row - int(argument or 1))
        elif command == "J":
            assert argument in ("", "0"), whole
            self.lines = [*self.lines[: self._row], self.lines[self._row][: self._column]]
        elif command == "K":
            self.lines[self._row] = self.lines[self._row][: self._column]
        else:
            assert command == "m", f"{whole!r} moves the terminal"

    def _write(self, text: str) -> None:
        for character in text:
            if self._column == self.columns:
                self._down()
                self._column = 0
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.lines):
            self.lines.append("")


class OnTerminal:
    """A program on a pseudo-terminal. ``text`` is everything it printed so far."""

    def __init__(
        self,
        argv: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        size: tuple[int, int] = (100, 30),
    ) -> None:
        self.text = ""
        self._end, program = pty.openpty()
        self.resize(*size)
        self.settings = termios.tcgetattr(self._end)
        self._process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=program,
            stdout=program,
            stderr=program,
            start_new_session=True,
            # The program's controlling terminal, as for whoever works at one: Ctrl-C reaches it.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  no threads here
        )
        os.close(program)

    def resize(self, columns: int, lines: int) -> None:
        """Make the terminal another size."""
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        """Type something."""
        os.write(self._end, keys)

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Read until ``text`` was printed."""
        deadline = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < deadline, f"{text!r} was not printed in {seconds} s:\n{self.text}"
            if not self._read():
                raise AssertionError(f"{text!r} was never printed:\n{self.text}")

    def read_for(self, seconds: float) -> None:
        """Read whatever is printed in so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._read():
            pass

    def finish(self, seconds: float = 60) -> int:
        """Read until the program has ended; its exit status."""
        deadline = time.monotonic() + seconds
        while self._read():
            if time.monotonic() > deadline:
                os.killpg(self._process.pid, signal.SIGKILL)
                raise AssertionError(f"It has not ended in {seconds} s:\n{self.text}")
        status = self._process.wait()
        self.settings_after = termios.tcgetattr(self._end)
        os.close(self._end)
        return status

    def _read(self) -> bool:
        """Read what there is, for a moment; False when the program has closed its side."""
        if select.select([self._end], [], [], 0.2)[0]:
            try:
                received = os.read(self._end, 65536)
            except OSError:
                return False
            self.text += received.decode("utf-8", "replace")
            return bool(received)
        return True
