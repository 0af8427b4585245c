# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packages of the hermetic repository: what each version holds, needs and does.

Versions of one name tell a story that a patch cycle must get right. The CVE ids are the lab's own and exist nowhere
else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, Unpack

FILES = Path(__file__).parent / "files"

ENABLE_ON_FIRST_INSTALL = """[ ! -d /run/systemd/system ] || systemctl daemon-reload || true
if [ ! -e /etc/systemd/system/multi-user.target.wants/fleet-service.service ]; then
    systemctl enable fleet-service.service >/dev/null 2>&1 || true
    [ ! -d /run/systemd/system ] || systemctl start fleet-service.service || true
fi
"""
FAIL_UNTIL_REPAIRED = """if [ ! -e /etc/fleet-broken-repaired ]; then
    echo "fleet-broken: this version cannot be configured until /etc/fleet-broken-repaired exists" >&2
    exit 1
fi
"""
# A gate for tests: whoever makes the file holds the transaction open here, until it is removed. The site of a web host
# is away for as long, so that the users of one that nobody has drained notice it.
WAIT_WHILE_HELD = """[ ! -e /var/www/html ] || mv /var/www/html /var/www/away
touch /run/fleet-slow-reached
while [ -e /run/fleet-slow-held ]; do sleep 0.1; done
[ ! -e /var/www/away ] || mv /var/www/away /var/www/html
"""
# As a maintainer's script does it: the service is restarted, and whether it came back is nobody's concern.
RESTART_FRAGILE = """if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable fleet-fragile.service >/dev/null 2>&1 || true
    systemctl restart fleet-fragile.service || true
fi
"""
# Not only the listener is restarted: every session ends, that of whoever installs the package too.
RESTART_SSHD = """if [ -d /run/systemd/system ]; then
    systemctl stop ssh.service
    pkill -KILL -x sshd || true
    sleep 1
    systemctl start ssh.service
fi
"""


@dataclass(frozen=True)
class Package:
    """One version of one package. ``requires`` maps names to the least version, empty for any."""

    name: str
    version: str
    summary: str
    changes: str
    security: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    requires: Mapping[str, str] = field(default_factory=dict)
    before_install: str = ""
    after_install: str = ""
    architecture: str = "all"
    formats: tuple[str, ...] = ("deb", "rpm")
    cves: tuple[str, ...] = ()
    severity: str = "Moderate"


class Advisory(TypedDict, total=False):
    """What is said of a version that is a security update."""

    security: bool
    cves: tuple[str, ...]
    severity: str


def _service(version: str, requires: Mapping[str, str], changes: str, **advisory: Unpack[Advisory]) -> Package:
    return Package(
        name="fleet-service",
        version=version,
        summary="A small server whose process keeps files of its packages mapped",
        changes=changes,
        files={
            "/usr/lib/fleet-service/data": f"{version}\n",
            "/usr/lib/systemd/system/fleet-service.service": (FILES / "fleet-service.service").read_text(),
        },
        programs={"/usr/libexec/fleet-service": (FILES / "fleet-service").read_text()},
        requires=requires,
        after_install=ENABLE_ON_FIRST_INSTALL,
        **advisory,
    )


class More(Advisory, total=False):
    """What a version has besides a file that names it."""

    requires: Mapping[str, str]
    before_install: str
    after_install: str
    formats: tuple[str, ...]


def _plain(name: str, version: str, summary: str, changes: str, **more: Unpack[More]) -> Package:
    files = {f"/usr/share/{name}/version": f"{version}\n"}
    return Package(name=name, version=version, summary=summary, changes=changes, files=files, **more)


def _fragile(version: str, program: str, changes: str, **advisory: Unpack[Advisory]) -> Package:
    install = "[Install]\nWantedBy=multi-user.target\n"
    unit = f"[Unit]\nDescription=A fragile service\n\n[Service]\nExecStart={program}\n\n{install}"
    return Package(
        name="fleet-fragile",
        version=version,
        summary="A service of which the new version does not start",
        changes=changes,
        files={"/usr/lib/systemd/system/fleet-fragile.service": unit},
        after_install=RESTART_FRAGILE,
        formats=("deb",),
        **advisory,
    )


def _library(version: str, changes: str, **advisory: Unpack[Advisory]) -> Package:
    files = {"/usr/lib/fleet-lib/libfleet.so.1": f"{version}\n"}
    summary = "The library that fleet-service keeps mapped"
    return Package(name="fleet-lib", version=version, summary=summary, changes=changes, files=files, **advisory)


def _kernel(release: str, changes: str, security: bool, cves: tuple[str, ...] = ()) -> Package:
    """A kernel as Debian ships one: each release is a package of its own name."""
    return Package(
        name=f"linux-image-{release}",
        version=f"{release.rsplit('-', 1)[0]}+1",
        summary="A kernel image in name only",
        changes=changes,
        security=security,
        files={
            f"/boot/vmlinuz-{release}": "not a kernel\n",
            f"/boot/config-{release}": "CONFIG_FLEET=y\n",
            f"/lib/modules/{release}/modules.order": "",
        },
        architecture="native",
        formats=("deb",),
        cves=cves,
        severity="Important",
    )


PACKAGES = (
    # An update without complications.
    _plain("fleet-hello", "1.0", "Says hello", "First version."),
    _plain(
        "fleet-hello",
        "2.0",
        "Says hello",
        "Reject greetings of unbounded length (CVE-2026-0001).",
        security=True,
        cves=("CVE-2026-0001",),
        severity="Important",
    ),
    # A service that must be restarted: nothing in its package does so, and its new version needs a new package.
    _library("1.0", "First version."),
    _library(
        "2.0",
        "Check the bounds of every table (CVE-2026-0002, CVE-2026-0003).",
        security=True,
        cves=("CVE-2026-0002", "CVE-2026-0003"),
        severity="Critical",
    ),
    _service("1.0", {"fleet-lib": ""}, "First version."),
    _service(
        "2.0",
        {"fleet-lib": "2.0", "fleet-extra": ""},
        "Close a request smuggling hole (CVE-2026-0004); needs fleet-extra.",
        security=True,
        cves=("CVE-2026-0004",),
        severity="Important",
    ),
    _plain("fleet-extra", "2.0", "What fleet-service 2.0 needs besides", "First version.", security=True),
    # An ordinary update, which a policy of security updates alone leaves.
    _plain("fleet-tools", "1.0", "Tools", "First version."),
    _plain("fleet-tools", "2.0", "Tools", "A new option."),
    # A security update that a point release has superseded.
    _plain("fleet-superseded", "1.0", "Superseded", "First version."),
    _plain("fleet-superseded", "2.0", "Superseded", "Fix CVE-2026-0005.", security=True, cves=("CVE-2026-0005",)),
    _plain("fleet-superseded", "2.1", "Superseded", "Point release with all fixes so far."),
    # A new version that cannot be configured (Debian) or installed (rpm) until somebody repairs the host.
    _plain("fleet-broken", "1.0", "Installs", "First version."),
    _plain(
        "fleet-broken",
        "2.0",
        "Fails to install",
        "Fix CVE-2026-0006.",
        security=True,
        cves=("CVE-2026-0006",),
        after_install=FAIL_UNTIL_REPAIRED,
        formats=("deb",),
    ),
    _plain(
        "fleet-broken",
        "2.0",
        "Fails to install",
        "Fix CVE-2026-0006.",
        security=True,
        cves=("CVE-2026-0006",),
        before_install=FAIL_UNTIL_REPAIRED,
        formats=("rpm",),
    ),
    # A service that does not come back after its upgrade, although the package installs without an error.
    _fragile("1.0", "/usr/bin/sleep infinity", "First version."),
    _fragile("2.0", "/usr/bin/false", "Fix CVE-2026-0008.", security=True, cves=("CVE-2026-0008",)),
    # A transaction that is open for as long as a test wants.
    _plain("fleet-slow", "1.0", "Installs at once", "First version.", formats=("deb",)),
    _plain(
        "fleet-slow",
        "2.0",
        "Installs when it is let",
        "Fix CVE-2026-0009.",
        security=True,
        cves=("CVE-2026-0009",),
        after_install=WAIT_WHILE_HELD,
        formats=("deb",),
    ),
    # The update of the very service through which it is installed.
    _plain("fleet-access", "1.0", "Stands for the SSH server", "First version.", formats=("deb",)),
    _plain(
        "fleet-access",
        "2.0",
        "Stands for the SSH server",
        "Fix CVE-2026-0010.",
        security=True,
        cves=("CVE-2026-0010",),
        after_install=RESTART_SSHD,
        formats=("deb",),
    ),
    # A kernel: its update installs a package of another name.
    _kernel("6.1.0-98-fleet", "First version.", security=False),
    _kernel("6.1.0-99-fleet", "Fix a use after free (CVE-2026-0007).", security=True, cves=("CVE-2026-0007",)),
    _plain(
        "linux-image-fleet",
        "6.1.98",
        "The current kernel of the lab",
        "First version.",
        requires={"linux-image-6.1.0-98-fleet": ""},
        formats=("deb",),
    ),
    _plain(
        "linux-image-fleet",
        "6.1.99",
        "The current kernel of the lab",
        "Follow the kernel (CVE-2026-0007).",
        security=True,
        cves=("CVE-2026-0007",),
        requires={"linux-image-6.1.0-99-fleet": ""},
        formats=("deb",),
    ),
    # What the rpm database of a Debian container lacks: somebody who provides the shell.
    Package(
        name="fleet-release",
        version="1.0",
        summary="Provides what packages of the lab expect of a system",
        changes="First version.",
        files={"/usr/share/fleet-release/version": "1.0\n"},
        formats=("rpm",),
    ),
)
