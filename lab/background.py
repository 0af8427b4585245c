# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a lab goes on when the command that started it has ended: the users' traffic, and the clouds."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

COLLECTIONS = Path(__file__).parents[4]
"""Where Python finds this collection; a new process is told."""
_PROGRAM = (
    "import importlib, json, sys; sys.path.insert(0, sys.argv[1]); "
    "getattr(importlib.import_module(sys.argv[2]), sys.argv[3])(json.loads(sys.argv[4]))"
)


def start(
    folder: Path,
    function: str,
    order: dict[str, Any],
    has_begun: Callable[[], bool],
    seconds: float,
    python: str = sys.executable,
) -> None:
    """Run a function, named as ``module.function`` of this package, in a process of its own that has a folder.

    Returns when it has begun. One that does not in so many seconds is killed. Raises FleetError, kind
    ``background_failed``.
    """
    module, _, name = f"{__package__}.{function}".rpartition(".")
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [python, "-c", _PROGRAM, str(COLLECTIONS), module, name, json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    deadline = time.monotonic() + seconds
    while not has_begun():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            said = (folder / "output").read_text()[-1000:].strip()
            raise FleetError(f"{function} did not begin: {said}", kind="background_failed")
        time.sleep(0.1)


@contextlib.contextmanager
def alive(folder: Path) -> Iterator[threading.Event]:
    """For the process itself: it lives as long as the context, and goes when the event is set.

    That is when it is told to, and when somebody has removed its folder. It holds a lock meanwhile, so that a dead one
    is never taken for a living one.
    """
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # It is closed with the process and not before, so that whoever gets the lock knows that nothing is left.
    file = os.open(folder / "pid", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    fcntl.flock(file, fcntl.LOCK_EX)
    os.write(file, str(os.getpid()).encode())

    def watch() -> None:
        while not ended.wait(1):
            if os.fstat(file).st_nlink == 0:
                ended.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield ended
    finally:
        ended.set()
        watcher.join()


def running(folder: Path) -> int | None:
    """The process id of the living one, or None."""
    try:
        with (folder / "pid").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
    except FileNotFoundError:
        return None
    return None


def stop(folder: Path, seconds: float) -> bool:
    """Ask it to end, and wait for that; False when none was running. Raises FleetError, kind ``background_failed``."""
    process = running(folder)
    if process is None:
        return False
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while running(folder) is not None:
        if time.monotonic() > deadline:
            raise FleetError(f"Process {process} of {folder} does not stop.", kind="background_failed")
        time.sleep(0.1)
    return True
