# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real keys, a real allowed-signers file, and a small plan, for the tests of approvals."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, open_book
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

NOW = datetime.now(timezone.utc).replace(microsecond=0)


def make_key(folder: Path, name: str, passphrase: str = "") -> Path:
    """A new key pair; the path of its private half."""
    path = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def publish(root: Path, tenant: str, cycle: str = "2026-11") -> Book:
    """A plan of one host that is not patched."""
    state = FolderState(root)
    with state.write_plan(tenant) as writer:
        digest = writer.put_host("web1", {"format": 1, "host": "web1"})
        host = {"digest": digest, "wave": "all", "cluster": None, "decision": "unchanged", "reason": "", "updates": 0}
        expires = (NOW + timedelta(hours=100)).isoformat()
        head = {"format": 1, "tenant": tenant, "cycle": cycle, "expires": expires, "hosts": {"web1": host}}
        plan = writer.finish(head)
    return open_book(state, tenant, plan)


class People:
    """Who may sign: alice approves, bob executes, and carol may do both; mallory is not listed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = {name: make_key(folder, name) for name in ("alice", "bob", "carol", "mallory")}
        self.signers = folder / "allowed_signers"
        self.policy: dict[str, Any] = {
            "approval": "signature",
            "approval_signers": str(self.signers),
            "approval_hours": 72,
            "approval_awx": None,
        }
        self.list(
            self.line("alice", 'namespaces="bankops-fleet-approval"'),
            self.line("bob", 'namespaces="bankops-fleet-attempt"'),
            self.line("carol"),
        )

    def line(self, name: str, options: str = "", *, listed_as: str = "") -> str:
        """A line that lists the key of ``name``."""
        return f"{listed_as or name} {options} {self.keys[name].with_suffix('.pub').read_text()}"

    def list(self, *lines: str) -> None:
        """Write the file anew."""
        self.signers.write_text("# who may sign\n\n" + "".join(lines))


@pytest.fixture
def people(tmp_path: Path) -> People:
    folder = tmp_path / "keys"
    folder.mkdir()
    return People(folder)


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return publish(tmp_path / "state", "alpha")
