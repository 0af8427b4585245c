# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Staging: everything that a change and its way back need, on the host before the window."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.backend import Backend
from ansible_collections.bankops.fleet.plugins.module_utils._packages.locks import SYSTEM_CLOCK, Clock
from ansible_collections.bankops.fleet.plugins.module_utils._packages.managers import require_backend
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import (
    Action,
    Change,
    PackageFile,
    read_transaction,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.store import Store, digest_of

MEGABYTE = 1 << 20
_NOTES = {
    Action.INSTALL: "Configuration and data that new packages created stay when the packages are removed again.",
    Action.UPGRADE: "What maintainer scripts did to data outside the packages (database migrations) is not undone.",
    Action.REMOVE: "Data that a removed package's scripts deleted does not come back with the package.",
    Action.DOWNGRADE: "What maintainer scripts did to data outside the packages (database migrations) is not undone.",
}


def stage(
    commands: Commands,
    *,
    plan: str,
    transaction: Sequence[Mapping[str, Any]],
    manager: str = "auto",
    keep: bool = True,
    minimum_free: int = 256,
    check_mode: bool = False,
    root: Path = Path("/"),
    clock: Clock = SYSTEM_CLOCK,
) -> Dict[str, Any]:
    """Download and verify what the plan names, and keep the installed versions (docs/contracts.md, ``updates_stage``).

    ``minimum_free`` is in MB. What is already there is not fetched again. In check mode only looks. Raises FleetError
    of kind ``bad_plan``, ``bad_transaction``, ``manager_missing``, ``candidate_gone``, ``disk_full``,
    ``download_failed`` or ``checksum_mismatch``; what was staged before stays as it was then.
    """
    started = clock.now()
    changes = read_transaction(transaction)
    backend = require_backend(commands, manager, root)
    store = Store.of(plan, root)
    manifest = store.read_manifest() or {}
    staged = _present(store, "staged", {c.key: c.candidate for c in changes})
    kept = _present(store, "kept", {c.key: c.installed for c in changes})
    to_download = [c for c in changes if c.candidate is not None and c.key not in staged]
    to_keep = [c for c in changes if keep and c.installed is not None and c.key not in kept]
    sizes = backend.download_sizes(to_download) if to_download else {}
    _require_space(store, sum(sizes.values()) + (backend.kept_bytes(to_keep) if to_keep else 0), minimum_free)
    cannot: List[Dict[str, str]] = []
    cves: Dict[str, Any] = dict(manifest.get("cves", {}))
    if not check_mode:
        store.create()
        _sweep(store)
        store.forget_others(time.time())
        if to_download:
            staged.update({package.key: package for package in backend.download(to_download, store.staged)})
            cves = backend.read_cves(_ordered(staged), changes, store.staged)
        if to_keep:
            found, cannot = backend.keep(to_keep, store.kept)
            kept.update({package.key: package for package in found})
    if not keep:
        cannot = [
            {"name": c.name, "why": "keeping the installed versions was not asked for"}
            for c in changes
            if c.installed is not None and c.key not in kept
        ]
    result: Dict[str, Any] = {
        "staged": [package.as_data() for package in _ordered(staged)],
        "kept": [package.as_data() for package in _ordered(kept)],
        "cves": cves,
        "rollback": {"possible": not cannot, "cannot": cannot, "notes": _notes(changes, backend)},
    }
    fresh = {"plan": plan, "manager": backend.name, "transaction": [c.as_data() for c in changes], **result}
    if not check_mode and manifest != fresh:
        store.write_manifest(fresh)
    return {
        "changed": bool(to_download) or bool({c.key for c in to_keep} & set(kept)) or (check_mode and bool(to_keep)),
        **result,
        "would_download": [
            {"name": c.name, "arch": c.arch, "version": c.candidate, "size": sizes[c.key]} for c in to_download
        ]
        if check_mode
        else [],
        "bytes": sum(sizes.values()),
        "seconds": round(clock.now() - started, 1),
    }


def _present(store: Store, part: str, versions: Mapping[str, Any]) -> Dict[str, PackageFile]:
    """What an earlier staging left whole, of the versions that are wanted."""
    folder = store.folder / part
    return {
        key: package
        for key, package in store.files(part).items()
        if versions.get(key) == package.version
        and (folder / package.file).is_file()
        and digest_of(folder / package.file) == package.sha256
    }


def _require_space(store: Store, needed: int, minimum_free: int) -> None:
    folder = next(path for path in (store.folder, *store.folder.parents) if path.is_dir())
    free = shutil.disk_usage(str(folder)).free
    wanted = needed + minimum_free * MEGABYTE
    if needed and free < wanted:
        raise FleetError(
            f"Staging needs {needed // MEGABYTE + 1} MB and leaves {minimum_free} MB free, "
            f"but {folder} has {free // MEGABYTE} MB free.",
            kind="disk_full",
            remedy="Make room (old kernels, package caches, logs), and stage again.",
            data={"needed_bytes": needed, "minimum_free_bytes": minimum_free * MEGABYTE, "free_bytes": free},
        )


def _sweep(store: Store) -> None:
    """Remove what a killed staging left half-done."""
    for folder in (store.staged, store.kept):
        for leftover in folder.glob(".*"):
            if leftover.is_dir():
                shutil.rmtree(str(leftover))
            else:
                leftover.unlink()


def _notes(changes: Sequence[Change], backend: Backend) -> List[str]:
    notes = {_NOTES[change.action] for change in changes}
    if any(backend.is_kernel(change.name) for change in changes):
        notes.add("A kernel is only left behind by a reboot.")
    return sorted(notes)


def _ordered(files: Mapping[str, PackageFile]) -> List[PackageFile]:
    return [files[key] for key in sorted(files)]
