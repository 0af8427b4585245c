# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are either there whole or not at all, and locks that end with their process."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import decoded

_LOCK_SECONDS = 60.0


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn what the operating system says about files into FleetError of kind ``state_error``."""
    try:
        yield
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        raise FleetError(
            f"The state cannot be used: {where}{problem.strerror}.",
            kind="state_error",
            remedy="Look at the owner, the mode and the free space of fleet_state_dir.",
        ) from problem


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError about an open file say which one it is: a full disk itself names none."""
    try:
        yield
    except OSError as problem:
        problem.filename = problem.filename or str(path)
        raise


def make_folders(path: Path) -> None:
    """Make a folder and those above it, for its owner alone, and make sure that they outlive a power failure."""
    if path.is_dir():
        return
    make_folders(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    sync(path.parent)


def sync(path: Path) -> None:
    """Make the content of a file safe, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: Path, content: bytes, *, safe: bool = True) -> None:
    """Write a file that nobody reads yet. One that is not made safe at once is synced later, with others."""
    _write(path, content, os.O_TRUNC, safe=safe)


def create(path: Path, content: bytes) -> bool:
    """Write a file and make it safe, unless there is one of that name; False when there is."""
    try:
        _write(path, content, os.O_EXCL)
    except FileExistsError:
        return False
    sync(path.parent)
    return True


def _write(path: Path, content: bytes, how: int, *, safe: bool = True) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    try:
        with naming(path):
            write_all(descriptor, content)
            if safe:
                os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Replace a file at once: readers see the old content or the new, also after a crash."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_new(temporary, content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises FleetError of kind ``state_damaged``."""
    try:
        value = decoded(path.read_bytes())
    except ValueError as problem:
        raise FleetError(
            f"{path} is damaged: {problem}.", kind="state_damaged", remedy="Restore it from a backup."
        ) from problem
    if not isinstance(value, dict):
        raise FleetError(f"{path} is no JSON object.", kind="state_damaged", remedy="Restore it from a backup.")
    return value


def write_all(descriptor: int, content: bytes) -> None:
    """os.write may write less than it was given."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[int]:
    """Hold a lock on a file, made if need be; yield its descriptor.

    Raises FleetError of kind ``state_locked`` after a minute: whoever holds a lock that long hangs.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except OSError as problem:
                if problem.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
            if time.monotonic() > deadline:
                raise FleetError(
                    f"{path} has been locked by another process for {_LOCK_SECONDS:g} s.",
                    kind="state_locked",
                    remedy=f"Find it with fuser {path}.",
                )
            time.sleep(0.005)
        yield descriptor
    finally:
        os.close(descriptor)
