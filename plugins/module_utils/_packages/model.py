# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of the package engine: updates, changes, selections, and what back ends hand to each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

UNKNOWN = "unknown"


class Action(str, Enum):
    """What a transaction does to one package."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    REMOVE = "remove"


class Reason(str, Enum):
    """Why the policy's selection leaves an update alone."""

    NOT_SECURITY = "not_security"
    EXCLUDED = "excluded"
    NOT_INCLUDED = "not_included"
    HELD = "held"
    TOO_YOUNG = "too_young"


class How(str, Enum):
    """Where the package file for the way back came from."""

    REPOSITORY = "repository"
    CACHE = "cache"
    REPACKED = "repacked"


@dataclass(frozen=True)
class Change:
    """One entry of a transaction."""

    name: str
    arch: str
    action: Action
    installed: Optional[str]
    candidate: Optional[str]

    @property
    def key(self) -> str:
        """``name:arch``, the key of ``before`` and ``after``."""
        return f"{self.name}:{self.arch}"

    def reversed(self) -> Change:
        """The change that leads back to the installed version."""
        opposite = {
            Action.INSTALL: Action.REMOVE,
            Action.REMOVE: Action.INSTALL,
            Action.UPGRADE: Action.DOWNGRADE,
            Action.DOWNGRADE: Action.UPGRADE,
        }
        return replace(self, action=opposite[self.action], installed=self.candidate, candidate=self.installed)

    def as_data(self) -> Dict[str, Any]:
        """The entry as docs/contracts.md writes it."""
        return {
            "name": self.name,
            "arch": self.arch,
            "action": self.action.value,
            "installed": self.installed,
            "candidate": self.candidate,
        }

    def __str__(self) -> str:
        return f"{self.action.value} {self.key} {self.installed or '(none)'} -> {self.candidate or '(none)'}"


def read_transaction(entries: Sequence[Mapping[str, Any]]) -> List[Change]:
    """The transaction of a plan, checked and sorted. Raises FleetError of kind ``bad_transaction``."""
    changes: Dict[str, Change] = {}
    for entry in entries:
        try:
            change = Change(
                name=str(entry["name"]),
                arch=str(entry["arch"]),
                action=Action(entry["action"]),
                installed=entry["installed"],
                candidate=entry["candidate"],
            )
        except (KeyError, ValueError) as wrong:
            raise _bad_transaction(f"The entry {dict(entry)} is malformed ({wrong}).") from wrong
        if (change.installed is None) != (change.action is Action.INSTALL):
            raise _bad_transaction(f"{change} contradicts itself: only an install has no installed version.")
        if (change.candidate is None) != (change.action is Action.REMOVE):
            raise _bad_transaction(f"{change} contradicts itself: only a removal has no candidate.")
        # What is passed to a package manager must be unable to look like an option or a path.
        for word in (change.name, change.arch, change.installed or "0", change.candidate or "0"):
            if not word or word[0] in "-./" or any(letter.isspace() or letter == "/" for letter in word):
                raise _bad_transaction(f"{change} holds {word!r}, which is no name or version of a package.")
        if change.key in changes:
            raise _bad_transaction(f"{change.key} appears twice.")
        changes[change.key] = change
    return sorted_changes(changes.values())


def sorted_changes(changes: Any) -> List[Change]:
    """The order of a transaction: name, then arch."""
    return sorted(changes, key=lambda change: (change.name, change.arch))


def _bad_transaction(message: str) -> FleetError:
    return FleetError(message, kind="bad_transaction", remedy="Make a new plan.")


@dataclass(frozen=True)
class Update:
    """A pending update as docs/contracts.md has it."""

    name: str
    arch: str
    source: str
    installed: Optional[str]
    candidate: str
    origin: str
    is_security: bool
    severity: str
    advisories: Tuple[str, ...]
    cves: Union[Tuple[str, ...], str]
    is_kernel: bool
    selected: bool = False
    reason: Optional[Reason] = None

    @property
    def key(self) -> str:
        """``name:arch``."""
        return f"{self.name}:{self.arch}"

    def as_data(self) -> Dict[str, Any]:
        """The update as docs/contracts.md writes it."""
        return {
            "name": self.name,
            "arch": self.arch,
            "source": self.source,
            "installed": self.installed,
            "candidate": self.candidate,
            "origin": self.origin,
            "is_security": self.is_security,
            "severity": self.severity,
            "advisories": list(self.advisories),
            "cves": self.cves if isinstance(self.cves, str) else list(self.cves),
            "is_kernel": self.is_kernel,
            "selected": self.selected,
            "reason": self.reason.value if self.reason else None,
        }


@dataclass(frozen=True)
class Selection:
    """Which updates the policy takes (docs/contracts.md, "A selection")."""

    classes: str = "all"
    include: Tuple[str, ...] = ()
    exclude: Tuple[str, ...] = ()
    held: Tuple[str, ...] = ()
    aged: Optional[Tuple[str, ...]] = None

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Selection:
        """Raises FleetError of kind ``bad_selection`` for an unknown key or class."""
        unknown = sorted(set(data) - {"classes", "include", "exclude", "held", "aged"})
        classes = data.get("classes", "all")
        if unknown or classes not in ("security", "all"):
            raise FleetError(
                f"The selection is malformed: {'unknown keys ' + ', '.join(unknown) if unknown else classes!r}.",
                kind="bad_selection",
                remedy="Its keys are classes (security or all), include, exclude, held and aged.",
            )
        aged = data.get("aged")
        return cls(
            classes=str(classes),
            include=tuple(data.get("include") or ()),
            exclude=tuple(data.get("exclude") or ()),
            held=tuple(data.get("held") or ()),
            aged=None if aged is None else tuple(aged),
        )


@dataclass(frozen=True)
class PackageFile:
    """A package file in ``staged/`` or ``kept/``; ``file`` is its base name, ``size`` in bytes."""

    name: str
    arch: str
    version: str
    file: str
    sha256: str
    size: int
    how: Optional[How] = None

    @property
    def key(self) -> str:
        """``name:arch``."""
        return f"{self.name}:{self.arch}"

    def as_data(self) -> Dict[str, Any]:
        """The entry of ``staged`` or ``kept`` as docs/contracts.md writes it."""
        data: Dict[str, Any] = {
            "name": self.name,
            "arch": self.arch,
            "version": self.version,
            "file": self.file,
            "sha256": self.sha256,
            "size": self.size,
        }
        if self.how is not None:
            data["how"] = self.how.value
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> PackageFile:
        """The inverse of :meth:`as_data`."""
        return cls(
            name=data["name"],
            arch=data["arch"],
            version=data["version"],
            file=data["file"],
            sha256=data["sha256"],
            size=data["size"],
            how=How(data["how"]) if "how" in data else None,
        )


@dataclass(frozen=True)
class Updates:
    """What a back end reads: pending updates, the selected ones' transaction, holds, and sizes in bytes."""

    pending: List[Update]
    transaction: List[Change]
    held: List[Tuple[str, str]]
    download_bytes: int
    disk_bytes: int
