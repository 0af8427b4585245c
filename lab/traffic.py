# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting, stopping and reading the traffic client of a lab."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.lab import background
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
    if background.running(folder) is not None:
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
    background.start(folder, "traffic.client", order, lambda: _has_begun(folder), FIRST_REQUEST_SECONDS)
    lab.say(f"traffic runs: {rate:g} requests a second, for at most {seconds:g} s")


def client(order: dict[str, Any]) -> None:
    """The process itself."""
    folder = Path(order["folder"])
    with background.alive(folder) as ended:
        serve(folder, order["load_balancer"], order["endpoints"], order["rate"], order["seconds"], ended)


def stop(lab: Lab) -> bool:
    """Stop the client and wait for its last answers; False when none was running."""
    return background.stop(_folder(lab), 3 * ETCD_DEADLINE)


def report(lab: Lab) -> int:
    """Print the summary; 0 only when requests were sent, none failed, and a client that is gone has ended properly."""
    folder = _folder(lab)
    try:
        summary = json.loads((folder / "summary.json").read_text())
    except FileNotFoundError as missing:
        raise FleetError("There was no traffic.", kind="no_traffic", remedy="lab/fleet traffic start") from missing
    print(json.dumps(summary, indent=2))
    if summary["ended"] is None and background.running(folder) is None:
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
