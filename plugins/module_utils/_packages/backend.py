# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a package manager must be able to do, and which ones there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import (
    Change,
    PackageFile,
    Selection,
    Updates,
)


class Backend(ABC):
    """One package manager, driven by its command lines. All verbs are written once, on top of this."""

    name: ClassVar[str]
    lock_patterns: ClassVar[Tuple[str, ...]]
    # Environment of the transaction: no questions, no service restarts behind our back.
    environment: ClassVar[Mapping[str, str]]
    # The beginning of the command that gives packages their automatic-install mark back.
    mark_command: ClassVar[Tuple[str, ...]]

    def __init__(self, commands: Commands, root: Path = Path("/")) -> None:
        self.commands = commands
        self.root = root

    @abstractmethod
    def refresh(self) -> Optional[str]:
        """Refresh the metadata; the text of the failure, or None."""

    @abstractmethod
    def read_updates(self, selection: Selection) -> Updates:
        """Pending updates and the complete transaction of the selected ones."""

    def read_planned(self, planned: Sequence[Change]) -> Optional[Updates]:  # noqa: ARG002
        """Which of the planned changes are still to be made, where that is quicker to know than what is pending.

        Nothing is resolved for it: the change itself lets the manager do that once more.
        """
        return None

    @abstractmethod
    def is_kernel(self, name: str) -> bool:
        """Whether the package holds a kernel."""

    @abstractmethod
    def interrupted(self) -> List[str]:
        """What an interrupted transaction left behind; empty when there was none."""

    @abstractmethod
    def heal_command(self) -> Optional[List[str]]:
        """The command that finishes an interrupted transaction; None where there is nothing to run."""

    @abstractmethod
    def versions(self, changes: Sequence[Change]) -> Dict[str, Optional[str]]:
        """The properly installed version of each change's package by ``name:arch``; None when there is none."""

    @abstractmethod
    def broken(self, changes: Sequence[Change]) -> List[str]:
        """Keys of the changes' packages that are neither properly installed nor absent."""

    @abstractmethod
    def automatic(self) -> Set[str]:
        """``name:arch`` of all packages that carry the automatic-install mark."""

    @abstractmethod
    def mark_names(self, keys: Sequence[str]) -> List[str]:
        """``keys`` as the mark command wants them."""

    @abstractmethod
    def download_sizes(self, changes: Sequence[Change]) -> Dict[str, int]:
        """Bytes of each candidate's file by key. Raises FleetError of kind ``candidate_gone``."""

    @abstractmethod
    def download(self, changes: Sequence[Change], folder: Path) -> List[PackageFile]:
        """Download the candidates into ``folder`` and verify them against the repository's metadata."""

    @abstractmethod
    def kept_bytes(self, changes: Sequence[Change]) -> int:
        """An upper estimate of what :meth:`keep` needs on the disk."""

    @abstractmethod
    def keep(self, changes: Sequence[Change], folder: Path) -> Tuple[List[PackageFile], List[Dict[str, str]]]:
        """Put the installed versions' files into ``folder``; returns them and ``[{"name", "why"}]`` for the rest."""

    @abstractmethod
    def read_cves(self, staged: Sequence[PackageFile], changes: Sequence[Change], folder: Path) -> Dict[str, Any]:
        """CVE ids that each staged package closes, by name: a sorted list or ``unknown``."""

    @abstractmethod
    def simulate(self, changes: Sequence[Change], files: Optional[Sequence[str]]) -> List[Change]:
        """What the manager would do to carry out ``changes`` from ``files``, or from the repositories for None."""

    @abstractmethod
    def apply_command(self, changes: Sequence[Change], files: Sequence[str]) -> List[str]:
        """The command that carries out ``changes`` from ``files``."""

    @abstractmethod
    def roll_back_commands(self, changes: Sequence[Change], files: Sequence[str]) -> List[List[str]]:
        """Commands that lead back, the gentlest first; each is tried only if those before did not do it."""
