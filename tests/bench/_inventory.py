# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benchmarks of inventories share: the cost of ``ansible-inventory --list``, side by side in one run."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = Path(__file__).parent / "inventory_plugins"
PROGRAMS = Path(sys.executable).parent
OF_THE_FILE = {"fleet_population", "fleet_merged_groups"}
"""What ours says of the whole inventory, which no peer does."""


@dataclass(frozen=True)
class Listing:
    """What a run of ansible-inventory cost, and what it said."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    hostvars: dict[str, dict[str, Any]]
    groups: dict[str, frozenset[str]]


def listed(inventory: Path, environment: Mapping[str, str], programs: Path = PROGRAMS) -> Listing:
    """List an inventory file in a process of its own, by the ansible-inventory of a folder of programs.

    Ends the program when that fails.
    """
    output = inventory.with_suffix(".json")
    command = [str(programs / "ansible-inventory"), "-i", str(inventory), "--list"]
    settings = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        "ANSIBLE_INVENTORY_PLUGINS": str(PLUGINS),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(PLUGINS.parent),
    }
    began = time.monotonic()
    with output.open("wb") as target:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **settings, **environment}, stdin=subprocess.DEVNULL, stdout=target
        )
        _pid, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    if status:
        raise SystemExit(f"{inventory.name} failed with status {status}; its figures would mean nothing.")
    content = json.loads(output.read_bytes(), object_hook=lambda found: found.get("__ansible_unsafe", found))
    hostvars = content.pop("_meta")["hostvars"]
    groups = {name: frozenset(group.get("hosts", ())) for name, group in content.items()}
    return Listing(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, hostvars, groups)


def refuse_missed(figures: Mapping[str, float], least: Mapping[str, float], most: Mapping[str, float]) -> None:
    """End the program with what is wanted, when a figure is not within its bound."""
    missed = [f"{name} of at least {bound:g}" for name, bound in least.items() if figures[name] < bound]
    missed += [f"{name} of at most {bound:g}" for name, bound in most.items() if figures[name] > bound]
    if missed:
        raise SystemExit(f"Wanted are {', '.join(missed)}.")


def compared(
    folder: Path,
    environment: Mapping[str, str],
    *,
    ours: str,
    peer: str,
    floor: Mapping[str, str],
    peer_suffix: str,
    of_peer: Collection[str] = (),
    peer_programs: Path | None = PROGRAMS,
    peer_runs: int = 2,
) -> dict[str, float]:
    """The cost of our inventory file against a peer's, and against the least there is; the best of two runs each.

    ``floor`` are the settings of the plugin ``bare``, which adds from memory what ours has found. ``of_peer`` are the
    variables that the peer makes too, and with them the groups that it has; all where none is named. Where there are
    no programs of the peer, nothing is said of it. Ends the program when the others have not the same hosts,
    variables and groups.
    """
    files = {"ours": folder / "ours.multicloud.yml", "floor": folder / "floor.bare.yml"}
    enabled = {"ours": "bankops.fleet.multicloud", "floor": "bare", "peer": peer.split()[1]}
    files["ours"].write_text(ours)
    if peer_programs:
        files["peer"] = folder / peer_suffix
        files["peer"].write_text(peer)
    memory = folder / "memory.pickle"
    files["floor"].write_text(json.dumps({"plugin": "bare", **floor, "memory": str(memory)}))
    best: dict[str, Listing] = {}
    for run in range(2):
        for name, file in files.items():
            if name == "peer" and run >= peer_runs:
                continue
            programs = (peer_programs if name == "peer" else None) or PROGRAMS
            found = listed(file, {**environment, "ANSIBLE_INVENTORY_ENABLED": enabled[name]}, programs)
            if name == "ours":
                memory.write_bytes(pickle.dumps((*_parted(found.hostvars), found.groups)))
            else:
                must_be_alike(found, best["ours"], name, of_peer if name == "peer" else ())
            if name not in best or found.cpu_seconds < best[name].cpu_seconds:
                best[name] = found
    for name, found in best.items():
        seconds, wall, peak = found.cpu_seconds, found.wall_seconds, found.peak_mb
        print(
            f"{name:6} {seconds:6.2f} s of CPU, {wall:6.2f} s by the clock, {peak:4.0f} MB, {len(found.hostvars)} hosts"
        )
    figures = {
        "over_floor": round(best["ours"].cpu_seconds / best["floor"].cpu_seconds, 3),
        "cpu_seconds": round(best["ours"].cpu_seconds, 2),
        "peak_mb": round(best["ours"].peak_mb),
    }
    if "peer" in best:
        figures["ratio"] = round(best["peer"].cpu_seconds / best["ours"].cpu_seconds, 2)
        figures["memory_ratio"] = round(best["peer"].peak_mb / best["ours"].peak_mb, 2)
    return figures


def must_be_alike(found: Listing, ours: Listing, name: str, variables: Collection[str] = ()) -> None:
    """End the program unless another plugin has found what ours has; more variables it may have.

    Where ``variables`` are named, it need have no others, and of our groups those alone that it has at all, of which
    there must be some.
    """
    for host, every in _parted(ours.hostvars)[0].items():
        wanted = {key: value for key, value in every.items() if not variables or key in variables}
        has = {key: found.hostvars.get(host, {}).get(key) for key in wanted}
        if has != wanted:
            raise SystemExit(f"{name} has not the variables of {host}: {has} and {wanted}")
    groups = {group: hosts for group, hosts in ours.groups.items() if not variables or found.groups.get(group)}
    if not any(groups.values()):
        raise SystemExit(f"{name} has none of the groups.")
    for group, hosts in groups.items():
        if hosts and found.groups.get(group) != hosts:
            raise SystemExit(
                f"{name} has not the hosts of {group}: {len(found.groups.get(group, ()))} and {len(hosts)}"
            )


def _parted(hostvars: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The variables of the hosts, and those of the whole inventory, which each of them has as well."""
    of_the_file = {name: value for variables in hostvars.values() for name, value in variables.items()}
    of_the_hosts = {
        host: {name: value for name, value in variables.items() if name not in OF_THE_FILE}
        for host, variables in hostvars.items()
    }
    return of_the_hosts, {name: of_the_file[name] for name in OF_THE_FILE & of_the_file.keys()}
