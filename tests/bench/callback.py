# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What our callbacks cost, and what ARA does, which is what people record runs with today.

Two shapes of a run: 200 tasks on one host, and ten tasks on 20 hosts. The tasks are ansible.builtin.debug, the cheapest
that Ansible still starts a worker for: no module goes to a host, so the share of a callback is as large as it can be.
In every run an attempt is open on all hosts, as in a patch cycle: the callback gives signs of life for it, and looks at
every result, though these carry no phase and so nothing is written but that it listens.

Measured is the CPU (user and system) of ansible-playbook and all its workers. A run with callbacks and one without go
on at the same time, each on one of the folders in turns, because how fast a machine is changes by more per cents within
a minute than are looked for here; what counts is the median of the ratios of such pairs. The last line is JSON:
``overhead`` and ``progress_overhead`` (with the progress callback besides, into a pipe) are those of the shape that
comes out worse, ``ara_overhead`` is ARA's on the same runs, ``ratio`` ARA's over ours. ``entry_ms`` is the CPU in
milliseconds for each task that does carry a phase, and so is recorded in the ledger.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState  # noqa: E402
from ansible_collections.bankops.fleet.tests.fakes.patched_fleet import PatchedFleet  # noqa: E402

SHAPES = {"1 host, 200 tasks": (1, 200), "20 hosts, 10 tasks": (20, 10)}
PAIRS = 13
PAIRS_OF_ARA = 2
"""Its cost is no matter of per cents."""

MOST_OVERHEAD = 1.05
PLAIN, PHASED = "plain.json", "phased.json"
WITHOUT, EVIDENCE, PROGRESS, ARA = "without", "evidence", "progress", "ara"


class Scene:
    """A folder with a plan, on whose hosts the playbook opens an attempt before it runs the tasks."""

    def __init__(self, folder: Path, hosts: int, tasks: int) -> None:
        self.folder = folder
        folder.mkdir()
        names = [f"host{number:02}" for number in range(hosts)]
        PatchedFleet(folder, {"all": [names]}, {})
        state = FolderState(folder / "state")
        with state.write_plan("north") as writer:
            plan = writer.finish({"format": 1, "tenant": "north", "hosts": {}})
        state.acquire("north", names, "bench", seconds=3600, now=datetime.now(timezone.utc), is_dead=lambda _: False)
        batch = {"wave": "all", "batch": 1, "of": 1, "hosts": dict.fromkeys(names, 60)}
        opened = {
            "plan": plan,
            "attempt": 1,
            "tenant": "north",
            "cycle": "2026-11",
            "owner": "bench",
            "hosts": names,
            "state_dir": str(folder / "state"),
            "outlook": {
                "purpose": "apply",
                "population": hosts,
                "before": {},
                "spent": [],
                "max_failed": 0,
                "batches": [batch],
            },
        }
        opening: dict[str, Any] = {
            "name": "Open an attempt",
            "bankops.fleet.patch_attempt": {"fleet_attempts": [opened]},
            "run_once": True,
        }
        plain = [
            {"name": f"Task {number}", "ansible.builtin.debug": {"msg": f"This is task {number}."}}
            for number in range(tasks)
        ]
        self._write(PLAIN, [opening, *plain])
        self._write(PHASED, [opening, *({**task, "vars": {"fleet_phase": "hook"}} for task in plain)])
        (folder / "ansible.cfg").write_text("[defaults]\n")

    def start(self, kind: str, playbook: str = PLAIN) -> subprocess.Popen[bytes]:
        """Start a run of a kind."""
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "inventory.yml", playbook]
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=self._environment(kind), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def cpu(self, run: subprocess.Popen[bytes]) -> float:
        """Wait for a run; the CPU seconds that it took."""
        _pid, status, used = os.wait4(run.pid, 0)
        printed = (self.folder / "log").read_text(encoding="utf-8")
        if status != 0 or "[ERROR]" in printed or "Skipping callback" in printed:
            raise SystemExit(f"Status {status}; the figure of this run would mean nothing.\n{printed[-3000:]}")
        return used.ru_utime + used.ru_stime

    def recorded(self) -> int:
        """How many entries all ledgers have."""
        return sum(len(path.read_bytes().splitlines()) for path in (self.folder / "state").rglob("ledger.jsonl"))

    def _write(self, name: str, tasks: list[dict[str, Any]]) -> None:
        play = {"name": "Bench", "hosts": "fleet", "gather_facts": False, "tasks": tasks}
        (self.folder / name).write_text(json.dumps([play]))

    def _environment(self, kind: str) -> Mapping[str, str]:
        ours = {
            WITHOUT: {},
            EVIDENCE: {"ANSIBLE_CALLBACKS_ENABLED": "bankops.fleet.evidence"},
            PROGRESS: {
                "ANSIBLE_CALLBACKS_ENABLED": "bankops.fleet.evidence",
                "ANSIBLE_STDOUT_CALLBACK": "bankops.fleet.progress",
            },
            ARA: {
                "ANSIBLE_CALLBACK_PLUGINS": str(_package("ara") / "plugins" / "callback"),
                "ANSIBLE_CALLBACKS_ENABLED": "ara_default",
                "ARA_BASE_DIR": str(self.folder / "ara"),
                "ARA_API_CLIENT": "offline",
            },
        }
        # Nothing of the caller's own configuration.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "ARA_"))}
        return {
            **kept,
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
            **ours[kind],
        }


def _package(name: str) -> Path:
    found = find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{name} is not installed; it is in requirements-dev.txt.")
    return Path(found.submodule_search_locations[0])


@dataclass(frozen=True)
class Twins:
    """Two scenes that are the same, for two runs at the same time."""

    one: Scene
    other: Scene

    def pair(self, turn: int, first: tuple[str, str], second: tuple[str, str]) -> tuple[float, float]:
        """The CPU seconds of two runs (kind and playbook each); whose folder is whose changes from turn to turn."""
        scenes = (self.one, self.other) if turn % 2 else (self.other, self.one)
        runs = [scene.start(*run) for scene, run in zip(scenes, (first, second), strict=True)]
        one, other = (scene.cpu(run) for scene, run in zip(scenes, runs, strict=True))
        return one, other

    def overhead(self, kind: str, pairs: int, shape: str) -> float:
        """How many times the CPU a run takes with these callbacks."""
        # Before: files are in memory then, compiled, and ARA has made its databases.
        self.pair(0, (kind, PLAIN), (kind, PLAIN))
        found = []
        for turn in range(pairs):
            without, used = self.pair(turn, (WITHOUT, PLAIN), (kind, PLAIN))
            found.append(used / without)
            print(f"{shape:18} {kind:9} {used:6.2f} s, without {without:6.2f} s: {found[-1]:.3f}", flush=True)
        print(f"{shape:18} {kind:9} median {median(found):.3f}", flush=True)
        return median(found)

    def entry_milliseconds(self, pairs: int) -> float:
        """What it costs to record the result of a task."""
        costs = []
        for turn in range(pairs):
            before = self._recorded()
            plain, phased = self.pair(turn, (EVIDENCE, PLAIN), (EVIDENCE, PHASED))
            # Each of the two runs has written that its callback listens.
            costs.append(1000 * (phased - plain) / (self._recorded() - before - 2))
        return median(costs)

    def _recorded(self) -> int:
        return self.one.recorded() + self.other.recorded()


def main() -> None:
    worst = dict.fromkeys((EVIDENCE, PROGRESS, ARA), 0.0)
    with tempfile.TemporaryDirectory() as temporary:
        for shape, (hosts, tasks) in SHAPES.items():
            twins = Twins(*(Scene(Path(temporary) / f"{hosts} {name}", hosts, tasks) for name in ("one", "other")))
            for kind in worst:
                pairs = PAIRS_OF_ARA if kind == ARA else PAIRS
                worst[kind] = max(worst[kind], twins.overhead(kind, pairs, shape))
        entry = twins.entry_milliseconds(PAIRS)
    figures = {
        "ratio": round(worst[ARA] / worst[EVIDENCE], 2),
        "overhead": round(worst[EVIDENCE], 3),
        "progress_overhead": round(worst[PROGRESS], 3),
        "ara_overhead": round(worst[ARA], 3),
        "entry_ms": round(entry, 2),
    }
    print(json.dumps({"bench": "callback", **figures}))
    if worst[EVIDENCE] > MOST_OVERHEAD:
        raise SystemExit(f"The callback costs {worst[EVIDENCE]:.3f} times the CPU, more than {MOST_OVERHEAD}.")


if __name__ == "__main__":
    main()
