# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only what is certain counts as dead: a process of this machine that has ended, or whose number another one has."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import end_with_parent, is_dead, this_owner


def test_a_process_that_runs_is_alive() -> None:
    assert not is_dead(this_owner(os.getpid()))


def test_a_process_that_has_ended_is_dead_even_before_its_parent_takes_notice() -> None:
    process = subprocess.Popen(["sleep", "60"])
    owner = this_owner(process.pid)
    assert not is_dead(owner)
    process.kill()
    # Not reaped: it is a zombie from here on.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(owner)
    process.wait()
    assert is_dead(owner)


def test_a_process_with_a_reused_number_is_another_one() -> None:
    machine, process, start, boot = this_owner(os.getpid()).rsplit(":", 3)
    assert is_dead(":".join((machine, process, str(int(start) - 1), boot)))


def test_a_program_with_a_name_full_of_parentheses_is_read_right(tmp_path: Path) -> None:
    (tmp_path / "a) Z 1 (").symlink_to("/bin/sleep")
    process = subprocess.Popen([tmp_path / "a) Z 1 (", "60"])
    try:
        assert not is_dead(this_owner(process.pid))
    finally:
        process.kill()
        process.wait()


def test_a_worker_ends_with_the_process_that_forked_it() -> None:
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        worker = os.fork()
        if worker == 0:
            end_with_parent()
            os.write(writer, f"{os.getpid()}\n".encode())
            time.sleep(60)
            os._exit(0)
        time.sleep(60)
        os._exit(0)
    worker = int(os.read(reader, 20))
    owner = this_owner(worker)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    deadline = time.monotonic() + 10
    while not is_dead(owner):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("change", ["machine", "boot", "namespace"])
def test_nobody_is_certain_of_a_process_elsewhere(change: str) -> None:
    machine, _process, start, boot = this_owner(os.getpid()).rsplit(":", 3)
    changed = {
        "machine": f"elsewhere:999999999:{start}:{boot}",
        "boot": f"{machine}:999999999:{start}:another/{boot.partition('/')[2]}",
        "namespace": f"{machine}:999999999:{start}:{boot.partition('/')[0]}/1",
    }
    assert is_dead(f"{machine}:999999999:{start}:{boot}")
    assert not is_dead(changed[change])


@pytest.mark.parametrize("owner", ["", "a", "::::", "host:x:1:boot/1", "host:1:unknown:unknown"])
def test_an_owner_that_says_too_little_is_not_taken_for_dead(owner: str) -> None:
    assert not is_dead(owner)
