# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides once for a batch whether it may start, waits for a short soak, and looks at the wave that has soaked."""

from __future__ import annotations

import time
import typing as t
from datetime import datetime, timezone

from ansible import constants, context

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction, controller_process, display
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.batch import Turn, hosts_to_look_at, turn_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.guard import WAITING, own_attempt, refuse_new_hosts
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.journal import Journal
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.moment import open_gates, require_clock
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt, Progress, read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.soak import look_at_all
from ansible_collections.bankops.fleet.plugins.plugin_utils._delegate import run_delegated
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

LOOK = "bankops.fleet.host_state_info"
FORKS = constants.config.get_config_value("DEFAULT_FORKS")


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {"plan": {"type": "str", "required": True}}

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        state, plan = self.state(variables), arguments["plan"]
        tenant = str(self.variable(variables, "fleet_tenant"))
        hosts = [str(host) for host in self.variable(variables, "ansible_play_batch")]
        # Whatever refuses, refuses this batch; the batches of other tenants go on.
        try:
            return self._begin(state, tenant, plan, hosts, variables)
        except FleetError as refusal:
            waiting = refusal.kind in WAITING
            result = {**refusal.as_result(), "proceed": False, "waiting": waiting, "hooks": {}, "hooked": []}
            return {**result, "first_of_wave": False, "last_of_wave": False}

    def _begin(
        self, state: State, tenant: str, plan: str, hosts: list[str], variables: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        head = state.get_plan(tenant, plan)
        progress = read_progress(state.entries(tenant, plan))
        attempt = own_attempt(
            progress.current,
            plan,
            hosts[0],
            this_owner(controller_process()),
            ("apply", "rollback"),
            check_mode=bool(self._task.check_mode),
        )
        refuse_new_hosts(state, head, progress, hosts)
        documents = [state.get_host_document(tenant, plan, host, head["hosts"][host]["digest"]) for host in hosts]
        turn = turn_of(head, progress, hosts, datetime.now(timezone.utc), simulated=True)
        if attempt.purpose == "apply":
            resuming = any(progress.in_the_middle(host) for host in hosts)
            try:
                self._await_turn(state, plan, head, progress, documents, variables, resuming=resuming)
            except FleetError:
                # Hosts that an earlier attempt left half changed are brought to an end whatever holds the batch back.
                # What holds back the others their own guards find as well.
                if not resuming:
                    raise
        return {
            "proceed": True,
            "waiting": False,
            "msg": "",
            "wave": turn.wave,
            "batch": turn.batch,
            "first_of_wave": turn.first_of_wave,
            "last_of_wave": turn.last_of_wave,
            "hooks": {point: files for point, files in documents[0]["policy"]["hooks"].items() if files},
            "hooked": [document["host"] for document in documents if _has_hooks_of_its_own(document)],
            "hook_context": self._hook_context(head, plan, attempt, turn, hosts),
        }

    def _await_turn(
        self,
        state: State,
        plan: str,
        head: dict[str, t.Any],
        progress: Progress,
        documents: list[dict[str, t.Any]],
        variables: dict[str, t.Any],
        *,
        resuming: bool,
    ) -> None:
        """Come back when the batch's turn has come and its gates are open. Raises FleetError when they are not."""
        hosts = [document["host"] for document in documents]
        simulated = progress.current is not None and progress.current.check_mode
        require_clock(progress, datetime.now(timezone.utc))
        turn = turn_of(head, progress, hosts, datetime.now(timezone.utc), simulated=simulated)
        # Nobody waits beside a host that may be drained.
        self._soak(turn, 0 if resuming else documents[0]["policy"]["soak_wait_minutes"])
        if turn.wave_before is not None:
            self._look(state, plan, head, progress, turn.wave_before, variables)
        new = [document for document in documents if not progress.in_the_middle(document["host"])]
        open_gates(progress, new, datetime.now(timezone.utc))

    def _soak(self, turn: Turn, patience_minutes: float) -> None:
        """Wait until the wave before has soaked. Raises FleetError when that would take longer than patience."""
        if turn.soaked_at is None:
            return
        remaining = (turn.soaked_at - datetime.now(timezone.utc)).total_seconds()
        if remaining > patience_minutes * 60:
            raise FleetError(
                f"The wave before {turn.wave} soaks until {turn.soaked_at:%Y-%m-%dT%H:%M:%SZ}.",
                kind="soaking",
                remedy="Run patch_apply.yml again then.",
            )
        while remaining > 0:
            display.display(f"Wave {turn.wave} waits {remaining:.0f} s for the soak of the wave before.")
            time.sleep(min(remaining, 60))
            remaining = (turn.soaked_at - datetime.now(timezone.utc)).total_seconds()

    def _look(
        self,
        state: State,
        plan: str,
        head: dict[str, t.Any],
        progress: Progress,
        wave: dict[str, t.Any],
        variables: dict[str, t.Any],
    ) -> None:
        """Look how the hosts of the wave before are since it has soaked; the guard of each host reads what was seen."""
        hosts = hosts_to_look_at(progress, wave)
        if not hosts or progress.current is None:
            return
        number = progress.current.number
        display.display(f"Looking at the {len(hosts)} hosts of wave {wave['name']}, which has soaked.")

        def look(host: str) -> None:
            began = time.monotonic()
            own = {**variables, "inventory_hostname": host}
            # Nothing is waited for: they have had their time.
            result = run_delegated(self, LOOK, {"plan": plan, "timeout": 0}, host, own)
            journal = Journal(state, plan, head, number, host, self.secrets(variables), check_mode=False)
            journal.write_step(LOOK, Phase.SOAK, result, time.monotonic() - began)

        look_at_all(hosts, look, at_once=int(context.CLIARGS.get("forks") or FORKS))

    def _hook_context(
        self, head: dict[str, t.Any], plan: str, attempt: Attempt, turn: Turn, hosts: list[str]
    ) -> dict[str, t.Any]:
        return {
            "cycle": head["cycle"],
            "tenant": head["tenant"],
            "plan": plan,
            "attempt": attempt.number,
            "wave": turn.wave,
            "batch": turn.batch,
            "hosts": hosts,
        }


def _has_hooks_of_its_own(document: t.Mapping[str, t.Any]) -> bool:
    hooks = document["policy"]["hooks"]
    return bool(hooks.get("before_host") or hooks.get("after_host"))
