# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds the package manager's locks, and who else is at work: read from ``/proc``, without lsof."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

UNIT_PREFIX = "bankops-fleet-"

_ACTORS = frozenset(
    {
        "apt",
        "apt-get",
        "aptitude",
        "apt.systemd.daily",
        "dnf",
        "dnf-3",
        "dnf5",
        "dnf-automatic",
        "dnf5daemon-server",
        "dpkg",
        "packagekitd",
        "rpm",
        "unattended-upgrade",
        "unattended-upgrades",
        "yum",
    }
)
_INTERPRETERS = ("python", "platform-python", "sh", "dash", "bash", "perl")


@dataclass(frozen=True)
class Clock:
    """Monotonic seconds and sleeping, so that tests need not wait."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


def read_locks(patterns: Sequence[str], root: Path = Path("/")) -> List[Dict[str, Any]]:
    """The locks held on the files that ``patterns`` (absolute, may hold globs) name: ``[{"path", "pid", "command"}]``.

    fcntl and flock locks are found in ``/proc/<pid>/fdinfo``; a ``.pid`` file counts while its process lives.
    """
    paths = {f"/{found.relative_to(root)}" for pattern in patterns for found in root.glob(pattern.lstrip("/"))}
    held: Dict[str, int] = {}
    for path in sorted(paths):
        if path.endswith(".pid"):
            content = _read(root / path.lstrip("/")).strip()
            if content.isdigit() and (root / "proc" / content).is_dir():
                held[path] = int(content)
    for pid in _pids_with_locks(root):
        descriptors = root / "proc" / str(pid) / "fd"
        try:
            names = os.listdir(descriptors)
        except OSError:
            continue  # The process ended, and its locks with it.
        for name in names:
            try:
                target = os.readlink(descriptors / name)
            except OSError:
                continue
            if target in paths and "lock:" in _read(descriptors.parent / "fdinfo" / name):
                held[target] = pid
    return [{"path": path, "pid": pid, "command": command_line(pid, root)} for path, pid in sorted(held.items())]


def wait_for_locks(patterns: Sequence[str], timeout: float, clock: Clock, root: Path = Path("/")) -> float:
    """Wait until nobody holds the locks; returns the seconds waited. Raises FleetError of kind ``lock_held``."""
    started = clock.now()
    while True:
        locks = read_locks(patterns, root)
        waited = clock.now() - started
        if not locks:
            return waited
        if waited >= timeout:
            holders = "; ".join(sorted({f"process {lock['pid']} ({lock['command']})" for lock in locks}))
            raise FleetError(
                f"After {waited:.0f} s the package manager's lock is still held by {holders}.",
                kind="lock_held",
                remedy="Let it finish, or stop the service that started it, and run again.",
                data={"locks": locks},
            )
        clock.sleep(min(1.0, max(0.1, timeout - waited)))


def wait_until_alone(patterns: Sequence[str], timeout: float, clock: Clock, root: Path = Path("/")) -> None:
    """Wait, for at most ``timeout`` seconds, until nobody holds the locks and no other package manager is at work."""
    ends = clock.now() + timeout
    while clock.now() < ends and (read_locks(patterns, root) or read_other_actors(root)):
        clock.sleep(min(1.0, max(0.1, ends - clock.now())))


def read_other_actors(root: Path = Path("/")) -> List[Dict[str, Any]]:
    """Package managers at work, neither our own family nor a transaction of ours: ``[{"pid", "command"}]``."""
    family = set(_ancestors(os.getpid(), root))
    actors = []
    for entry in sorted((root / "proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        pid = int(entry.name)
        arguments = [part for part in _read(entry / "cmdline").split("\0") if part]
        if not arguments or pid in family or _program(arguments) not in _ACTORS:
            continue
        if "--wait-for-signal" in arguments:
            continue  # unattended-upgrade-shutdown idles from boot to shutdown.
        if UNIT_PREFIX in _read(entry / "cgroup"):
            continue
        actors.append({"pid": pid, "command": " ".join(arguments)[:300]})
    return actors


def command_line(pid: int, root: Path = Path("/")) -> str:
    """What ``pid`` runs, at most 300 characters; ``unknown`` when it is gone."""
    command = _read(root / "proc" / str(pid) / "cmdline").replace("\0", " ").strip()
    return command[:300] or "unknown"


def _program(arguments: List[str]) -> str:
    """The name of what runs: the script where an interpreter runs one."""
    name = os.path.basename(arguments[0])
    if name.startswith(_INTERPRETERS):
        scripts = [argument for argument in arguments[1:] if not argument.startswith("-")]
        return os.path.basename(scripts[0]) if scripts else name
    return name


def _pids_with_locks(root: Path) -> List[int]:
    pids = set()
    for line in _read(root / "proc" / "locks").splitlines():
        fields = line.replace("->", "").split()
        if len(fields) > 4 and fields[1] in ("POSIX", "FLOCK", "OFDLCK") and fields[4].isdigit():
            pids.add(int(fields[4]))
    return sorted(pids)


def _ancestors(pid: int, root: Path) -> Iterator[int]:
    while pid > 1:
        yield pid
        stat = _read(root / "proc" / str(pid) / "stat")
        fields = stat.rpartition(")")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
