# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mounted file systems and free space."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Dict, List, Set

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._host.proc import read_text

# What holds no data of the host's own; everything else, network file systems included, counts as real.
_VIRTUAL = re.compile(
    r"(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|efivarfs|fusectl|fuse\.(gvfsd-fuse|lxcfs|portal)"
    r"|hugetlbfs|mqueue|nsfs|proc|pstore|ramfs|rootfs|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tmpfs|tracefs)$"
)
# Where container managers and sessions mount and unmount as they please.
_COMES_AND_GOES = re.compile(
    r"/(run|snap|media|var/snap|var/lib/(docker|containers|containerd|kubelet|lxd|lxc|machines))(/|$)"
)
_DISKS = ("/", "/boot", "/var")


def read_mounts(root: Path) -> List[str]:
    """Sorted mount points of real file systems, without those that an automounter may take away when idle.

    Raises FleetError of kind ``unreadable`` where /proc/self/mountinfo cannot be read.
    """
    text = read_text(root / "proc/self/mountinfo")
    if text is None:
        raise FleetError("/proc/self/mountinfo cannot be read, so the mounts are unknown.", kind="unreadable")
    points: Set[str] = set()
    automounted: Set[str] = set()
    for line in text.splitlines():
        mounted, _dash, source = line.partition(" - ")
        point = _unescape(mounted.split()[4])
        file_system = source.split()[0]
        if file_system == "autofs":
            automounted.add(point)
        elif not _VIRTUAL.match(file_system) and not _COMES_AND_GOES.match(point) and _is_folder(root, point):
            points.add(point)
    return sorted(points - automounted)


def read_disk(root: Path) -> Dict[str, Any]:
    """``{"/": {"size", "free"}, …}`` in bytes of /, /boot and /var as far as they exist; free is what root may use."""
    disk: Dict[str, Any] = {}
    for path in _DISKS:
        try:
            space = os.statvfs(str(root / path.lstrip("/")))
        except FileNotFoundError:
            continue
        disk[path] = {"size": space.f_blocks * space.f_frsize, "free": space.f_bfree * space.f_frsize}
    return disk


def _is_folder(root: Path, point: str) -> bool:
    """Container managers mount single files, such as /etc/hosts; those are no file systems."""
    return (root / point.lstrip("/")).is_dir()


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), text)
