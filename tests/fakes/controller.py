# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of Ansible's commands in a test's own folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.bankops.fleet.tests.fakes.terminal import OnTerminal

REPOSITORY = Path(__file__).parents[2]


def run_ansible(
    folder: Path, command: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``ansible-<command>`` in ``folder`` with this collection and its callback, and no other configuration."""
    argv, complete = _prepare(folder, command, arguments, environment)
    return subprocess.run(argv, cwd=folder, env=complete, capture_output=True, text=True, check=False, timeout=120)


def start_ansible(folder: Path, command: str, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
    """The same, left running; what it prints goes into ``log``. Signals sent to it reach no process but this one."""
    argv, complete = _prepare(folder, command, arguments, None)
    with log.open("wb") as output:
        return subprocess.Popen(argv, cwd=folder, env=complete, stdout=output, stderr=output, start_new_session=True)


def ansible_on_terminal(
    folder: Path,
    command: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    size: tuple[int, int] = (100, 30),
) -> OnTerminal:
    """The same on a terminal of ``size`` columns and lines, where somebody sits."""
    at_terminal = {"TERM": "xterm-256color", "CI": "", "AWX_ISOLATED_DATA_DIR": "", **(environment or {})}
    argv, complete = _prepare(folder, command, arguments, at_terminal)
    return OnTerminal(argv, folder, complete, size=size)


def _prepare(
    folder: Path, command: str, arguments: Sequence[str], environment: Mapping[str, str] | None
) -> tuple[list[str], dict[str, str]]:
    configuration = folder / "ansible.cfg"
    configuration.write_text("[defaults]\n")
    complete = {
        **os.environ,
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
        "ANSIBLE_CALLBACKS_ENABLED": "bankops.fleet.evidence",
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        **(environment or {}),
    }
    return [sys.executable, "-m", "ansible", command, *arguments], complete
