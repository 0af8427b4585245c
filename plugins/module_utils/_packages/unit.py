# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change runs as a transient systemd unit, so that it outlives the connection, sshd and the controller."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.locks import Clock
from ansible_collections.bankops.fleet.plugins.module_utils._packages.store import Run, read_json, write_json

# The first argument is the program of the mark command, the others are the change itself. The file ``marks`` holds
# the other arguments of the mark command, one a line. The exit status appears last and at once: who sees it sees all.
_SCRIPT = """\
exec >output 2>&1 </dev/null
marker=$1
shift
"$@"
status=$?
if [ -s marks ]; then
    xargs -a marks "$marker" || [ "$status" -ne 0 ] || status=1
fi
printf '%s\\n' "$status" >.result.new && sync .result.new && mv .result.new result
"""
# A reboot asked for by somebody else waits for the transaction instead of killing it.
_PROPERTIES = ("Type=exec", "KillSignal=SIGCONT", "SendSIGKILL=no", "TimeoutStopSec=3600", "OOMScoreAdjust=-500")
_OUTPUT_BYTES = 20000
# A look for the result costs next to nothing, and a drained host waits for it; asking systemd costs a process.
_LOOK_SECONDS = 0.1
_ASK_SECONDS = 2.0


def require_systemd(root: Path = Path("/")) -> None:
    """Raises FleetError of kind ``no_systemd`` where systemd is not the running init."""
    if not (root / "run/systemd/system").is_dir():
        raise FleetError(
            "systemd does not run on this host, so a change could not outlive the connection.",
            kind="no_systemd",
            remedy="Patch this host by other means, and exclude it from the plan.",
        )


def start(
    commands: Commands,
    run: Run,
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    mark_command: Sequence[str],
    marks: Sequence[str],
    facts: Mapping[str, Any],
) -> None:
    """Start ``argv`` in the run's folder. ``facts`` are written to ``command.json`` beside it before the start."""
    run.folder.mkdir(mode=0o700)
    (run.folder / "marks").write_text(
        "".join(f"{word}\n" for word in ([*mark_command[1:], *marks] if marks else [])), encoding="utf-8"
    )
    started = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    write_json(run.folder / "command.json", {**facts, "argv": list(argv), "unit": run.unit, "started": started})
    settings: List[str] = [f"--property={setting}" for setting in _PROPERTIES]
    settings += [f"--setenv={name}={value}" for name, value in environment.items()]
    settings += [f"--property=WorkingDirectory={run.folder}", f"--description=bankops.fleet: {run.folder.name}"]
    shell = ["/bin/sh", "-c", _SCRIPT, "bankops-fleet", mark_command[0], *argv]
    # The manager expands variables in the arguments of a unit, unless the dollar sign is doubled.
    shell = [word.replace("$", "$$") for word in shell]
    commands.run(["systemd-run", f"--unit={run.unit}", "--collect", "--quiet", *settings, "--", *shell], timeout=120)


def read_result(run: Run) -> Optional[int]:
    """The exit status of the change, or None while there is none."""
    try:
        return int((run.folder / "result").read_text(encoding="ascii"))
    except FileNotFoundError:
        return None


def read_command(run: Run) -> Optional[Dict[str, Any]]:
    """What was started in the run's folder, or None when nothing was."""
    return read_json(run.folder / "command.json")


def read_output(run: Run) -> str:
    """The end of what the change printed."""
    try:
        with open(run.folder / "output", "rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - _OUTPUT_BYTES))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def read_seconds(run: Run) -> float:
    """How long the change took, from the files it left."""
    try:
        return round(max(0.0, _modified(run, "result") - _modified(run, "command.json")), 1)
    except FileNotFoundError:
        return 0.0


def _modified(run: Run, name: str) -> float:
    return (run.folder / name).stat().st_mtime


def is_active(commands: Commands, run: Run) -> bool:
    """Whether the unit runs. systemd that cannot answer (it may be re-executing itself) counts as a yes."""
    done = commands.run(["systemctl", "show", "--property=ActiveState", run.unit], timeout=60, check=False)
    state = done.stdout.strip().partition("=")[2]
    return state not in ("inactive", "failed")


def wait(commands: Commands, run: Run, timeout: float, clock: Clock) -> Optional[int]:
    """The exit status; None when the unit is gone and left none (killed, or the host was rebooted).

    Raises FleetError of kind ``still_running`` after ``timeout`` seconds. Nothing is killed.
    """
    started = clock.now()
    asked: Optional[float] = None
    while True:
        status = read_result(run)
        if status is not None:
            return status
        now = clock.now()
        if asked is None or now - asked >= _ASK_SECONDS:
            asked = now
            if not is_active(commands, run):
                # The result may have come between the two looks.
                return read_result(run)
        if now - started >= timeout:
            raise FleetError(
                f"{run.unit} still runs after {now - started:.0f} s. It was left alone.",
                kind="still_running",
                remedy="Run again later: it will be found again, and its result read.",
                data={"unit": run.unit, "log": read_output(run)},
            )
        clock.sleep(min(_LOOK_SECONDS, max(0.05, timeout - (now - started))))
