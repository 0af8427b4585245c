# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists of who may approve and execute that lie in bundles: by each of them its own bundle is judged.

Whoever holds the key of the seals can put another list into a bundle, with keys of their own, and sign for everybody in
it. An auditor who brings a list of their own does not need these.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.bundle import Bundle
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import APPROVAL_SIGNERS

OWN_LIST = "approvers and executors are judged by the list in the bundle itself"
_SHOWN = 5
_LONGEST = 40


def changed_lists(bundles: Iterable[Bundle]) -> dict[Path, list[str]]:
    """What is new in the list of a bundle, by its folder, against the seal before it that has one.

    People come and go, so nothing is wrong with that; but it must be looked at.
    """
    notes: dict[Path, list[str]] = {}
    before, known = "", frozenset[str]()
    sealed = [(bundle.seal.number, bundle) for bundle in bundles if bundle.seal and APPROVAL_SIGNERS in bundle.digests]
    for number, bundle in sorted(sealed, key=lambda each: each[0]):
        lines = _lines(bundle)
        if before and lines != known:
            parts = [("gone", _names(known - lines)), ("new", _names(lines - known))]
            said = "; ".join(f"{what}: {names}" for what, names in parts if names)
            notes[bundle.folder] = [f"its list of approvers and executors is not that of {before}: {said}"]
        before, known = f"seal {number}", lines
    return notes


def _lines(bundle: Bundle) -> frozenset[str]:
    """The lines that name somebody."""
    try:
        text = bundle.read(APPROVAL_SIGNERS).decode(errors="replace")
    except OSError:
        return frozenset()
    return frozenset(" ".join(line.split()) for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#")


def _names(lines: Iterable[str]) -> str:
    """The names at the beginning of each line."""
    names = sorted(line.split(" ")[0].strip('"')[:_LONGEST] for line in lines)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
