# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""podman as the lab uses it: one configuration file, plain results, errors that say what failed."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.lab import machine
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

LABEL = "bankops.fleet.lab"


@dataclass(frozen=True)
class Network:
    """What the lab looks at in a network."""

    subnets: tuple[str, ...]
    labels: dict[str, str]


class Podman:
    """Runs podman with the settings that this machine needs, written to ``configuration``."""

    def __init__(self, configuration: Path) -> None:
        configuration.parent.mkdir(parents=True, exist_ok=True)
        configuration.write_text(
            machine.containers_conf(
                unified=machine.unified_control_groups(),
                raises_limits=machine.may_raise_limits(),
                crun=not machine.missing_packages({"crun": "crun"}),
            )
        )
        self.configuration = configuration
        self.environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}

    def run(self, *arguments: str, check: bool = True, stdin: str = "", timeout: float = 600) -> str:
        """Run one podman command and return its output. Raises FleetError of kind ``podman_failed``."""
        argv = machine.as_root(["podman", *arguments])
        try:
            done = subprocess.run(
                argv, env=self.environment, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise FleetError(
                f"podman {' '.join(arguments[:3])} did not end within {timeout:g} s.", kind="podman_failed"
            ) from late
        if check and done.returncode != 0:
            raise FleetError(
                f"podman {' '.join(arguments[:3])} failed: {done.stderr.strip()[-2000:]}",
                kind="podman_failed",
                remedy="docs/lab.md has a section on troubleshooting.",
            )
        return done.stdout

    def image_id(self, image: str) -> str | None:
        """The identifier of an image, or None where there is none."""
        return self.run("image", "ls", "--no-trunc", "--quiet", image).strip() or None

    def containers(self, prefix: str) -> dict[str, dict[str, Any]]:
        """The containers of one lab: host name to podman's description (``State``, ``Labels``, …)."""
        listed = json.loads(self.run("ps", "--all", "--format=json", f"--filter=label={LABEL}={prefix}") or "[]")
        return {entry["Names"][0].removeprefix(f"{prefix}-"): entry for entry in listed}

    def networks(self) -> dict[str, Network]:
        """All networks by name."""
        listed = json.loads(self.run("network", "ls", "--format=json") or "[]")
        return {
            entry["name"]: Network(
                subnets=tuple(subnet["subnet"] for subnet in entry.get("subnets") or []),
                labels=entry.get("labels") or {},
            )
            for entry in listed
        }
