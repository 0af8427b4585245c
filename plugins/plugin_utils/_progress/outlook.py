# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an attempt has before it, as ``patch_attempt`` hands it to whoever shows the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt, Progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.estimate import rough_seconds
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import PlanHead


# Told apart by identity: two tenants may call their waves the same.
@dataclass(frozen=True, eq=False)
class Batch:
    """What of a batch of the plan this attempt works on. ``hosts`` has the estimated seconds of each."""

    tenant: str
    wave: str
    number: int
    of: int
    """How many batches the wave has in the plan."""
    hosts: Mapping[str, int]


@dataclass(frozen=True)
class Outlook:
    """An attempt as it was opened."""

    tenant: str
    cycle: str
    plan: str
    attempt: int
    purpose: str
    population: int
    """All hosts of the plan."""
    before: Mapping[str, int]
    """Hosts that this attempt leaves alone, by their outcome so far."""
    spent: frozenset[str]
    """Hosts that counted against the failure budget when the attempt was opened."""
    max_failed: int
    batches: tuple[Batch, ...]

    @property
    def hosts(self) -> int:
        """How many hosts the attempt works on."""
        return sum(len(batch.hosts) for batch in self.batches)


def outlook_data(head: PlanHead | Mapping[str, Any], attempt: Attempt, progress: Progress) -> dict[str, Any]:
    """The outlook of an attempt as plain data: what of ``Outlook`` the result of ``patch_attempt`` does not say anyway.

    ``progress`` was read after the attempt was opened.
    """
    place = {
        host: (wave["name"], number, len(wave["batches"]))
        for wave in head["waves"]
        for number, batch in enumerate(wave["batches"], start=1)
        for host in batch
    }
    batches = []
    for hosts in attempt.batches:
        wave, number, of = place[hosts[0]]
        estimated = {host: rough_seconds(head["hosts"][host]["updates"]) for host in hosts}
        batches.append({"wave": wave, "batch": number, "of": of, "hosts": estimated})
    included = {host for hosts in attempt.batches for host in hosts}
    before = Counter(done.outcome.value for host, done in progress.outcomes.items() if host not in included)
    return {
        "purpose": attempt.purpose,
        "population": len(head["hosts"]),
        "before": dict(before),
        "spent": progress.spent,
        "max_failed": head["limits"]["max_failed"],
        "batches": batches,
    }


def read_outlook(opened: Mapping[str, Any]) -> Outlook:
    """The outlook in an item of ``fleet_attempts``."""
    data, tenant = opened["outlook"], str(opened["tenant"])
    return Outlook(
        tenant=tenant,
        cycle=str(opened["cycle"]),
        plan=str(opened["plan"]),
        attempt=int(opened["attempt"]),
        purpose=str(data["purpose"]),
        population=int(data["population"]),
        before=data["before"],
        spent=frozenset(data["spent"]),
        max_failed=int(data["max_failed"]),
        batches=tuple(
            Batch(tenant, str(batch["wave"]), int(batch["batch"]), int(batch["of"]), batch["hosts"])
            for batch in data["batches"]
        ),
    )
