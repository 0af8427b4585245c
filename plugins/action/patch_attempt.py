# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens and closes attempts on the plans of a cycle. Runs on the controller alone."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction, controller_process
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import (
    Book,
    Runner,
    abandon_attempt,
    choose_plans,
    close_attempt,
    open_attempt,
    open_attempts_of,
    open_book,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.provenance import read_provenance
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.rollout import rollout

# A list that matches nobody: Ansible takes an empty `hosts` for a mistake.
NOBODY = "!all"


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "state": {"type": "str", "choices": ["open", "closed", "abandoned"], "required": True},
        "purpose": {"type": "str", "choices": ["stage", "apply"], "default": "apply"},
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
            return self._open(chosen, arguments["purpose"], variables)
        if arguments["state"] == "abandoned":
            return self._abandon(chosen, variables)
        return self._close(chosen, arguments["not_attempted"], variables)

    def _open(self, chosen: list[tuple[str, str]], purpose: str, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        state = self.state(variables)
        runner = self._runner()
        inventory = set(self.variable(variables, "groups")["all"])
        limit = set(self.variable(variables, "ansible_play_hosts_all")) if variables.get("ansible_limit") else None
        # All books are verified before the first attempt is opened: a bad plan stops the run with nothing begun.
        books = [open_book(state, tenant, plan) for tenant, plan in chosen]
        # A host in two plans, and a name that Ansible would read as a pattern, are found before anything is opened.
        rollout([(book.plan, book.head) for book in books], finished={}, inventory=inventory, limit=limit)
        now = datetime.now(timezone.utc)
        opened: list[tuple[Book, Attempt]] = []
        try:
            for book in books:
                attempt = open_attempt(book, purpose=purpose, runner=runner, inventory=inventory, limit=limit, now=now)
                opened.append((book, attempt))
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
                    "state_dir": str(self.state_dir(variables)),
                    "owner": attempt.owner,
                    "hosts": sorted(book.head["hosts"]),
                }
                for book, attempt in opened
            ],
        }

    def _cycle_hooks(self, books: list[Book]) -> dict[str, list[str]]:
        """The task files of all tenants around the cycle, each once."""
        points: dict[str, list[str]] = {"before_cycle": [], "after_cycle": []}
        for book in books:
            host = next(iter(book.head["hosts"]))
            hooks = book.state.get_host(book.tenant, book.plan, host)["policy"]["hooks"]
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
        self, chosen: list[tuple[str, str]], not_attempted: str, variables: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        attempts = open_attempts_of(self.state(variables), chosen, this_owner(controller_process()))
        closed = {book.tenant: close_attempt(book, attempt, now_missing=not_attempted) for book, attempt in attempts}
        return {
            "changed": False,
            "tenants": closed,
            "in_order": all(tenant["in_order"] for tenant in closed.values()),
            # The evidence callback lets go of their leases.
            "fleet_closed": [{"tenant": book.tenant, "owner": attempt.owner} for book, attempt in attempts],
        }
