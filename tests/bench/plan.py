# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What planning a large fleet costs on one core: 10,000 simulated hosts with 100 updates each, frozen and summarised.

Policies and scans are as the controller has them when it plans; reading them is part of it, making them up is not.
The last line is JSON: ``seconds`` of CPU, ``peak_mb`` of the whole process, ``seconds_1000`` for a tenth of the hosts,
and ``ratio``, which is 1 where the cost grows as the fleet does.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.bankops.fleet.plugins.plugin_utils._host_variables import policy_options  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import ScannedHost, freeze_plan  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import (  # noqa: E402
    HostVariables,
    Policy,
    read_policies,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.plan_summary import summarise  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState  # noqa: E402
from ansible_collections.bankops.fleet.tests.fakes.scans import pending, scan  # noqa: E402

HOSTS = 10_000
UPDATES = 100
PACKAGES = 400
ROLES = 40
"""Kinds of hosts: those of one kind have the same updates before them, others of all packages."""

MOST_SECONDS = 20.0
MOST_MEGABYTES = 1000
MOST_RATIO = 1.3
TENANT = "bench"
SOURCE = "the benchmark"
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=timezone.utc)
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


def scanned(policies: dict[str, Policy], roles: list[dict[str, Any]]) -> Iterator[ScannedHost]:
    """Each host with its scan, as patch_plan hands them over."""
    for number, (host, policy) in enumerate(sorted(policies.items())):
        found = roles[number % len(roles)]
        yield ScannedHost(host, policy, {**found, "state": {**found["state"], "machine_id": f"machine of {host}"}})


def variables(hosts: int) -> list[HostVariables]:
    """The policies of a fleet of clusters of ten, in three waves."""
    waves = [
        {"name": "canary", "batches": [1, 10], "soak_minutes": 60},
        {"name": "early", "batches": ["10%"], "soak_minutes": 60},
        {"name": "broad", "batches": ["5%"], "soak_minutes": 0},
    ]
    return [
        HostVariables(
            f"host{number:05}",
            {
                "fleet_tenant": TENANT,
                "fleet_cluster": f"cluster{number // 10}",
                "fleet_wave": waves[0 if number % 100 == 0 else 1 if number % 10 == 0 else 2]["name"],
                "fleet_instance_id": f"i-{number:017x}",
                "patch_waves": waves,
                "patch_minimum_age_days": 3,
                "patch_holds": [
                    {"package": "postgresql*", "owner": "databases", "reason": "until January", "expires": "2027-01-31"}
                ],
                "patch_window": {
                    "rrule": "FREQ=WEEKLY;BYDAY=SA,SU",
                    "start": "2026-01-03T22:00",
                    "duration_minutes": 360,
                    "time_zone": "Europe/Berlin",
                },
            },
            lambda name: f"{SOURCE}: {name}",
        )
        for number in range(hosts)
    ]


def plan(hosts: int) -> dict[str, float]:
    """Plan once, in this process; its CPU and the most memory it had."""
    given, roles = variables(hosts), scans_of_roles()
    with tempfile.TemporaryDirectory() as folder:
        state = FolderState(Path(folder))
        state.first_seen(TENANT, seen_before(), SEEN)
        began = time.process_time()
        policies = read_policies(
            policy_options(), given, emergency=False, source=SOURCE, inventory=[one.host for one in given]
        )
        frozen = freeze_plan(
            state,
            tenant=TENANT,
            cycle="2026-11",
            hosts=scanned(policies, roles),
            created=NOW,
            revision="0" * 40,
            source=SOURCE,
        )
        summarise(state, TENANT, frozen.plan)
        seconds = time.process_time() - began
    planned = sum(entry["decision"] == "patch" for entry in frozen.head["hosts"].values())
    if planned != hosts:
        raise SystemExit(f"{planned} of {hosts} hosts are to be patched; the figures would mean nothing.")
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured(hosts: int) -> dict[str, float]:
    """Plan in a process of its own, so that nothing that came before counts."""
    argv = [sys.executable, __file__, str(hosts)]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    small, large = measured(HOSTS // 10), measured(HOSTS)
    figures = {
        "seconds": round(large["seconds"], 2),
        "peak_mb": round(large["peak_mb"]),
        "seconds_1000": round(small["seconds"], 2),
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
        print(json.dumps(plan(int(sys.argv[1]))))
    else:
        main()
