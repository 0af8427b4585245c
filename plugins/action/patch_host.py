# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes one host its whole way, step by step, each recorded before the next is begun; then gives it its outcome.

Every step is an action plugin of its own with its own guards, so none of them can be reached around this one.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Mapping

from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction, controller_process, display
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.guard import own_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.journal import Journal
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.judgement import judge, not_attempted, settle
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt, Progress, read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.steps import Result, Step
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.verification import verified
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.way import Way, proceeds
from ansible_collections.bankops.fleet.plugins.plugin_utils._delegate import run_delegated, run_here
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import (
    HostOutcome,
    InService,
    Phase,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import redact
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.announcements import announce, is_heard

LOOK, CHANGE, WHOLE = "look", "change", "whole"
MODULES: dict[Step, tuple[str, dict[str, str]]] = {
    Step.PREFLIGHT: ("bankops.fleet.updates_info", {}),
    Step.DRAIN: ("bankops.fleet.haproxy_server", {"state": "drained"}),
    Step.APPLY: ("bankops.fleet.updates", {"state": "applied"}),
    Step.REBOOT: ("bankops.fleet.host_reboot", {}),
    Step.VERIFY: ("bankops.fleet.host_state_info", {}),
    Step.ROLLBACK: ("bankops.fleet.updates", {"state": "rolled_back"}),
    Step.VERIFY_AFTER_ROLLBACK: ("bankops.fleet.host_state_info", {}),
    Step.RETURN_TO_SERVICE: ("bankops.fleet.haproxy_server", {"state": "ready"}),
}
VERIFYING = frozenset((Step.VERIFY, Step.VERIFY_AFTER_ROLLBACK))
ON_BALANCER = frozenset((Step.DRAIN, Step.RETURN_TO_SERVICE))


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "plan": {"type": "str", "required": True},
        "part": {"type": "str", "choices": [WHOLE, LOOK, CHANGE], "default": WHOLE},
        "refusal": {"type": "str"},
        "waiting": {"type": "bool", "default": False},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        state, plan = self.state(variables), arguments["plan"]
        tenant, host = str(self.variable(variables, "fleet_tenant")), str(variables["inventory_hostname"])
        head = state.get_plan(tenant, plan)
        progress = read_progress(state.entries(tenant, plan), host)
        attempt = own_attempt(
            progress.current,
            plan,
            host,
            this_owner(controller_process()),
            ("apply", "rollback"),
            check_mode=bool(self._task.check_mode),
        )
        document = state.get_host(tenant, plan, host)
        journal = Journal(state, plan, head, attempt.number, host, self.secrets(variables), attempt.check_mode)
        resumed = host not in attempt.started and progress.in_the_middle(host)
        began = time.monotonic()
        steps = self._walk(arguments, document, attempt, progress, journal, variables)
        result = {
            "changed": any(step.get("changed", False) for step in steps.values()),
            "hooks": document["policy"]["hooks"],
        }
        failures = self._failures(steps, journal.secrets)
        if failures:
            result["failures"] = failures
        if self._task.diff and (steps.get(Step.APPLY) or {}).get("diff"):
            result["diff"] = steps[Step.APPLY]["diff"]
        if attempt.check_mode:
            return {**result, "proceed": proceeds(steps), "msg": _foretold(steps)}
        if arguments["part"] == LOOK and proceeds(steps):
            return {**result, "proceed": True, "msg": ""}
        decided = settle(self._decide(arguments, steps, resumed=resumed), steps, progress, host)
        times = {"seconds": round(time.monotonic() - began, 1), "estimated_seconds": document["estimated_seconds"]}
        evidence = {**decided, "holds": document["holds"], **(times if proceeds(steps) else {})}
        journal.write(Phase.OUTCOME, HostOutcome(evidence.pop("outcome")), evidence)
        if not is_heard():
            self._tell(host, decided)
        said = f"{decided['outcome']}: {decided['reason']}" if decided["reason"] else decided["outcome"]
        return {**result, "proceed": False, "msg": said, "outcome": {**decided, "holds": document["holds"]}}

    def _walk(
        self,
        arguments: Mapping[str, t.Any],
        document: Mapping[str, t.Any],
        attempt: Attempt,
        progress: Progress,
        journal: Journal,
        variables: dict[str, t.Any],
    ) -> dict[str, Result]:
        policy = document["policy"]
        # A change that no reboot follows brings the look at the host along, which spares a round trip.
        looked: dict[str, t.Any] = {}

        def do(step: Step) -> Result:
            begun = time.monotonic()
            announce(journal.host, step.phase.value)
            look = looked.pop("verification", None) if step in VERIFYING else None
            result = self._step(step, arguments["plan"], policy, variables, look)
            looked.clear()
            looked.update({"verification": result["verification"]} if "verification" in result else {})
            journal.write_step(MODULES[step][0], step.phase, result, time.monotonic() - begun)
            display.vv(f"{journal.host}: {step.value} {'failed' if result.get('failed') else 'done'}")
            return result

        rebooting = progress.began(journal.host, Phase.REBOOT) is not None
        proven = _proven(progress, journal.host)
        way = Way(do, policy, simulated=attempt.check_mode, rebooting=rebooting, proven=proven)
        taking_back, refused = attempt.purpose == "rollback", arguments["refusal"] is not None
        # A host that is not to be rolled back keeps the outcome that it has.
        if refused and (taking_back or arguments["part"] != CHANGE):
            return {}
        # After a look the steps themselves see in the ledger whether it let the host proceed.
        looked_at: dict[str, Result] = {Step.PREFLIGHT: {"preflight": {"verdict": "proceed"}}}
        steps = looked_at if arguments["part"] == CHANGE else way.look()
        if arguments["part"] != LOOK and not refused and proceeds(steps):
            go_on = way.take_back if taking_back else way.change
            go_on(steps)
        return steps

    def _step(
        self, step: Step, plan: str, policy: Mapping[str, t.Any], variables: dict[str, t.Any], look: t.Any
    ) -> Result:
        """The result of a step. ``look`` is what a verification need not ask the host any more, or None."""
        module, given = MODULES[step]
        arguments = {"plan": plan, **given}
        try:
            if look is not None:
                result = verified(look)
            elif step in ON_BALANCER:
                result = run_delegated(self, module, arguments, policy["load_balancer"]["host"], variables)
            else:
                result = run_here(self, module, arguments, variables)
        except Exception as problem:  # noqa: BLE001  a defect in one step must not leave the host drained
            return {"failed": True, "msg": f"The step {step.value} broke: {problem!r}"}
        return t.cast("Result", result)

    def _decide(self, arguments: Mapping[str, t.Any], steps: dict[str, Result], *, resumed: bool) -> dict[str, t.Any]:
        refusal = arguments["refusal"]
        if refusal is not None and Step.PREFLIGHT not in steps:
            return not_attempted(refusal, resumed=resumed, waiting=arguments["waiting"])
        return judge(steps, resumed=resumed, failure=refusal or "")

    def _failures(self, steps: Mapping[str, Result], secrets: frozenset[str]) -> list[dict[str, str]]:
        """What failed on the way, for whoever shows it; the host's outcome has only room for a sentence."""
        failed = {name: step for name, step in steps.items() if step.get("failed")}
        found = [
            {
                "step": str(name),
                "msg": str(step.get("msg", "")),
                "remedy": str((step.get("fleet_failure") or {}).get("remedy") or ""),
                "log": str(step.get("log") or ""),
            }
            for name, step in failed.items()
        ]
        return t.cast("list[dict[str, str]]", redact(found, secrets))

    def _tell(self, host: str, decided: Mapping[str, t.Any]) -> None:
        line = f"{host}: {decided['outcome']}, {InService(decided['in_service']).words}"
        # A reason may be what the host said.
        reason = printable(decided["reason"])
        good = decided["outcome"] in (HostOutcome.VERIFIED, HostOutcome.UNCHANGED) or decided.get("waiting")
        display.display(f"{line}: {reason}" if reason else line, color=None if good else "red")


def _proven(progress: Progress, host: str) -> Step | None:
    """The verification with which an earlier attempt found the host well, when it only had to be returned."""
    if not progress.in_the_middle(host) or host not in progress.proven:
        return None
    return Step.VERIFY_AFTER_ROLLBACK if progress.began(host, Phase.ROLLBACK) else Step.VERIFY


def _foretold(steps: Mapping[str, Result]) -> str:
    """What check mode says of a host: why it would be left alone, or what would be done."""
    preflight = steps.get(Step.PREFLIGHT) or {}
    if not proceeds(steps):
        return str(preflight.get("msg") or "Nothing is left to do.")
    done = [step.value for step in MODULES if (steps.get(step) or {}).get("changed")]
    failed = [f"{name}: {step.get('msg', '')}" for name, step in steps.items() if step.get("failed")]
    return "; ".join(failed) if failed else f"It would be changed: {', '.join(done) or 'nothing'}."
