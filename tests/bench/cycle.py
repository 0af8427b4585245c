# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cycle costs on the controller and in the window: ours, the textbook's and bare apt's, side by side.

Each patches a fresh copy of the same ten hosts in the same batches, and must end with the same packages. Ours is staged
before, as it is meant to be, and so is bare apt; neither time counts, nor do reboots, of which there is none. CPU is
that of ansible-playbook and of every process it leaves behind, the masters of its ssh connections too.
The last line is JSON: ``ratio`` is the textbook's CPU over that of applying, ``ratio_with_plan_and_stage`` over that of
all that ours does, and ``wall_over_bare`` our time over that of bare apt.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LAB = "benchcycle"
PATCHED = 10
HOSTS = ",".join(["lb1", "app1", *(f"web{number}" for number in range(1, PATCHED))])
BATCHES = [1, "50%", "100%"]
CYCLE = f"{datetime.now(timezone.utc):%Y-%m}"
POLICY: dict[str, Any] = {
    "fleet_tenant": "bench",
    "fleet_wave": "all",
    "patch_cycle": CYCLE,
    "patch_classes": "all",
    "patch_waves": [{"name": "all", "batches": BATCHES, "soak_minutes": 0}],
    "patch_cluster_max_down": PATCHED,
    "patch_reboot": "never",
}
LEAST_RATIO = 3.0
MOST_OVER_BARE = 1.15
APT = "DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o Dpkg::Options::=--force-confold"
PR_SET_CHILD_SUBREAPER = 36
MASTERS_END_WITHIN = 30.0


@dataclass(frozen=True)
class Cost:
    """Seconds of a clock on the wall, and of the controller's processors."""

    wall: float
    cpu: float


def lab(command: str, *arguments: str) -> str:
    """Run ``lab/fleet`` for the lab of this benchmark; what it printed."""
    argv = [str(ROOT / "lab" / "fleet"), command, "--name", LAB, *arguments]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Be the parent of whatever our children leave behind, so that its CPU is counted when it ends.

    Only as long as a playbook runs: the lab's own processes outlive the command that starts them, as they should.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise SystemExit("This kernel cannot say what the masters of ssh connections cost.")
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def play(playbook: Path, **variables: object) -> Cost:
    """Run a playbook over connections of its own. Ends the program when it fails."""
    # A short path: sockets have at most 104 characters.
    with tempfile.TemporaryDirectory(prefix="cp") as sockets, adopting_orphans():
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets,
            "LC_ALL": "C.UTF-8",
        }
        ansible_playbook = str(Path(sys.executable).parent / "ansible-playbook")
        command = [ansible_playbook, "-i", str(ROOT / ".lab" / LAB), str(playbook), "-e", json.dumps(variables)]
        cpu, began = children_cpu(), time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        )
        wall = time.monotonic() - began
        end_masters(Path(sockets))
    if done.returncode != 0:
        raise SystemExit(f"{playbook.name} failed with status {done.returncode}; its cost would mean nothing.")
    return Cost(wall, children_cpu() - cpu)


def children_cpu() -> float:
    """Seconds of CPU of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def end_masters(sockets: Path) -> None:
    """End the kept connections, and wait until everything that a run left behind is gone and counted."""
    for socket in sockets.iterdir():
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "any"], capture_output=True, check=False)
    deadline = time.monotonic() + MASTERS_END_WITHIN
    while time.monotonic() < deadline:
        try:
            ended, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(0.1)
    raise SystemExit(f"Processes of a run went on for {MASTERS_END_WITHIN:g} s; their CPU would be missing.")


def facts_of_lab() -> dict[str, Any]:
    """Ports, addresses and keys of the lab as it runs now."""
    facts: dict[str, Any] = json.loads(lab("facts", "--json"))
    return facts


def ssh_all(facts: dict[str, Any], hosts: Sequence[str], command: str) -> list[str]:
    """Run a shell command on hosts at once; what each printed. Ends the program when one fails."""
    options = [f"-oUserKnownHostsFile={facts['known_hosts']}", f"-i{facts['private_key']}", "-oIdentitiesOnly=yes"]

    def run(host: str) -> str:
        port = facts["hosts"][host]["ssh_port"]
        argv = ["ssh", "-F/dev/null", "-oBatchMode=yes", *options, f"-p{port}", "root@127.0.0.1", "--", command]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{host}: {command} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    with ThreadPoolExecutor(len(hosts)) as pool:
        return list(pool.map(run, hosts))


def packages_of(hosts: Sequence[str]) -> dict[str, str]:
    """What is installed on each host."""
    return dict(zip(hosts, ssh_all(facts_of_lab(), hosts, "dpkg-query --show"), strict=True))


def planned_batches(state: Path) -> list[list[str]]:
    """The batches of our plan. Ends the program when they are not those that the textbook would make."""
    (entry,) = json.loads((state / "cycles" / f"{CYCLE}.json").read_text(encoding="utf-8"))["plans"]
    plan = state / "tenants" / entry["tenant"] / "plans" / entry["plan"] / "plan.json"
    (wave,) = json.loads(plan.read_text(encoding="utf-8"))["waves"]
    batches: list[list[str]] = wave["batches"]
    half = PATCHED // 2
    if [len(batch) for batch in batches] != [1, half, PATCHED - half - 1]:
        raise SystemExit(f"The plan has other batches than the textbook: {batches}.")
    return batches


@dataclass(frozen=True)
class Ours:
    """What planning, staging and applying cost, and the batches of the plan."""

    planned: Cost
    staged: Cost
    applied: Cost
    batches: list[list[str]]


def run_ours(state: Path) -> Ours:
    """Plan, stage and apply."""
    variables = {**POLICY, "fleet_state_dir": str(state)}
    planned, staged, applied = (
        play(ROOT / "playbooks" / f"patch_{step}.yml", **variables) for step in ("plan", "stage", "apply")
    )
    return Ours(planned, staged, applied, planned_batches(state))


def run_textbook(batches: list[list[str]]) -> Cost:
    """What the rolling update with Ansible's own modules costs."""
    hosts = [host for batch in batches for host in batch]
    playbook = Path(__file__).parent / "textbook" / "rolling_update.yml"
    return play(playbook, textbook_hosts=hosts, textbook_reboot=False)


def run_bare(batches: list[list[str]]) -> float:
    """How long apt alone takes, when the packages are there already."""
    facts, hosts = facts_of_lab(), [host for batch in batches for host in batch]
    ssh_all(facts, hosts, f"apt-get -q update && {APT} --download-only dist-upgrade")
    began = time.monotonic()
    for batch in batches:
        ssh_all(facts, batch, f"{APT} dist-upgrade")
    return time.monotonic() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        try:
            lab("up", "--profile", "demo", "--web", str(PATCHED - 1), "--only", HOSTS, "--fresh")
            ours = run_ours(Path(temporary) / "state")
            hosts = [host for batch in ours.batches for host in batch]
            after = [packages_of(hosts)]
            lab("reset", "--all")
            textbook = run_textbook(ours.batches)
            after.append(packages_of(hosts))
            lab("reset", "--all")
            bare = run_bare(ours.batches)
            after.append(packages_of(hosts))
        finally:
            lab("down")
    different = [host for host in hosts if len({packages[host] for packages in after}) > 1]
    if different:
        raise SystemExit(f"Not the same packages at the end on {', '.join(different)}.")
    figures = {
        "ratio": round(textbook.cpu / ours.applied.cpu, 2),
        "wall_over_bare": round(ours.applied.wall / bare, 3),
        "ratio_with_plan_and_stage": round(textbook.cpu / (ours.planned.cpu + ours.staged.cpu + ours.applied.cpu), 2),
        "ours_cpu_per_host": round(ours.applied.cpu / PATCHED, 2),
        "plan_cpu_per_host": round(ours.planned.cpu / PATCHED, 2),
        "stage_cpu_per_host": round(ours.staged.cpu / PATCHED, 2),
        "textbook_cpu_per_host": round(textbook.cpu / PATCHED, 2),
        "ours_seconds": round(ours.applied.wall, 1),
        "textbook_seconds": round(textbook.wall, 1),
        "bare_seconds": round(bare, 1),
        "stage_seconds": round(ours.staged.wall, 1),
    }
    print(json.dumps({"bench": "cycle", **figures}))
    if figures["ratio"] < LEAST_RATIO or figures["wall_over_bare"] > MOST_OVER_BARE:
        raise SystemExit(
            f"Wanted are a ratio of {LEAST_RATIO} or more, and at most {MOST_OVER_BARE} times the time of bare apt."
        )


if __name__ == "__main__":
    main()
