# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many hosts are looked at side by side, and what a broken process did not see stays unseen."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.soak import look_at_all

HOSTS = [f"web{number}" for number in range(7)]


@pytest.mark.parametrize("at_once", [1, 3, 7, 50])
def test_every_host_is_looked_at_once(tmp_path: Path, at_once: int) -> None:
    def look(host: str) -> None:
        with (tmp_path / host).open("a") as seen:
            seen.write("looked\n")

    look_at_all(HOSTS, look, at_once)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(HOSTS, "looked\n")


def test_no_more_processes_than_asked_for_look_at_once(tmp_path: Path) -> None:
    def look(host: str) -> None:
        (tmp_path / host).write_text(str(os.getpid()))

    look_at_all(HOSTS, look, 3)
    processes = {path.read_text() for path in tmp_path.iterdir()}
    assert len(processes) == 3
    assert str(os.getpid()) not in processes


def test_nobody_to_look_at_is_no_work() -> None:
    look_at_all([], lambda _host: pytest.fail("there is nobody"), 5)


@pytest.mark.parametrize("breaks", ["raises", "is killed"])
def test_a_process_that_breaks_leaves_only_its_own_hosts_unseen(
    tmp_path: Path, breaks: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def look(host: str) -> None:
        if host == "web1" and breaks == "raises":
            raise ValueError("a defect")
        if host == "web1":
            os.kill(os.getpid(), signal.SIGKILL)
        (tmp_path / host).touch()

    look_at_all(HOSTS, look, 3)
    # web1, web4 are the share of the process that broke.
    assert {path.name for path in tmp_path.iterdir()} == {"web0", "web2", "web3", "web5", "web6"}
    assert ("ValueError: a defect" in capfd.readouterr().err) == (breaks == "raises")
