# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks and their holders, from a /proc of files and from a real lock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.locks import (
    read_locks,
    read_other_actors,
    wait_for_locks,
    wait_until_alone,
)

LOCK = "/var/lib/dpkg/lock-frontend"
# As Linux 6.1 writes them while apt-get holds the lock.
PROC_LOCKS = "1: POSIX  ADVISORY  WRITE 4711 fe:00:2149727 0 EOF\n2: FLOCK  ADVISORY  WRITE 22264 00:2e:115 0 EOF\n"
FDINFO = (
    "pos:\t0\nflags:\t0400002\nmnt_id:\t30\nino:\t2149727\nlock:\t1: POSIX  ADVISORY  WRITE 4711 fe:00:2149727 0 EOF\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("proc/4711/fd", "proc/4711/fdinfo", "var/lib/dpkg", "var/cache/dnf"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / LOCK[1:]).touch()
    (tmp_path / "proc/locks").write_text(PROC_LOCKS)
    (tmp_path / "proc/4711/cmdline").write_bytes(b"apt-get\0install\0vim\0")
    (tmp_path / "proc/4711/fd/4").symlink_to(LOCK)
    (tmp_path / "proc/4711/fdinfo/4").write_text(FDINFO)
    return tmp_path


def process(root: Path, pid: int, *argv: str, cgroup: str = "0::/system.slice/x.service") -> None:
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "cmdline").write_text("".join(f"{word}\0" for word in argv))
    (folder / "cgroup").write_text(cgroup)


def test_the_holder_is_named(root: Path) -> None:
    assert read_locks([LOCK], root) == [{"path": LOCK, "pid": 4711, "command": "apt-get install vim"}]


def test_an_open_file_without_a_lock_is_no_lock(root: Path) -> None:
    (root / "proc/4711/fdinfo/4").write_text("pos:\t0\n")
    assert read_locks([LOCK], root) == []


def test_a_pid_file_counts_while_its_process_lives(root: Path) -> None:
    (root / "var/cache/dnf/metadata_lock.pid").write_text("4711")
    (root / "var/cache/dnf/download_lock.pid").write_text("4712")
    found = read_locks(["/var/cache/dnf/*_lock.pid"], root)
    assert [(lock["path"], lock["pid"]) for lock in found] == [("/var/cache/dnf/metadata_lock.pid", 4711)]


def test_waiting_ends_when_the_lock_is_free(root: Path, time: Any) -> None:
    def release(seconds: float) -> None:
        time.seconds += seconds
        if time.seconds > 5:
            (root / "proc/4711/fdinfo/4").write_text("pos:\t0\n")

    waited = wait_for_locks([LOCK], 60, type(time.clock)(now=lambda: time.seconds, sleep=release), root)
    assert 5 < waited < 7


def test_waiting_ends_at_the_deadline_and_says_who_holds_it(root: Path, time: Any) -> None:
    with pytest.raises(FleetError) as caught:
        wait_for_locks([LOCK], 60, time.clock, root)
    assert caught.value.kind == "lock_held"
    assert "4711 (apt-get install vim)" in caught.value.message
    assert time.seconds == pytest.approx(60, abs=1)


def test_others_are_waited_for_until_neither_lock_nor_program_is_left(root: Path, time: Any) -> None:
    process(root, 10, "/bin/sh", "/usr/lib/apt/apt.systemd.daily", "install")

    def pass_by(seconds: float) -> None:
        time.seconds += seconds
        if time.seconds > 5:
            (root / "proc/4711/fdinfo/4").write_text("pos:\t0\n")
            (root / "proc/4711/cmdline").write_bytes(b"sleep\0")
        if time.seconds > 9:
            (root / "proc/10/cmdline").write_text("")

    wait_until_alone([LOCK], 60, type(time.clock)(now=lambda: time.seconds, sleep=pass_by), root)
    assert 9 < time.seconds < 11


@pytest.mark.parametrize("timeout", [0, 60])
def test_others_who_stay_are_waited_for_no_longer_than_asked(root: Path, time: Any, timeout: float) -> None:
    wait_until_alone([LOCK], timeout, time.clock, root)
    assert time.seconds == pytest.approx(timeout, abs=1)
    assert read_locks([LOCK], root) != []


def test_a_real_lock_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import fcntl, sys, time\n"
        "file = open(sys.argv[1], 'w')\n"
        "fcntl.lockf(file, fcntl.LOCK_EX)\n"
        "print('locked', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "locked\n"
            assert [lock["pid"] for lock in read_locks([str(path)])] == [holder.pid]
        finally:
            holder.kill()
    assert read_locks([str(path)]) == []


def test_other_package_managers_are_seen_and_our_own_transaction_is_not(root: Path) -> None:
    process(root, 10, "/usr/bin/python3", "/usr/bin/unattended-upgrade", "--download-only")
    process(root, 11, "/bin/sh", "/usr/lib/apt/apt.systemd.daily", "install")
    process(root, 12, "/usr/libexec/packagekitd")
    process(root, 13, "apt-get", "install", cgroup="0::/system.slice/bankops-fleet-abab-apply.service")
    process(
        root, 14, "/usr/bin/python3", "/usr/share/unattended-upgrades/unattended-upgrade-shutdown", "--wait-for-signal"
    )
    process(root, 15, "vim", "/usr/bin/apt")
    (root / "proc/4711/cgroup").write_text("0::/user.slice")
    assert [actor["pid"] for actor in read_other_actors(root)] == [10, 11, 12, 4711]
