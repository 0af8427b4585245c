# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is about to go through, told by the worker that takes it there to the callback that shows it.

One task takes a host its whole way, so Ansible itself has nothing to say of it in between. Workers are forked from the
process of the callback, and so inherit the writing end of a pipe. Nobody ever waits for it: what does not fit is lost,
and with it nothing but a moment of a moving picture.
"""

from __future__ import annotations

import contextlib
import json
import os

_PIPE_WRITES_WHOLE = 4096
"""Up to so many bytes, what several processes write at once does not mix (PIPE_BUF on Linux)."""


class Announcements:
    """The end of the callback."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._rest = b""

    def tell(self, host: str, phase: str) -> None:
        """Say, in a worker, which phase begins on a host."""
        line = json.dumps([host, phase]).encode() + b"\n"
        if len(line) <= _PIPE_WRITES_WHOLE:
            with contextlib.suppress(OSError):
                os.write(self._writing, line)

    def read(self) -> list[tuple[str, str]]:
        """The hosts and phases that were told since the last time."""
        received = [self._rest]
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self._reading, 65536):
                received.append(more)
        *lines, self._rest = b"".join(received).split(b"\n")
        return [tuple(json.loads(line)) for line in lines]

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self._reading)
        os.close(self._writing)


class _Listener:
    """Who listens in this process, or did in the one it was forked from: there is one screen."""

    heard = False
    announcements: Announcements | None = None


def listen(announcements: Announcements | None) -> None:
    """A callback shows outcomes from here on, and phases where it has ``announcements``."""
    _Listener.heard, _Listener.announcements = True, announcements


def is_heard() -> bool:
    """Whether a callback shows the outcome of every host, so that nobody else need print it."""
    return _Listener.heard


def announce(host: str, phase: str) -> None:
    """Say that a phase begins on a host, if anybody shows it."""
    if _Listener.announcements is not None:
        _Listener.announcements.tell(host, phase)
