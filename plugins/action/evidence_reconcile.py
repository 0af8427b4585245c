# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Closes attempts whose process died, after asking the hosts what they know of them."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, open_book
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.host_names import is_plain_name
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import names
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.plans import plans_asked_for
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.reconcile import (
    Learned,
    close_dead,
    dead_attempt,
    dead_attempts,
    hosts_to_ask,
    is_news,
    learn,
    record_learned,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.shipping import ship_all

MODULE = "bankops.fleet.updates_info"
# A list that matches nobody: Ansible takes an empty `hosts` for a mistake.
NOBODY = "!all"
SHOWN_NAMES = 8
UNKNOWN = "In the middle of their change, and nothing is known of them:"
REMEDY = "Run this again when they answer, or go on with the plan, by patch_apply.yml or patch_rollback.yml."


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "part": {"type": "str", "choices": ["find", "ask", "close"], "required": True},
        "attempts": {"type": "list", "elements": "dict", "default": []},
        "taken_in": {"type": "int", "default": 0},
        "timeout": {"type": "float", "default": 5},
        "cycle": {"type": "str"},
        "plans": {"type": "list", "elements": "dict", "default": []},
        "tenants": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        if arguments["part"] == "find":
            return self._find(arguments, variables)
        if arguments["part"] == "ask":
            return self._ask(arguments, variables)
        return self._close(arguments, variables)

    def _find(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        state = self.state(variables)
        # What dead controllers of this machine have left is read before anything is judged.
        taken_in = 0 if self._task.check_mode else ship_all(state, self.state_dir(variables))
        chosen = plans_asked_for(
            state, cycle=arguments["cycle"], plans=arguments["plans"], tenants=arguments["tenants"]
        )
        dead = dead_attempts(state, chosen, datetime.now(timezone.utc))
        hosts: set[str] = set()
        for book, attempt in dead:
            asked = hosts_to_ask(book, attempt)
            what = "is closed; asked again" if attempt.closed else "died; asked what they know"
            self.show([f"{_named(book, attempt)} {what}: {_counted(len(asked), 'host')}."])
            hosts.update(asked)
        if not dead:
            self.show([f"{_counted(len(chosen), 'plan')} looked at: no attempt has died, and nobody is to be asked."])
        known = set(self.variable(variables, "groups")["all"])
        found = {
            "attempts": [
                {"tenant": book.tenant, "plan": book.plan, "attempt": attempt.number} for book, attempt in dead
            ],
            "hosts": sorted(host for host in hosts & known if is_plain_name(host)) or [NOBODY],
            "taken_in": taken_in,
        }
        return {"changed": taken_in > 0, "ansible_facts": {"fleet_reconcile": found}, "attempts": found["attempts"]}

    def _ask(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """One host, about each attempt of its tenant that died with it."""
        host, tenant = str(variables["inventory_hostname"]), str(self.variable(variables, "fleet_tenant"))
        said, changed = {}, False
        for book, attempt in self._dead(arguments, variables, tenant):
            if host in hosts_to_ask(book, attempt):
                learned = self._learn(book.plan, arguments["timeout"], variables)
                said[book.plan] = learned.data
                if is_news(book, attempt, host, learned):
                    changed = True
                    if not self._task.check_mode:
                        record_learned(book, attempt, host, learned)
        return {"changed": changed, "said": said}

    def _learn(self, plan: str, timeout: float, variables: dict[str, t.Any]) -> Learned:
        asked = {"plan": plan, "runs_only": True, "timeout": timeout}
        try:
            return learn(self.on_target(MODULE, asked, variables))
        except AnsibleConnectionFailure as problem:
            return Learned(EntryOutcome.UNREACHABLE, {"msg": f"The host cannot be reached: {problem}"})

    def _close(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        now, changed = datetime.now(timezone.utc), False
        closed: list[dict[str, t.Any]] = []
        unknown = []
        for book, attempt in self._dead(arguments, variables):
            if self._task.check_mode:
                if not attempt.closed:
                    changed = True
                    self.show([f"{_named(book, attempt)} would be closed as incomplete."])
                continue
            open_book(book.state, book.tenant, book.plan)
            found = close_dead(book, attempt, now, taken_in=arguments["taken_in"])
            if found is None:
                self.show([f"{_named(book, attempt)}: somebody is at work on the plan by now."])
                continue
            self.show([f"{_named(book, attempt)} is closed as incomplete: {_sentence(found)}."])
            closed.append({"tenant": book.tenant, "plan": book.plan, "attempt": attempt.number, **found})
            changed = changed or not attempt.closed
            left = [host for host in found["left"] if host in (*found["silent"], *found["failed"])]
            if left:
                unknown.append(f"{book.tenant}, plan {book.plan[:16]}: {names(left, SHOWN_NAMES)}")
        result: dict[str, t.Any] = {"changed": changed, "closed": closed}
        if unknown:
            result.update(failed=True, msg=f"{UNKNOWN} {'; '.join(unknown)}. {REMEDY}")
        return result

    def _dead(
        self, arguments: dict[str, t.Any], variables: dict[str, t.Any], tenant: str | None = None
    ) -> t.Iterator[tuple[Book, Attempt]]:
        """Those of the attempts that are dead still: what is closed meanwhile nobody touches."""
        state, now = self.state(variables), datetime.now(timezone.utc)
        for given in arguments["attempts"]:
            if tenant in (None, given["tenant"]):
                book = Book(state, given["tenant"], given["plan"], state.get_plan(given["tenant"], given["plan"]))
                attempt = dead_attempt(book, now)
                if attempt and attempt.number == given["attempt"]:
                    yield book, attempt


def _named(book: Book, attempt: Attempt) -> str:
    whose = f"{attempt.purpose}, opened {attempt.opened:%Y-%m-%d %H:%M} UTC on {printable(attempt.controller)}"
    cycle = book.head["cycle"]
    return f"{book.tenant}: attempt {attempt.number} ({whose}) on plan {book.plan[:16]} of cycle {cycle}"


def _sentence(found: dict[str, t.Any]) -> str:
    parts = [f"{found['answered']} of {_counted(found['asked'], 'host')} answered"]
    ends = {"silent": "no answer from", "failed": "nothing but a failure from", "left": "in the middle of their change"}
    for key, words in ends.items():
        if found[key]:
            parts.append(f"{words}: {names(found[key], SHOWN_NAMES)}")
    if found["taken_in"]:
        parts.append(f"{found['taken_in']} entries were taken in from spools")
    return "; ".join(parts)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
