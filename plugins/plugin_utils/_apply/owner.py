# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who an attempt belongs to: one process of one machine, told from a later one that got its number."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from pathlib import Path

_PROC = Path("/proc")
_UNKNOWN = "unknown"
_PR_SET_PDEATHSIG = 1
_ENDED = ("Z", "X")
"""States of a process that does nothing any more, whether its parent has taken notice or not."""


def this_owner(process: int) -> str:
    """``<machine>:<pid>:<start of the process>:<boot id>/<pid namespace>``; ``unknown`` where it is not told."""
    found = _state_and_start(process)
    return f"{socket.gethostname()}:{process}:{found[1] if found else _UNKNOWN}:{_boot()}"


def is_dead(owner: str) -> bool:
    """Whether the owner's process has ended for certain; False where only its heartbeat can tell.

    That is so on another machine, in another container, and where the system does not say enough.
    """
    try:
        machine, process, start, boot = owner.rsplit(":", 3)
        number = int(process)
    except ValueError:
        return False
    if _UNKNOWN in boot or (machine, boot) != (socket.gethostname(), _boot()):
        return False
    found = _state_and_start(number)
    if found is None:
        return not _exists(number)
    state, started = found
    return state in _ENDED or (start != _UNKNOWN and started != start)


def has_ended(owner: str) -> bool:
    """Whether the process of an owner of this very machine and namespace has ended, also where /proc does not tell."""
    try:
        number = int(owner.rsplit(":", 3)[1])
    except (IndexError, ValueError):
        return True
    return is_dead(owner) or not _exists(number)


def end_with_parent() -> None:
    """Let this process, a worker, end together with the one that forked it.

    A worker whose ansible-playbook was killed would go on with its host, while a further attempt takes that host over
    at once: ansible-core 2.18 leaves workers alone at SIGTERM, and nobody stops them at SIGKILL. Only Linux can do it
    (prctl(2)).
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _boot() -> str:
    """What process numbers are worth: they mean the same process only in one boot, and in one namespace of it."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.stat(_PROC / 'self/ns/pid').st_ino}"
    except OSError:
        return _UNKNOWN


def _state_and_start(process: int) -> tuple[str, str] | None:
    """Fields 3 and 22 of /proc/<pid>/stat (proc(5)); None when there is no such process."""
    try:
        text = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name of the program, which may hold anything, stands in parentheses before them.
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]


def _exists(process: int) -> bool:
    """Whether there is such a process, although /proc may hide those of others."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
