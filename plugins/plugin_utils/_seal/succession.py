# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the next seal of a tenant follows: the whole chain that the state has, if no bundle tells of another one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.guard import seals_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import (
    SIGNATURE,
    SUMS,
    Seal,
    is_bundle_name,
    root_of,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.interface import seal_gap

_SHOWN = 3


def last_seal(state: State, tenant: str, bundles: Path) -> tuple[Seal, str] | None:
    """The last seal of a tenant, and its root; None where the next one is the first.

    A state that was restored from a backup may not have the latest seals, and the next one would take the number of one
    that others have and have anchored. ``bundles`` is the folder of the tenant's bundles, which know better.

    Raises FleetError: ``seal_malformed``, ``seal_gap``, ``state_behind``.
    """
    # In this order: a bundle that somebody else makes now has its seal in the state before.
    found = _roots(bundles)
    chain = [_whole(tenant, number, *each) for number, each in enumerate(seals_of(state, tenant), start=1)]
    known = {seal.bundle: root for seal, root in chain}
    others = sorted(name for name, root in found.items() if known.get(name) != root)
    if others:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        last = f"seal {len(chain)} is the last" if chain else "there is no seal"
        raise FleetError(
            f"In the state {last} of tenant {tenant}, and in {bundles} are others: {', '.join(others[:_SHOWN])}{more}. "
            "A further seal would fork the chain.",
            kind="state_behind",
            remedy="If the state was restored from a backup, restore a later one, or put back what these bundles have, "
            "as docs/state.md says; otherwise find out by evidence_verify.yml which of both was changed.",
            data={"bundles": others},
        )
    return chain[-1] if chain else None


def _roots(bundles: Path) -> dict[str, str]:
    """The roots of the bundles in a folder by their names; empty of one whose root nobody can tell."""
    if not bundles.is_dir():
        return {}
    return {path.name: _root(path / SUMS) for path in bundles.iterdir() if is_bundle_name(path.name)}


def _root(sums: Path) -> str:
    return root_of(sums.read_bytes()) if sums.is_file() else ""


def _whole(tenant: str, number: int, seal: Seal, files: Mapping[str, bytes]) -> tuple[Seal, str]:
    """A seal that is the next of the chain, and its root. Raises FleetError of kind ``seal_gap``."""
    if seal.number != number:
        raise seal_gap(tenant, seal.number)
    require_whole(seal, files)
    return seal, root_of(files[SUMS])


def require_whole(seal: Seal, files: Mapping[str, bytes]) -> None:
    """Raise FleetError of kind ``seal_gap`` for a seal of which the state has only a part."""
    absent = [name for name in (SUMS, SIGNATURE) if name not in files]
    if absent:
        raise FleetError(
            f"Seal {seal.number} of tenant {seal.tenant} is not whole in the state: {', '.join(absent)} is missing.",
            kind="seal_gap",
            remedy="Put it back from the bundle of the seal, or from a backup.",
        )
