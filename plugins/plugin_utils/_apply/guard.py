# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold before a module changes anything: checked by the module's own controller half.

Tags and ``--start-at-task`` jump over guard tasks; they cannot jump over this.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.batch import require_waves_before
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.moment import (
    open_gates,
    require_approved,
    require_clock,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import (
    FINISHED,
    Attempt,
    Progress,
    read_progress,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import record
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

NOT_BEGUN = frozenset(
    (
        "approval_expired",
        "approval_foreign",
        "approval_invalid",
        "approval_own",
        "approval_unknown",
        "budget_spent",
        "cluster_short",
        "gate_closed",
        "lease_lost",
        "not_approved",
        "not_recorded",
        "opening_invalid",
        "opening_unsigned",
        "signers_missing",
        "soaking",
        "stopped",
        "wave_incomplete",
        "wave_unproven",
        "wave_unseen",
        "wave_unwell",
    )
)
"""Kinds of refusals that say nothing about the host itself: a further attempt may begin it."""

WAITING = frozenset(("soaking",))
"""Of these, what goes as planned: nobody need look at it."""


@dataclass(frozen=True)
class Permit:
    """The right of one task to act on one host in the open attempt of a plan."""

    state: State
    plan: str
    head: dict[str, Any]
    document: dict[str, Any]
    attempt: Attempt
    host: str
    staged: bool
    """The packages of the plan are on the host."""
    resumed: bool
    """An earlier attempt began the host and never came to its outcome."""
    progress: Progress
    gates: list[Gate] = field(default_factory=list)
    """What the gates of the moment said, when this task began the host."""

    def require(self, *phases: Phase) -> None:
        """Raise FleetError unless each of these phases went well for the host in this attempt."""
        for phase in phases:
            if (self.host, phase) not in self.attempt.passed:
                raise FleetError(
                    f"{self.host} has not passed its {phase.value} in attempt {self.attempt.number} on this plan.",
                    kind="step_missing",
                    remedy="Run patch_apply.yml from its beginning.",
                )

    def note_intent(self, phase: Phase, data: dict[str, Any]) -> None:
        """Write and sync the intent to change. In check mode nothing is intended."""
        if self.attempt.check_mode:
            return
        record(
            self.state,
            plan=self.plan,
            attempt=self.attempt.number,
            cycle=self.head["cycle"],
            tenant=self.head["tenant"],
            host=self.host,
            phase=phase,
            outcome=EntryOutcome.INTENT,
            data=data,
        )


def permit(
    state: State,
    *,
    plan: str,
    tenant: str,
    host: str,
    owner: str,
    purposes: Collection[str],
    now: datetime,
    check_mode: bool = False,
) -> Permit:
    """Check everything that must hold before ``host`` is changed under ``plan``.

    ``owner`` is the running ansible-playbook (``_apply.owner``), ``purposes`` are those of an attempt for which the
    task is meant, ``check_mode`` is the task's own. A stop file, a spent budget and a closed gate hold back a host that
    was not begun; one in work is always finished, and one that an earlier attempt left half changed is brought to an
    end whatever the calendar says.

    Raises FleetError with the kind of what does not hold.
    """
    head = state.get_plan(tenant, plan)
    if head["tenant"] != tenant:
        raise FleetError(
            f"Plan {plan[:16]} is of tenant {head['tenant']}, and {host} belongs to {tenant}.",
            kind="foreign_plan",
            remedy="Apply each tenant's own plan.",
        )
    if head["hosts"].get(host, {}).get("decision") != "patch":
        raise FleetError(
            f"Plan {plan[:16]} does not change {host}.",
            kind="host_not_planned",
            remedy="Make a new plan that names it.",
        )
    progress = read_progress(state.entries(tenant, plan), host, _others_of_cluster(head, host))
    attempt = own_attempt(progress.current, plan, host, owner, purposes, check_mode=check_mode)
    _refuse_unrecorded(attempt, plan)
    document = state.get_host_document(tenant, plan, host, head["hosts"][host]["digest"])
    resumed = host not in attempt.started and progress.in_the_middle(host)
    granted = Permit(state, plan, head, document, attempt, host, host in progress.staged, resumed, progress)
    if host in attempt.started:
        return granted
    if attempt.purpose == "apply":
        _refuse_expired(head, plan, now)
    if attempt.purpose == "stage":
        return granted
    _refuse_without_lease(state, tenant, owner)
    require_approved(state, head, plan, document["policy"], attempt, now)
    refuse_new_hosts(state, head, progress, [host])
    _refuse_short_cluster(head, progress, host)
    if attempt.purpose == "apply" and not resumed:
        require_clock(progress, now)
        require_waves_before(head, progress, host, now, simulated=attempt.check_mode)
        gates = open_gates(progress, [document], now)
        return replace(granted, gates=gates)
    return granted


def _refuse_expired(head: dict[str, Any], plan: str, now: datetime) -> None:
    if datetime.fromisoformat(head["expires"]) <= now:
        raise FleetError(
            f"Plan {plan[:16]} expired at {head['expires']}.", kind="plan_expired", remedy="Make a new plan."
        )


def refuse_new_hosts(state: State, head: dict[str, Any], progress: Progress, hosts: Collection[str]) -> None:
    """Raise FleetError (``stopped``, ``budget_spent``, ``not_recorded``) when none of ``hosts`` may be begun.

    A host that spent the budget itself, and may be tried again, does not stand in its own way.
    """
    if progress.current:
        _refuse_unrecorded(progress.current, digest(head))
    stopped = state.stop_requested(head["tenant"])
    if stopped:
        raise FleetError(
            f"{stopped} asks to stop.", kind="stopped", remedy="Remove it, then run patch_apply.yml again."
        )
    may_fail = head["limits"]["max_failed"]
    spent = [host for host in progress.spent if host not in hosts]
    if len(spent) > may_fail:
        tried_again = all(progress.outcomes[host].outcome not in FINISHED for host in spent)
        raise FleetError(
            f"The failure budget is spent: {may_fail} hosts may fail, and {', '.join(spent)} did.",
            kind="budget_spent",
            remedy="Get them back, then run patch_apply.yml again."
            if tried_again
            else "Mend these hosts, then plan again.",
        )


def _refuse_short_cluster(head: dict[str, Any], progress: Progress, host: str) -> None:
    """Raise FleetError (``cluster_short``) when taking this host would leave its cluster with too few in service."""
    cluster = head["hosts"][host]["cluster"]
    away = [name for name in _others_of_cluster(head, host) if _may_be_away(progress, name)]
    may_be_down = head["limits"]["cluster_max_down"].get(cluster, 1)
    if len(away) >= may_be_down:
        raise FleetError(
            f"{', '.join(away)} of cluster {cluster} may be out of service, and at most {may_be_down} may be at once.",
            kind="cluster_short",
            remedy="Bring them back to service first.",
        )


def _others_of_cluster(head: dict[str, Any], host: str) -> list[str]:
    cluster = head["hosts"][host]["cluster"]
    hosts = head["hosts"].items() if cluster else ()
    return [name for name, entry in hosts if entry["cluster"] == cluster and name != host]


def _may_be_away(progress: Progress, host: str) -> bool:
    done = progress.outcomes.get(host)
    if progress.in_the_middle(host):
        return True
    # What the plan could not reach it has taken into account when it made the batches.
    return done is not None and not done.by_plan and done.in_service != "yes"


def own_attempt(
    attempt: Attempt | None, plan: str, host: str, owner: str, purposes: Collection[str], *, check_mode: bool
) -> Attempt:
    """The open attempt, if it is this process's own and has this host in one of its batches.

    Raises FleetError: ``no_attempt``, ``foreign_attempt``, ``host_not_in_attempt``.
    """
    remedy = "Run patch_apply.yml, which opens the attempt itself."
    if attempt is None:
        raise FleetError(f"No attempt on plan {plan[:16]} is open.", kind="no_attempt", remedy=remedy)
    if attempt.owner != owner or attempt.purpose not in purposes:
        raise FleetError(
            f"Attempt {attempt.number} on plan {plan[:16]} ({attempt.purpose}) was opened by process "
            f"{attempt.process} on {attempt.controller}.",
            kind="foreign_attempt",
            remedy=remedy,
        )
    if attempt.check_mode != check_mode:
        # An attempt that changes nothing needs no approval and records no intent.
        its, own = ("in" if attempt.check_mode else "without"), ("in" if check_mode else "without")
        raise FleetError(
            f"Attempt {attempt.number} on plan {plan[:16]} was opened {its} check mode, and this task runs {own} it.",
            kind="foreign_attempt",
            remedy="Give --check to the whole run, and set check_mode of no task.",
        )
    if not any(host in batch for batch in attempt.batches):
        raise FleetError(
            f"Attempt {attempt.number} on plan {plan[:16]} does not include {host}.",
            kind="host_not_in_attempt",
            remedy="Take it into the limit, and run patch_apply.yml again.",
        )
    return attempt


def _refuse_without_lease(state: State, tenant: str, owner: str) -> None:
    """Raise FleetError (``lease_lost``) when this attempt was taken for dead, and another may be at work already."""
    if not any(lease.owner == owner for lease in state.leases(tenant)):
        raise FleetError(
            "The lease of this attempt was taken over: it gave no sign of life for too long.",
            kind="lease_lost",
            remedy="Look who else is at work; then run patch_apply.yml again.",
        )


def _refuse_unrecorded(attempt: Attempt, plan: str) -> None:
    if not attempt.recorder:
        raise FleetError(
            f"Nobody records attempt {attempt.number} on plan {plan[:16]}.",
            kind="not_recorded",
            remedy="Enable the callback: callbacks_enabled = bankops.fleet.evidence in ansible.cfg.",
        )
