# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens and closes attempts on the plans of a cycle. Runs on the controller alone."""

from __future__ import annotations

import os
import typing as t
from datetime import datetime, timezone
from pathlib import Path

from ansible.utils.vars import load_extra_vars

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction, controller_process
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import (
    Book,
    Proof,
    Runner,
    abandon_attempt,
    choose_plans,
    open_attempt,
    open_attempts_of,
    open_book,
    ready_for_attempt,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.opening import opening_proof
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.provenance import read_provenance
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Verdict
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import parts_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.rollout import rollout
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.ticket import ticket_gate, ticket_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outlook import outlook_data

# A list that matches nobody: Ansible takes an empty `hosts` for a mistake.
NOBODY = "!all"

INTERNAL = frozenset(("ansible_facts", "fleet_hook", "fleet_phase", "fleet_refusal", "fleet_rollout", "fleet_staging"))
"""Variables that the playbooks set for their own tasks and for those of hooks."""


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "state": {"type": "str", "choices": ["open", "closed", "abandoned", "gate"], "required": True},
        "purpose": {"type": "str", "choices": ["stage", "apply", "rollback"], "default": "apply"},
        "hosts": {"type": "list", "elements": "str"},
        "executor_key": {"type": "path"},
        "ticket": {"type": "raw"},
        "gate": {"type": "str", "choices": ["ticket"]},
        "cycle": {"type": "str"},
        "plans": {"type": "list", "elements": "dict", "default": []},
        "tenants": {"type": "list", "elements": "str", "default": []},
        "not_attempted": {"type": "str", "default": "the attempt ended before its turn came"},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        chosen = choose_plans(
            self.state(variables), cycle=arguments["cycle"], plans=arguments["plans"], tenants=arguments["tenants"]
        )
        if arguments["state"] == "open":
            _refuse_internal(load_extra_vars(self._loader))
            return self._open(chosen, arguments, variables)
        if arguments["state"] == "abandoned":
            return self._abandon(chosen, variables)
        if arguments["state"] == "gate":
            return self._pass_gate(chosen, arguments["gate"], variables)
        return self._close(chosen, arguments, variables)

    def _open(
        self, chosen: list[tuple[str, str]], arguments: dict[str, t.Any], variables: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        state, purpose = self.state(variables), arguments["purpose"]
        runner = self._runner()
        inventory = set(self.variable(variables, "groups")["all"])
        limit = set(self.variable(variables, "ansible_play_hosts_all")) if variables.get("ansible_limit") else None
        if purpose == "rollback":
            limit = _asked_for(arguments["hosts"], limit)
        # All books are verified before the first attempt is opened: a bad plan stops the run with nothing begun.
        books = [open_book(state, tenant, plan) for tenant, plan in chosen]
        if purpose == "rollback" and limit is not None:
            _refuse_unplanned(books, limit)
        # A host in two plans, and a name that Ansible would read as a pattern, are found before anything is opened.
        rollout([(book.plan, book.head) for book in books], finished={}, inventory=inventory, limit=limit)
        proofs = [self._proof(book, arguments, variables) for book in books]
        opened: list[tuple[Book, Attempt]] = []
        evidence: dict[str, Path] = {}
        try:
            for book, proof in zip(books, proofs, strict=True):
                attempt = open_attempt(
                    book,
                    purpose=purpose,
                    runner=runner,
                    inventory=inventory,
                    limit=limit,
                    now=datetime.now(timezone.utc),
                    proof=proof,
                )
                opened.append((book, attempt))
                evidence[book.plan] = state.evidence_dir(book.tenant, book.plan, attempt.owner)
        except FleetError as problem:
            # All or none: what this run has opened already is not left open.
            for book, attempt in opened:
                close_attempt(book, attempt, now_missing=f"the attempt could not begin: {problem.message}")
            raise
        batches = [batch for _book, attempt in opened for batch in attempt.batches]
        fleet_rollout = {
            "hosts": [host for batch in batches for host in batch] or [NOBODY],
            "serial": [len(batch) for batch in batches] or [1],
            "plans": {book.tenant: book.plan for book, _attempt in opened},
            "cycle": books[0].head["cycle"],
            "hooks": self._cycle_hooks(books),
            "tickets": self._tickets(opened, arguments["ticket"]),
            "hook_context": {
                "cycle": books[0].head["cycle"],
                "hosts": [host for batch in batches for host in batch],
                "plans": {book.tenant: book.plan for book, _attempt in opened},
            },
        }
        return {
            "changed": False,
            "ansible_facts": {"fleet_rollout": fleet_rollout},
            "msg": f"{sum(map(len, batches))} hosts in {len(batches)} batches.",
            "fleet_attempts": [
                {
                    "plan": book.plan,
                    "attempt": attempt.number,
                    "tenant": book.tenant,
                    "cycle": book.head["cycle"],
                    "state_dir": str(evidence[book.plan]),
                    "owner": attempt.owner,
                    "hosts": sorted(book.head["hosts"]),
                    "outlook": outlook_data(book.head, attempt, book.progress()),
                }
                for book, attempt in opened
            ],
        }

    def _proof(self, book: Book, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> Proof:
        """What the opening entry says of the executor, the ticket and the inventory of this run."""
        now, purpose = datetime.now(timezone.utc), arguments["purpose"]
        number = ready_for_attempt(book, purpose, now)
        if purpose == "stage" or self._task.check_mode:
            return Proof(number, {})
        own = [host for host in book.head["hosts"] if host in self.variable(variables, "groups")["all"]]
        key = Path(arguments["executor_key"]).expanduser() if arguments["executor_key"] else None
        proof = opening_proof(
            book.policy,
            plan=book.plan,
            tenant=book.tenant,
            attempt=number,
            purpose=purpose,
            opened=now,
            key=key,
            environment=os.environ,
        )
        incomplete = parts_of(variables["hostvars"].raw_get(host).get("fleet_incomplete") for host in own)
        said = {**proof, "ticket": ticket_of(arguments["ticket"], book.tenant), "incomplete": incomplete}
        return Proof(number, said, signed=now if "executor" in proof else None)

    def _tickets(self, opened: list[tuple[Book, Attempt]], given: t.Any) -> list[dict[str, t.Any]]:
        """What the hook that looks tickets up is given, for each plan whose policy has one."""
        found = []
        for book, attempt in opened:
            policy, ticket = book.policy, ticket_of(given, book.tenant)
            files = policy["hooks"].get("change_ticket") or []
            # What has not even the form of a ticket stays out of the addresses that a hook makes of it.
            wanted = ticket and ticket_gate(policy, ticket)["verdict"] == Verdict.PASS
            if wanted and files and attempt.purpose == "apply":
                context = {"tenant": book.tenant, "plan": book.plan, "attempt": attempt.number, "ticket": ticket}
                hosts = [host for batch in attempt.batches for host in batch]
                found.append({"files": files, "context": {**context, "cycle": book.head["cycle"], "hosts": hosts}})
        return found

    def _pass_gate(
        self, chosen: list[tuple[str, str]], gate: str | None, variables: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Record that a hook has looked at a gate of the attempts this run has open, and found it good."""
        for book, attempt in open_attempts_of(self.state(variables), chosen, this_owner(controller_process())):
            book.write(
                attempt.number, None, Phase.GATE, EntryOutcome.OK, {"gate": gate, "ticket": attempt.opening["ticket"]}
            )
        return {"changed": False}

    def _cycle_hooks(self, books: list[Book]) -> dict[str, list[str]]:
        """The task files of all tenants around the cycle, each once."""
        points: dict[str, list[str]] = {"before_cycle": [], "after_cycle": []}
        for book in books:
            hooks = book.policy["hooks"]
            for point, files in points.items():
                files += [file for file in hooks.get(point, []) if file not in files]
        return points

    def _runner(self) -> Runner:
        process = controller_process()
        return Runner(process, read_provenance(Path.cwd()), bool(self._task.check_mode), this_owner(process))

    def _abandon(self, chosen: list[tuple[str, str]], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        books = [open_book(self.state(variables), tenant, plan) for tenant, plan in chosen]
        if self._task.check_mode:
            numbers = {book.tenant: attempt.number for book in books if (attempt := book.progress().current)}
        else:
            runner = self._runner()
            numbers = {book.tenant: number for book in books if (number := abandon_attempt(book, runner))}
        return {"changed": False, "abandoned": numbers}

    def _close(
        self, chosen: list[tuple[str, str]], arguments: dict[str, t.Any], variables: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        attempts = open_attempts_of(self.state(variables), chosen, this_owner(controller_process()))
        missing = arguments["not_attempted"]
        closed = {book.tenant: close_attempt(book, attempt, now_missing=missing) for book, attempt in attempts}
        in_order = all(tenant["in_order"] for tenant in closed.values())
        return {
            "changed": False,
            "msg": "" if in_order else "\n".join(_not_in_order(closed)),
            "tenants": closed,
            "in_order": in_order,
            # The evidence callback lets go of their leases.
            "fleet_closed": [{"tenant": book.tenant, "owner": attempt.owner} for book, attempt in attempts],
        }


def _refuse_internal(given: t.Iterable[str]) -> None:
    """What the playbooks tell one another may not come from the command line, which would outrank it."""
    internal = sorted(name for name in given if name.startswith("__patch_") or name in INTERNAL)
    if internal:
        raise FleetError(
            f"Extra variables: {', '.join(internal)}: the playbooks set these themselves.",
            kind="internal_variable",
            remedy="Leave them out of -e, of the job template and of its survey.",
        )


def _asked_for(hosts: list[str] | None, limit: set[str] | None) -> set[str] | None:
    """The hosts to roll back: named ones or all, never everybody by default. Raises FleetError of kind ``no_hosts``."""
    if not hosts:
        raise FleetError(
            "patch_rollback_hosts is not set.",
            kind="no_hosts",
            remedy="Name the hosts to roll back, or say all: -e patch_rollback_hosts=all.",
        )
    if hosts == ["all"]:
        return limit
    return set(hosts) if limit is None else set(hosts) & limit


def _refuse_unplanned(books: list[Book], hosts: set[str]) -> None:
    strangers = sorted(host for host in hosts if not any(host in book.head["hosts"] for book in books))
    if strangers:
        raise FleetError(
            f"No plan of this cycle has {', '.join(strangers[:10])}.",
            kind="host_not_planned",
            remedy="Correct patch_rollback_hosts; patch_status.yml shows the hosts of a plan.",
        )


def _not_in_order(closed: dict[str, dict[str, t.Any]]) -> list[str]:
    return [
        f"{tenant}: {host}: {found['outcome']}: {found['reason']}"
        for tenant, result in closed.items()
        for host, found in result["hosts"].items()
        if found["outcome"] not in ("verified", "unchanged", "rolled_back")
    ] or ["Not every host that was asked for was begun; see the messages above."]
