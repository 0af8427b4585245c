# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs are run here: argument lists, a fixed locale, a deadline, and no shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Dict, Optional, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError


@dataclass(frozen=True)
class Completed:
    """What a program left behind: its exit status and its decoded output."""

    status: int
    stdout: str
    stderr: str


class Commands:
    """Runs programs. Engines take one as an argument, so that tests can give them a recorded one."""

    def which(self, program: str) -> Optional[str]:
        """The path of ``program``, or None."""
        return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 300,
        env: Optional[Dict[str, str]] = None,
        check: bool = True,
        stdin: str = "",
    ) -> Completed:
        """Run ``argv`` for at most ``timeout`` seconds.

        Raises FleetError of kind ``command_missing``, ``command_timeout`` or, with ``check``, ``command_failed``.
        """
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "C", **(env or {})}
        try:
            done = subprocess.run(
                list(argv),
                input=stdin.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError as missing:
            raise FleetError(
                f"The program {argv[0]} is not on this host.", kind="command_missing", remedy=f"Install {argv[0]}."
            ) from missing
        except subprocess.TimeoutExpired as late:
            raise FleetError(
                f"{' '.join(argv)} did not end within {timeout:g} s.",
                kind="command_timeout",
                remedy="Look at the host's load and disks.",
            ) from late
        completed = Completed(
            done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )
        if check and completed.status != 0:
            said = (completed.stderr.strip() or completed.stdout.strip())[-2000:]
            raise FleetError(
                f"{' '.join(argv[:6])} ended with status {completed.status}: {said}",
                kind="command_failed",
                data={"argv": list(argv), "status": completed.status},
            )
        return completed
