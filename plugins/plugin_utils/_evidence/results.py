# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the result of a task means to the record: how it ended, and what of it is evidence.

Results are data from outside: most modules return what the managed host said. So what a result means is decided by the
module it comes from, and only the modules of this collection, whose controller halves let no key ``fleet_*`` of a host
through, are believed more than a message and an exit status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase

COLLECTION = "bankops.fleet."
OPENS_ATTEMPTS = COLLECTION + "patch_attempt"

PHASES_OF_TASKS = {
    COLLECTION + "updates_info": frozenset((Phase.SCAN, Phase.PREFLIGHT)),
    COLLECTION + "updates_stage": frozenset((Phase.STAGE,)),
    COLLECTION + "haproxy_server": frozenset((Phase.DRAIN, Phase.RETURN)),
    COLLECTION + "updates": frozenset((Phase.APPLY, Phase.ROLLBACK)),
    COLLECTION + "host_reboot": frozenset((Phase.REBOOT,)),
    COLLECTION + "host_state_info": frozenset((Phase.VERIFY,)),
}
"""What a task of each module may record beside a hook. All other phases are written by whoever decides them."""

_SAID_BY_ANY = ("msg", "rc")
_SAID_BY_OURS = (*_SAID_BY_ANY, "fleet_failure", "attempts")
"""What is recorded of a result without evidence of its own; never ``invocation``, ``stdout`` or ``exception``."""


@dataclass(frozen=True)
class TaskResult:
    """A task's result on one host, as the callback saw it.

    ``module`` is the resolved name, ``phase`` the task's ``fleet_phase``.
    """

    host: str
    task: str
    module: str
    phase: str | None
    outcome: EntryOutcome
    ignored: bool
    check_mode: bool
    seconds: float | None
    result: Mapping[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether the result comes from a module of this collection."""
        return self.module.startswith(COLLECTION)

    @property
    def may_claim_its_phase(self) -> bool:
        """Whether a task of this module may record the phase it names; any may record a hook."""
        return self.phase == Phase.HOOK or self.phase in PHASES_OF_TASKS.get(self.module, ())


def outcome_of_task(result: TaskResult) -> EntryOutcome:
    """How a task ended. Ours say of a host that went away that they failed, so that Ansible still runs the rescue."""
    away = result.is_ours and result.result.get("fleet_unreachable", False)
    return EntryOutcome.UNREACHABLE if away and result.outcome is EntryOutcome.FAILED else result.outcome


def outcome_of(result: Mapping[str, Any], *, ours: bool = True) -> EntryOutcome:
    for key, outcome in (
        ("fleet_unreachable", EntryOutcome.UNREACHABLE),
        ("unreachable", EntryOutcome.UNREACHABLE),
        ("failed", EntryOutcome.FAILED),
        ("skipped", EntryOutcome.SKIPPED),
        ("changed", EntryOutcome.CHANGED),
    ):
        if result.get(key, False) and (ours or not key.startswith("fleet_")):
            return outcome
    return EntryOutcome.OK


def data_of(result: TaskResult) -> dict[str, Any]:
    """The evidence a task brings, or what can be said of any task; beside it, under ``task``, which one it was."""
    evidence = evidence_of(result.result, ours=result.is_ours)
    if evidence is not None:
        said = evidence
    elif "censored" in result.result:
        said = {"censored": True}
    else:
        said = _said(result.result, ours=result.is_ours)
        items = result.result.get("results")
        if isinstance(items, list):
            said["items"] = [_item(item, ours=result.is_ours) for item in items]
    task: dict[str, Any] = {
        "name": result.task,
        "module": result.module,
        "changed": result.outcome is EntryOutcome.CHANGED,
    }
    if result.seconds is not None:
        task["seconds"] = round(result.seconds, 3)
    if result.ignored:
        task["ignored"] = True
    return {**said, "task": task}


def intended(plan: str, attempt: int) -> dict[str, Any]:
    """What the result of a module says (``fleet_intended``) that has written its intent into the ledger before."""
    return {"plan": plan, "attempt": attempt}


def evidence_of(result: Mapping[str, Any], *, ours: bool) -> dict[str, Any] | None:
    evidence = result.get("fleet_evidence") if ours else None
    return dict(evidence) if isinstance(evidence, Mapping) else None


def _said(result: Mapping[str, Any], *, ours: bool) -> dict[str, Any]:
    return {key: result[key] for key in (_SAID_BY_OURS if ours else _SAID_BY_ANY) if key in result}


def _item(item: Any, *, ours: bool) -> dict[str, Any]:
    """One turn of a loop."""
    if not isinstance(item, Mapping):
        return {"item": item}
    outcome = outcome_of(item, ours=ours).value
    if "censored" in item or item.get("_ansible_no_log", False):
        return {"outcome": outcome, "censored": True}
    label = item.get("_ansible_item_label", item.get("item"))
    said = evidence_of(item, ours=ours)
    return {**(_said(item, ours=ours) if said is None else said), "item": label, "outcome": outcome}
