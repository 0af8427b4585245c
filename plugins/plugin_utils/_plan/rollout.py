# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left to do of the plans, as Ansible's ``hosts`` and ``serial`` want it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.host_names import is_plain_name
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import PlanHead


@dataclass(frozen=True)
class Rollout:
    """Batches in the order of their plans, each a part of one batch of one plan, none of them empty."""

    batches: list[list[str]]
    missing: list[str]
    """Hosts that have work left in a plan, and that the inventory does not have; sorted."""

    @property
    def hosts(self) -> list[str]:
        """The hosts of all batches, in order."""
        return [host for batch in self.batches for host in batch]

    @property
    def serial(self) -> list[int]:
        """The sizes of the batches; ``[1]`` when there is none, because an empty list means everybody to Ansible."""
        return [len(batch) for batch in self.batches] or [1]

    def as_data(self) -> dict[str, Any]:
        """What the filter returns."""
        return {"hosts": self.hosts, "serial": self.serial, "missing": self.missing, "batches": self.batches}


def rollout(
    plans: Sequence[tuple[str, PlanHead | Mapping[str, Any]]],
    *,
    finished: Mapping[str, Collection[str]],
    inventory: Collection[str],
    limit: Collection[str] | None,
) -> Rollout:
    """The batches that are left: the plans' own, less finished hosts, those outside the limit and missing ones.

    ``plans`` are pairs of digest and head; ``finished`` has the finished hosts by digest; without a ``limit`` everybody
    takes part.

    Raises FleetError: ``host_in_two_plans``; ``bad_host_name`` for a name that Ansible would read as a pattern.
    """
    batches: list[list[str]] = []
    missing: set[str] = set()
    planned: dict[str, str] = {}
    for plan, head in plans:
        done = finished.get(plan, ())
        for wave in head["waves"]:
            for batch in wave["batches"]:
                _refuse_second_plan(planned, plan, batch)
                left = [host for host in batch if host not in done and (limit is None or host in limit)]
                missing.update(host for host in left if host not in inventory)
                present = [host for host in left if host in inventory]
                if present:
                    batches.append(present)
    _refuse_patterns(batches)
    return Rollout(batches, sorted(missing))


def _refuse_second_plan(planned: dict[str, str], plan: str, batch: Sequence[str]) -> None:
    for host in batch:
        if planned.setdefault(host, plan) != plan:
            raise FleetError(
                f"{host} is in plan {planned[host][:16]} and in plan {plan[:16]}.",
                kind="host_in_two_plans",
                remedy="A host belongs to one tenant: correct fleet_tenant, and plan both tenants again.",
            )


def _refuse_patterns(batches: list[list[str]]) -> None:
    for batch in batches:
        for host in batch:
            if not is_plain_name(host):
                raise FleetError(
                    f"The name {host!r} would be read by Ansible as a pattern of hosts.",
                    kind="bad_host_name",
                    remedy="Use letters, digits, dots, dashes and underscores in inventory names, then plan again.",
                )
