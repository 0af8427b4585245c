# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what rpm and dnf say: installed packages, transactions, advisories."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands, Completed
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages import rpm_version
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import Action, Change, sorted_changes

# dnf would remove the oldest kernel for a new one; the way back needs it, and the plan did not ask for it.
EXACT = (
    "--setopt=installonly_limit=0",
    "--setopt=install_weak_deps=False",
    "--setopt=clean_requirements_on_remove=False",
)
_RPM_FORM = "%{NAME}\\t%{ARCH}\\t%{EPOCHNUM}\\t%{VERSION}\\t%{RELEASE}\\t%{SOURCERPM}\\t%{SIZE}\\n"
_SECTIONS = {
    "Installing": Action.INSTALL,
    "Upgrading": Action.UPGRADE,
    "Downgrading": Action.DOWNGRADE,
    "Removing": Action.REMOVE,
}
_COUNTS = re.compile(r"^(Install|Upgrade|Downgrade|Remove) +(\d+) Packages?$")
_REPLACING = re.compile(r"^ {2,}replacing +(\S+)\.([^. ]+) (\S+)$")
_ADVISORY = re.compile(r"^(?P<id>\S+) +(?P<severity>\S+) +(?P<package>\S+)$")
# Packages that may be installed in several versions at once.
_SEVERAL = re.compile(r"^(kernel|kmod-|gpg-pubkey)")


@dataclass(frozen=True)
class Rpm:
    """One installed rpm package; ``size`` in bytes."""

    name: str
    arch: str
    version: str
    source: str
    size: int


class Database:
    """The rpm database as one command gave it."""

    def __init__(self, packages: Sequence[Rpm]) -> None:
        self._packages: Dict[Tuple[str, str], List[Rpm]] = {}
        for package in packages:
            self._packages.setdefault((package.name, package.arch), []).append(package)

    def __iter__(self) -> Iterator[Rpm]:
        return (package for packages in self._packages.values() for package in packages)

    def versions(self, name: str, arch: str) -> List[str]:
        """The installed versions, oldest first."""
        return sorted((rpm.version for rpm in self._packages.get((name, arch), [])), key=rpm_version.sort_key)

    def version_for(self, change: Change) -> Optional[str]:
        """The version that says how far ``change`` is. Of kernels, installed side by side, only its own count."""
        versions = self.versions(change.name, change.arch)
        for wanted in (change.candidate, change.installed):
            if wanted in versions:
                return wanted
        side_by_side = change.installed is None or change.candidate is None
        return versions[-1] if versions and not (side_by_side and _SEVERAL.match(change.name)) else None

    def duplicates(self) -> List[str]:
        """Packages that are installed twice and may not: what an interrupted transaction leaves behind."""
        return [
            f"{name}.{arch} is installed as {' and '.join(self.versions(name, arch))}"
            for (name, arch), packages in sorted(self._packages.items())
            if len(packages) > 1 and not _SEVERAL.match(name)
        ]


def read_database(commands: Commands) -> Database:
    """All installed rpm packages."""
    packages = []
    for line in commands.run(["rpm", "-qa", "--queryformat", _RPM_FORM]).stdout.splitlines():
        name, arch, epoch, version, release, source, size = line.split("\t")
        packages.append(Rpm(name, arch, evr(epoch, version, release), source_name(source), int(size)))
    return Database(packages)


def evr(epoch: str, version: str, release: str) -> str:
    """``[epoch:]version-release`` as dnf writes it: without an epoch of zero."""
    return f"{version}-{release}" if epoch in ("0", "", "(none)") else f"{epoch}:{version}-{release}"


def source_name(source: str) -> str:
    """The name in a source package's file name, or ``unknown``."""
    return source.rsplit("-", 2)[0] if source.count("-") >= 2 else "unknown"


def specification(name: str, arch: str, version: str) -> str:
    """What names exactly one package on dnf's command line; the epoch is always written."""
    return f"{name}-{version if ':' in version else '0:' + version}.{arch}"


def simulate(commands: Commands, options: Sequence[str], verb: Sequence[str], database: Database) -> List[Change]:
    """What dnf would do. Raises FleetError of kind ``simulation_failed``."""
    done = commands.run(["dnf", "--assumeno", *EXACT, *options, *verb], timeout=900, check=False)
    said = (done.stdout + done.stderr).splitlines()
    unmatched = any(line.startswith(("No match for", "Unable to find a match")) for line in said)
    if "Nothing to do." in done.stdout and done.status == 0 and not unmatched:
        return []
    if "Transaction Summary" not in done.stdout or unmatched:
        raise simulation_failed(done)
    changes = parse_transaction(done.stdout, database)
    counted = dict.fromkeys(("Install", "Upgrade", "Downgrade", "Remove"), 0)
    for line in done.stdout.splitlines():
        found = _COUNTS.match(line)
        if found:
            counted[found[1]] += int(found[2])
    replaced = sum(1 for line in done.stdout.splitlines() if _REPLACING.match(line))
    # The table is made for people; if it was misread, dnf's own count differs.
    if sum(counted.values()) + replaced != len(changes):
        raise simulation_failed(done)
    return changes


def simulation_failed(done: Completed) -> FleetError:
    """dnf's own words about a transaction that cannot be."""
    said = (done.stdout + done.stderr).strip()
    return FleetError(
        f"dnf could not make up the transaction: {said[-1500:]}",
        kind="simulation_failed",
        remedy="Run the same dnf command with --assumeno on the host.",
        data={"output": said[-4000:]},
    )


def parse_transaction(text: str, database: Database) -> List[Change]:
    """The transaction in the table of ``dnf --assumeno``. Long names push the rest of their row to the next line."""
    changes: Dict[str, Change] = {}
    action: Optional[Action] = None
    row: List[str] = []
    for line in text.partition("Transaction Summary")[0].splitlines():
        if line.endswith(":") and not line.startswith(" "):
            action, row = _SECTIONS.get(line.split()[0].rstrip(":")), []
            continue
        replaced = _REPLACING.match(line)
        if replaced:
            change = Change(replaced[1], replaced[2], Action.REMOVE, replaced[3], None)
            changes[change.key] = change
            continue
        if action is None or not line.startswith(" "):
            continue
        row = line.split() if not line.startswith("  ") else row + line.split()
        # name, architecture, version, repository, size and its unit
        if len(row) >= 5:
            change = _change(row, action, database)
            changes[change.key] = change
            row = []
    return sorted_changes(changes.values())


def _change(row: List[str], action: Action, database: Database) -> Change:
    name, arch, version = row[:3]
    if action is Action.REMOVE:
        return Change(name, arch, action, version, None)
    if action is Action.INSTALL:
        return Change(name, arch, action, None, version)
    others = [installed for installed in database.versions(name, arch) if installed != version]
    return Change(name, arch, action, others[-1] if others else None, version)


@dataclass(frozen=True)
class Advisory:
    """One line of ``dnf updateinfo list``: an advisory (or a CVE of one) for one version of a package."""

    identifier: str
    severity: str
    is_security: bool
    package: str

    def closes(self, name: str, arch: str, installed: Optional[str], candidate: str) -> bool:
        """Whether going from ``installed`` to ``candidate`` brings the advisory's version, or passes it."""
        rest, _dot, own_arch = self.package.rpartition(".")
        parts = rest.rsplit("-", 2)
        if own_arch != arch or len(parts) != 3 or parts[0] != name:
            return False
        version = f"{parts[1]}-{parts[2]}"
        if ":" not in version and ":" in candidate:
            version = f"{candidate.partition(':')[0]}:{version}"
        if rpm_version.compare(version, candidate) > 0:
            return False
        if installed is None:
            return rpm_version.compare(version, candidate) == 0
        return rpm_version.compare(version, installed) > 0


def parse_advisories(text: str) -> List[Advisory]:
    """The lines of ``dnf updateinfo list``."""
    advisories = []
    for line in text.splitlines():
        found = _ADVISORY.match(line.strip())
        if found:
            severity, slash, kind = found["severity"].partition("/")
            is_security = kind.startswith("Sec") if slash else severity == "security"
            level = severity.lower() if slash else "unknown"
            advisories.append(Advisory(found["id"], level, is_security, found["package"]))
    return advisories
