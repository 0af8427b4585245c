# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns the results of tasks into entries of the ledgers that are open.

An exception in a callback is only a warning to Ansible, and the exit code stays 0. So a recorder that cannot write does
two things that nobody overlooks: it says so loudly, and it asks the tenant's attempts to stop, so that the guards of
changing modules begin no further host and the report fails. What a host goes through is not recorded here: the steps of
its way are written by ``_apply`` one by one, before the next is begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import record
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import redact
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.results import (
    OPENS_ATTEMPTS,
    TaskResult,
    data_of,
    evidence_of,
    intended,
    outcome_of,
    outcome_of_task,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State


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

    def concerns(self, module: str, phase: str | None) -> bool:
        """Whether results of such a task have anything to record, which most have not, and are not even read."""
        return module == OPENS_ATTEMPTS or (phase is not None and bool(self._of_host))

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
            yield replace(result, outcome=outcome_of_task(result))
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
                yield replace(result, host=host, result=single, outcome=outcome_of(single))
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
        if result.outcome is EntryOutcome.SKIPPED and evidence_of(result.result, ours=result.is_ours) is None:
            return
        data = data_of(result)
        if self._may_be_what_it_claims(attempt, result):
            phase = Phase(str(result.phase))
        else:
            phase = Phase.HOOK
            data["task"]["claimed_phase"] = result.phase
            self._complain_once(
                f"The task {result.task!r} claims the phase {result.phase!r}, which {result.module} may not record "
                "like this. It is recorded as a hook, and proves nothing."
            )
        self._append(attempt, result.host, phase, result.outcome, redact(data, secrets))

    def _may_be_what_it_claims(self, attempt: OpenAttempt, result: TaskResult) -> bool:
        """Whether a result is recorded in its phase. What the guards rely on must have been done under the plan."""
        if not result.may_claim_its_phase:
            return False
        if result.outcome not in (EntryOutcome.OK, EntryOutcome.CHANGED):
            return True
        if result.phase in (Phase.PREFLIGHT, Phase.VERIFY):
            # Without a plan these modules say what they saw, and bring no evidence.
            return evidence_of(result.result, ours=True) is not None
        # Whether the controller half began to drain the host for this attempt, and not any server for anybody.
        return result.phase != Phase.DRAIN or result.result.get("fleet_intended") == intended(
            attempt.plan, attempt.attempt
        )

    def _append(
        self,
        attempt: OpenAttempt,
        host: str | None,
        phase: Phase,
        outcome: EntryOutcome,
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
