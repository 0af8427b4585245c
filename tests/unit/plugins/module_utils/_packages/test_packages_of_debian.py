# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repacking and changelogs, with real package files of dpkg-deb."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands, Completed
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.changelog import closed_cves, cves_above
from ansible_collections.bankops.fleet.plugins.module_utils._packages.repack import repack

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")

CHANGELOG = """\
demo (1:2.0-2) unstable; urgency=high

  * Fix CVE-2026-0003 and CVE-2026-0002, see CVE-2026-0003.

 -- Somebody <somebody@example.invalid>  Sun, 01 Nov 2026 00:00:00 +0000

demo (1:2.0-1) unstable; urgency=medium

  * Closes CVE-2025-12345; not a CVE: CVE-20-1.

 -- Somebody <somebody@example.invalid>  Sat, 01 Nov 2025 00:00:00 +0000

demo (0.9-1) unstable; urgency=medium

  * CVE-2020-0001

 -- Somebody <somebody@example.invalid>  Wed, 01 Jan 2020 00:00:00 +0000
"""
STATUS = """\
Package: demo
Status: install ok installed
Priority: optional
Installed-Size: 10
Maintainer: Somebody <somebody@example.invalid>
Architecture: all
Version: 1.0
Conffiles:
 /etc/demo.conf 0123456789abcdef0123456789abcdef
 /etc/old.conf 0123456789abcdef0123456789abcdef obsolete
 /etc/deleted.conf 0123456789abcdef0123456789abcdef
Description: demonstrates
 with a long description
"""
FILES = {
    "etc/demo.conf": "changed by the administrator\n",
    "etc/old.conf": "obsolete\n",
    "usr/bin/tool": "#!/bin/sh\n",
    "usr/share/demo/data": "data\n",
    "usr/share/demo/diverted.real": "ours\n",
    "usr/share/demo/diverted": "another package's\n",
}


class Dpkg(Commands):
    """dpkg-query of a host under a temporary root, and the real dpkg-deb."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.listed: list[str] = []

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        match list(argv):
            case ["dpkg-query", "--listfiles", _]:
                return Completed(0, "/.\n" + "".join(f"{path}\n" for path in self.listed), "")
            case ["dpkg-query", "--status", _]:
                return Completed(0, STATUS, "")
            case ["dpkg-query", "--control-path", _]:
                info = self.root / "var/lib/dpkg/info"
                return Completed(0, "".join(f"{path}\n" for path in sorted(info.iterdir())), "")
        return super().run(argv, **options)


@pytest.fixture
def dpkg(tmp_path: Path) -> Dpkg:
    root = tmp_path / "root"
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (root / "usr/bin/tool").chmod(0o4755)
    (root / "etc/demo.conf").chmod(0o640)
    os.link(root / "usr/share/demo/data", root / "usr/share/demo/again")
    (root / "usr/share/demo/link").symlink_to("data")
    # A merged /usr: the package has a directory /bin, the host a link.
    (root / "bin").symlink_to("usr/bin")
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (info / "demo.postinst").write_text("#!/bin/sh\nexit 0\n")
    (info / "demo.postinst").chmod(0o755)
    (info / "demo.list").write_text("")
    (root / "var/lib/dpkg/diversions").write_text("/usr/share/demo/diverted\n/usr/share/demo/diverted.real\nother\n")
    host = Dpkg(root)
    host.listed = [
        "/bin",
        "/bin/tool",
        "/etc",
        "/etc/demo.conf",
        "/etc/old.conf",
        "/usr",
        "/usr/share",
        "/usr/share/demo",
    ]
    host.listed += [f"/usr/share/demo/{name}" for name in ("data", "again", "link", "diverted")]
    host.listed += ["/usr/share/doc", "/usr/share/doc/demo", "/usr/share/doc/demo/left-out"]
    return host


@pytest.fixture
def unpacked(dpkg: Dpkg, tmp_path: Path) -> Path:
    package = repack(dpkg, "demo", "all", tmp_path / "demo_1.0_all.deb", dpkg.root)
    target = tmp_path / "unpacked"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(target)], check=True)
    return target


def test_files_links_and_modes_are_as_on_the_host(unpacked: Path) -> None:
    assert (unpacked / "etc/demo.conf").read_text() == "changed by the administrator\n"
    assert (unpacked / "etc/demo.conf").stat().st_mode & 0o7777 == 0o640
    assert (unpacked / "bin/tool").stat().st_mode & 0o7777 == 0o4755
    assert (unpacked / "usr/share/demo/link").readlink() == Path("data")
    assert (unpacked / "usr/share/demo/data").stat().st_ino == (unpacked / "usr/share/demo/again").stat().st_ino


def test_a_directory_of_the_package_stays_one_where_the_host_has_a_link(unpacked: Path) -> None:
    assert not (unpacked / "bin").is_symlink()


def test_a_diverted_file_is_taken_from_where_it_was_put(unpacked: Path) -> None:
    assert (unpacked / "usr/share/demo/diverted").read_text() == "ours\n"


def test_control_data_are_the_packages_own(unpacked: Path) -> None:
    control = (unpacked / "DEBIAN/control").read_text()
    assert "Status:" not in control
    assert "Conffiles" not in control
    assert control.endswith("Description: demonstrates\n with a long description\n")
    assert (unpacked / "DEBIAN/postinst").stat().st_mode & 0o111
    assert not (unpacked / "DEBIAN/list").exists()


def test_configuration_files_stay_configuration_files(unpacked: Path) -> None:
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/demo.conf\n"


def test_the_package_is_not_compressed(dpkg: Dpkg, tmp_path: Path) -> None:
    package = repack(dpkg, "demo", "all", tmp_path / "demo_1.0_all.deb", dpkg.root)
    assert b"data.tar " in package.read_bytes(), "the member's name tells the compression"


def test_what_is_no_file_cannot_be_repacked_and_leaves_nothing(dpkg: Dpkg, tmp_path: Path) -> None:
    os.mkfifo(dpkg.root / "usr/share/demo/pipe")
    dpkg.listed.append("/usr/share/demo/pipe")
    target = tmp_path / "kept"
    target.mkdir()
    with pytest.raises(FleetError) as caught:
        repack(dpkg, "demo", "all", target / "demo_1.0_all.deb", dpkg.root)
    assert caught.value.kind == "repack_failed"
    assert "patch_keep_versions" in caught.value.remedy
    assert list(target.iterdir()) == []


def package_with(tmp_path: Path, name: str, changelog: str, compression: str) -> Path:
    tree = tmp_path / name
    folder = tree / "usr/share/doc" / name
    folder.mkdir(parents=True)
    (folder / changelog).write_bytes(gzip.compress(CHANGELOG.encode()))
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1:2.0-2\nArchitecture: all\nMaintainer: S <s@example.invalid>\nDescription: x\n"
    )
    target = tmp_path / f"{name}.deb"
    subprocess.run(["dpkg-deb", f"-Z{compression}", "--build", str(tree), str(target)], check=True, capture_output=True)
    return target


@pytest.mark.parametrize("compression", ["none", "gzip", "xz"])
@pytest.mark.parametrize("changelog", ["changelog.Debian.gz", "changelog.gz"])
def test_cves_are_read_inside_the_package(tmp_path: Path, changelog: str, compression: str) -> None:
    package = package_with(tmp_path, "demo", changelog, compression)
    assert closed_cves(package, "demo", "1:2.0-1") == ["CVE-2026-0002", "CVE-2026-0003"]


def test_a_package_without_a_changelog_of_its_own_tells_nothing(tmp_path: Path) -> None:
    package = package_with(tmp_path, "demo", "README.gz", "none")
    assert closed_cves(package, "demo", "1:2.0-1") is None


def test_a_file_that_is_no_package_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_text("no package")
    assert closed_cves(tmp_path / "x.deb", "demo", "1") is None


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ("1:2.0-2", []),
        ("1:2.0-1+deb12u1", ["CVE-2026-0002", "CVE-2026-0003"]),
        ("1:1.0", ["CVE-2025-12345", "CVE-2026-0002", "CVE-2026-0003"]),
    ],
)
def test_only_entries_above_the_installed_version_count(installed: str, expected: list[str]) -> None:
    assert cves_above(CHANGELOG, installed) == expected
