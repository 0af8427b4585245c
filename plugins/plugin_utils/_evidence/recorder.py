# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the results of tasks into entries of the ledgers that are open.

An exception in a callback is only a warning to Ansible, and the exit code stays 0. So a recorder that cannot write does
three things that nobody overlooks: it says so loudly, it asks the tenant's attempts to stop (the guards of changing
modules begin no further host; one in work is finished, for a host left drained would be worse), and it proves no host
whose evidence is lost: its outcome becomes ``failed``.

Results are data from outside: most modules return what the managed host said. So what a result means is decided by the
module it comes from, and only the modules of this collection, whose controller halves let no key ``fleet_*`` of a host
through, are believed more than a message and an exit status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import record
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import (
    EntryOutcome,
    HostOutcome,
    InService,
    Phase,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import redact
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

COLLECTION = "bankops.fleet."
OPENS_ATTEMPTS = COLLECTION + "patch_attempt"
DECIDES_OUTCOMES = COLLECTION + "patch_outcome"

_OF_NO_TASK = frozenset({Phase.OPEN, Phase.CLOSE})
"""Phases that are written with the attempt itself."""

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
        if self.phase == Phase.HOOK:
            return True
        if self.phase == Phase.OUTCOME:
            return self.module == DECIDES_OUTCOMES
        return self.is_ours and self.phase not in _OF_NO_TASK


@dataclass(frozen=True)
class OpenAttempt:
    """An attempt whose ledger is being written."""

    plan: str
    attempt: int
    tenant: str
    cycle: str
    state_dir: Path
    hosts: frozenset[str]


class Recorder:
    """Writes what the tasks of one ansible-playbook process do. ``complain`` gets sentences for the screen."""

    def __init__(
        self, *, open_state: Callable[[Path], State], process: int, version: str, complain: Callable[[str], None]
    ) -> None:
        self._open_state = open_state
        self._recorder = {"pid": process, "callback": version}
        self._complain = complain
        self._attempts: dict[str, OpenAttempt] = {}
        self._of_host: dict[str, OpenAttempt] = {}
        self._lost: dict[tuple[str, str | None], str] = {}
        self._complained: set[str] = set()

    @property
    def lost(self) -> list[str]:
        """What could not be recorded, one sentence each; empty when the ledgers are complete."""
        return [f"{plan[:16]} {host or 'attempt'}: {why}" for (plan, host), why in self._lost.items()]

    def concerns(self, result: TaskResult) -> bool:
        """Whether the result has anything to record, which is cheaper to know than to record."""
        return result.module == OPENS_ATTEMPTS or (result.phase is not None and bool(self._of_host))

    def take(self, result: TaskResult, secrets: Iterable[str] = ()) -> None:
        """Record a result. ``secrets`` are known secret values, removed wherever they stand."""
        if result.module == OPENS_ATTEMPTS:
            for opened in result.result.get("fleet_attempts") or []:
                self._open(_attempt(opened))
        attempt = self._of_host.get(result.host)
        if result.phase is None or attempt is None:
            return
        known = frozenset(secrets)
        for single in self._fanned_out(attempt, result):
            self._write(attempt, single, known)

    def _fanned_out(self, attempt: OpenAttempt, result: TaskResult) -> Iterator[TaskResult]:
        """The results of each host of the attempt, where a module of ours acted for many."""
        results = result.result.get("fleet_results") if result.is_ours else None
        if not isinstance(results, Mapping):
            yield replace(result, outcome=_outcome_of_task(result))
            return
        strangers = sorted(str(host) for host in results if host not in attempt.hosts)
        if strangers:
            self._complain_once(
                f"The task {result.task!r} ({result.module}) spoke for hosts that are not of the attempt on plan "
                f"{attempt.plan[:16]}, which is ignored: {', '.join(strangers)}."
            )
        for host in sorted(attempt.hosts.intersection(results)):
            single = results[host]
            if isinstance(single, Mapping):
                yield replace(result, host=host, result=single, outcome=_outcome_of(single))
            else:
                self._lose(attempt, host, f"the task {result.task!r} returned no result for it")

    def _complain_once(self, sentence: str) -> None:
        """A task says the same of each of a thousand hosts."""
        if sentence not in self._complained:
            self._complained.add(sentence)
            self._complain(sentence)

    def _open(self, attempt: OpenAttempt) -> None:
        before = self._attempts.get(attempt.plan)
        for host in before.hosts if before else ():
            self._of_host.pop(host, None)
        self._attempts[attempt.plan] = attempt
        self._of_host.update(dict.fromkeys(attempt.hosts, attempt))
        self._append(attempt, None, Phase.OPEN, EntryOutcome.OK, {"recorder": self._recorder})

    def _write(self, attempt: OpenAttempt, result: TaskResult, secrets: frozenset[str]) -> None:
        if not result.may_claim_its_phase:
            self._complain_once(
                f"The task {result.task!r} claims the phase {result.phase!r}, which {result.module} may not record. "
                "It is recorded as a hook, and proves nothing."
            )
            self._write_step(attempt, result, Phase.HOOK, secrets)
            return
        try:
            phase = Phase(str(result.phase))
        except ValueError:
            self._lose(attempt, result.host, f"the task {result.task!r} has the unknown fleet_phase {result.phase!r}")
            return
        if phase is Phase.OUTCOME:
            self._write_outcome(attempt, result, secrets)
        else:
            self._write_step(attempt, result, phase, secrets)

    def _write_step(self, attempt: OpenAttempt, result: TaskResult, phase: Phase, secrets: frozenset[str]) -> None:
        if result.outcome is not EntryOutcome.SKIPPED or _evidence(result.result, ours=result.is_ours) is not None:
            self._append(attempt, result.host, phase, result.outcome, redact(_data(result), secrets))

    def _write_outcome(self, attempt: OpenAttempt, result: TaskResult, secrets: frozenset[str]) -> None:
        decided = result.result.get("fleet_outcome")
        if result.outcome in (EntryOutcome.FAILED, EntryOutcome.UNREACHABLE) and not result.check_mode:
            why = f"the outcome could not be decided: {result.result.get('msg', 'no reason was given')}"
            decided = {"outcome": HostOutcome.FAILED, "in_service": InService.UNKNOWN, "reason": why, "holds": []}
        if not isinstance(decided, Mapping):
            # Check mode, or a host that is not judged now.
            return
        outcome, in_service = HostOutcome(decided["outcome"]), InService(decided["in_service"])
        lost = self._lost.get((attempt.plan, result.host)) or self._lost.get((attempt.plan, None))
        said = redact({key: value for key, value in decided.items() if key not in ("outcome", "in_service")}, secrets)
        if lost:
            said["reason"] = f"its evidence could not be written ({lost}); it would have been {outcome.value}"
            outcome = HostOutcome.FAILED
        self._append(attempt, result.host, Phase.OUTCOME, outcome, {**said, "in_service": in_service.value})

    def _append(
        self,
        attempt: OpenAttempt,
        host: str | None,
        phase: Phase,
        outcome: EntryOutcome | HostOutcome,
        data: dict[str, Any],
    ) -> None:
        written = False
        why = "of a defect; see the warning"
        try:
            record(
                self._open_state(attempt.state_dir),
                plan=attempt.plan,
                attempt=attempt.attempt,
                cycle=attempt.cycle,
                tenant=attempt.tenant,
                host=host,
                phase=phase,
                outcome=outcome,
                data=data,
            )
            written = True
        except (FleetError, OSError) as problem:
            why = str(problem)
        finally:
            # Also when a defect of ours goes on its way to Ansible, which makes no more than a warning of it.
            if not written:
                self._lose(attempt, host, f"{phase.value}: {why}")

    def _lose(self, attempt: OpenAttempt, host: str | None, why: str) -> None:
        self._lost.setdefault((attempt.plan, host), why)
        ledger = f"The ledger of plan {attempt.plan[:16]} (tenant {attempt.tenant})"
        sentence = f"{ledger} is incomplete: {host or 'attempt'}: {why}."
        try:
            state = self._open_state(attempt.state_dir)
            stop = state.request_stop(attempt.tenant, f"{sentence}\nFind out why, then take this request back.")
            self._complain(f"{sentence} As long as {stop} is there, no further host is begun.")
        except (FleetError, OSError) as problem:
            # Where this cannot be written, the guards cannot write their intents either.
            self._complain(f"{sentence} The request to stop could not be written: {problem}")


def _attempt(opened: Mapping[str, Any]) -> OpenAttempt:
    return OpenAttempt(
        plan=str(opened["plan"]),
        attempt=int(opened["attempt"]),
        tenant=str(opened["tenant"]),
        cycle=str(opened["cycle"]),
        state_dir=Path(opened["state_dir"]),
        hosts=frozenset(map(str, opened["hosts"])),
    )


def _outcome_of_task(result: TaskResult) -> EntryOutcome:
    """How a task ended. Ours say of a host that went away that they failed, so that Ansible still runs the rescue."""
    away = result.is_ours and result.result.get("fleet_unreachable", False)
    return EntryOutcome.UNREACHABLE if away and result.outcome is EntryOutcome.FAILED else result.outcome


def _outcome_of(result: Mapping[str, Any], *, ours: bool = True) -> EntryOutcome:
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


def _data(result: TaskResult) -> dict[str, Any]:
    """The evidence a task brings, or what can be said of any task; beside it, under ``task``, which one it was."""
    evidence = _evidence(result.result, ours=result.is_ours)
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
    if not result.may_claim_its_phase:
        task["claimed_phase"] = str(result.phase)
    if result.seconds is not None:
        task["seconds"] = round(result.seconds, 3)
    if result.ignored:
        task["ignored"] = True
    return {**said, "task": task}


def _evidence(result: Mapping[str, Any], *, ours: bool) -> dict[str, Any] | None:
    evidence = result.get("fleet_evidence") if ours else None
    return dict(evidence) if isinstance(evidence, Mapping) else None


def _said(result: Mapping[str, Any], *, ours: bool) -> dict[str, Any]:
    return {key: result[key] for key in (_SAID_BY_OURS if ours else _SAID_BY_ANY) if key in result}


def _item(item: Any, *, ours: bool) -> dict[str, Any]:
    """One turn of a loop."""
    if not isinstance(item, Mapping):
        return {"item": item}
    outcome = _outcome_of(item, ours=ours).value
    if "censored" in item or item.get("_ansible_no_log", False):
        return {"outcome": outcome, "censored": True}
    label = item.get("_ansible_item_label", item.get("item"))
    said = _evidence(item, ours=ours)
    return {**(_said(item, ours=ours) if said is None else said), "item": label, "outcome": outcome}
