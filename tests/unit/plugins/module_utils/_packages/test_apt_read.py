# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What apt 2.6.1 of Debian 12 printed, and what is read from it."""

from __future__ import annotations

from ansible_collections.bankops.fleet.plugins.module_utils._packages.apt_read import (
    Database,
    Installed,
    Release,
    parse_policy,
    parse_releases,
    parse_simulation,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import Action

SIMULATION = """\
NOTE: This is only a simulation!
Reading package lists...
Calculating upgrade...
The following packages will be REMOVED:
  oldlib
Remv oldlib [1.0-1] [app:amd64 ]
Remv other:i386 [2.0]
Inst perl [5.36.0-7+deb12u3] (5.36.0-7+deb12u4 Debian-Security:12/oldstable-security [amd64]) []
Inst libssl3 [3.0.19-1] (3.0.22-1 Debian:12.11/stable, Debian-Security:12/stable-security [amd64]) [openssl:amd64 ]
Inst libssl3:i386 [3.0.19-1] (3.0.22-1 Debian-Security:12/stable-security [i386])
Inst tzdata [2026b-0+deb12u1] (2025a-0 local-deb [all])
Inst linux-image-6.1.0-41-amd64 (6.1.158-1 Debian-Security:12/oldstable-security [amd64])
Conf perl (5.36.0-7+deb12u4 Debian-Security:12/oldstable-security [amd64])
"""

POLICY = """\
libssl3:
  Installed: 3.0.19-1~deb12u2
  Candidate: 3.0.22-1~deb12u2
  Version table:
     3.0.22-1~deb12u2 500
        500 http://deb.debian.org/debian-security bookworm-security/main amd64 Packages
 *** 3.0.19-1~deb12u2 100
        100 /var/lib/dpkg/status
     3.0.17-1~deb12u2 500
        500 http://deb.debian.org/debian bookworm-updates/main amd64 Packages
openssl:i386:
  Installed: (none)
  Candidate: 3.0.22-1~deb12u2
  Version table:
     3.0.22-1~deb12u2 -1
         -1 http://deb.debian.org/debian-security bookworm-security/main i386 Packages
"""

RELEASES = """\
Package files:
 100 /var/lib/dpkg/status
     release a=now
 500 http://deb.debian.org/debian-security bookworm-security/main amd64 Packages
     release v=12,o=Debian,a=oldstable-security,n=bookworm-security,l=Debian-Security,c=main,b=amd64
     origin deb.debian.org
 500 http://deb.debian.org/debian bookworm/main amd64 Packages
     release v=12.15,o=Debian,a=oldstable,n=bookworm,l=Debian,c=main,b=amd64
     origin deb.debian.org
 500 file:/srv/local ./ Packages
     release c=
Pinned packages:
     libssl3 -> 3.0.22-1~deb12u2 with priority 500
"""


def database() -> Database:
    return Database(
        Installed(name, arch, "1", "install", "installed", name, "1", 0)
        for name, arch in [("dpkg", "amd64"), ("oldlib", "all"), ("libssl3", "amd64"), ("libssl3", "i386")]
    )


def test_the_whole_transaction_is_read_from_a_simulation() -> None:
    changes = {change.key: change for change in parse_simulation(SIMULATION, database())}
    assert {key: change.action for key, change in changes.items()} == {
        "libssl3:amd64": Action.UPGRADE,
        "libssl3:i386": Action.UPGRADE,
        "linux-image-6.1.0-41-amd64:amd64": Action.INSTALL,
        "oldlib:all": Action.REMOVE,
        "other:i386": Action.REMOVE,
        "perl:amd64": Action.UPGRADE,
        "tzdata:all": Action.DOWNGRADE,
    }
    assert changes["libssl3:amd64"].candidate == "3.0.22-1"
    assert changes["oldlib:all"].installed == "1.0-1"


def test_version_tables_are_read() -> None:
    tables = parse_policy(POLICY)
    assert [version for version, _files in tables["libssl3"]] == [
        "3.0.22-1~deb12u2",
        "3.0.19-1~deb12u2",
        "3.0.17-1~deb12u2",
    ]
    files = ["http://deb.debian.org/debian-security bookworm-security/main i386 Packages"]
    assert tables["openssl:i386"] == [("3.0.22-1~deb12u2", files)]


def test_releases_are_read_and_named() -> None:
    releases = parse_releases(RELEASES)
    security = releases["http://deb.debian.org/debian-security bookworm-security/main amd64 Packages"]
    assert (str(security), security.is_security) == ("Debian:bookworm-security", True)
    main = releases["http://deb.debian.org/debian bookworm/main amd64 Packages"]
    assert (str(main), main.is_security) == ("Debian:bookworm", False)
    assert str(releases["file:/srv/local ./ Packages"]) == "file:/srv/local"


def test_pockets_of_ubuntu_and_its_extended_maintenance_are_security() -> None:
    pocket = Release("Ubuntu", "Ubuntu", "jammy-security", "jammy", "")
    assert (str(pocket), pocket.is_security) == ("Ubuntu:jammy-security", True)
    assert Release("UbuntuESMApps", "UbuntuESMApps", "jammy-apps-updates", "jammy", "").is_security
    assert not Release("Ubuntu", "Ubuntu", "jammy-updates", "jammy", "").is_security


def test_a_package_is_found_when_it_turned_from_one_architecture_to_all() -> None:
    found = database().find("oldlib", "amd64")
    assert found is not None
    assert found.arch == "all"
    assert database().find("libssl3", "arm64") is None
