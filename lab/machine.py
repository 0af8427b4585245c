# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this machine can do, found by looking: programs, control groups, capabilities, the way to a package mirror."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

PROGRAMS = {
    "podman": "podman",
    "runc": "runc",
    "netavark": "netavark",
    "iptables": "iptables",
    "sysctl": "procps",
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "dpkg-deb": "dpkg",
    "apt-ftparchive": "apt-utils",
    "rpmbuild": "rpm",
    "createrepo_c": "createrepo-c",
    "modifyrepo_c": "createrepo-c",
}
FOUND_OUTSIDE_PATH = ("/usr/sbin", "/sbin", "/usr/lib/podman", "/usr/libexec/podman")
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
CAP_SYS_RESOURCE = 24
INOTIFY = "fs.inotify.max_user_instances"
INOTIFY_WANTED = 8192  # a host takes about 7 of them, and the kernel's own limit is 128 for all hosts together


@dataclass(frozen=True)
class Mirror:
    """Where this machine takes Debian's packages from: two addresses, and apt settings that hosts need as well."""

    main: str
    security: str
    settings: tuple[str, ...]


def own_networks(table: Path = Path("/proc/net/route")) -> list[ipaddress.IPv4Network]:
    """The networks that this machine is in. A killed lab may have left its bridge, of which podman knows nothing."""
    rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    return [
        ipaddress.IPv4Network((_address(destination), str(_address(mask))))
        for _interface, destination, gateway, *_counts, mask, _mtu, _window, _round_trip in rows
        if int(gateway, 16) == 0
    ]


def _address(hexadecimal: str) -> ipaddress.IPv4Address:
    """The kernel writes an address as one number in the order of this machine's bytes."""
    return ipaddress.IPv4Address(int(hexadecimal, 16).to_bytes(4, sys.byteorder))


def missing_packages(programs: Mapping[str, str] = PROGRAMS) -> list[str]:
    """The Debian packages of the programs that this machine lacks."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *FOUND_OUTSIDE_PATH])
    return sorted({package for program, package in programs.items() if shutil.which(program, path=path) is None})


def require_programs() -> None:
    """Raise FleetError of kind ``machine_lacks`` with everything that is missing at once."""
    missing = missing_packages()
    if not DEBIAN_KEYRING.exists():
        missing.append("debian-archive-keyring")
    if missing:
        raise FleetError(
            f"The lab needs these Debian packages, and this machine lacks them: {' '.join(missing)}.",
            kind="machine_lacks",
            remedy="Run lab/setup (as root or with sudo), or install them and try again.",
        )


def as_root(argv: list[str]) -> list[str]:
    """The command as root may run it: containers with an init of their own need real root."""
    return argv if os.geteuid() == 0 else ["sudo", "-n", "--preserve-env=CONTAINERS_CONF", *argv]


def raise_inotify_limit(say: Callable[[str], None]) -> None:
    """Without this, systemd in the eighteenth host of a machine cannot start. Lasts until the machine's next start."""
    now = int(Path("/proc/sys", *INOTIFY.split(".")).read_text())
    if now >= INOTIFY_WANTED:
        return
    say(f"raising this machine's {INOTIFY} from {now} to {INOTIFY_WANTED}, which systemd in many hosts needs")
    argv = as_root(["sysctl", "--quiet", "--write", f"{INOTIFY}={INOTIFY_WANTED}"])
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FleetError(
            f"{INOTIFY} is {now} on this machine and cannot be raised: {done.stderr.strip()}",
            kind="machine_lacks",
            remedy=f"As root: sysctl -w {INOTIFY}={INOTIFY_WANTED}",
        )


def unified_control_groups(root: Path = Path("/sys/fs/cgroup")) -> bool:
    """Whether control groups are version 2 alone; crun refuses to start a container otherwise."""
    return (root / "cgroup.controllers").exists()


def may_raise_limits(status: Path = Path("/proc/self/status")) -> bool:
    """Whether CAP_SYS_RESOURCE can be had; without it podman's default limits are refused."""
    for line in status.read_text().splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1)
    return False


def containers_conf(*, unified: bool, raises_limits: bool, crun: bool) -> str:
    """The text of the file for CONTAINERS_CONF that makes podman work on such a machine."""
    lines = ["[containers]"]
    if not raises_limits:
        lines.append('default_ulimits = ["nofile=1024:4096", "nproc=8192:8192"]')
    lines += ["", "[network]", 'network_backend = "netavark"', "", "[engine]"]
    if not unified or not crun:
        lines.append('runtime = "runc"')
    if not unified:
        lines.append('cgroup_manager = "cgroupfs"')
    lines.append('events_logger = "file"')
    return "\n".join(lines) + "\n"


def name_servers(files: Iterable[Path] = RESOLVER_FILES) -> list[str]:
    """The name servers of this machine that a container can reach: none on its loopback."""
    for file in files:
        if not file.exists():
            continue
        named = [line.split()[1] for line in file.read_text().splitlines() if line.startswith("nameserver ")]
        reachable = [server for server in named if not server.startswith("127.") and server != "::1"]
        if reachable:
            return reachable
    return []


def find_mirror() -> Mirror:
    """Debian's archive as this machine's own apt knows it; the public one where it knows none (on Ubuntu)."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages", "Origin: Debian"],
        capture_output=True,
        text=True,
        check=False,
    )
    settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    return parse_mirror(done.stdout, settings)


def parse_mirror(targets: str, settings: str) -> Mirror:
    """What ``apt-get indextargets`` and ``apt-config dump`` say, as a Mirror."""
    known: dict[str, str] = {}
    for line in targets.splitlines():
        codename, _space, address = line.partition(" ")
        known.setdefault(codename, address.rstrip("/"))
    wanted = ("Acquire::http::Proxy", "Acquire::https::Proxy", "Acquire::https::Verify-")
    return Mirror(
        main=known.get("bookworm", "http://deb.debian.org/debian"),
        security=known.get("bookworm-security", "http://deb.debian.org/debian-security"),
        settings=tuple(line for line in settings.splitlines() if line.startswith(wanted)),
    )
