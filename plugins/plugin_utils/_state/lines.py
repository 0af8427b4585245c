# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An append-only file of lines that knows a line that was never written whole from one that was."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.files import (
    locked,
    naming,
    sync,
    write_all,
    write_new,
)

_BLOCK = 65536


def append_line(path: Path, build: Callable[[bytes | None], bytes]) -> bytes:
    """Append what ``build`` makes of the last line, under a lock, and sync it."""
    with locked(path) as descriptor:
        size = os.fstat(descriptor).st_size
        end = _end_of_whole_lines(descriptor, size)
        if end < size:
            write_new(_aside(path), os.pread(descriptor, size - end, end))
            sync(path.parent)
            os.ftruncate(descriptor, end)
        line = checked_line(build(_last_line(descriptor, end)))
        os.lseek(descriptor, end, os.SEEK_SET)
        try:
            with naming(path):
                write_all(descriptor, line + b"\n")
                os.fsync(descriptor)
        except OSError:
            # A full disk: what was not acknowledged must not stay, or the next reader would take it for a crash.
            os.ftruncate(descriptor, end)
            raise
    if end == 0:
        # The first line; the empty file may have been made before, as a lock alone.
        sync(path.parent)
    return line


def checked_line(line: bytes) -> bytes:
    """The line, if it can be one. Raises ValueError otherwise: a defect of whoever built it."""
    if not line or b"\n" in line:
        raise ValueError("A line of a ledger is not empty and has no line feed.")
    return line


def whole_lines(path: Path, begin: int = 0) -> Iterator[bytes]:
    """The lines that were whole when this was called, from an offset on at which one begins."""
    if not path.exists():
        return iter(())
    with locked(path, shared=True) as descriptor:
        end = _end_of_whole_lines(descriptor, os.fstat(descriptor).st_size)
    return _read_lines(path, begin, end)


@contextmanager
def held(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """The number of whole lines and the last one, which stay what they are until this is left."""
    with locked(path) as descriptor:
        end = _end_of_whole_lines(descriptor, os.fstat(descriptor).st_size)
        yield sum(1 for _line in _read_lines(path, 0, end)), _last_line(descriptor, end)


def torn_ends(path: Path) -> list[bytes]:
    """What was moved aside, and what is not whole at the end of the file now."""
    if not path.exists():
        return []
    with locked(path, shared=True) as descriptor:
        size = os.fstat(descriptor).st_size
        end = _end_of_whole_lines(descriptor, size)
        now = os.pread(descriptor, size - end, end)
        aside = [kept.read_bytes() for kept in _kept_aside(path)]
    return [*aside, now] if now else aside


def _read_lines(path: Path, begin: int, end: int) -> Iterator[bytes]:
    left = end - begin
    with path.open("rb") as file:
        file.seek(begin)
        while left > 0:
            line = file.readline()
            left -= len(line)
            yield line[:-1]


def _end_of_whole_lines(descriptor: int, size: int) -> int:
    """The offset behind the last line feed."""
    return _find_back(descriptor, size) + 1


def _last_line(descriptor: int, end: int) -> bytes | None:
    if end == 0:
        return None
    start = _find_back(descriptor, end - 1) + 1
    return os.pread(descriptor, end - 1 - start, start)


def _find_back(descriptor: int, end: int) -> int:
    """The offset of the last line feed before ``end``, or -1."""
    while end > 0:
        start = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found
        end = start
    return -1


def _kept_aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.torn-*"))


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.torn-{len(_kept_aside(path)) + 1:04}")
