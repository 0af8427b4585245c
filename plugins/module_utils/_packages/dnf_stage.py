# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloading and keeping rpm packages.

dnf itself checks their sums and, where the repository's configuration asks for it, their signatures.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.dnf_pending import Available, query
from ansible_collections.bankops.fleet.plugins.module_utils._packages.dnf_read import (
    evr,
    read_database,
    specification,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import Action, Change, How, PackageFile
from ansible_collections.bankops.fleet.plugins.module_utils._packages.store import digest_of

_FORM = "%{NAME}\\t%{ARCH}\\t%{EPOCHNUM}\\t%{VERSION}\\t%{RELEASE}\\n"


def available_candidates(commands: Commands, changes: Sequence[Change]) -> Dict[str, Available]:
    """The candidates in the repositories, by ``name:arch``. Raises FleetError of kind ``candidate_gone``."""
    found = query(commands, changes)
    by_key = {c.key: found.get(specification(c.name, c.arch, c.candidate or "")) for c in changes}
    gone = [str(change) for change in changes if by_key[change.key] is None]
    if gone:
        raise FleetError(
            f"No repository of this host has the planned version any more: {'; '.join(gone)}.",
            kind="candidate_gone",
            remedy="Make a new plan.",
            data={"gone": gone},
        )
    return {key: package for key, package in by_key.items() if package is not None}


def download(commands: Commands, changes: Sequence[Change], folder: Path) -> List[PackageFile]:
    """Download the candidates into ``folder``. Raises FleetError of kind ``candidate_gone`` or ``download_failed``."""
    available_candidates(commands, changes)
    return _fetch(commands, "install", changes, folder)


def keep(
    commands: Commands, changes: Sequence[Change], folder: Path, root: Path
) -> Tuple[List[PackageFile], List[Dict[str, str]]]:
    """Put the installed versions into ``folder``, from dnf's cache or a repository; an rpm cannot be repacked."""
    database = read_database(commands)
    cannot = []
    wanted = []
    for change in changes:
        if change.installed in database.versions(change.name, change.arch):
            wanted.append(replace(change, action=Action.INSTALL, candidate=change.installed, installed=None))
        else:
            cannot.append({"name": change.name, "why": f"the installed version is not {change.installed}"})
    kept = _from_cache(commands, wanted, folder, root)
    rest = [change for change in wanted if change.key not in {package.key for package in kept}]
    found = query(commands, rest)
    offered = [c for c in rest if specification(c.name, c.arch, c.candidate or "") in found]
    if offered:
        try:
            fetched = _fetch(commands, "reinstall", offered, folder)
            kept += [replace(package, how=How.REPOSITORY) for package in fetched]
        except FleetError as problem:
            cannot += [{"name": change.name, "why": problem.message} for change in offered]
    cannot += [
        {"name": c.name, "why": f"no repository has {c.candidate} any more, and an rpm package cannot be repacked"}
        for c in rest
        if c not in offered
    ]
    return sorted(kept, key=lambda package: package.key), sorted(cannot, key=lambda entry: entry["name"])


def _fetch(commands: Commands, verb: str, changes: Sequence[Change], folder: Path) -> List[PackageFile]:
    names = [specification(c.name, c.arch, c.candidate or "") for c in changes]
    with tempfile.TemporaryDirectory(prefix=".download-", dir=str(folder)) as partial:
        done = commands.run(
            ["dnf", "-q", "-y", "--downloadonly", f"--destdir={partial}", "--disableplugin=versionlock", verb, *names],
            timeout=7200,
            check=False,
        )
        arrived = _identify(commands, sorted(Path(partial).glob("*.rpm")))
        missing = [c.key for c in changes if (c.name, c.arch, c.candidate) not in arrived]
        if done.status != 0 or missing:
            raise FleetError(
                f"The download failed ({', '.join(missing)}): {(done.stderr or done.stdout).strip()[-1000:]}",
                kind="download_failed",
                remedy="Check that the host reaches its repositories, and run again.",
            )
        return [_take(arrived[(c.name, c.arch, c.candidate or "")], c, folder) for c in changes]


def _from_cache(commands: Commands, changes: Sequence[Change], folder: Path, root: Path) -> List[PackageFile]:
    names = {f"{c.name}-{(c.candidate or '').rpartition(':')[2]}.{c.arch}.rpm" for c in changes}
    files = [path for path in sorted((root / "var/cache/dnf").glob("*/packages/*.rpm")) if path.name in names]
    found = _identify(commands, files)
    return [
        replace(_take(found[(c.name, c.arch, c.candidate or "")], c, folder, copy=True), how=How.CACHE)
        for c in changes
        if (c.name, c.arch, c.candidate or "") in found
    ]


def _identify(commands: Commands, files: Sequence[Path]) -> Dict[Tuple[str, str, str], Path]:
    """Package files by name, architecture and version; damaged ones are left out."""
    found = {}
    for path in files:
        if commands.run(["rpmkeys", "--checksig", "--nosignature", str(path)], check=False).status == 0:
            said = commands.run(["rpm", "-qp", "--nosignature", "--queryformat", _FORM, str(path)]).stdout
            name, arch, epoch, version, release = said.strip().split("\t")
            found[(name, arch, evr(epoch, version, release))] = path
    return found


def _take(source: Path, change: Change, folder: Path, copy: bool = False) -> PackageFile:
    target = folder / source.name
    if copy:
        partial = target.with_name(f".{target.name}")
        shutil.copyfile(source, partial)
        source = partial
    os.replace(source, target)
    return PackageFile(
        change.name, change.arch, change.candidate or "", target.name, digest_of(target), target.stat().st_size
    )
