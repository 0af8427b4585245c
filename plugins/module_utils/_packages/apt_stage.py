# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloading and keeping Debian packages, and the CVEs in their changelogs."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages import debian_version
from ansible_collections.bankops.fleet.plugins.module_utils._packages.apt_read import (
    Database,
    parse_paragraph,
    read_database,
    read_records,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.changelog import closed_cves
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import (
    UNKNOWN,
    Action,
    Change,
    How,
    PackageFile,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.repack import repack
from ansible_collections.bankops.fleet.plugins.module_utils._packages.store import digest_of

Wanted = Tuple[str, str, str]


def file_name(name: str, arch: str, version: str) -> str:
    """The name apt gives to a downloaded package."""
    return f"{name}_{version.replace(':', '%3a')}_{arch}.deb"


def download_sizes(commands: Commands, changes: Sequence[Change]) -> Dict[str, int]:
    """Bytes of each candidate's file by key. Raises FleetError of kind ``candidate_gone``."""
    records = _candidate_records(commands, changes)
    return {change.key: int(record["Size"]) for change, record in records}


def download(commands: Commands, changes: Sequence[Change], folder: Path) -> List[PackageFile]:
    """Download the candidates into ``folder``; each appears there only after its SHA-256 was verified.

    Raises FleetError of kind ``candidate_gone``, ``download_failed`` or ``checksum_mismatch``.
    """
    records = {
        (change.name, change.arch, change.candidate or ""): record
        for change, record in _candidate_records(commands, changes)
    }
    return _fetch(commands, records, folder)


def _candidate_records(commands: Commands, changes: Sequence[Change]) -> List[Tuple[Change, Mapping[str, str]]]:
    records = read_records(commands, [(c.name, c.arch, c.candidate or "") for c in changes])
    gone = [str(c) for c in changes if (c.name, c.arch, c.candidate or "") not in records]
    if gone:
        raise FleetError(
            f"No repository of this host has the planned version any more: {'; '.join(gone)}.",
            kind="candidate_gone",
            remedy="Make a new plan.",
            data={"gone": gone},
        )
    return [(c, records[(c.name, c.arch, c.candidate or "")]) for c in changes]


def _fetch(commands: Commands, records: Mapping[Wanted, Mapping[str, str]], folder: Path) -> List[PackageFile]:
    if not records:
        return []
    unhashed = [wanted[0] for wanted, record in records.items() if "SHA256" not in record]
    if unhashed:
        raise FleetError(
            f"The repository gives no SHA-256 for {', '.join(unhashed)}.",
            kind="checksum_mismatch",
            remedy="Take the packages from a repository with SHA-256 sums.",
        )
    files = []
    with tempfile.TemporaryDirectory(prefix=".download-", dir=str(folder)) as partial:
        done = commands.run(
            ["env", "-C", partial, "apt-get", "-q", "-o", "APT::Sandbox::User=root", "download"]
            + [f"{name}:{arch}={version}" for name, arch, version in records],
            timeout=7200,
            check=False,
        )
        if done.status != 0:
            raise FleetError(
                f"The download failed: {(done.stderr or done.stdout).strip()[-1000:]}",
                kind="download_failed",
                remedy="Check that the host reaches its repositories, and run again.",
            )
        for (name, arch, version), record in records.items():
            file = file_name(name, arch, version)
            arrived = Path(partial) / file
            found = digest_of(arrived) if arrived.is_file() else "nothing"
            if found != record["SHA256"]:
                raise FleetError(
                    f"{file} has the SHA-256 {found}, but the repository's metadata say {record['SHA256']}.",
                    kind="checksum_mismatch",
                    remedy="Do not install it. Check the mirror.",
                )
            files.append(PackageFile(name, arch, version, file, found, arrived.stat().st_size))
        for package in files:
            os.replace(Path(partial) / package.file, folder / package.file)
    return files


def kept_bytes(commands: Commands, changes: Sequence[Change]) -> int:
    """The installed size of what would be kept: a repacked package is not compressed."""
    database = read_database(commands)
    found = (database.find(change.name, change.arch) for change in changes if change.installed is not None)
    return sum(entry.size for entry in found if entry)


def keep(
    commands: Commands, changes: Sequence[Change], folder: Path, root: Path = Path("/")
) -> Tuple[List[PackageFile], List[Dict[str, str]]]:
    """Put the installed versions into ``folder``: from apt's cache, from a repository, or repacked.

    Returns the files, and ``[{"name", "why"}]`` of what could not be kept.
    """
    database = read_database(commands)
    kept: List[PackageFile] = []
    cannot: List[Dict[str, str]] = []
    wanted: List[Wanted] = []
    for change in changes:
        entry = database.find(change.name, change.arch)
        if entry is None or not entry.is_installed or entry.version != change.installed:
            cannot.append({"name": change.name, "why": f"the installed version is not {change.installed}"})
        else:
            wanted.append((entry.name, entry.arch, entry.version))
    records = read_records(commands, wanted)
    for package in list(_from_cache(commands, wanted, records, folder, root)):
        kept.append(package)
        wanted.remove((package.name, package.arch, package.version))
    available = {key: records[key] for key in wanted if key in records}
    try:
        fetched = _fetch(commands, available, folder)
    except FleetError:
        fetched = []  # A repository may list what its pool has dropped; repacking needs no repository.
    for package in fetched:
        kept.append(replace(package, how=How.REPOSITORY))
        wanted.remove((package.name, package.arch, package.version))
    for name, arch, version in wanted:
        try:
            path = repack(commands, name, arch, folder / file_name(name, arch, version), root)
        except FleetError as problem:
            cannot.append({"name": name, "why": problem.message})
            continue
        size = path.stat().st_size
        kept.append(PackageFile(name, arch, version, path.name, digest_of(path), size, How.REPACKED))
    return sorted(kept, key=lambda package: package.key), sorted(cannot, key=lambda entry: entry["name"])


def _from_cache(
    commands: Commands,
    wanted: Sequence[Wanted],
    records: Mapping[Wanted, Mapping[str, str]],
    folder: Path,
    root: Path,
) -> Iterator[PackageFile]:
    for name, arch, version in wanted:
        cached = root / "var/cache/apt/archives" / file_name(name, arch, version)
        if not cached.is_file():
            continue
        digest = digest_of(cached)
        expected = records.get((name, arch, version), {}).get("SHA256")
        if expected is not None and digest != expected:
            continue
        said = parse_paragraph(commands.run(["dpkg-deb", "--field", str(cached)], check=False).stdout)
        if (said.get("Package"), said.get("Architecture"), said.get("Version")) != (name, arch, version):
            continue
        target = folder / cached.name
        partial = target.with_name(f".{target.name}")
        shutil.copyfile(cached, partial)
        os.replace(partial, target)
        yield PackageFile(name, arch, version, target.name, digest, target.stat().st_size, How.CACHE)


def read_cves(
    commands: Commands, staged: Sequence[PackageFile], changes: Sequence[Change], folder: Path
) -> Dict[str, Any]:
    """CVE ids by package, from the changelog entries newer than the installed source version; else ``unknown``.

    Packages of one source share a changelog, and often only one of them carries it.
    """
    database = read_database(commands)
    candidates = {change.key for change in changes if change.action is not Action.REMOVE}
    by_source: Dict[str, List[PackageFile]] = {}
    for package in staged:
        if package.key in candidates:
            record = parse_paragraph(commands.run(["dpkg-deb", "--field", str(folder / package.file)]).stdout)
            by_source.setdefault(record.get("Source", package.name).split(" ")[0], []).append(package)
    cves: Dict[str, Any] = {}
    for source, packages in by_source.items():
        baseline = _installed_source_version(database, source)
        ids: Optional[List[str]] = None
        if baseline is not None:
            for package in sorted(packages, key=lambda one: one.size):
                ids = closed_cves(folder / package.file, package.name, baseline)
                if ids is not None:
                    break
        cves.update({package.name: UNKNOWN if ids is None else ids for package in packages})
    return cves


def _installed_source_version(database: Database, source: str) -> Optional[str]:
    versions = [entry.source_version for entry in database if entry.source == source and entry.is_installed]
    # Several kernels of one source may be installed side by side: the newest says where the host stands.
    return max(versions, key=debian_version.sort_key, default=None)
