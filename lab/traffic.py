# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting, stopping and reading the traffic client of a lab."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.lab.lifecycle import Lab
from ansible_collections.bankops.fleet.lab.traffic_client import ETCD_DEADLINE, serve
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

FIRST_REQUEST_SECONDS = 10


def run(lab: Lab, action: str, rate: float, seconds: float) -> int:
    """Start, stop or report; returns the exit status of the command."""
    if action == "start":
        start(lab, rate, seconds)
    elif action == "stop":
        lab.say("traffic has stopped" if stop(lab) else "no traffic was running")
    else:
        return report(lab)
    return 0


def start(lab: Lab, rate: float, seconds: float) -> None:
    """Start the client and return when it has sent its first request. Raises FleetError, kind ``traffic_running``."""
    folder = _folder(lab)
    if _running(folder) is not None:
        raise FleetError("Traffic is running already.", kind="traffic_running", remedy="lab/fleet traffic stop")
    facts = lab.facts()
    names = {host["role"] for host in facts["hosts"].values()}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    order = {
        "folder": str(folder),
        "load_balancer": facts["load_balancer"].split("/")[2] if {"lb", "web"} <= names else None,
        "endpoints": [endpoint.split("/")[2] for endpoint in facts["etcd"]],
        "rate": rate,
        "seconds": seconds,
    }
    with (folder / "output").open("wb") as output:
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    deadline = time.monotonic() + FIRST_REQUEST_SECONDS
    while not _has_begun(folder):
        if time.monotonic() > deadline:
            said = (folder / "output").read_text()[-1000:]
            raise FleetError(f"The traffic client did not begin: {said}", kind="traffic_failed")
        time.sleep(0.1)
    lab.say(f"traffic runs: {rate:g} requests a second, for at most {seconds:g} s")


# The client is this same package in a process of its own; the search path is handed on as it is.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from ansible_collections.bankops.fleet.lab.traffic import client; client(json.loads(sys.argv[2]))"
)


def client(order: dict[str, Any]) -> None:
    """The process itself; it holds a lock for as long as it lives, so that a dead one is never taken for a living."""
    folder = Path(order["folder"])
    with (folder / "pid").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(str(os.getpid()))
        file.flush()
        serve(folder, order["load_balancer"], order["endpoints"], order["rate"], order["seconds"])


def stop(lab: Lab) -> bool:
    """Stop the client and wait for its last answers; False when none was running."""
    folder = _folder(lab)
    process = _running(folder)
    if process is None:
        return False
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + 3 * ETCD_DEADLINE
    while _running(folder) is not None:
        if time.monotonic() > deadline:
            raise FleetError(f"The traffic client (process {process}) does not stop.", kind="traffic_failed")
        time.sleep(0.1)
    return True


def report(lab: Lab) -> int:
    """Print the summary; 0 only when requests were sent, none failed, and a client that is gone has ended properly."""
    folder = _folder(lab)
    try:
        summary = json.loads((folder / "summary.json").read_text())
    except FileNotFoundError as missing:
        raise FleetError("There was no traffic.", kind="no_traffic", remedy="lab/fleet traffic start") from missing
    print(json.dumps(summary, indent=2))
    if summary["ended"] is None and _running(folder) is None:
        lab.say("the traffic client died; what it has not counted is unknown")
        return 1
    if summary["failed"] or summary["etcd_failed"]:
        lab.say(f"each failure with its time: {folder / 'events.jsonl'}")
        return 1
    return 0 if summary["requests"] + summary["etcd_writes"] > 0 else 1


def _folder(lab: Lab) -> Path:
    return lab.run / "traffic"


def _has_begun(folder: Path) -> bool:
    try:
        summary = json.loads((folder / "summary.json").read_text())
    except FileNotFoundError:
        return False
    return bool(summary["requests"] + summary["etcd_writes"])


def _running(folder: Path) -> int | None:
    """The process id of the living client, or None."""
    try:
        with (folder / "pid").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
    except FileNotFoundError:
        return None
    return None
