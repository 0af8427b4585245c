# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same campaign of faults, ours and the textbook's: what users saw, and what was left behind.

Every fault is injected into a fresh copy of the same lab, during a cycle, while users send requests. A host counts as
broken when, after the run, its packages are half done or its service is not well, or when it is out of the load
balancer and the run did not say so. What the fault itself has broken does not count. Each runs once, as whoever is on
duty would run it; nobody helps afterwards. The last line is JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LAB = "benchincidents"
HOSTS = "lb1,web1,web2,web3,kv1,kv2,kv3"
BALANCED = ["web1", "web2", "web3"]
MEMBERS = ["kv1", "kv2", "kv3"]
CYCLE = f"{datetime.now(timezone.utc):%Y-%m}"
# A host that has vanished is noticed in a few seconds instead of a minute, by both.
SSH = "-o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=2 -o ServerAliveCountMax=3"
WELL = {
    "web": "curl -sf -o /dev/null http://127.0.0.1/",
    "kv": "curl -sf http://127.0.0.1:2379/health | grep -q true",
}


@dataclass(frozen=True)
class Incident:
    """A fault: what is prepared, what happens before and during the run, whom it concerns, whom it breaks itself."""

    name: str
    hosts: list[str]
    prepare: Callable[[], None] = lambda: None
    before: Callable[[], None] = lambda: None
    meanwhile: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    injected: frozenset[str] = frozenset()


@dataclass
class Aftermath:
    """What a campaign has cost."""

    failed_requests: int = 0
    broken_hosts: int = 0


def lab(*arguments: str) -> str:
    """Run ``lab/fleet`` for the lab of this benchmark; what it printed."""
    command, *rest = arguments
    argv = [str(ROOT / "lab" / "fleet"), command, "--name", LAB, *rest]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def on(host: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command on a host."""
    argv = [str(ROOT / "lab" / "fleet"), "ssh", "--name", LAB, host, "--", command]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def must(host: str, command: str) -> None:
    """Run a shell command on a host, and end the program when it fails."""
    done = on(host, command)
    if done.returncode != 0:
        raise SystemExit(f"{host}: {command} ended with {done.returncode}: {done.stderr or done.stdout}")


def install(host: str, package: str) -> Callable[[], None]:
    """Bring the old version of a package onto a host, so that its update is pending."""
    return lambda: must(host, f"apt-get update -qq && apt-get install -qqy {package}=1.0")


@contextlib.contextmanager
def vanishing(host: str) -> Iterator[None]:
    """Let a host vanish in the middle of its transaction, and come back when the run has ended."""
    container = json.loads(lab("facts", "--json"))["hosts"][host]["container"]
    ended = threading.Event()

    def vanish() -> None:
        while not ended.is_set() and on(host, "test -e /run/fleet-slow-reached").returncode != 0:
            time.sleep(0.3)
        subprocess.run(["podman", "pause", container], check=True, capture_output=True)

    watcher = threading.Thread(target=vanish)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        subprocess.run(["podman", "unpause", container], check=True, capture_output=True)
        must(host, "rm -f /run/fleet-slow-held")
        # What went on while nobody could see it is given the time to end.
        must(host, "for _ in $(seq 60); do pgrep -x dpkg >/dev/null || exit 0; sleep 1; done")


def hold_open() -> None:
    install("web1", "fleet-slow")()
    must("web1", "touch /run/fleet-slow-held")


def refuse_drain() -> None:
    """The runtime socket may be read, and orders are refused."""
    must(
        "lb1", "sed -i 's/level admin/level operator/' /etc/haproxy/haproxy.cfg && systemctl restart haproxy && sleep 2"
    )


INCIDENTS = (
    Incident("a package that cannot be configured", BALANCED, install("web1", "fleet-broken")),
    Incident("a service that does not come back", BALANCED, install("web1", "fleet-fragile")),
    Incident("a host that vanishes in its change", BALANCED, hold_open, meanwhile=lambda: vanishing("web1")),
    Incident("a load balancer that refuses the drain", BALANCED, before=refuse_drain),
    Incident(
        "a member that is ill before its neighbour is touched",
        MEMBERS,
        before=lambda: must("kv3", "systemctl stop etcd"),
        injected=frozenset(("kv3",)),
    ),
)


def play(playbook: Path, log: Path, **variables: object) -> int:
    """Run a playbook on the lab; its exit status."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_SSH_ARGS": SSH,
        "LC_ALL": "C.UTF-8",
    }
    ansible_playbook = str(Path(sys.executable).parent / "ansible-playbook")
    command = [ansible_playbook, "-i", str(ROOT / ".lab" / LAB), str(playbook), "-e", json.dumps(variables)]
    with log.open("a") as output:
        return subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        ).returncode


def prepare_ours(incident: Incident, folder: Path) -> None:
    """Plan and stage, before anything happens."""
    for name in ("patch_plan.yml", "patch_stage.yml"):
        status = play(ROOT / "playbooks" / name, folder / "log", **policy(incident, folder))
        if status != 0:
            raise SystemExit(f"{name} failed with status {status}: {(folder / 'log').read_text()[-3000:]}")


def policy(incident: Incident, folder: Path) -> dict[str, Any]:
    """What both are told: one host at a time; a host that is away is not waited for."""
    return {
        "fleet_hosts": ":".join(incident.hosts),
        "fleet_state_dir": str(folder / "state"),
        "patch_cycle": CYCLE,
        "patch_reconnect_timeout": 10,
        "patch_verify_timeout": 20,
    }


def ours(incident: Incident, folder: Path) -> Callable[[str], bool]:
    """Apply; whether our report says of a host that it is, or may be, out of service."""
    play(ROOT / "playbooks" / "patch_apply.yml", folder / "log", **policy(incident, folder))
    (plan,) = json.loads((folder / "state" / "cycles" / f"{CYCLE}.json").read_text())["plans"]
    ledger = folder / "state" / "tenants" / plan["tenant"] / "plans" / plan["plan"] / "ledger.jsonl"
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    said = {entry["host"]: entry["data"]["in_service"] for entry in entries if entry["phase"] == "outcome"}
    return lambda host: said.get(host) in ("no", "unknown")


def textbook(incident: Incident, folder: Path) -> Callable[[str], bool]:
    """Run the rolling update; it says of no host whether users reach it."""
    playbook = Path(__file__).parent / "textbook" / "rolling_update.yml"
    serial = [1]
    play(playbook, folder / "log", textbook_hosts=incident.hosts, textbook_reboot=False, textbook_serial=serial)
    return lambda _host: False


def broken(host: str) -> bool:
    """Whether packages are half done, or the service is not well."""
    if on(host, "dpkg --audit").stdout.strip():
        return True
    if on(host, "systemctl --failed --plain --no-legend").stdout.strip():
        return True
    return on(host, WELL[host.rstrip("0123456789")]).returncode != 0


def out_of_balancer() -> set[str]:
    """The servers that get no requests."""
    ask = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); "
        "s.sendall(b'show stat\\n'); print(s.makefile().read())"
    )
    rows = [line.split(",") for line in on("lb1", f'python3 -c "{ask}"').stdout.splitlines()]
    return {row[1] for row in rows if row[0] == "web" and row[1] in BALANCED and row[17] != "UP"}


def campaign(title: str, run: Callable[[Incident, Path], Callable[[str], bool]], *, staged: bool) -> Aftermath:
    """Every incident on hosts as new, and what was found afterwards."""
    total = Aftermath()
    for incident in INCIDENTS:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            lab("reset", "--all")
            incident.prepare()
            if staged:
                prepare_ours(incident, folder)
            incident.before()
            lab("traffic", "start")
            with incident.meanwhile():
                told = run(incident, folder)
            lab("traffic", "stop")
            summary = json.loads((Path(json.loads(lab("facts", "--json"))["traffic"]) / "summary.json").read_text())
            failed = summary["failed"] + summary["etcd_failed"]
            away = out_of_balancer()
            left = [
                host
                for host in incident.hosts
                if host not in incident.injected and (broken(host) or (host in away and not told(host)))
            ]
        print(f"{title:9} {incident.name:55} failed requests {failed:4}  broken {', '.join(left) or '-'}", flush=True)
        total.failed_requests += failed
        total.broken_hosts += len(left)
    return total


def main() -> None:
    try:
        lab("up", "--profile", "test", "--only", HOSTS, "--fresh")
        found = campaign("ours", ours, staged=True)
        other = campaign("textbook", textbook, staged=False)
    finally:
        lab("down")
    figures = {
        "ours_failed_requests": found.failed_requests,
        "ours_broken_hosts": found.broken_hosts,
        "textbook_failed_requests": other.failed_requests,
        "textbook_broken_hosts": other.broken_hosts,
    }
    print(json.dumps({"bench": "incidents", **figures}))
    if found.failed_requests or found.broken_hosts:
        raise SystemExit("Of ours, no request may fail and no host be left broken.")


if __name__ == "__main__":
    main()
