# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold at the moment a host is begun: clock, window, freezes, ticket, population, approval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt, Progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.check import require_approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import clock_behind
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.calendar import calendar_gates
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.estimate import (
    expected_batch_seconds,
    measured_factor,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freezes import read_calendar
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate, Verdict, closed, gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.overrides import with_overrides
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import incomplete_gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.ticket import ticket_gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

CLOCK_TOLERANCE_SECONDS = 30.0
"""By how much the controller's clock may be behind the ledger: the clocks of two controllers differ a little."""


def open_gates(progress: Progress, documents: Iterable[Mapping[str, Any]], now: datetime) -> list[Gate]:
    """What the gates say of the hosts of ``documents``, which are begun together.

    Raises FleetError of kind ``gate_closed`` that names each gate that does not let a change through.
    """
    hosts = list(documents)
    gates = [found for document in hosts for found in _gates_of(progress, document, _seconds(progress, hosts), now)]
    _refuse_closed(gates)
    return _distinct(gates)


def require_clock(progress: Progress, now: datetime) -> None:
    """Raise FleetError of kind ``gate_closed`` when the clock is behind the ledger: then no soak can be told either."""
    _refuse_closed([_clock(progress.last_line, now)])


def _refuse_closed(gates: list[Gate]) -> None:
    # The overrides of one host open no gate of another, so what is closed is looked for before equal ones are left out.
    stopped = _distinct(closed(gates))
    if stopped:
        why = "; ".join(f"{found['name']}: {found['evidence']}" for found in stopped)
        raise FleetError(f"Not now: {why}", kind="gate_closed", data={"gates": stopped})


def _distinct(gates: Iterable[Gate]) -> list[Gate]:
    return list({canonical(found): found for found in gates}.values())


def require_approved(
    state: State, head: dict[str, Any], plan: str, policy: Mapping[str, Any], attempt: Attempt, now: datetime
) -> None:
    """Raise FleetError unless the plan is approved for what this attempt is for, where its policy wants it."""
    if not attempt.check_mode:
        require_approval(
            state,
            head,
            plan,
            policy,
            attempt.opening,
            attempt=attempt.number,
            purpose=attempt.purpose,
            opened=attempt.opened,
            now=now,
        )


def _seconds(progress: Progress, documents: list[Mapping[str, Any]]) -> int:
    """How long the hosts take together, by the durations measured so far."""
    estimates = {document["host"]: document["estimated_seconds"] for document in documents}
    return expected_batch_seconds(list(estimates), estimates, measured_factor(progress.measured))


def _gates_of(progress: Progress, document: Mapping[str, Any], seconds: int, now: datetime) -> list[Gate]:
    policy = document["policy"]
    opening = progress.current.opening if progress.current else {}
    ticket = ticket_gate(policy, opening.get("ticket"))
    gates = [
        _clock(progress.last_line, now),
        *calendar_gates(policy, now, seconds, read_calendar),
        _looked_up(ticket, policy, progress.current),
        incomplete_gate(opening.get("incomplete") or []),
    ]
    return with_overrides(gates, policy["overrides"], now.astimezone(timezone.utc).date())


def _clock(last_line: bytes | None, now: datetime) -> Gate:
    """A clock that jumped back would open windows again, and shorten nothing that it should."""
    behind = clock_behind(last_line, now)
    if behind > CLOCK_TOLERANCE_SECONDS:
        evidence = f"the clock of this machine is {behind:.0f} s behind the last entry of the ledger; set it right"
        return gate("clock", Verdict.UNKNOWN, evidence)
    return gate("clock", Verdict.PASS, "not behind the ledger")


def _looked_up(ticket: Gate, policy: Mapping[str, Any], attempt: Attempt | None) -> Gate:
    """Where the site has a hook for it, a ticket of the right form is not enough: the hook must have found it good."""
    if ticket["verdict"] != Verdict.PASS or not policy["hooks"].get("change_ticket"):
        return ticket
    if attempt is None or "ticket" not in attempt.gates:
        return gate("ticket", Verdict.UNKNOWN, f"{ticket['evidence']}, and the hook did not find it good")
    return gate("ticket", Verdict.PASS, f"{ticket['evidence']}, and the hook found it good")
