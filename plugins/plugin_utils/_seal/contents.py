# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle holds, read from the state in one stream, and the folder that is made of it."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest_of_bytes
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import (
    APPROVALS,
    HOSTS,
    LEDGER,
    PLAN,
    REPORTS,
    SIGNATURE,
    SUMS,
    Seal,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.files import make_folders, naming, sync
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import encode_host
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.sealed import differences, digests_of, files_beside

_SHOWN = 5
_UNFINISHED = ".new-"


def contents(state: State, tenant: str, plan: str, kept: Mapping[str, bytes]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Every file of a bundle but its sums and their signature: its path, and its bytes in pieces.

    ``kept`` are the files that State keeps with the seal, because they are nowhere else. When they say already what
    was sealed, a report that was added since is none of it.
    """
    yield PLAN, [state.read_head(tenant, plan)[0]]
    for host in state.get_plan(tenant, plan)["hosts"]:
        yield f"{HOSTS}/{encode_host(host)}.json", [state.read_host(tenant, plan, host)[0]]
    yield LEDGER, (line + b"\n" for line in state.entries(tenant, plan))
    yield from ((path, [content]) for path, content in beside(state, tenant, plan, kept))
    yield from ((name, [content]) for name, content in kept.items() if name not in (SUMS, SIGNATURE))


def beside(state: State, tenant: str, plan: str, kept: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The approvals and reports of a plan by their paths in the bundle; once it is sealed, of reports the sealed."""
    names = state.reports(tenant, plan)
    if SUMS in kept:
        sealed = digests_of(kept[SUMS])
        names = [name for name in names if f"{REPORTS}/{name}" in sealed]
    return files_beside(state.approvals(tenant, plan), names, partial(state.get_report, tenant, plan))


def sums_of(files: Iterable[tuple[str, Iterable[bytes]]]) -> bytes:
    """SHA256SUMS of files, as ``sha256sum`` writes and reads it, sorted by path."""
    digests = {}
    for path, pieces in files:
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        digests[path] = digest.hexdigest()
    return _as_sums(digests)


def make_bundle(state: State, seal: Seal, kept: Mapping[str, bytes], folder: Path) -> None:
    """Make the folder of a seal, whole or not at all. The caller holds the lock of the folder above it.

    Raises FleetError of kind ``bundle_differs`` when the state is not what was sealed any more, and OSError.
    """
    make_folders(folder.parent)
    for left in folder.parent.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left)
    new = folder.with_name(f"{_UNFINISHED}{secrets.token_hex(8)}")
    try:
        new.mkdir(mode=0o700)
        for part in (HOSTS, APPROVALS, REPORTS):
            (new / part).mkdir(mode=0o700)
        written = contents(state, seal.tenant, seal.plan, kept)
        digests = {path: _write(new / path, pieces) for path, pieces in written}
        if _as_sums(digests) != kept[SUMS]:
            raise _differs(seal, kept[SUMS], digests)
        for name in (SUMS, SIGNATURE):
            _write(new / name, [kept[name]])
        _sync_all(new)
        new.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _as_sums(digests: Mapping[str, str]) -> bytes:
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode()


def _write(path: Path, pieces: Iterable[bytes]) -> str:
    """Write a file, which is synced later; return its digest."""
    digest = hashlib.sha256()
    # A report may have a folder of its own.
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with naming(path), open(descriptor, "wb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def _sync_all(folder: Path) -> None:
    for path, _folders, names in os.walk(folder):
        for name in names:
            sync(Path(path, name))
        sync(Path(path))


def _differs(seal: Seal, sealed: bytes, digests: Mapping[str, str]) -> FleetError:
    paths = differences(digests_of(sealed), digests)
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return FleetError(
        f"The bundle of seal {seal.number} of tenant {seal.tenant} cannot be made again, because the state is not what "
        f"was sealed any more: {', '.join(paths[:_SHOWN])}{more}.",
        kind="bundle_differs",
        remedy="Restore the bundle from a copy, and find out who changed it: the state itself writes over nothing that "
        "was sealed.",
        data={"files": paths, "root": digest_of_bytes(sealed)},
    )
