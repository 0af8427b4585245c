# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder with an inventory file, and Ansible's own programs at work on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.cache import pack

_RUN = Path(__file__).parent / "multicloud_run.py"


@dataclass
class Programs:
    """A folder with an inventory file, and the clouds that it speaks of."""

    folder: Path

    @property
    def inventory(self) -> Path:
        return self.folder / "clouds.multicloud.yml"

    def cloud(self, machines: Mapping[Scope, list[Machine]], **options: Any) -> None:
        content = {"plugin": "bankops.fleet.multicloud", "sources": [{"type": "aws"}], **options}
        self.inventory.write_text(yaml.safe_dump(content))
        (self.folder / "machines").write_text(pack("now", machines))

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "ansible.cfg").touch()
        own = {"ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "0"}
        return subprocess.run(
            [sys.executable, str(_RUN), str(self.folder / "machines"), *command],
            env={**os.environ, **own, "ANSIBLE_HOME": str(self.folder / "home"), "NO_COLOR": "1", **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def list(self, *arguments: str, **environment: str) -> dict[str, Any]:
        found = self.run("ansible-inventory", "-i", str(self.inventory), "--list", *arguments, **environment)
        assert found.returncode == 0, found.stderr
        listing: dict[str, Any] = json.loads(found.stdout)
        return listing

    def asked(self) -> int:
        log = self.folder / "machines.asked"
        return len(log.read_text().splitlines()) if log.exists() else 0


def text(value: Any) -> Any:
    """A value of ansible-inventory's output without the marks of what is no template."""
    if isinstance(value, dict):
        return (
            text(value["__ansible_unsafe"]) if "__ansible_unsafe" in value else {k: text(v) for k, v in value.items()}
        )
    return [text(each) for each in value] if isinstance(value, list) else value
