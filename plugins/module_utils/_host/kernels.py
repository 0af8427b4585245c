# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernels: which runs, which are installed, which is newest, which could go."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._host.proc import read_text

_DEBIAN_PATTERNS = ("linux-image-*", "linux-modules-*")
_DEBIAN_KERNEL = re.compile(r"linux-(?P<part>image|modules)-(?:unsigned-|extra-)?(?P<release>\d.*?)(?:-unsigned)?$")
_RPM_KERNELS = (
    "kernel",
    "kernel-core",
    "kernel-modules",
    "kernel-modules-core",
    "kernel-modules-extra",
    "kernel-default",
    "kernel-uek",
    "kernel-uek-core",
    "kernel-rt",
    "kernel-rt-core",
)
# Debian and Ubuntu end a release with a flavour (-amd64, -cloud-amd64, -generic), Fedora and Red Hat with .x86_64.
_FLAVOUR = re.compile(r"(-[a-z][a-z0-9_-]*|\.(x86_64|aarch64|ppc64le|s390x)(\+\w+)*)$")


class KernelPackage(NamedTuple):
    """An installed package of a kernel: how the manager knows it, the release it brings, and its own version."""

    package: str
    release: str
    version: str
    is_image: bool


def version_key(release: str) -> Tuple[Tuple[int, int, str], ...]:
    """Sorts kernel releases by rpm's rules: numbers beat letters, more beats less, a tilde is less than nothing.

    The flavour at the end does not count.
    """
    parts: List[Tuple[int, int, str]] = []
    for part in re.findall(r"\d+|[A-Za-z]+|~", _FLAVOUR.sub("", release)):
        if part == "~":
            parts.append((-1, 0, ""))
        else:
            parts.append((2, int(part), "") if part.isdigit() else (1, 0, part))
    return (*parts, (0, 0, ""))


def flavour(release: str) -> str:
    """The end of a release that tells variants of one version apart; empty where there is none."""
    found = _FLAVOUR.search(release)
    return found.group(0) if found else ""


def read_kernel_packages(commands: Commands) -> List[KernelPackage]:
    """Installed packages of kernels, as dpkg and rpm know them; none in a container, as a rule."""
    packages: List[KernelPackage] = []
    if commands.which("dpkg-query"):
        packages.extend(_debian(commands))
    if commands.which("rpm"):
        packages.extend(_rpm(commands))
    return packages


def read_kernel(root: Path, packages: Iterable[KernelPackage]) -> Dict[str, Any]:
    """``{"running", "installed": [release], "removable": [package], "newest"}``; newest is null where there is none.

    ``removable`` names the packages of kernels that neither run nor are newest, and none at all where the running
    kernel is not among them: then it is not known what this host starts from.
    """
    packages = list(packages)
    running = (read_text(root / "proc/sys/kernel/osrelease") or "").strip()
    releases = {package.release for package in packages if package.is_image} | set(_kernel_files(root))
    installed = sorted(releases, key=lambda release: (version_key(release), release))
    newest = _newest(installed, running)
    removable: List[str] = []
    if any(package.release == running and package.is_image for package in packages):
        kept = (running, newest)
        removable = sorted({package.package for package in packages if package.release not in kept})
    return {"running": running, "installed": installed, "removable": removable, "newest": newest}


def _newest(installed: List[str], running: str) -> Optional[str]:
    """The newest of the running kernel's flavour where there is one: a newer one of another is no update of this."""
    same = [release for release in installed if flavour(release) == flavour(running)]
    candidates = same or installed
    return candidates[-1] if candidates else None


def _kernel_files(root: Path) -> Iterable[str]:
    """Kernels that lie on the disk, whoever put them there; an empty folder of modules is no kernel."""
    for path in _list(root / "boot"):
        if path.startswith("vmlinuz-") and "rescue" not in path:
            yield path[len("vmlinuz-") :]
    for release in _list(root / "lib/modules"):
        if (root / "lib/modules" / release / "vmlinuz").exists():
            yield release


def _list(folder: Path) -> List[str]:
    try:
        return sorted(os.listdir(str(folder)))
    except OSError:
        return []


def _debian(commands: Commands) -> Iterable[KernelPackage]:
    # dpkg-query ends with status 1 where nothing matches a pattern.
    listed = commands.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\\n", *_DEBIAN_PATTERNS],
        check=False,
    ).stdout
    for line in listed.splitlines():
        status, package, version = [*line.split(), "", "", ""][:3]
        found = _DEBIAN_KERNEL.match(package)
        if status == "installed" and found and not package.endswith(("-dbg", "-dbgsym")):
            yield KernelPackage(package, found.group("release"), version, found.group("part") == "image")


def _rpm(commands: Commands) -> Iterable[KernelPackage]:
    # rpm ends with the number of packages that are not installed, and says so on lines of another shape.
    listed = commands.run(
        ["rpm", "-q", "--queryformat", "%{NAME} %{VERSION}-%{RELEASE} %{ARCH}\\n", *_RPM_KERNELS], check=False
    ).stdout
    for line in listed.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] in _RPM_KERNELS:
            name, version, arch = words
            variant = "+rt" if "-rt" in name else ""
            is_image = name.endswith("-core") or "modules" not in name
            yield KernelPackage(f"{name}-{version}.{arch}", f"{version}.{arch}{variant}", version, is_image)
