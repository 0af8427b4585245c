# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what dpkg and apt say: installed packages, version tables, records and simulations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._packages import debian_version
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import Action, Change, sorted_changes

_FIELDS = (
    "Package",
    "Architecture",
    "Version",
    "db:Status-Want",
    "db:Status-Status",
    "source:Package",
    "source:Version",
    "Installed-Size",
)
_INSTALL = re.compile(r"^Inst (?P<name>[^ :]+)\S* (?:\[(?P<old>[^\]]+)\] )?\((?P<new>\S+) .*?\[(?P<arch>[^\]]+)\]\)")
_REMOVE = re.compile(r"^(?:Remv|Purg) (?P<name>[^ :]+)(?::(?P<arch>\S+))? \[(?P<old>[^\]]+)\]")
_VERSION_LINE = re.compile(r"^ (?:\*\*\*|   ) (\S+) ")
_SOURCE_LINE = re.compile(r"^ {6,}-?\d+ (\S.*)$")
_FILE_LINE = re.compile(r"^ *-?\d+ (\S.*)$")


@dataclass(frozen=True)
class Installed:
    """One package in dpkg's database; ``size`` is in bytes."""

    name: str
    arch: str
    version: str
    want: str
    status: str
    source: str
    source_version: str
    size: int

    @property
    def is_installed(self) -> bool:
        """Whether it is unpacked and configured."""
        return self.status == "installed"

    @property
    def is_broken(self) -> bool:
        """Whether dpkg stopped on the way."""
        return self.status not in ("installed", "config-files", "not-installed")


class Database:
    """dpkg's database as one command gave it."""

    def __init__(self, packages: Iterable[Installed]) -> None:
        self._by_name: Dict[str, Dict[str, Installed]] = {}
        for package in packages:
            self._by_name.setdefault(package.name, {})[package.arch] = package
        own = self._by_name.get("dpkg", {})
        self.native = next(iter(own), "all")

    def __iter__(self) -> Iterator[Installed]:
        return (package for archs in self._by_name.values() for package in archs.values())

    def find(self, name: str, arch: str) -> Optional[Installed]:
        """The entry of ``name:arch``. A package may turn from ``all`` to the host's own architecture or back."""
        archs = self._by_name.get(name, {})
        if arch in archs:
            return archs[arch]
        twin = {"all": self.native, self.native: "all"}.get(arch)
        return archs.get(twin) if twin else None

    def installed_arch(self, name: str) -> str:
        """The architecture of the package that apt prints without one."""
        archs = self._by_name.get(name, {})
        return next((arch for arch in (self.native, "all") if arch in archs), self.native)


def read_database(commands: Commands) -> Database:
    """All packages that dpkg knows."""
    form = "\\t".join(f"${{{field}}}" for field in _FIELDS) + "\\n"
    packages = []
    for line in commands.run(["dpkg-query", "-W", "-f", form]).stdout.splitlines():
        name, arch, version, want, status, source, source_version, size = line.split("\t")
        packages.append(
            Installed(name, arch, version, want, status, source, source_version, int(size or 0) * 1024),
        )
    return Database(packages)


def parse_simulation(text: str, database: Database) -> List[Change]:
    """The transaction in the output of ``apt-get --simulate``."""
    changes: Dict[str, Change] = {}
    for line in text.splitlines():
        removal = _REMOVE.match(line)
        if removal:
            arch = removal["arch"] or database.installed_arch(removal["name"])
            change = Change(removal["name"], arch, Action.REMOVE, removal["old"], None)
            changes[change.key] = change
            continue
        found = _INSTALL.match(line)
        if found:
            old, new = found["old"], found["new"]
            if old is None:
                action = Action.INSTALL
            else:
                action = Action.DOWNGRADE if debian_version.compare(new, old) < 0 else Action.UPGRADE
            change = Change(found["name"], found["arch"], action, old, new)
            changes[change.key] = change
    return sorted_changes(changes.values())


@dataclass(frozen=True)
class Release:
    """Where a package file comes from, as ``apt-cache policy`` describes it."""

    origin: str
    label: str
    archive: str
    codename: str
    site: str

    @property
    def is_security(self) -> bool:
        """Debian-Security, a ``-security`` suite or pocket, or Ubuntu's ESM."""
        return (
            self.label == "Debian-Security"
            or self.archive.endswith("-security")
            or self.codename.endswith("-security")
            or self.origin.startswith("UbuntuESM")
        )

    def __str__(self) -> str:
        suite = self.codename or self.archive
        # Ubuntu's codename is the same in every pocket, the archive tells the pocket.
        if self.archive.startswith(f"{self.codename}-"):
            suite = self.archive
        return f"{self.origin or self.site}:{suite}" if suite else (self.origin or self.site)


def parse_releases(text: str) -> Dict[str, Release]:
    """Releases by the description of their package file, from ``apt-cache policy`` without arguments."""
    releases: Dict[str, Release] = {}
    description = ""
    for line in text.partition("Pinned packages:")[0].splitlines():
        stripped = line.strip()
        if stripped.startswith("release "):
            fields = dict(part.split("=", 1) for part in stripped[8:].split(",") if "=" in part)
            releases[description] = Release(
                origin=fields.get("o", ""),
                label=fields.get("l", ""),
                archive=fields.get("a", ""),
                codename=fields.get("n", ""),
                site=description.partition(" ")[0],
            )
            continue
        found = _FILE_LINE.match(line)
        if found:
            description = found[1]
    return releases


def parse_policy(text: str) -> Dict[str, List[Tuple[str, List[str]]]]:
    """Version tables ``{name as asked: [(version, [package file])]}`` from ``apt-cache policy <names>``."""
    tables: Dict[str, List[Tuple[str, List[str]]]] = {}
    table: List[Tuple[str, List[str]]] = []
    for line in text.splitlines():
        if line and not line.startswith(" ") and line.endswith(":"):
            table = tables.setdefault(line[:-1], [])
            continue
        version = _VERSION_LINE.match(line)
        if version:
            table.append((version[1], []))
            continue
        source = _SOURCE_LINE.match(line)
        if source and table:
            table[-1][1].append(source[1])
    return tables


def parse_candidates(text: str) -> Dict[str, Optional[str]]:
    """``{name as asked: candidate}`` from ``apt-cache policy <names>``; None where there is none."""
    candidates: Dict[str, Optional[str]] = {}
    name = ""
    for line in text.splitlines():
        if line and not line.startswith(" ") and line.endswith(":"):
            name = line[:-1]
        elif line.startswith("  Candidate: "):
            version = line.partition(": ")[2].strip()
            candidates[name] = None if version == "(none)" else version
    return candidates


def read_records(
    commands: Commands, wanted: Sequence[Tuple[str, str, str]]
) -> Dict[Tuple[str, str, str], Dict[str, str]]:
    """Repository records by ``(name, arch, version)``; what no repository has (any more) is missing."""
    if not wanted:
        return {}
    arguments = [f"{name}:{arch}={version}" for name, arch, version in wanted]
    text = commands.run(["apt-cache", "show", *arguments], check=False).stdout
    records = {}
    for paragraph in text.split("\n\n"):
        fields = parse_paragraph(paragraph)
        # A record without a file name is dpkg's own status entry.
        if "Filename" in fields:
            records[(fields["Package"], fields["Architecture"], fields["Version"])] = fields
    return records


def parse_paragraph(text: str) -> Dict[str, str]:
    """One paragraph of a control file; continuation lines stay as they are."""
    fields: Dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            if name:
                fields[name] += f"\n{line}"
        elif ":" in line:
            name, _colon, value = line.partition(":")
            fields[name] = value.strip()
    return fields
