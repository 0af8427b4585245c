# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the hermetic repository: Debian packages in two suites, and rpm packages with advisories."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import textwrap
from pathlib import Path
from xml.sax.saxutils import escape

from ansible_collections.bankops.fleet.lab.repository.packages import FILES, PACKAGES, Package

# One date for every package, so that the same sources give the same repository.
CHANGELOG_DATE = "Sun, 01 Nov 2026 00:00:00 +0000"
ADVISORY_DATE = "2026-11-01 00:00:00"
RPM_DATE = "Sun Nov 01 2026"
MAINTAINER = "bankops.fleet lab <lab@fleet.invalid>"
ORIGIN = "bankops-fleet-lab"
SUITES = ("lab", "lab-security")


def recipe_digest() -> str:
    """SHA-256 over everything that decides what the repository holds."""
    total = hashlib.sha256()
    for file in sorted([Path(__file__), Path(__file__).with_name("packages.py"), *FILES.iterdir()]):
        total.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def build(folder: Path) -> None:
    """Build ``folder``/deb and ``folder``/rpm; an existing repository is replaced when the new one is whole."""
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    work = partial / "work"
    work.mkdir(parents=True)
    for number, package in enumerate(PACKAGES):
        if "deb" in package.formats:
            _build_deb(package, partial / "deb", work / f"deb{number}")
        if "rpm" in package.formats:
            _build_rpm(package, partial / "rpm", work / f"rpm{number}")
    _index_debs(partial / "deb")
    _index_rpms(partial / "rpm", work)
    shutil.rmtree(work)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _run(argv: list[str], cwd: Path | None = None) -> str:
    return subprocess.run(argv, cwd=cwd, check=True, capture_output=True, text=True).stdout


def _native_architecture() -> str:
    return _run(["dpkg", "--print-architecture"]).strip()


def _suite(package: Package) -> str:
    return "lab-security" if package.security else "lab"


def _fill(package: Package, root: Path) -> None:
    for mode, contents in ((0o644, package.files), (0o755, package.programs)):
        for path, text in contents.items():
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            target.chmod(mode)


def _debian_changelog(package: Package) -> str:
    history = [older for older in PACKAGES if older.name == package.name and "deb" in older.formats]
    known = history[: history.index(package) + 1]
    urgency = {True: "high", False: "medium"}
    return "\n".join(
        f"{entry.name} ({entry.version}) {_suite(entry)}; urgency={urgency[entry.security]}\n\n"
        f"  * {entry.changes}\n\n -- {MAINTAINER}  {CHANGELOG_DATE}\n"
        for entry in reversed(known)
    )


def _build_deb(package: Package, repository: Path, root: Path) -> None:
    _fill(package, root)
    architecture = _native_architecture() if package.architecture == "native" else package.architecture
    changelog = root / "usr/share/doc" / package.name / "changelog.Debian.gz"
    changelog.parent.mkdir(parents=True)
    changelog.write_bytes(gzip.compress(_debian_changelog(package).encode(), mtime=0))
    control = root / "DEBIAN"
    control.mkdir()
    needs = ", ".join(name + (f" (>= {least})" if least else "") for name, least in package.requires.items())
    control.joinpath("control").write_text(
        f"Package: {package.name}\nVersion: {package.version}\nArchitecture: {architecture}\n"
        f"Maintainer: {MAINTAINER}\nSection: admin\nPriority: optional\n"
        + (f"Depends: {needs}\n" if needs else "")
        + f"Description: {package.summary}\n Part of the lab of bankops.fleet.\n"
    )
    for name, script in (("preinst", package.before_install), ("postinst", package.after_install)):
        if script:
            wanted = {"preinst": "upgrade", "postinst": "configure"}[name]
            body = f'#!/bin/sh\nset -e\n[ "$1" = {wanted} ] || exit 0\n{script}exit 0\n'
            control.joinpath(name).write_text(body)
            control.joinpath(name).chmod(0o755)
    pool = repository / "pool" / _suite(package)
    pool.mkdir(parents=True, exist_ok=True)
    file = f"{package.name}_{package.version}_{architecture}.deb"
    _run(["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(root), str(pool / file)])


def _index_debs(repository: Path) -> None:
    architecture = _native_architecture()
    for suite in SUITES:
        index = repository / "dists" / suite / "main" / f"binary-{architecture}"
        index.mkdir(parents=True)
        packages = _run(["apt-ftparchive", "packages", f"pool/{suite}"], cwd=repository)
        index.joinpath("Packages").write_text(packages)
        index.joinpath("Packages.gz").write_bytes(gzip.compress(packages.encode(), mtime=0))
        facts = {
            "Origin": ORIGIN,
            "Label": ORIGIN,
            "Suite": suite,
            "Codename": suite,
            "Architectures": architecture,
            "Components": "main",
        }
        options = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in facts.items()]
        release = _run(["apt-ftparchive", *options, "release", f"dists/{suite}"], cwd=repository)
        (repository / "dists" / suite / "Release").write_text(release)


def _build_rpm(package: Package, repository: Path, work: Path) -> None:
    root = work / "root"
    _fill(package, root)
    requires = "".join(
        f"Requires: {name}{f' >= {least}' if least else ''}\n" for name, least in package.requires.items()
    )
    scripts = f"%pre\n{package.before_install}exit 0\n" if package.before_install else ""
    scripts += f"%post\n{package.after_install}exit 0\n" if package.after_install else ""
    listed = "\n".join([*package.files, *(f"%attr(0755, root, root) {path}" for path in package.programs)])
    provides = "Provides: /bin/sh\nProvides: system-release = 1\n" if package.name == "fleet-release" else ""
    specification = work / "package.spec"
    specification.write_text(
        textwrap.dedent(
            f"""\
            Name: {package.name}
            Version: {package.version}
            Release: 1
            Summary: {package.summary}
            License: GPL-3.0-or-later
            BuildArch: noarch
            AutoReqProv: no
            """
        )
        + provides
        + requires
        + f"\n%description\nPart of the lab of bankops.fleet.\n\n{scripts}\n"
        + f"%files\n%defattr(0644, root, root, 0755)\n{listed}\n"
        + f"\n%changelog\n* {RPM_DATE} {MAINTAINER} - {package.version}-1\n- {package.changes}\n"
    )
    repository.mkdir(parents=True, exist_ok=True)
    macros = {
        "_rpmdir": str(repository),
        "_topdir": str(work / "top"),
        "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    }
    defines = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    _run(["rpmbuild", "-bb", "--quiet", "--buildroot", str(root.absolute()), "--noclean", *defines, str(specification)])


def advisories() -> str:
    """The text of updateinfo.xml: one advisory for each security update that exists as rpm."""
    updates: list[str] = []
    for package in PACKAGES:
        if not package.security or "rpm" not in package.formats:
            continue
        number = 1 + len(updates)
        references = "".join(
            f'      <reference href="https://fleet.invalid/{cve}" id="{cve}" type="cve" title="{cve}"/>\n'
            for cve in package.cves
        )
        updates.append(
            f"""  <update from="lab@fleet.invalid" status="final" type="security" version="1">
    <id>FLSA-2026:{number:04d}</id>
    <title>{package.severity}: {package.name} security update</title>
    <release>Fleet lab</release>
    <issued date="{ADVISORY_DATE}"/>
    <updated date="{ADVISORY_DATE}"/>
    <severity>{package.severity}</severity>
    <description>{escape(package.changes)}</description>
    <references>
{references}    </references>
    <pkglist>
      <collection short="fleet">
        <name>Fleet lab</name>
        <package name="{package.name}" version="{package.version}" release="1" epoch="0" arch="noarch">
          <filename>{package.name}-{package.version}-1.noarch.rpm</filename>
        </package>
      </collection>
    </pkglist>
  </update>
"""
        )
    return '<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n' + "".join(updates) + "</updates>\n"


def _index_rpms(repository: Path, work: Path) -> None:
    _run(["createrepo_c", "--quiet", str(repository)])
    updateinfo = work / "updateinfo.xml"
    updateinfo.write_text(advisories())
    _run(["modifyrepo_c", str(updateinfo), str(repository / "repodata")])
