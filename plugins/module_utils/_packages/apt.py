# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The apt back end: Debian, Ubuntu and their kin."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages import apt_pending, apt_stage
from ansible_collections.bankops.fleet.plugins.module_utils._packages.apt_read import parse_simulation, read_database
from ansible_collections.bankops.fleet.plugins.module_utils._packages.backend import Backend
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import (
    Action,
    Change,
    PackageFile,
    Selection,
    Updates,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.report import compare_transactions

# With no source configured apt knows the installed packages and the files it is given, and nothing else: it can neither
# download nor pull in anything that is not staged, and need not read the repositories' indices, which takes seconds.
_NO_SOURCES = (
    "-o",
    "Dir::Etc::SourceList=/dev/null",
    "-o",
    "Dir::Etc::SourceParts=/dev/null",
    "-o",
    "Dir::Cache::pkgcache=",
    "-o",
    "Dir::Cache::srcpkgcache=",
)
# The staging folder is root's alone, so apt's own user could not read it.
_AS_ROOT = ("-o", "APT::Sandbox::User=root")
_EXACT = ("--no-install-recommends", "-o", "APT::Get::AutomaticRemove=false")
# Locks were waited for before the start; this covers who takes them in between.
_LOCK_SECONDS = 300
_KEEP_CONFIGURATION = ("--force-confdef", "--force-confold")


class Apt(Backend):
    """apt-get, apt-cache, apt-mark and dpkg."""

    name = "apt"
    lock_patterns = (
        "/var/lib/dpkg/lock-frontend",
        "/var/lib/dpkg/lock",
        "/var/lib/apt/lists/lock",
        "/var/cache/apt/archives/lock",
    )
    environment: ClassVar[Mapping[str, str]] = {
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
        "NEEDRESTART_MODE": "l",
        "NEEDRESTART_SUSPEND": "1",
        "UCF_FORCE_CONFFOLD": "1",
        "APT_LISTCHANGES_FRONTEND": "none",
        "LC_ALL": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    mark_command = ("apt-mark", *_NO_SOURCES, "auto")

    def refresh(self) -> Optional[str]:
        done = self.commands.run(
            ["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"], timeout=600, check=False
        )
        output = done.stdout + done.stderr
        # Older versions of apt know no Error-Mode and end with success although an index could not be fetched.
        complaints = [
            line
            for line in output.splitlines()
            if line.startswith(("Err:", "E: ", "W: Failed to fetch", "W: Some index files failed"))
        ]
        if done.status == 0 and not complaints:
            return None
        return "\n".join(complaints)[-2000:] or output.strip()[-2000:] or f"apt-get update ended with {done.status}"

    def read_updates(self, selection: Selection) -> Updates:
        return apt_pending.read_updates(self.commands, selection, self.root)

    def read_planned(self, planned: Sequence[Change]) -> Updates:
        return apt_pending.read_planned(self.commands, planned)

    def is_kernel(self, name: str) -> bool:
        return apt_pending.is_kernel(name)

    def interrupted(self) -> List[str]:
        details = [
            line.strip()
            for line in self.commands.run(["dpkg", "--audit"], check=False).stdout.splitlines()
            if line.startswith(" ")
        ]
        journal = self.root / "var/lib/dpkg/updates"
        pending = sorted(entry.name for entry in journal.glob("[0-9]*")) if journal.is_dir() else []
        if pending:
            details.append(f"dpkg's journal holds {len(pending)} entries that were not merged")
        return details

    def heal_command(self) -> Optional[List[str]]:
        return ["dpkg", *_KEEP_CONFIGURATION, "--configure", "-a"]

    def versions(self, changes: Sequence[Change]) -> Dict[str, Optional[str]]:
        database = read_database(self.commands)
        found = {change.key: database.find(change.name, change.arch) for change in changes}
        return {key: entry.version if entry and entry.is_installed else None for key, entry in found.items()}

    def broken(self, changes: Sequence[Change]) -> List[str]:
        database = read_database(self.commands)
        found = {change.key: database.find(change.name, change.arch) for change in changes}
        return sorted(key for key, entry in found.items() if entry and entry.is_broken)

    def automatic(self) -> Set[str]:
        database = read_database(self.commands)
        keys = set()
        for word in self.commands.run(["apt-mark", *_NO_SOURCES, "showauto"]).stdout.split():
            name, colon, _arch = word.partition(":")
            keys.add(word if colon else f"{name}:{database.installed_arch(name)}")
        return keys

    def mark_names(self, keys: Sequence[str]) -> List[str]:
        return list(keys)

    def download_sizes(self, changes: Sequence[Change]) -> Dict[str, int]:
        return apt_stage.download_sizes(self.commands, changes)

    def download(self, changes: Sequence[Change], folder: Path) -> List[PackageFile]:
        return apt_stage.download(self.commands, changes, folder)

    def kept_bytes(self, changes: Sequence[Change]) -> int:
        return apt_stage.kept_bytes(self.commands, changes)

    def keep(self, changes: Sequence[Change], folder: Path) -> Tuple[List[PackageFile], List[Dict[str, str]]]:
        return apt_stage.keep(self.commands, changes, folder, self.root)

    def read_cves(self, staged: Sequence[PackageFile], changes: Sequence[Change], folder: Path) -> Dict[str, Any]:
        return apt_stage.read_cves(self.commands, staged, changes, folder)

    def simulate(self, changes: Sequence[Change], files: Optional[Sequence[str]]) -> List[Change]:
        if not changes:
            return []
        if files is None:
            targets = [f"{c.key}={c.candidate}" for c in changes if c.action is not Action.REMOVE]
            argv = ["apt-get", "--simulate", *_EXACT, *_downgrades(changes), "install", *targets, *_removals(changes)]
        else:
            # With --yes the simulation refuses what the change would refuse: holds, and essential packages.
            argv = [*self._install(changes), "--yes", "--simulate", "install", *files, *_removals(changes)]
        done = self.commands.run(argv, env=dict(self.environment), check=False)
        if done.status != 0:
            raise FleetError(
                f"apt cannot carry out the planned transaction: {(done.stderr or done.stdout).strip()[-2000:]}",
                kind="transaction_mismatch",
                remedy="The host changed since the plan was made: make a new plan.",
                data={"output": (done.stdout + done.stderr)[-4000:]},
            )
        return parse_simulation(done.stdout, read_database(self.commands))

    def apply_command(self, changes: Sequence[Change], files: Sequence[str]) -> List[str]:
        options = ["--yes", "-q", "-o", "Dpkg::Use-Pty=0", "-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}"]
        for option in _KEEP_CONFIGURATION:
            options += ["-o", f"Dpkg::Options::={option}"]
        if not _removals(changes):
            options.append("--no-remove")
        return [*self._install(changes), *options, "install", *files, *_removals(changes)]

    def roll_back_commands(self, changes: Sequence[Change], files: Sequence[str]) -> List[List[str]]:
        commands = []
        if self._would_do_exactly(changes, files):
            commands.append(self.apply_command(changes, files))
        # apt may refuse where packages are left half-installed or were held since; dpkg itself does not.
        if files:
            commands.append(
                ["dpkg", *_KEEP_CONFIGURATION, "--force-downgrade", "--auto-deconfigure", "--install", *files]
            )
        gone = [change.key for change in changes if change.action is Action.REMOVE]
        if gone:
            commands.append(["dpkg", "--force-remove-reinstreq", "--remove", *gone])
        return commands

    def _would_do_exactly(self, changes: Sequence[Change], files: Sequence[str]) -> bool:
        try:
            return not compare_transactions(changes, self.simulate(changes, files))
        except FleetError:
            return False

    @staticmethod
    def _install(changes: Sequence[Change]) -> List[str]:
        return ["apt-get", *_NO_SOURCES, *_AS_ROOT, *_EXACT, *_downgrades(changes)]


def _downgrades(changes: Sequence[Change]) -> List[str]:
    return ["--allow-downgrades"] if any(change.action is Action.DOWNGRADE for change in changes) else []


def _removals(changes: Sequence[Change]) -> List[str]:
    return [f"{change.key}-" for change in changes if change.action is Action.REMOVE]
