# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a lab is ready: every host answers over SSH with its boot complete, and the services together do their work."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial

from ansible_collections.bankops.fleet.lab.topology import Host
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

BOOT_SECONDS = 120
SERVICE_SECONDS = 60

SshCommand = Callable[[Host, Sequence[str]], list[str]]


def wait_until_ready(hosts: Sequence[Host], ssh: SshCommand, pool: Executor) -> None:
    """Wait until every host has booted. Raises FleetError of kind ``host_not_ready`` naming each that has not."""
    troubles = [trouble for trouble in pool.map(lambda host: _trouble(host, ssh), hosts) if trouble]
    if troubles:
        raise FleetError(
            "Hosts did not become ready: " + "; ".join(troubles) + ".",
            kind="host_not_ready",
            remedy="Look with lab/fleet ssh HOST; replace a host by a fresh one with lab/fleet reset HOST.",
        )


def _trouble(host: Host, ssh: SshCommand) -> str:
    """Empty when the host has booted, otherwise what is wrong with it."""
    deadline = time.monotonic() + BOOT_SECONDS
    said = ""
    while time.monotonic() < deadline:
        command = ssh(host, ["systemctl", "is-system-running", "--wait"])
        try:
            done = _run(command, 60)
        except subprocess.TimeoutExpired:
            said = "still booting"
            continue
        said = done.stdout.strip() or done.stderr.strip()
        if said == "running":
            return ""
        if said == "degraded":
            failed = _run(ssh(host, ["systemctl", "--failed", "--plain", "--no-legend"]), 30)
            return f"{host.name} has failed units: {failed.stdout.strip()}"
        time.sleep(0.3)
    return f"{host.name} after {BOOT_SECONDS} s: {said}"


def _run(argv: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False)


def wait_for_services(hosts: Sequence[Host]) -> None:
    """Wait until the load balancer serves from every web host and etcd has its quorum, where the lab has them."""
    names = {host.name for host in hosts if host.role == "web"}
    for host in hosts:
        if host.role == "lb" and names:
            serves = partial(_serves_from, host.published[0][0], names)
            _wait_for("the load balancer to serve from every web host", serves)
    members = [host for host in hosts if host.role == "kv"]
    if len(members) > 1:
        for host in members:
            _wait_for(f"etcd on {host.name} to be healthy", partial(_etcd_is_healthy, host.published[0][0]))


def _wait_for(what: str, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SERVICE_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise FleetError(
                f"Waited {SERVICE_SECONDS} s in vain for {what}.",
                kind="service_not_ready",
                remedy="Look with lab/fleet ssh HOST; lab/fleet reset --all mends what was left drained or stopped.",
            )
        time.sleep(0.3)


def _get(port: int, path: str) -> str:
    """The body of what a loopback port answers with status 200; empty otherwise."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        return body if answer.status == 200 else ""
    except (http.client.HTTPException, OSError):
        return ""
    finally:
        connection.close()


def _serves_from(port: int, names: set[str]) -> bool:
    """One request for each web host, and every one of them is answered by another."""
    return {_get(port, "/").strip() for _ in names} == names


def _etcd_is_healthy(port: int) -> bool:
    text = _get(port, "/health")
    return bool(text) and json.loads(text).get("health") == "true"
