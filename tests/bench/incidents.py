# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same campaign of faults, ours and the textbook's: what users saw, and what was left behind.

Every fault is injected into a fresh copy of the same lab, during a cycle, while users send requests. A host counts as
broken when, after the run, its packages are half done or its service is not well, or when it is out of the load
balancer and the run did not say so. What the fault itself has broken does not count. Each runs once, as whoever is on
duty would run it; nobody helps afterwards. Who does nothing breaks nothing: figures count only where the fault was met,
users were at work until the end, and ours came to the outcome that is right. The last line is JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
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
ASK_HAPROXY = (
    "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); "
    "s.sendall(b'{}\\n'); print(s.makefile().read())"
)
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=\d+\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Incident:
    """A fault: what is prepared, what happens before and during the run, whom it concerns, whom it breaks itself."""

    name: str
    hosts: list[str]
    """The first is the one that meets the fault."""
    outcome: str
    """What must become of the first in ours; the others must not be attempted then."""
    reason: str
    """Words of why, in ours."""
    mark: tuple[str, str]
    """A host and a shell command that succeeds there only when the fault was met; asked after the run."""
    prepare: Callable[[], object] = lambda: None
    before: Callable[[], object] = lambda: None
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


def must(host: str, command: str) -> str:
    """Run a shell command on a host; what it printed. Ends the program when it fails."""
    done = on(host, command)
    if done.returncode != 0:
        raise SystemExit(f"{host}: {command} ended with {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def install(host: str, package: str) -> Callable[[], object]:
    """Bring the old version of a package onto a host, so that its update is pending."""
    return lambda: must(host, f"apt-get update -qq && apt-get install -qqy {package}=1.0")


def upgraded(package: str) -> str:
    """A shell command that succeeds where the new version was begun with, whatever became of it."""
    return f"grep -q ' upgrade {package}:all 1.0 2.0$' /var/log/dpkg.log"


def asking_haproxy(order: str) -> str:
    """A shell command, for lb1, that prints the answer of haproxy's socket."""
    return f'python3 -c "{ASK_HAPROXY.format(order)}"'


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
    Incident(
        "a package that cannot be configured",
        BALANCED,
        "rolled_back",
        "fleet-broken",
        ("web1", upgraded("fleet-broken")),
        prepare=install("web1", "fleet-broken"),
    ),
    Incident(
        "a service that does not come back",
        BALANCED,
        "rolled_back",
        "fleet-fragile.service",
        ("web1", upgraded("fleet-fragile")),
        prepare=install("web1", "fleet-fragile"),
    ),
    Incident(
        "a host that vanishes in its change",
        BALANCED,
        "unreachable",
        "cannot be reached",
        ("web1", "test -e /run/fleet-slow-reached"),
        prepare=hold_open,
        meanwhile=lambda: vanishing("web1"),
    ),
    Incident(
        "a load balancer that refuses the drain",
        BALANCED,
        "skipped",
        "may not change a server",
        ("lb1", f"{asking_haproxy('show cli level')} | grep -qx operator"),
        before=refuse_drain,
    ),
    Incident(
        "a member that is ill before its neighbour is touched",
        MEMBERS,
        "skipped",
        "the etcd cluster is whole",
        ("kv3", "! systemctl is-active --quiet etcd"),
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
    outcomes = {entry["host"]: entry for entry in entries if entry["phase"] == "outcome"}
    first, *others = incident.hosts
    expected = {first: incident.outcome, **dict.fromkeys(others, "not_attempted")}
    found = {host: entry["outcome"] for host, entry in outcomes.items()}
    if found != expected or incident.reason not in outcomes[first]["data"]["reason"]:
        reasons = {host: entry["data"]["reason"] for host, entry in outcomes.items()}
        raise SystemExit(f"ours, {incident.name}: {expected} were expected, and are {found}: {reasons}")
    return lambda host: outcomes[host]["data"]["in_service"] in ("no", "unknown")


def textbook(incident: Incident, folder: Path) -> Callable[[str], bool]:
    """Run the rolling update; whether its recap says of a host that something is wrong with it."""
    playbook = Path(__file__).parent / "textbook" / "rolling_update.yml"
    serial = [1]
    play(playbook, folder / "log", textbook_hosts=incident.hosts, textbook_reboot=False, textbook_serial=serial)
    log = (folder / "log").read_text()
    recap = {host: (int(ok), int(unreachable) + int(failed)) for host, ok, unreachable, failed in RECAP.findall(log)}
    if recap.get(incident.hosts[0], (0, 0))[0] == 0:
        raise SystemExit(f"textbook, {incident.name}: it did nothing on {incident.hosts[0]}: {log[-3000:]}")
    return lambda host: recap.get(host, (0, 0))[1] > 0


def broken(host: str) -> bool:
    """Whether packages are half done, or the service is not well."""
    if on(host, "dpkg --audit").stdout.strip():
        return True
    if on(host, "systemctl --failed --plain --no-legend").stdout.strip():
        return True
    return on(host, WELL[host.rstrip("0123456789")]).returncode != 0


def out_of_balancer() -> set[str]:
    """The servers that get no requests."""
    rows = [line.split(",") for line in must("lb1", asking_haproxy("show stat")).splitlines()]
    up = {row[1] for row in rows if row[0] == "web" and row[17] == "UP"}
    return set(BALANCED) - up


def failed_requests() -> int:
    """How many requests of users have failed. Ends the program when nobody can say so."""
    summary = json.loads((Path(json.loads(lab("facts", "--json"))["traffic"]) / "summary.json").read_text())
    if summary["ended"] is None or not (summary["requests"] and summary["etcd_writes"]):
        raise SystemExit(f"The users were not at work until the end: {summary}")
    failed: int = summary["failed"] + summary["etcd_failed"]
    return failed


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
            must(*incident.mark)
            failed = failed_requests()
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
