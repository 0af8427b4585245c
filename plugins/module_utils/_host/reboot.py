# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host must be rebooted, and why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._host.kernels import (
    KernelPackage,
    read_kernel,
    read_kernel_packages,
    version_key,
)
from ansible_collections.bankops.fleet.plugins.module_utils._host.proc import is_container, read_text
from ansible_collections.bankops.fleet.plugins.module_utils._host.stale import read_stale

# The packages for which `dnf needs-restarting --reboothint` asks for a reboot (dnf-plugins-core), kernels apart.
_CORE_PACKAGES = ("glibc", "linux-firmware", "systemd", "dbus", "dbus-broker", "dbus-daemon")


def read_reboot(commands: Commands, root: Path = Path("/")) -> Dict[str, Any]:
    """``{"required": bool, "reasons": [text]}``, read afresh."""
    packages = read_kernel_packages(commands)
    return reboot_needed(
        commands, root, kernel=read_kernel(root, packages), packages=packages, stale=read_stale(commands, root)
    )


def reboot_needed(
    commands: Commands,
    root: Path,
    *,
    kernel: Mapping[str, Any],
    packages: Sequence[KernelPackage],
    stale: Mapping[str, Any],
) -> Dict[str, Any]:
    """As ``read_reboot``, from a kernel and stale processes that were read before."""
    reasons: List[str] = []
    if (root / "run/reboot-required").exists():
        asking = sorted(set((read_text(root / "run/reboot-required.pkgs") or "").split()))
        reasons.append(f"packages ask for it: {', '.join(asking)}" if asking else "a package asks for it")
    # In a container the running kernel is the outer machine's, whatever is installed inside.
    in_container = is_container(root)
    if not in_container:
        reasons.extend(_kernel_reasons(root, kernel, packages))
    reasons.extend(
        f"{entry['unit']} runs files that an upgrade deleted ({entry['why']})"
        for entry in stale["not_restartable"]
        if entry["reboot"]
    )
    reasons.extend(_rpm_reasons(commands, root, in_container))
    return {"required": bool(reasons), "reasons": reasons}


def _kernel_reasons(root: Path, kernel: Mapping[str, Any], packages: Iterable[KernelPackage]) -> List[str]:
    running, newest = kernel["running"], kernel["newest"]
    if newest and version_key(running) < version_key(newest):
        return [f"kernel {newest} is installed, {running} runs"]
    # Debian keeps the release over small updates; the version of the package is in the kernel's own description.
    built = (read_text(root / "proc/sys/kernel/version") or "").split()
    if "Debian" in built[:-1]:
        version = built[built.index("Debian") + 1]
        for package in packages:
            if package.is_image and package.release == running and package.version != version:
                return [f"kernel {running} is installed in version {package.version}, {version} runs"]
    return []


def _rpm_reasons(commands: Commands, root: Path, in_container: bool) -> List[str]:
    """Core packages that rpm installed since this host started."""
    if not commands.which("rpm"):
        return []
    names = [name for name in _CORE_PACKAGES if not (in_container and name == "linux-firmware")]
    listed = commands.run(["rpm", "-q", "--queryformat", "%{NAME} %{INSTALLTIME}\\n", *names], check=False).stdout
    started = _start_of_boot(root)
    reasons = []
    for line in listed.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] in names and words[1].isdigit() and int(words[1]) > started:
            reasons.append(f"{words[0]} was updated since the start")
    return sorted(set(reasons))


def _start_of_boot(root: Path) -> float:
    """When process 1 started, in seconds since 1970: in a container later than the kernel's own start."""
    lines = (read_text(root / "proc/stat") or "").splitlines()
    booted = next((int(line.split()[1]) for line in lines if line.startswith("btime ")), 0)
    return booted + pid1_start(root) / os.sysconf("SC_CLK_TCK")


def pid1_start(root: Path) -> int:
    """Field 22 of /proc/1/stat: when process 1 started, in clock ticks since the kernel's start; 0 where unknown."""
    # The name of the program may hold spaces and parentheses; the fields are counted from its end.
    fields = (read_text(root / "proc/1/stat") or "").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0
