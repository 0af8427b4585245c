# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody does to bundles who may write there, and what else the holder of a sealing key can."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical, digest, digest_of_bytes
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import SEAL_NAMESPACE

Entries = list[dict[str, Any]]


def bundle(bundles: Path, number: int) -> Path:
    """The folder of a seal of alpha."""
    (found,) = bundles.glob(f"alpha/{number:04}-*")
    return found


def rewrite_ledger(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Put other lines into the ledger of a bundle."""
    path = folder / "ledger.jsonl"
    lines = change(path.read_bytes().splitlines())
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def rechain(lines: list[bytes]) -> list[bytes]:
    """The same entries numbered and hashed anew, so that the chain is consistent."""
    prev, made = "0" * 64, []
    for number, line in enumerate(lines, start=1):
        entry = {key: value for key, value in json.loads(line).items() if key != "hash"}
        entry.update(seq=number, prev=prev)
        prev = digest(entry)
        made.append(canonical({**entry, "hash": prev}))
    return made


def reseal(folder: Path, **changes: Any) -> None:
    """Write the sums anew for what lies in a bundle, after changes to its seal; the signature stays."""
    seal = {**json.loads((folder / "seal.json").read_bytes()), **changes}
    (folder / "seal.json").write_bytes(canonical(seal))
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    sealed = [path for path in files if not path.startswith("SHA256SUMS")]
    (folder / "SHA256SUMS").write_text(
        "".join(f"{digest_of_bytes((folder / path).read_bytes())}  {path}\n" for path in sealed)
    )


def sign(folder: Path, key: Path) -> None:
    """Sign what lies in a bundle, as the holder of this key can."""
    (folder / "SHA256SUMS.sig").write_text(sshsig.sign((folder / "SHA256SUMS").read_bytes(), key, SEAL_NAMESPACE))


def forge(folder: Path, key: Path, change: Callable[[Entries], Entries], **seal: Any) -> None:
    """Other entries in the ledger of a bundle, chained, sealed and signed anew."""
    rewrite_ledger(folder, lambda lines: rechain(list(map(canonical, change(list(map(json.loads, lines)))))))
    lines = (folder / "ledger.jsonl").read_bytes().splitlines()
    reseal(folder, ledger={"count": len(lines), "head": json.loads(lines[-1])["hash"]}, **seal)
    sign(folder, key)
