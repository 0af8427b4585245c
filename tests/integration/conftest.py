# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labs for the tests, and playbooks run on them as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    "ANSIBLE_NOCOLOR": "1",
    # YAML would fold long lines.
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    # As in ansible.cfg, but a vanished host is noticed sooner.
    "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=2 -o ServerAliveCountMax=3",
    "LC_ALL": "C.UTF-8",
}
LAB = str(ROOT / "lab" / "fleet")
PLAY_SECONDS = 300
"""No playbook of a test takes so long, unless it hangs."""


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What a playbook printed, without the folding of its lines."""
    return " ".join(done.stdout.split())


@dataclass(frozen=True)
class RunningLab:
    """A lab of its own, with a state folder of its own."""

    name: str
    state: Path

    @property
    def inventory(self) -> Path:
        """The inventory folder of this lab."""
        return ROOT / ".lab" / self.name

    def ssh(self, host: str, *command: str, check: bool = True) -> str:
        """Run a command on a host; return what it printed."""
        done = subprocess.run(
            [LAB, "ssh", "--name", self.name, host, "--", *command], capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{host}: {command} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout.strip()

    def haproxy(self, order: str) -> str:
        """Give haproxy an order through its socket; return its answer."""
        ask = (
            "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); "
            f"s.sendall(b'{order}\\n'); print(s.makefile().read())"
        )
        return self.ssh("lb1", f'python3 -c "{ask}"')

    def servers(self) -> dict[str, str]:
        """What haproxy says of the servers of its backend ``web``."""
        rows = [line.split(",") for line in self.haproxy("show stat").splitlines()]
        return {row[1]: row[17] for row in rows if row[0] == "web" and row[1] not in ("FRONTEND", "BACKEND")}

    def has(self, host: str) -> bool:
        """Whether the lab was started with this host."""
        return (self.inventory / ".run" / "hosts" / host).is_dir()

    def lab(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``lab/fleet`` for this lab."""
        command, *rest = arguments
        return subprocess.run([LAB, command, "--name", self.name, *rest], capture_output=True, text=True, check=False)

    def _command(self, playbook: str, arguments: tuple[str, ...], extra: dict[str, Any]) -> list[str]:
        variables = json.dumps({"fleet_state_dir": str(self.state), **extra})
        ansible_playbook = str(Path(sys.executable).parent / "ansible-playbook")
        return [
            ansible_playbook,
            "-i",
            str(self.inventory),
            str(ROOT / "playbooks" / playbook),
            "-e",
            variables,
            *arguments,
        ]

    def play(self, playbook: str, *arguments: str, **extra: Any) -> subprocess.CompletedProcess[str]:
        """Run one of the collection's playbooks with ``extra`` variables."""
        return subprocess.run(
            self._command(playbook, arguments, extra),
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PLAY_SECONDS,
        )

    def start(self, playbook: str, *arguments: str, **extra: Any) -> subprocess.Popen[bytes]:
        """Start a playbook in a process group of its own, to be killed."""
        return subprocess.Popen(
            self._command(playbook, arguments, extra),
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def plan_folder(self, tenant: str, cycle: str) -> Path:
        """The folder of the tenant's plan in a cycle."""
        plans = json.loads((self.state / "cycles" / f"{cycle}.json").read_text())["plans"]
        digest = next(entry["plan"] for entry in plans if entry["tenant"] == tenant)
        return Path(self.state, "tenants", tenant, "plans", digest)

    def ledger(self, tenant: str, cycle: str) -> list[dict[str, Any]]:
        """The entries of the tenant's ledger in a cycle."""
        lines = (self.plan_folder(tenant, cycle) / "ledger.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def outcomes(self, tenant: str, cycle: str) -> dict[str, str]:
        """The last outcome of every host of the tenant's plan."""
        return {entry["host"]: entry["outcome"] for entry in self.ledger(tenant, cycle) if entry["phase"] == "outcome"}


@pytest.fixture(scope="module")
def start_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningLab]]:
    """Starts labs by name, which no other module may use; they are stopped when the module's tests are done."""
    started: list[str] = []

    def start(name: str, *arguments: str) -> RunningLab:
        started.append(name)
        subprocess.run([LAB, "up", "--name", name, "--profile", "test", "--fresh", *arguments], check=True)
        return RunningLab(name, tmp_path_factory.mktemp(f"state-{name}"))

    yield start
    for name in started:
        subprocess.run([LAB, "down", "--name", name], check=True, capture_output=True)
