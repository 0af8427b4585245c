# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that still run deleted files after an upgrade, and the units that a restart would cure."""

from __future__ import annotations

import fnmatch
import os
import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Set

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._host.proc import cgroup_path, manager_prefix, unit_of
from ansible_collections.bankops.fleet.plugins.module_utils._host.units import show_units

_DELETED = b" (deleted)"
# Deleted files that no package brought: caches of compilers, shared memory, what users run from their homes.
_NO_PACKAGE_FILE = re.compile(
    rb"(?!/)|/(memfd:|SYSV|dev/|proc/|run/|tmp/|var/(tmp|run|cache)/|home/|root/|drm|i915|anon_hugepage|\[)"
)
_PROPERTIES = "Id,LoadState,ActiveState,Type,Transient,KillMode,MainPID,RefuseManualStop"


class _Protected(NamedTuple):
    patterns: Any
    why: str
    reboot: bool


_PROTECTED = (
    _Protected(("init.scope",), "systemd itself: systemctl daemon-reexec or a reboot loads the new files", True),
    _Protected(("session-*.scope", "user@*.service"), "a user's session", False),
    _Protected(("getty@*", "serial-getty@*", "console-getty*", "container-getty@*"), "a console's login", False),
    _Protected(("dbus.service", "dbus-broker.service"), "the services that use the bus do not outlive it", True),
    _Protected(("systemd-logind.service",), "it holds the sessions and seats of all users", True),
    _Protected(
        ("display-manager.service", "gdm*.service", "lightdm.service", "sddm.service", "lxdm.service", "xdm.service"),
        "a display manager takes the graphical sessions with it",
        True,
    ),
    _Protected(
        ("networking.service", "ifup@*", "wpa_supplicant*"), "restarting it takes the network down under us", True
    ),
)


class _Stale(NamedTuple):
    pid: int
    executable: str
    unit: Optional[str]
    files: List[str]


def read_stale(commands: Commands, root: Path = Path("/")) -> Dict[str, Any]:
    """``{"processes": [{"pid", "executable", "unit", "files"}], "units", "not_restartable", "unreadable"}``.

    ``units`` are those that a restart cures; ``not_restartable`` is ``[{"unit", "why", "reboot"}]`` where ``reboot``
    says that only a reboot cures it for certain; ``unit`` is null for a process outside any unit.
    ``unreadable`` counts processes that could not be looked into for lack of rights: they are unknown, not clean.
    """
    found, unreadable = _stale_processes(root)
    units: List[str] = []
    refused: List[Dict[str, Any]] = []
    properties = _unit_properties(commands, {process.unit for process in found if process.unit})
    own_unit = unit_of(cgroup_path(root, "self"), manager_prefix(root))
    for unit in sorted({process.unit or "" for process in found}):
        members = [process for process in found if (process.unit or "") == unit]
        refusal = _refusal(unit, members, properties.get(unit, {}), own_unit)
        if refusal:
            refused.append({"unit": unit or None, **refusal})
        else:
            units.append(unit)
    return {
        "processes": [process._asdict() for process in found],
        "units": units,
        "not_restartable": refused,
        "unreadable": unreadable,
    }


def _stale_processes(root: Path) -> Any:
    prefix = manager_prefix(root)
    found: List[_Stale] = []
    unreadable = 0
    for pid in sorted((name for name in os.listdir(str(root / "proc")) if name.isdigit()), key=int):
        try:
            maps = (root / "proc" / pid / "maps").read_bytes()
            # Most processes end here: nothing they map was deleted.
            files = _deleted_files(maps) if _DELETED in maps else []
            if not files or _has_another_root(root, pid):
                continue
            executable = os.readlink(str(root / "proc" / pid / "exe"))
        except PermissionError:
            unreadable += 1
            continue
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        unit = unit_of(cgroup_path(root, pid), prefix)
        if not (unit and unit.startswith("bankops-fleet-")):
            found.append(_Stale(int(pid), executable.replace(" (deleted)", ""), unit, files))
    return found, unreadable


def _deleted_files(maps: bytes) -> List[str]:
    """Deleted files that are mapped as code, so programs and libraries: replaced data (locales, fonts) is harmless."""
    files: Set[str] = set()
    for line in maps.splitlines():
        if not line.endswith(_DELETED):
            continue
        fields = line.split(None, 5)
        if len(fields) == 6 and b"x" in fields[1] and not _NO_PACKAGE_FILE.match(fields[5]):
            files.add(fields[5][: -len(_DELETED)].decode("utf-8", "replace"))
    return sorted(files)


def _has_another_root(root: Path, pid: str) -> bool:
    """Whether the process lives in a container: another mount namespace and another root file system.

    Either alone is no proof: sandboxed services have mount namespaces of their own over the host's files.
    """
    process, first = root / "proc" / pid, root / "proc/1"
    if os.readlink(str(process / "ns/mnt")) == os.readlink(str(first / "ns/mnt")):
        return False
    here, there = os.stat(str(first / "root")), os.stat(str(process / "root"))
    return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)


def _unit_properties(commands: Commands, units: Set[str]) -> Dict[str, Dict[str, str]]:
    if not units:
        return {}
    try:
        return {unit.get("Id", ""): unit for unit in show_units(commands, sorted(units), _PROPERTIES)}
    except FleetError:
        return {}  # each unit is then refused, for its properties are unknown


def _refusal(
    unit: str, members: List[_Stale], properties: Dict[str, str], own_unit: Optional[str]
) -> Optional[Dict[str, Any]]:
    """``{"why", "reboot"}`` where a restart of the unit is not safe or would not help, or None."""
    if not unit:
        names = ", ".join(sorted({f"{process.executable} ({process.pid})" for process in members}))
        return {"why": f"outside any unit: {names}", "reboot": False}
    for protected in _PROTECTED:
        if any(fnmatch.fnmatchcase(unit, pattern) for pattern in protected.patterns):
            return {"why": protected.why, "reboot": protected.reboot}
    why = ""
    only_main = properties.get("KillMode") in ("process", "none")
    if not unit.endswith(".service"):
        why = "systemd did not start it; whoever did must restart it"
    elif properties.get("LoadState") != "loaded":
        why = "its unit file is not loaded, or systemd did not tell"
    elif properties.get("RefuseManualStop") == "yes":
        return {"why": "the unit refuses to be stopped by hand", "reboot": True}
    elif properties.get("Transient") == "yes":
        why = "a transient unit is gone when it is stopped"
    elif properties.get("Type") == "oneshot" and properties.get("ActiveState") == "activating":
        why = "a job that ends by itself"
    elif only_main and properties.get("MainPID") not in {str(process.pid) for process in members}:
        # For instance ssh.service without logind: what is left over are connections, which a restart keeps alive.
        why = "a restart replaces the main process only, which is fresh; the others end by themselves"
    elif unit == own_unit and not only_main:
        why = "this very connection runs in it"
    return {"why": why, "reboot": False} if why else None
