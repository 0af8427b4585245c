# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left to do of the plans, for ``hosts`` and ``serial`` of a play. The logic is the plan engine's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import FINISHED, read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.rollout import rollout
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState


def rollout_filter(
    plans: str | list[dict[str, str]], state_dir: str, inventory: list[str], limit: list[str] | None = None
) -> dict[str, Any]:
    """``{"hosts", "serial", "missing", "batches"}`` of plans (``{"tenant", "plan"}``), or of a cycle that is named."""
    state = FolderState(Path(state_dir).expanduser())
    try:
        pairs = _pairs(state, plans)
        left = rollout(
            [(plan, state.get_plan(tenant, plan)) for tenant, plan in pairs],
            finished={plan: finished_hosts(state.entries(tenant, plan)) for tenant, plan in pairs},
            inventory=frozenset(inventory),
            limit=None if limit is None else frozenset(limit),
        )
    except FleetError as problem:
        raise AnsibleFilterError(problem.as_result()["msg"]) from problem
    return left.as_data()


def finished_hosts(entries: Iterable[bytes]) -> frozenset[str]:
    """The hosts whose latest outcome in a ledger is one that no further attempt changes."""
    return frozenset(host for host, done in read_progress(entries).outcomes.items() if done.outcome in FINISHED)


def _pairs(state: State, plans: str | list[dict[str, str]]) -> list[tuple[str, str]]:
    named = state.get_cycle(plans)["plans"] if isinstance(plans, str) else plans
    if not isinstance(named, list) or not all(
        isinstance(entry, dict) and {"tenant", "plan"} <= set(entry) for entry in named
    ):
        raise FleetError(
            "The input is neither the name of a cycle nor a list of plans.",
            kind="bad_plans",
            remedy="Write 2026-11, or a list of dictionaries with tenant and plan.",
        )
    return [(entry["tenant"], entry["plan"]) for entry in named]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"rollout": rollout_filter}
