# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small readers of /proc and of files below a root, so that recorded trees can stand in for a host."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

_UNIT_SUFFIXES = (".service", ".scope", ".socket", ".mount", ".swap")


def read_text(path: Path) -> Optional[str]:
    """The text of a file, or None where it is missing or must not be read."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return None


def is_container(root: Path) -> bool:
    """Whether systemd or the container manager says that this is a container.

    ``/run/.containerenv`` alone is no proof either way: host-like test containers remove it.
    """
    if (root / "run/systemd/container").exists() or (root / "run/.containerenv").exists():
        return True
    environment = read_text(root / "proc/1/environ") or ""
    return any(variable.startswith("container=") for variable in environment.split("\0"))


def cgroup_path(root: Path, pid: str) -> Optional[str]:
    """The control group of a process in systemd's own hierarchy: ``name=systemd`` (v1, hybrid) or the unified one."""
    text = read_text(root / "proc" / pid / "cgroup")
    if text is None:
        return None
    unified = None
    for line in text.splitlines():
        _number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        if controllers == "name=systemd":
            return path
        if not controllers:
            unified = path
    return unified


def manager_prefix(root: Path) -> str:
    """Where the system manager's own tree starts; not at ``/`` in a container without a cgroup namespace."""
    path = cgroup_path(root, "1") or ""
    return path[: -len("/init.scope")] if path.endswith("/init.scope") else ""


def unit_of(path: Optional[str], prefix: str) -> Optional[str]:
    """The system unit a control group belongs to; None outside any unit of this host's manager.

    The first unit below the slices counts: what a service or a user's manager delegates further is still its own.
    """
    if path is None or not (path == prefix or path.startswith(prefix + "/")):
        return None
    for part in path[len(prefix) :].split("/"):
        if part.endswith(_UNIT_SUFFIXES):
            return part
    return None
