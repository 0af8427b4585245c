# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab whose hosts three clouds list: they are reached by what the clouds say of them, and all of it ends together."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .conftest import ENVIRONMENT, ROOT, RunningLab

# One in each cloud.
HOSTS = ("kv1", "rpm1", "web1")


def test_hosts_are_reached_through_their_clouds_which_go_with_the_lab(start_lab: Callable[..., RunningLab]) -> None:
    lab = start_lab("clouds", "--only", ",".join(HOSTS), "--clouds")
    clouds = json.loads(lab.lab("facts", "--json").stdout)["clouds"]
    ansible = [
        sys.executable,
        "-m",
        "ansible",
        "adhoc",
        "-i",
        clouds["inventory"],
        "fleet",
        "-m",
        "ansible.builtin.ping",
    ]
    ran = subprocess.run(
        ["sh", "-c", '. "$0" && exec "$@" --one-line', clouds["environment"], *ansible],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert sorted(line.partition(" | SUCCESS")[0] for line in ran.stdout.splitlines()) == list(HOSTS)

    urls = json.loads(Path(clouds["inventory"], ".run/endpoints.json").read_text())["urls"]
    assert set(map(is_open, urls.values())) == {True}
    assert lab.lab("down").returncode == 0
    assert set(map(is_open, urls.values())) == {False}
    assert not lab.inventory.exists()


def is_open(url: str) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0
