# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many module executions a cycle without reboot costs a host, against the textbook on the same hosts.

Executions on a host or on its behalf count, delegated ones too; a task that is tried again counts once. Staging is
left aside, because it happens before the window. The last line is JSON: ``per_host`` is our worst host.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = "benchtasks"
HOSTS = "lb1,web1,web2,web3,app1"
STAGING = "bankops.fleet.updates_stage"
MOST_PER_HOST = 6


def lab(command: str, *arguments: str) -> None:
    """Run ``lab/fleet`` for the lab of this benchmark."""
    subprocess.run([str(ROOT / "lab" / "fleet"), command, "--name", LAB, *arguments], check=True, stdout=sys.stderr)


def executions(folder: Path, playbook: Path, **variables: object) -> Counter[str]:
    """Run a playbook on the lab; the module executions of each host. Ends the program when the playbook fails."""
    written = folder / f"{playbook.stem}.jsonl"
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "bankops.fleet.evidence,count_executions",
        "FLEET_BENCH_EXECUTIONS": str(written),
        "LC_ALL": "C.UTF-8",
    }
    ansible_playbook = str(Path(sys.executable).parent / "ansible-playbook")
    command = [ansible_playbook, "-i", str(ROOT / ".lab" / LAB), str(playbook), "-e", json.dumps(variables)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{playbook.name} failed with status {done.returncode}; its count would mean nothing.")
    lines = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    distinct = {
        (line["host"], line["uuid"], line["module"], line["item"]): line for line in lines if line["module"] != STAGING
    }
    for host in sorted({line["host"] for line in distinct.values()}):
        for line in distinct.values():
            if line["host"] == host:
                print(f"{playbook.stem:16} {host:8} {line['module']:36} {line['task']}")
    return Counter(line["host"] for line in distinct.values())


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            lab("up", "--profile", "test", "--only", HOSTS, "--fresh")
            ours = executions(
                folder,
                ROOT / "playbooks" / "patch_cycle.yml",
                patch_cycle=f"{datetime.now(timezone.utc):%Y-%m}",
                patch_reboot="never",
                fleet_state_dir=str(folder / "state"),
            )
            lab("reset", "--all")
            textbook = executions(
                folder, Path(__file__).parent / "textbook" / "rolling_update.yml", textbook_reboot=False
            )
        finally:
            lab("down")
    if set(ours) != set(textbook):
        raise SystemExit(f"Not the same hosts: {sorted(ours)} and {sorted(textbook)}.")
    per_host, mean = max(ours.values()), sum(ours.values()) / len(ours)
    textbook_per_host = max(textbook.values())
    figures = {
        "ratio": round(textbook_per_host / per_host, 2),
        "per_host": per_host,
        "mean": round(mean, 2),
        "textbook_per_host": textbook_per_host,
    }
    print(json.dumps({"bench": "tasks", **figures}))
    if per_host > MOST_PER_HOST:
        raise SystemExit(f"{per_host} module executions for a host are more than {MOST_PER_HOST}.")


if __name__ == "__main__":
    main()
