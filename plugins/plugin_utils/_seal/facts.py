# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a ledger comes to, as a seal says it: read in the same way when a plan is sealed and when it is verified."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Progress, read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._collector import collector_paused
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.outcome import count
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Decision
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.history import (
    History,
    HostHistory,
    outcome_of,
    read_history,
)


@dataclass(frozen=True)
class Facts:
    """A plan and its ledger, read once.

    ``hosts`` are counts by outcome, as every report has them; of each attempt ``{"number", "purpose", "state"}``.
    """

    progress: Progress
    hosts: dict[str, int]
    attempts: list[dict[str, Any]]


@collector_paused()
def read_facts(head: Mapping[str, Any], lines: Callable[[], Iterable[bytes]]) -> Facts:
    """Read a ledger that was verified before; ``lines`` gives it anew each time. Raises FleetError as the readers."""
    # One after the other: of a large plan each is some hundred megabytes.
    hosts, attempts = _counted(head, read_history(lines()))
    return Facts(read_progress(lines()), hosts, attempts)


def _counted(head: Mapping[str, Any], history: History) -> tuple[dict[str, int], list[dict[str, Any]]]:
    outcomes = {
        host: outcome_of(history.hosts.get(host, HostHistory()), entry)[0].value
        for host, entry in head["hosts"].items()
    }
    attempts = [
        {"number": attempt.number, "purpose": attempt.purpose, "state": attempt.state.value}
        for attempt in history.attempts.values()
    ]
    return count(outcomes, head["hosts"]), attempts


def left_of(head: Mapping[str, Any], progress: Progress) -> list[str]:
    """Hosts whose change a further attempt could still bring to an end."""
    hosts = head["hosts"].items()
    return [host for host, entry in hosts if entry["decision"] == Decision.PATCH and not progress.is_finished(host)]


def is_complete(progress: Progress, left: Collection[str]) -> bool:
    """Whether every host has its final outcome, after an attempt that applied the plan."""
    return not left and any(each.purpose == "apply" and not each.check_mode for each in progress.attempts)
