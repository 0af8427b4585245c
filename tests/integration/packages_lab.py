# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package engine on a host of the lab: shipped there as it is, without Ansible, and driven over SSH."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from typing import Any

from .conftest import LAB, ROOT, RunningLab

FOLDER = "/opt/fleet-engine"
PROCESS = "/run/fleet-engine.pid"
PACKAGE = "ansible_collections/bankops/fleet/plugins/module_utils"
DRIVER = f"""
import json, os, pathlib, sys
pathlib.Path({PROCESS!r}).write_text(str(os.getpid()))
sys.path.insert(0, {FOLDER!r})
from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.change import Order, apply, roll_back
from ansible_collections.bankops.fleet.plugins.module_utils._packages.restart import Restart
from ansible_collections.bankops.fleet.plugins.module_utils._packages.scan import read_packages
from ansible_collections.bankops.fleet.plugins.module_utils._packages.stage import stage
verb, given = json.load(sys.stdin)
try:
    if verb == "scan":
        result = read_packages(Commands(), **given)
    elif verb == "stage":
        result = stage(Commands(), **given)
    else:
        given["restart"] = Restart(given.pop("restart", "none"))
        result = {{"apply": apply, "roll_back": roll_back}}[verb](Commands(), Order(**given))
except FleetError as problem:
    result = problem.as_result()
print(json.dumps(result))
"""


@dataclass(frozen=True)
class PackageHost:
    """One host of the lab, and the verbs of the engine on it."""

    lab: RunningLab
    name: str
    manager: str

    def ship(self) -> None:
        """Put the engine and a driver on the host."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path in sorted((ROOT / "plugins/module_utils").rglob("*.py")):
                archive.add(path, f"{PACKAGE}/{path.relative_to(ROOT / 'plugins/module_utils')}")
            driver = tarfile.TarInfo("driver.py")
            driver.size = len(DRIVER.encode())
            archive.addfile(driver, io.BytesIO(DRIVER.encode()))
        self.shell(f"mkdir -p {FOLDER} && tar -xf - -C {FOLDER}", buffer.getvalue())

    def shell(self, command: str, data: bytes = b"") -> str:
        """Run a shell command on the host as root; returns its standard output."""
        done = subprocess.run(
            [LAB, "ssh", "--name", self.lab.name, self.name, "--", command],
            input=data,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"{self.name}: {command}: {done.stderr.decode()}"
        return done.stdout.decode().strip()

    def scan(self, refresh: bool = False, **selection: Any) -> dict[str, Any]:
        """The packages part of ``updates_info``."""
        chosen = {"classes": "all", "include": [], "exclude": [], "held": [], "aged": None, **selection}
        return self._drive("scan", {"manager": self.manager, "refresh": refresh, "selection": chosen})

    def plan(self, name: str, *packages: str) -> Plan:
        """A plan of the pending updates of ``packages``."""
        transaction = self.scan(include=list(packages))["transaction"]
        return Plan(self, hashlib.sha256(name.encode()).hexdigest(), transaction)

    def _drive(self, verb: str, given: dict[str, Any]) -> dict[str, Any]:
        answer = self.shell(f"python3 {FOLDER}/driver.py", json.dumps([verb, given]).encode())
        result: dict[str, Any] = json.loads(answer.splitlines()[-1])
        return result


@dataclass(frozen=True)
class Plan:
    """A transaction under a digest, on a host."""

    host: PackageHost
    digest: str
    transaction: list[dict[str, Any]]

    @property
    def folder(self) -> str:
        """The plan's folder on the host."""
        return f"/var/lib/bankops-fleet/{self.digest[:16]}"

    @property
    def unit(self) -> str:
        """The unit in which its change runs."""
        return f"bankops-fleet-{self.digest[:16]}-apply.service"

    @property
    def before(self) -> dict[str, str | None]:
        """Versions from before, as the plan says."""
        return {f"{entry['name']}:{entry['arch']}": entry["installed"] for entry in self.transaction}

    @property
    def after(self) -> dict[str, str | None]:
        """Versions afterwards, as the plan says."""
        return {f"{entry['name']}:{entry['arch']}": entry["candidate"] for entry in self.transaction}

    def stage(self, **options: Any) -> dict[str, Any]:
        """Stage on the host."""
        return self._do("stage", options)

    def apply(self, **options: Any) -> dict[str, Any]:
        """Apply on the host."""
        return self._do("apply", options)

    def roll_back(self, **options: Any) -> dict[str, Any]:
        """Roll back on the host."""
        return self._do("roll_back", options)

    def _do(self, verb: str, options: dict[str, Any]) -> dict[str, Any]:
        given = {"plan": self.digest, "transaction": self.transaction, "manager": self.host.manager, **options}
        return self.host._drive(verb, given)
