# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recorded host: its files as a tree in a folder, its programs as an answering machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands, Completed
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

RECORDED = Path(__file__).parent / "fixtures"


class RecordedCommands(Commands):
    """Answers what was recorded; a program that was not is missing, as it would be on the host."""

    def __init__(self, answers: dict[str, dict[str, Any]]) -> None:
        self.answers = answers

    def which(self, program: str) -> str | None:
        known = any(line.split()[0] == program for line in self.answers)
        return f"/usr/bin/{program}" if known else None

    def run(self, argv: Sequence[str], *, check: bool = True, **_how: Any) -> Completed:
        answer = self.answers.get(" ".join(argv))
        if answer is None:
            raise FleetError(f"The program {argv[0]} is not on this host.", kind="command_missing")
        done = Completed(answer.get("status", 0), answer.get("stdout", ""), answer.get("stderr", ""))
        if check and done.status != 0:
            raise FleetError(done.stderr, kind="command_failed")
        return done


@dataclass
class RecordedHost:
    """A host to read: ``root`` holds proc, etc and run; ``commands`` answers for its programs."""

    root: Path
    commands: RecordedCommands

    def write(self, path: str, text: str) -> None:
        """Put a file on the host."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link on the host; /proc is full of them."""
        link = self.root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)

    def answer(self, command: str, stdout: str = "", status: int = 0) -> None:
        """Let a program answer."""
        self.commands.answers[command] = {"stdout": stdout, "status": status}

    def process(
        self, pid: int, unit_path: str, maps: str, *, exe: str = "/usr/sbin/agent", mnt: str = "mnt:[1]"
    ) -> None:
        """Start a process in the control group ``unit_path`` of the unified hierarchy."""
        self.write(f"proc/{pid}/maps", maps)
        self.write(f"proc/{pid}/cgroup", f"0::{unit_path}\n")
        self.link(f"proc/{pid}/exe", exe)
        self.link(f"proc/{pid}/ns/mnt", mnt)
        self.link(f"proc/{pid}/root", "/")


@pytest.fixture
def bare_host(tmp_path: Path) -> RecordedHost:
    """A host with systemd as process 1 on a unified hierarchy, and nothing else."""
    host = RecordedHost(tmp_path, RecordedCommands({}))
    host.process(1, "/init.scope", "")
    host.write("proc/self/cgroup", "0::/user.slice/user-0.slice/session-4.scope\n")
    return host


@pytest.fixture
def upgraded_host(tmp_path: Path) -> RecordedHost:
    """Debian 12 with nginx and etcd in a container, recorded after libssl3, libpcre2 and libexpat1 were upgraded."""
    recorded = json.loads((RECORDED / "debian12-after-libssl.json").read_text(encoding="utf-8"))
    host = RecordedHost(tmp_path, RecordedCommands(recorded["commands"]))
    for path, content in recorded["tree"].items():
        if isinstance(content, str):
            host.write(path, content)
        else:
            host.link(path, content["link"])
    for folder in ("boot", "var", "data"):
        (tmp_path / folder).mkdir()
    return host
