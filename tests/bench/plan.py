# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What planning a large fleet costs on one core: 10,000 simulated hosts with 100 updates each, frozen and summarised.

The play of patch_plan.yml that freezes the plans is run by Ansible itself, as it comes after the scan: ten thousand
hosts in the inventory, and what each host's scan has registered in Ansible's memory, every one an object of its own.
Reading the policies is part of it; scanning, which goes on on the hosts, is not. The last line is JSON: ``seconds`` of
CPU, ``peak_mb`` of memory, ``seconds_1000`` for a tenth of the hosts, and ``ratio``, which is 1 where the cost grows as
the fleet does. Those hosts are of forty kinds, as fleets are made from a few images; ``seconds_distinct`` and
``peak_mb_distinct`` are of a fleet in which no two hosts have the same updates before them.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from ansible import context
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.playbook.play import Play
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.manager import VariableManager

ROOT = Path(__file__).resolve().parents[2]
init_plugin_loader([str(ROOT / ".collections")])

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.packing import pack  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState  # noqa: E402
from ansible_collections.bankops.fleet.tests.fakes.scans import pending, scan  # noqa: E402

HOSTS = 10_000
UPDATES = 100
PACKAGES = 400
ROLES = 40
"""Kinds of hosts: those of one kind have the same updates before them, others of all packages."""

DISTINCT = "distinct"
MOST_SECONDS = 20.0
MOST_MEGABYTES = 1000
MOST_RATIO = 1.3
TENANT = "bench"
CYCLE = f"{datetime.now(timezone.utc):%Y-%m}"
SEEN = date(2026, 11, 10)
CVES = (("CVE-2026-1001", "CVE-2026-1002"), ("CVE-2026-1003",), ())


def updates_of_roles() -> list[list[dict[str, Any]]]:
    """For each kind of host the changes that are before it."""
    chance = random.Random(4711)  # noqa: S311  not for secrets: the same fleet every time
    packages = [
        {
            "name": f"library-{number:03}",
            "arch": "amd64",
            "action": "upgrade",
            "installed": f"3.{number}.11-1~deb12u{number % 7}",
            "candidate": f"3.{number}.17-1~deb12u{number % 7 + 1}",
        }
        for number in range(PACKAGES)
    ]
    return [sorted(chance.sample(packages, UPDATES), key=lambda change: str(change["name"])) for _role in range(ROLES)]


def scans_of_roles() -> list[dict[str, Any]]:
    """For each kind of host what a scan of it returns."""
    made = []
    for changes in updates_of_roles():
        updates = [
            pending(change, severity="important", cves=list(CVES[number % 3]) if number % 4 else "unknown")
            for number, change in enumerate(changes)
        ]
        made.append(scan("", changes, pending=updates))
    return made


def seen_before() -> list[str]:
    """The updates that the tenant has seen in the year before."""
    return [f"library-{number % PACKAGES:03}=3.{number}" for number in range(10 * PACKAGES)]


def inventory(hosts: int, state: Path) -> dict[str, Any]:
    """A fleet of clusters of ten, in three waves."""
    waves = [
        {"name": "canary", "batches": [1, 10], "soak_minutes": 60},
        {"name": "early", "batches": ["10%"], "soak_minutes": 60},
        {"name": "broad", "batches": ["5%"], "soak_minutes": 0},
    ]
    common = {
        "fleet_state_dir": str(state),
        "fleet_tenant": TENANT,
        "patch_waves": waves,
        "patch_minimum_age_days": 3,
        "patch_holds": [
            {"package": "postgresql*", "owner": "databases", "reason": "until January", "expires": "2099-01-31"}
        ],
        "patch_window": {
            "rrule": "FREQ=WEEKLY;BYDAY=SA,SU",
            "start": "2026-01-03T22:00",
            "duration_minutes": 360,
            "time_zone": "Europe/Berlin",
        },
    }
    members = {
        f"host{number:05}": {
            "fleet_cluster": f"cluster{number // 10}",
            "fleet_wave": waves[0 if number % 100 == 0 else 1 if number % 10 == 0 else 2]["name"],
            "fleet_instance_id": f"i-{number:017x}",
        }
        for number in range(hosts)
    }
    return {"all": {"children": {"fleet": {"hosts": members, "vars": common}}}}


def scanned(folder: Path, hosts: int, *, distinct: bool) -> tuple[TaskQueueManager, Play]:
    """Ansible as the scan leaves it, and the play that comes next. Each host's answer is read anew, as it came."""
    source = folder / "inventory.json"
    source.write_text(json.dumps(inventory(hosts, folder / "state")))
    context.CLIARGS = ImmutableDict(extra_vars=(f"patch_cycle={CYCLE}",), connection="ssh", check=False, diff=False)
    loader = DataLoader()
    known = InventoryManager(loader, sources=[str(source)])
    variables = VariableManager(loader, known)
    answers = [json.dumps(answer) for answer in scans_of_roles()]
    for number, host in enumerate(known.list_hosts("fleet")):
        answer = json.loads(answers[number % ROLES])
        answer["state"]["machine_id"] = f"machine of {host.name}"
        if distinct:
            for change in (answer["packages"]["pending"][0], answer["packages"]["transaction"][0]):
                change["candidate"] += f"+{number}"
        variables.set_nonpersistent_facts(host.name, {"fleet_scan": {"changed": False, "packed": pack(answer)}})
    *_before, freeze = Playbook.load(str(ROOT / "playbooks" / "patch_plan.yml"), variables, loader).get_plays()
    # Its own annotation asks for the data of the inventory, which it does not take.
    return TaskQueueManager(known, variables, loader, passwords={}, forks=1), freeze  # type: ignore[arg-type]


def plan(hosts: int, *, distinct: bool) -> dict[str, float]:
    """Plan once; the CPU of Ansible and its worker, and the most memory that each of them had."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        state = FolderState(folder / "state")
        state.first_seen(TENANT, seen_before(), SEEN)
        ansible, freeze = scanned(folder, hosts, distinct=distinct)
        began = time.process_time()
        if ansible.run(freeze) != TaskQueueManager.RUN_OK:
            raise SystemExit("Freezing the plan has failed.")
        ansible.cleanup()
        # What a worker has cost is known when it has ended, for which Ansible does not wait.
        for ending in multiprocessing.active_children():
            ending.join()
        worker = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = time.process_time() - began + worker.ru_utime + worker.ru_stime
        (entry,) = state.get_cycle(CYCLE)["plans"]
        decisions = [host["decision"] for host in state.get_plan(TENANT, entry["plan"])["hosts"].values()]
    if decisions != ["patch"] * hosts:
        raise SystemExit(f"Not all of {hosts} hosts are to be patched; the figures would mean nothing.")
    # The worker shares its parent's memory until it touches it, which reading does too: at worst, all is there twice.
    peak = worker.ru_maxrss + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "peak_mb": peak / 1024}


def measured(hosts: int, *how: str) -> dict[str, float]:
    """Plan in a process of its own, so that nothing that came before counts."""
    argv = [sys.executable, __file__, str(hosts), *how]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(argv, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    small, large, distinct = measured(HOSTS // 10), measured(HOSTS), measured(HOSTS, DISTINCT)
    figures = {
        "seconds": round(large["seconds"], 2),
        "peak_mb": round(large["peak_mb"]),
        "seconds_1000": round(small["seconds"], 2),
        "seconds_distinct": round(distinct["seconds"], 2),
        "peak_mb_distinct": round(distinct["peak_mb"]),
        "ratio": round(large["seconds"] / (10 * small["seconds"]), 2),
    }
    print(json.dumps({"bench": "plan", **figures}))
    if figures["seconds"] > MOST_SECONDS or figures["peak_mb"] > MOST_MEGABYTES or figures["ratio"] > MOST_RATIO:
        raise SystemExit(
            f"Wanted are at most {MOST_SECONDS:g} s, {MOST_MEGABYTES} MB, and {MOST_RATIO} of what is linear."
        )


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if len(sys.argv) > 1:
        print(json.dumps(plan(int(sys.argv[1]), distinct=DISTINCT in sys.argv)))
    else:
        main()
