# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dnf back end (dnf 4): Red Hat Enterprise Linux 8 and 9, and their kin."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages import dnf_pending, dnf_stage
from ansible_collections.bankops.fleet.plugins.module_utils._packages.backend import Backend
from ansible_collections.bankops.fleet.plugins.module_utils._packages.dnf_pending import query
from ansible_collections.bankops.fleet.plugins.module_utils._packages.dnf_read import (
    EXACT,
    read_database,
    simulate,
    specification,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import (
    UNKNOWN,
    Action,
    Change,
    PackageFile,
    Selection,
    Updates,
)

# The planned packages are on the disk, and nothing else can be pulled in. A lock of versions was obeyed at planning.
_FILES_ONLY = ("--disablerepo=*", "--disableplugin=versionlock")
_COMPLAINTS = ("Error: ", "Errors during downloading", "Failed to download metadata", "Ignoring repositories")


class Dnf(Backend):
    """dnf 4 and rpm."""

    name = "dnf"
    lock_patterns = (
        "/var/lib/rpm/.rpm.lock",
        "/usr/lib/sysimage/rpm/.rpm.lock",
        "/var/cache/dnf/*_lock.pid",
        "/var/lib/dnf/rpmdb_lock.pid",
    )
    environment: ClassVar[Mapping[str, str]] = {
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    mark_command = ("dnf", "-q", "mark", "remove")

    def refresh(self) -> Optional[str]:
        # A repository that may be skipped when it cannot be reached is a failed refresh all the same.
        done = self.commands.run(
            ["dnf", "-q", "--setopt=*.skip_if_unavailable=False", "makecache", "--refresh"], timeout=900, check=False
        )
        output = (done.stdout + done.stderr).strip()
        if done.status == 0 and not any(word in output for word in _COMPLAINTS):
            return None
        return output[-2000:] or f"dnf makecache ended with {done.status}"

    def read_updates(self, selection: Selection) -> Updates:
        return dnf_pending.read_updates(self.commands, selection, self.root)

    def is_kernel(self, name: str) -> bool:
        return dnf_pending.is_kernel(name)

    def interrupted(self) -> List[str]:
        return read_database(self.commands).duplicates()

    def heal_command(self) -> Optional[List[str]]:
        return ["dnf", "-y", *EXACT, "remove", "--duplicates"]

    def versions(self, changes: Sequence[Change]) -> Dict[str, Optional[str]]:
        database = read_database(self.commands)
        return {change.key: database.version_for(change) for change in changes}

    def broken(self, changes: Sequence[Change]) -> List[str]:
        database = read_database(self.commands)
        duplicates = {entry.split(" ", 1)[0] for entry in database.duplicates()}
        return sorted(change.key for change in changes if f"{change.name}.{change.arch}" in duplicates)

    def automatic(self) -> Set[str]:
        listing = ["dnf", "-q", "repoquery", "--userinstalled", "--qf", "%{name}:%{arch}"]
        chosen = self.commands.run(listing, timeout=300).stdout
        installed = {f"{package.name}:{package.arch}" for package in read_database(self.commands)}
        return installed - set(chosen.split())

    def mark_names(self, keys: Sequence[str]) -> List[str]:
        return [key.replace(":", ".") for key in keys]

    def download_sizes(self, changes: Sequence[Change]) -> Dict[str, int]:
        found = dnf_stage.available_candidates(self.commands, changes)
        return {key: package.download_size for key, package in found.items()}

    def download(self, changes: Sequence[Change], folder: Path) -> List[PackageFile]:
        return dnf_stage.download(self.commands, changes, folder)

    def kept_bytes(self, changes: Sequence[Change]) -> int:
        # Packages are kept compressed, and never larger than what they install.
        sizes = {f"{package.name}:{package.arch}": package.size for package in read_database(self.commands)}
        return sum(sizes.get(change.key, 0) for change in changes)

    def keep(self, changes: Sequence[Change], folder: Path) -> Tuple[List[PackageFile], List[Dict[str, str]]]:
        return dnf_stage.keep(self.commands, changes, folder, self.root)

    def read_cves(
        self,
        staged: Sequence[PackageFile],
        changes: Sequence[Change],
        folder: Path,  # noqa: ARG002 - the ids are in the advisories, not in the packages
    ) -> Dict[str, Any]:
        available = query(self.commands, changes)
        updates = dnf_pending.describe(self.commands, changes, available, read_database(self.commands))
        found = {update.name: update.cves for update in updates}
        cves = {package.name: found.get(package.name, UNKNOWN) for package in staged}
        return {name: ids if isinstance(ids, str) else list(ids) for name, ids in cves.items()}

    def simulate(self, changes: Sequence[Change], files: Optional[Sequence[str]]) -> List[Change]:
        if not changes:
            return []
        database = read_database(self.commands)
        targets = [specification(c.name, c.arch, c.candidate or "") for c in changes if c.candidate is not None]
        options = ["--disableplugin=versionlock"] if files is None else list(_FILES_ONLY)
        try:
            return simulate(self.commands, options, ["install", *(targets if files is None else files)], database)
        except FleetError as problem:
            raise FleetError(
                problem.message,
                kind="transaction_mismatch",
                remedy="The host changed since the plan was made: make a new plan.",
                data=problem.data,
            ) from problem

    def apply_command(self, changes: Sequence[Change], files: Sequence[str]) -> List[str]:
        removes = any(change.action is Action.REMOVE for change in changes)
        return ["dnf", "-y", *EXACT, *_FILES_ONLY, *(["--allowerasing"] if removes else []), "install", *files]

    def roll_back_commands(self, changes: Sequence[Change], files: Sequence[str]) -> List[List[str]]:
        commands = []
        if files:
            if all(change.action in (Action.DOWNGRADE, Action.REMOVE) for change in changes):
                commands.append(["dnf", "-y", *EXACT, *_FILES_ONLY, "downgrade", *files])
            commands.append(["rpm", "--upgrade", "--oldpackage", "--replacepkgs", *files])
        gone = [f"{c.name}-{_without_epoch(c.installed)}.{c.arch}" for c in changes if c.action is Action.REMOVE]
        if gone:
            # rpm removes exactly these, and nothing where something else came to need them.
            commands.append(["rpm", "--erase", *gone])
        return commands


def _without_epoch(version: Optional[str]) -> str:
    return (version or "").rpartition(":")[2]
