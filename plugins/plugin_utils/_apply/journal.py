# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what one host goes through into its plan's ledger, each step before the next is begun."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import record
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import redact
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.results import (
    TaskResult,
    data_of,
    outcome_of,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State


@dataclass(frozen=True)
class Journal:
    """The ledger as one host's task writes into it; ``secrets`` are values that must not stand there."""

    state: State
    plan: str
    head: Mapping[str, Any]
    attempt: int
    host: str
    secrets: frozenset[str]
    check_mode: bool

    def write_step(self, module: str, phase: Phase, result: Mapping[str, Any], seconds: float) -> None:
        """Record the result of a step. Raises FleetError of kind ``ledger_unwritable``."""
        outcome = outcome_of(result)
        step = TaskResult(
            host=self.host,
            task=phase.value,
            module=module,
            phase=phase.value,
            outcome=outcome,
            ignored=False,
            check_mode=self.check_mode,
            seconds=seconds,
            result=result,
        )
        self.write(phase, outcome, data_of(step))

    def write(self, phase: Phase, outcome: EntryOutcome | HostOutcome, data: Mapping[str, Any]) -> None:
        """Append one entry. Raises FleetError of kind ``ledger_unwritable`` and asks the tenant's attempts to stop."""
        try:
            record(
                self.state,
                plan=self.plan,
                attempt=self.attempt,
                cycle=self.head["cycle"],
                tenant=self.head["tenant"],
                host=self.host,
                phase=phase,
                outcome=outcome,
                data=redact(dict(data), self.secrets),
            )
        except (FleetError, OSError) as problem:
            sentence = f"The {phase.value} of {self.host} could not be recorded: {problem}"
            # Where this cannot be written, no intent can be either, and without one nothing is changed.
            with contextlib.suppress(FleetError, OSError):
                self.state.request_stop(self.head["tenant"], f"{sentence}\nFind out why, then take this request back.")
            raise FleetError(
                sentence,
                kind="ledger_unwritable",
                remedy="Make room, or give the owner of the state its rights back; then run patch_apply.yml again.",
            ) from problem
