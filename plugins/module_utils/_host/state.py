# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a host, as docs/contracts.md describes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._host.kernels import read_kernel, read_kernel_packages
from ansible_collections.bankops.fleet.plugins.module_utils._host.proc import read_text
from ansible_collections.bankops.fleet.plugins.module_utils._host.reboot import pid1_start, reboot_needed
from ansible_collections.bankops.fleet.plugins.module_utils._host.sockets import read_sockets
from ansible_collections.bankops.fleet.plugins.module_utils._host.stale import read_stale
from ansible_collections.bankops.fleet.plugins.module_utils._host.storage import read_disk, read_mounts
from ansible_collections.bankops.fleet.plugins.module_utils._host.units import read_units


def read_state(commands: Commands, root: Path = Path("/")) -> Dict[str, Any]:
    """The state of this host; looks, and changes nothing.

    ``root`` is where proc, sys, etc, run, boot and lib are found. ``incomplete`` maps a part that could not be read,
    or not in full, to the reason; such a part is empty and must not be taken for a good one.
    """
    incomplete: Dict[str, str] = {}

    def part(name: str, read: Callable[[], Any], empty: Any) -> Any:
        try:
            return read()
        except FleetError as problem:
            incomplete[name] = problem.message
            return empty

    packages = read_kernel_packages(commands)
    kernel = read_kernel(root, packages)
    stale = read_stale(commands, root)
    if stale["unreadable"]:
        incomplete["stale"] = f"{stale['unreadable']} processes could not be looked into; run as root"
    no_units: Dict[str, Any] = {"active": [], "failed": [], "transient": [], "on_demand": [], "skipped": []}
    return {
        "machine_id": _line(root / "etc/machine-id"),
        "architecture": os.uname().machine,
        "os": _os_release(root),
        "boot": {"boot_id": _line(root / "proc/sys/kernel/random/boot_id"), "pid1_start": pid1_start(root)},
        "kernel": kernel,
        "reboot": reboot_needed(commands, root, kernel=kernel, packages=packages, stale=stale),
        "units": part("units", lambda: read_units(commands), no_units),
        "sockets": part("sockets", lambda: read_sockets(root), []),
        "mounts": part("mounts", lambda: read_mounts(root), []),
        "disk": read_disk(root),
        "stale": stale,
        "incomplete": incomplete,
    }


def _line(path: Path) -> Optional[str]:
    text = read_text(path)
    return text.strip() if text is not None else None


def _os_release(root: Path) -> Dict[str, str]:
    """``{"id", "version_id", "name"}`` as os-release(5) gives them; ``unknown`` where it does not."""
    text = read_text(root / "etc/os-release") or read_text(root / "usr/lib/os-release") or ""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    given = {key: values.get(key, "").strip().strip("\"'") or "unknown" for key in ("ID", "VERSION_ID", "PRETTY_NAME")}
    return {"id": given["ID"], "version_id": given["VERSION_ID"], "name": given["PRETTY_NAME"]}
