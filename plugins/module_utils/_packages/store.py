# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan's folder on the host: staged and kept packages, the manifest, and the runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.locks import UNIT_PREFIX
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import PackageFile

BASE = "var/lib/bankops-fleet"
# Packages of a plan stay this long after staging, for a late rollback; then the next staging removes them.
RETENTION_DAYS = 90


@dataclass(frozen=True)
class Run:
    """One folder of a change, and the name of the unit that works in it."""

    folder: Path
    unit: str


@dataclass(frozen=True)
class Store:
    """``/var/lib/bankops-fleet/<first 16 characters of the plan's digest>/``."""

    folder: Path
    plan: str

    @classmethod
    def of(cls, plan: str, root: Path = Path("/")) -> Store:
        """The plan's store. Raises FleetError of kind ``bad_plan`` for what is no SHA-256."""
        if not re.fullmatch(r"[0-9a-f]{64}", plan):
            raise FleetError(
                f"{plan!r} is no plan's digest.", kind="bad_plan", remedy="Give the 64 hexadecimal digits of the plan."
            )
        return cls(root / BASE / plan[:16], plan)

    @property
    def staged(self) -> Path:
        """Where the planned packages lie."""
        return self.folder / "staged"

    @property
    def kept(self) -> Path:
        """Where the packages for the way back lie."""
        return self.folder / "kept"

    def create(self) -> None:
        """Make the folders, for root alone."""
        for folder in (self.folder.parent, self.folder, self.staged, self.kept):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    def forget_others(self, now: float) -> None:
        """Remove the packages of other plans that were staged more than ``RETENTION_DAYS`` before ``now``.

        What ran stays: it is small, and explains what happened to the host.
        """
        for manifest in self.folder.parent.glob("*/manifest.json"):
            other = manifest.parent
            if other != self.folder and now - manifest.stat().st_mtime > RETENTION_DAYS * 86400:
                manifest.unlink()
                for packages in (other / "staged", other / "kept"):
                    shutil.rmtree(str(packages), ignore_errors=True)

    def run(self, name: str) -> Run:
        """The run ``apply``, ``rollback`` or ``heal``."""
        return Run(self.folder / name, f"{UNIT_PREFIX}{self.plan[:16]}-{name}.service")

    def read_manifest(self) -> Optional[Dict[str, Any]]:
        """What staging wrote, or None. Raises FleetError of kind ``bad_plan`` when it belongs to another plan."""
        manifest = read_json(self.folder / "manifest.json")
        if manifest is not None and manifest.get("plan") != self.plan:
            raise FleetError(
                f"{self.folder} belongs to the plan {manifest.get('plan')}.",
                kind="bad_plan",
                remedy="Remove the folder, and stage again.",
            )
        return manifest

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest at once."""
        write_json(self.folder / "manifest.json", manifest)

    def files(self, part: str) -> Dict[str, PackageFile]:
        """The manifest's ``staged`` or ``kept`` files by ``name:arch``."""
        manifest = self.read_manifest() or {}
        found = (PackageFile.from_data(entry) for entry in manifest.get(part, []))
        return {package.key: package for package in found}


def verified_paths(folder: Path, packages: Sequence[PackageFile]) -> List[str]:
    """The packages' absolute paths. Raises FleetError of kind ``checksum_mismatch`` for one that was altered."""
    for package in packages:
        path = folder / package.file
        found = digest_of(path) if path.is_file() else "nothing"
        if found != package.sha256:
            raise FleetError(
                f"{path} has the SHA-256 {found}, but {package.sha256} was staged.",
                kind="checksum_mismatch",
                remedy="Find out who changed it, remove it, and stage again.",
            )
    return [str(folder / package.file) for package in packages]


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def read_json(path: Path) -> Optional[Dict[str, Any]]:
    """The object in a file, or None when there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    data: Dict[str, Any] = json.loads(text)
    return data


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a file that is there whole, or not at all, also after a power failure."""
    partial = path.with_name(f".{path.name}.new")
    with open(partial, "w", encoding="utf-8") as stream:
        json.dump(data, stream, sort_keys=True, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, path)


def archive(folder: Path) -> None:
    """Move an earlier run's folder aside, keeping it for whoever has to explain it: ``apply.1``, ``apply.2`` …"""
    number = 1
    while folder.with_name(f"{folder.name}.{number}").exists():
        number += 1
    shutil.move(str(folder), str(folder.with_name(f"{folder.name}.{number}")))
