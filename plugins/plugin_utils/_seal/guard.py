# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a plan is sealed: then nothing of it is written any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import SEAL, Seal, read_seal
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.sealed import plan_sealed

Written = TypeVar("Written")


def seals_of(state: State, tenant: str) -> list[tuple[Seal, dict[str, bytes]]]:
    """All seals of a tenant in the order of their numbers, each with its files. Raises ``seal_malformed``."""
    found = enumerate(state.seals(tenant), start=1)
    return [(read_seal(files.get(SEAL, b""), f"{SEAL} of seal {n} of tenant {tenant}"), files) for n, files in found]


def sealed_as(state: State, tenant: str, plan: str) -> int | None:
    """The number of the seal that closes a plan; None for one that is not sealed. Raises ``seal_malformed``."""
    return next((seal.number for seal, _files in seals_of(state, tenant) if seal.plan == plan), None)


def refuse_sealed(state: State, tenant: str, plan: str) -> None:
    """Raise FleetError of kind ``plan_sealed`` when a plan is closed by a seal."""
    number = sealed_as(state, tenant, plan)
    if number is not None:
        raise plan_sealed(tenant, plan, number)


def unless_sealed(state: State, tenant: str, plan: str, write: Callable[[], Written]) -> Written | None:
    """What ``write`` returns; None for a plan that is sealed, or was meanwhile, whose reports stay as they were."""
    if sealed_as(state, tenant, plan) is not None:
        return None
    try:
        return write()
    except FleetError as problem:
        if problem.kind != "plan_sealed":
            raise
        return None
