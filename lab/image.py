# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images: one base built by mmdebstrap from ``bookworm main`` alone, and a thin layer on it for each role.

Without the security archive the base holds the versions of the last point release, so that real security updates are
pending as soon as a host knows that archive. Images live in podman's own store under the digest of their recipe.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ansible_collections.bankops.fleet.lab import machine
from ansible_collections.bankops.fleet.lab.podman import Podman
from ansible_collections.bankops.fleet.lab.repository import build as repository
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

IMAGE = "localhost/bankops-fleet-lab"

BASE_PACKAGES = (
    "apt-utils ca-certificates cron curl dbus e2fsprogs gnupg iproute2 iputils-ping kmod less libpam-systemd logrotate "
    "netbase openssh-server openssl perl procps python3 rsyslog sudo systemd systemd-sysv"
)
# Nothing changes packages behind a test's back; a test that wants the timers enables them.
QUIET_UNITS = "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer"
# These would speak to the outer machine's devices and kernel.
MASKED_UNITS = (
    "console-getty.service getty@tty1.service kmod-static-nodes.service modprobe@.service "
    "proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount "
    "sys-kernel-tracing.mount systemd-binfmt.service systemd-journald-audit.socket systemd-modules-load.service "
    "systemd-pstore.service"
)
BASE_HOOK = f"""chroot "$1" systemctl disable {QUIET_UNITS}
chroot "$1" systemctl mask {MASKED_UNITS}
rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/lib/dbus/machine-id
: >"$1"/etc/machine-id
ln -s /etc/machine-id "$1"/var/lib/dbus/machine-id
"""

_ARCHIVE = "RUN apt-get install -qy --no-install-recommends {} && apt-get clean\n"
_HERMETIC = """RUN echo 'deb [trusted=yes] copy:/srv/fleet-repository/deb lab main' \\
    >/etc/apt/sources.list.d/build.list \\
 && apt-get update -q -o Dir::Etc::SourceList=/dev/null -o APT::Get::List-Cleanup=0 && apt-get install -qy {} \\
 && rm /etc/apt/sources.list.d/build.list && apt-get clean
"""
LAYERS = {
    "lb": _ARCHIVE.format("haproxy"),
    "web": _ARCHIVE.format("nginx-light") + _HERMETIC.format("fleet-hello=1.0 fleet-tools=1.0"),
    "kv": _ARCHIVE.format("etcd-server etcd-client") + _HERMETIC.format("fleet-hello=1.0 fleet-tools=1.0"),
    "app": _HERMETIC.format("fleet-hello=1.0 fleet-tools=1.0 fleet-service=1.0"),
    "rpm": _ARCHIVE.format("dnf rpm")
    + """RUN mkdir -p /etc/yum.repos.d /etc/dnf/vars && echo 1 >/etc/dnf/vars/releasever \\
 && printf '[fleet-lab]\\nname=Fleet lab\\nbaseurl=file:///srv/fleet-repository/rpm\\nenabled=1\\ngpgcheck=0\\n' \\
    >/etc/yum.repos.d/fleet-lab.repo \\
 && dnf install -qy fleet-release-1.0 \\
 && dnf install -qy fleet-hello-1.0 fleet-tools-1.0 fleet-lib-1.0 fleet-service-1.0 && dnf mark remove fleet-lib \\
 && dnf clean all
""",
}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def ensure_images(podman: Podman, roles: Iterable[str], say: Callable[[str], None]) -> dict[str, str]:
    """Build what is missing of the images of ``roles``; returns ``{role: image name}``.

    Raises FleetError of kind ``image_failed``.
    """
    mirror = machine.find_mirror()
    base_recipe = _digest(BASE_PACKAGES, BASE_HOOK, mirror.main, *mirror.settings)
    base = f"{IMAGE}-base:{base_recipe}"
    packages = repository.recipe_digest()
    images = {role: f"{IMAGE}-{role}:{_digest(base_recipe, LAYERS[role], packages)}" for role in roles}
    missing = [role for role, image in images.items() if podman.image_id(image) is None]
    if not missing:
        return images
    with tempfile.TemporaryDirectory(prefix="fleet-lab-", dir="/var/tmp") as name:
        folder = Path(name)
        if podman.image_id(base) is None:
            with _timed(say, "base image"):
                _build_base(podman, base, folder, mirror)
        repository.build(folder / "repository")
        for role in missing:
            with _timed(say, f"image of {role}"):
                _build_layer(podman, images[role], f"FROM {base}\n{LAYERS[role]}", folder)
    return images


def remove_images(podman: Podman) -> None:
    """Remove every image of the lab, of whatever recipe."""
    listed = podman.run("image", "ls", "--quiet", "--filter", f"reference={IMAGE}-*").split()
    if listed:
        podman.run("image", "rm", *sorted(set(listed)))


@contextlib.contextmanager
def _timed(say: Callable[[str], None], what: str) -> Iterator[None]:
    say(f"building the {what}")
    started = time.monotonic()
    yield
    say(f"built the {what} in {time.monotonic() - started:.0f} s")


def _build_base(podman: Podman, image: str, folder: Path, mirror: machine.Mirror) -> None:
    tarball = folder / "base.tar"
    settings = ['APT::Install-Recommends "false";', 'Acquire::Languages "none";', *mirror.settings]
    argv = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(BASE_PACKAGES.split())}",
        *(f"--aptopt={setting}" for setting in settings),
        # The lists stay, so that a host's first refresh of its metadata does not load and read them all again.
        "--skip=cleanup/apt/lists",
        f"--customize-hook={BASE_HOOK}",
        "bookworm",
        str(tarball),
        f"deb [signed-by={machine.DEBIAN_KEYRING}] {mirror.main} bookworm main",
    ]
    done = subprocess.run(machine.as_root(argv), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FleetError(
            f"mmdebstrap could not build the base image: {done.stderr.strip()[-2000:]}",
            kind="image_failed",
            remedy=f"Check that this machine's apt reaches {mirror.main}.",
        )
    podman.run("import", "--quiet", str(tarball), image)


def _build_layer(podman: Podman, image: str, recipe: str, folder: Path) -> None:
    file = folder / "Containerfile"
    file.write_text(recipe)
    podman.run(
        "build",
        "--quiet",
        "--layers=false",
        "--network=host",
        f"--volume={folder / 'repository'}:/srv/fleet-repository:ro",
        f"--tag={image}",
        f"--file={file}",
        str(folder),
        timeout=1200,
    )
