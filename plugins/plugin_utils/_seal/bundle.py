# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle as it lies on the disk: each of its files is hashed once, and compared with what was signed."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.findings import Finding, FindingKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import (
    APPROVALS,
    HOSTS,
    REPORTS,
    SEAL,
    SEAL_NAMESPACE,
    SIGNATURE,
    SUMS,
    Seal,
    principal_of,
    read_seal,
)

_LINE = re.compile(r"([0-9a-f]{64})  ([^\s/\\][^\n\\]*)")
_BLOCK = 1 << 20
_UNSIGNED = frozenset(
    (FindingKind.SIGNATURE_BAD, FindingKind.SIGNER_UNKNOWN, FindingKind.SUMS_MALFORMED, FindingKind.SEAL_MALFORMED)
)
_OF_FILES = frozenset((FindingKind.FILE_CHANGED, FindingKind.FILE_MISSING, FindingKind.FILE_ADDED))
_MAY_BE_EMPTY = frozenset((HOSTS, APPROVALS, REPORTS))


@dataclass(frozen=True)
class Bundle:
    """A folder, the SHA-256 of each file in it, and its seal where that can be read.

    ``tenant`` is whose bundle it should be; ``strange`` are neither files nor folders, in ``empty`` folders nothing is,
    and of those that are ``closed`` it says why they cannot be read.
    """

    folder: Path
    tenant: str
    digests: Mapping[str, str]
    unreadable: tuple[str, ...]
    strange: tuple[str, ...]
    empty: tuple[str, ...]
    closed: Mapping[str, str]
    seal: Seal | None
    problem: str
    """Why the seal cannot be read."""
    reading: list[str] = field(default_factory=list, compare=False)
    """The file that was looked into last, for whoever must say in which one something is wrong."""

    @property
    def root(self) -> str:
        """The SHA-256 of its SHA256SUMS; empty where there is none."""
        return self.digests.get(SUMS, "")

    @property
    def subject(self) -> str:
        """How findings name it."""
        return f"seal {self.seal.number}" if self.seal else f"bundle {self.folder.name}"

    def finding(self, kind: FindingKind, what: str, where: str = "") -> Finding:
        """A finding about this bundle."""
        return Finding(kind, self.tenant, self.subject, what, where or self.folder.name)

    def path(self, name: str) -> Path:
        """Where one of its files lies. Raises OSError for what is none: a pipe never ends, and a link leads away."""
        self.reading[:] = [name]
        path = self.folder / name
        if name not in self.digests or not stat.S_ISREG(path.lstat().st_mode):
            raise FileNotFoundError(f"{name} is no file of the bundle")
        return path

    def read(self, name: str) -> bytes:
        """The bytes of one of its files. Raises OSError."""
        return self.path(name).read_bytes()

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of one of its files, without their ends. Raises OSError."""
        with self.path(name).open("rb") as file:
            for line in file:
                yield line.removesuffix(b"\n")


def read_bundle(folder: Path, tenant: str = "") -> Bundle:
    """Read and hash a bundle; without a ``tenant`` it is whose its seal says."""
    digests: dict[str, str] = {}
    unreadable, strange = [], []
    paths, empty, closed = _walk(folder)
    for path in paths:
        if (is_file := _is_file(folder / path)) is False:
            strange.append(path)
        elif is_file is None or (digest := _digest(folder / path)) is None:
            unreadable.append(path)
        else:
            digests[path] = digest
    seal, problem = None, f"{SEAL} is missing"
    if SEAL in digests:
        try:
            seal = read_seal((folder / SEAL).read_bytes(), SEAL)
        except Exception as malformed:  # noqa: BLE001 - whatever it is, it is told as a finding
            problem = str(malformed) or type(malformed).__name__
    owner = tenant or (seal.tenant if seal else "unknown")
    return Bundle(folder, owner, digests, tuple(unreadable), tuple(strange), tuple(empty), closed, seal, problem)


def check_files(bundle: Bundle, signers: Path) -> Iterator[Finding]:
    """Every file against SHA256SUMS, no file more, and that against its signature by the tenant's key.

    Raises FleetError of kind ``signers_missing`` when ``signers`` cannot be read.
    """
    yield from _check_seal(bundle)
    for path, why in bundle.closed.items():
        yield bundle.finding(FindingKind.BUNDLE_MALFORMED, f"a folder that cannot be read: {why}", path)
    for path in sorted(set(bundle.empty) - _MAY_BE_EMPTY):
        yield bundle.finding(FindingKind.FILE_ADDED, "a folder in which nothing is: none was sealed", path)
    for path in bundle.strange:
        yield bundle.finding(FindingKind.FILE_ADDED, "neither a file nor a folder", path)
    if SUMS not in bundle.digests:
        yield bundle.finding(FindingKind.FILE_MISSING, "nothing says what was sealed", SUMS)
        return
    sums = bundle.read(SUMS)
    listed, malformed = _read_sums(sums)
    if malformed:
        yield bundle.finding(FindingKind.SUMS_MALFORMED, f"line {malformed} is not as sha256sum writes it", SUMS)
    for path in sorted(listed.keys() - bundle.digests.keys()):
        what = "cannot be read" if path in bundle.unreadable else "was sealed, and is not here"
        yield bundle.finding(FindingKind.FILE_MISSING, what, path)
    for path in sorted({*bundle.digests, *bundle.unreadable} - listed.keys() - {SUMS, SIGNATURE}):
        yield bundle.finding(FindingKind.FILE_ADDED, "is here, and was not sealed", path)
    for path in sorted(listed.keys() & bundle.digests.keys()):
        if bundle.digests[path] != listed[path]:
            what = f"has the SHA-256 {bundle.digests[path][:16]}, and {listed[path][:16]} was sealed"
            yield bundle.finding(FindingKind.FILE_CHANGED, what, path)
    yield from _check_signature(bundle, sums, signers)


def is_signed(findings: Iterable[Finding]) -> bool:
    """Whether the seal of a bundle is the one that the tenant's key has signed, by what was found in it."""
    return not any(
        finding.kind in _UNSIGNED or (finding.kind in _OF_FILES and finding.where in (SEAL, SUMS, SIGNATURE))
        for finding in findings
    )


def _check_seal(bundle: Bundle) -> Iterator[Finding]:
    seal = bundle.seal
    if seal is None:
        yield bundle.finding(FindingKind.SEAL_MALFORMED, bundle.problem, SEAL)
    elif seal.tenant != bundle.tenant:
        yield bundle.finding(FindingKind.BUNDLE_MISPLACED, f"its seal is one of tenant {seal.tenant}")
    elif seal.bundle != bundle.folder.name:
        yield bundle.finding(FindingKind.BUNDLE_MISPLACED, f"its seal is that of {seal.bundle}")


def _check_signature(bundle: Bundle, sums: bytes, signers: Path) -> Iterator[Finding]:
    if SIGNATURE not in bundle.digests:
        yield bundle.finding(FindingKind.FILE_MISSING, "nobody has signed the bundle", SIGNATURE)
        return
    signature, name = bundle.read(SIGNATURE), principal_of(bundle.tenant)
    if not sshsig.is_armoured(signature):
        yield bundle.finding(FindingKind.SIGNATURE_BAD, "is no signature as ssh-keygen writes it", SIGNATURE)
        return
    # A key that has expired since was good when it sealed, by what the seal itself says.
    moment = bundle.seal.moment if bundle.seal else None
    try:
        sshsig.verify(sums, signature.decode(), signers, SEAL_NAMESPACE, principal=name, at=moment)
    except FleetError as problem:
        kinds = {"signature_bad": FindingKind.SIGNATURE_BAD, "signer_unknown": FindingKind.SIGNER_UNKNOWN}
        if problem.kind not in kinds:
            raise
        yield bundle.finding(kinds[problem.kind], problem.message, SIGNATURE)


def _read_sums(sums: bytes) -> tuple[dict[str, str], int]:
    """The digests by path, and the number of the first line that is malformed, or 0; paths are sorted, each once."""
    listed: dict[str, str] = {}
    last = ""
    lines = sums.decode(errors="replace").split("\n")
    malformed = 0 if lines[-1] == "" else len(lines)
    for number, line in enumerate(lines[:-1], start=1):
        found = _LINE.fullmatch(line)
        if found and found.group(2) > last:
            last = found.group(2)
            listed[last] = found.group(1)
        else:
            malformed = malformed or number
    return listed, malformed


def _walk(folder: Path) -> tuple[list[str], list[str], dict[str, str]]:
    """The paths of everything but folders, those of empty folders, and why others cannot be read. No link is followed.

    Whoever made the bundle may have nested folders as deep as they like.
    """
    paths: list[str] = []
    empty: list[str] = []
    closed: dict[str, str] = {}
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        try:
            entries = list(os.scandir(folder / inner))
            folders = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
        except OSError as problem:
            closed[inner.removesuffix("/")] = str(problem.strerror)
            continue
        if inner and not entries:
            empty.append(inner.removesuffix("/"))
        names = {entry.name for entry in entries}
        waiting += [f"{inner}{name}/" for name in folders]
        paths += [f"{inner}{name}" for name in names - folders]
    return sorted(paths), empty, closed


def _is_file(path: Path) -> bool | None:
    """Whether it is a file, and no link to one; None for what cannot be looked at."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return None


def _digest(path: Path) -> str | None:
    """The SHA-256 of a file; None for one that cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(partial(file.read, _BLOCK), b""):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()
