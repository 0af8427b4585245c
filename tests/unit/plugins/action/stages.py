# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stage for patch_host: a plan with a real ledger, an open attempt, and steps that only answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ansible_collections.bankops.fleet.plugins.action import patch_host
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, open_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._apply.plans import (
    NOW,
    listen,
    make_book,
    runner,
)

PROCESS = 4242
BALANCED = {"load_balancer": {"host": "lb1", "backend": "web", "server": "web1"}}
LOOKED = {"settled": True, "worse": [], "checks": [], "attempts": 1, "seconds": 0.5}
WELL = {**LOOKED, "state": {"kernel": {"running": "6.1"}}}
GOOD: dict[str, Mapping[str, Any]] = {
    "preflight": {"preflight": {"verdict": "proceed"}},
    "drain": {"changed": True},
    "apply": {"changed": True, "reboot": {"required": False}},
    "reboot": {"changed": True},
    "verify": {"settled": True},
    "rollback": {"changed": True, "reboot": {"required": False}},
    "return": {"changed": True},
}
STEPS = {
    ("bankops.fleet.updates_info", None): "preflight",
    ("bankops.fleet.haproxy_server", "drained"): "drain",
    ("bankops.fleet.updates", "applied"): "apply",
    ("bankops.fleet.host_reboot", None): "reboot",
    ("bankops.fleet.host_state_info", None): "verify",
    ("bankops.fleet.updates", "rolled_back"): "rollback",
    ("bankops.fleet.haproxy_server", "ready"): "return",
}
CHANGING = ("drain", "apply", "reboot", "rollback", "return")
FORWARD = ["preflight ok", "drain intent", "drain changed", "apply intent", "apply changed", "verify ok"]
BACK = ["rollback intent", "rollback changed", "verify ok"]
RETURNED = ["return intent", "return changed"]
BROKEN = {"failed": True, "msg": "dpkg broke", "fleet_failure": {"kind": "change_failed"}}


@dataclass
class Stage:
    """A plan with an open attempt, and web1, whose steps answer what ``answers`` has for them, or that all is well."""

    root: Path
    book: Book
    monkeypatch: pytest.MonkeyPatch
    answers: dict[str, Any] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.monkeypatch.setattr(patch_host, "controller_process", lambda: PROCESS)
        self.monkeypatch.setattr(patch_host, "run_here", self._answer_here)
        self.monkeypatch.setattr(patch_host, "run_delegated", self._answer_delegated)

    check_mode: bool = field(default=False, init=False)

    def open(self, *, purpose: str = "apply", check_mode: bool = False) -> Attempt:
        self.check_mode = check_mode
        attempt = open_attempt(
            self.book,
            purpose=purpose,
            runner=runner(PROCESS, check_mode=check_mode),
            inventory={"web1", "web2", "web3"},
            limit=None,
            now=NOW,
        )
        listen(self.book, attempt.number)
        return attempt

    def act(self, variables: Mapping[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        """The result of the task on web1."""
        task, context = mock.Mock(diff=False, check_mode=self.check_mode), mock.Mock(password="", become_pass="")
        templar = mock.Mock(template=lambda value: value)
        action = patch_host.ActionModule(task, mock.Mock(), context, mock.Mock(), templar, mock.Mock())
        own = {
            "inventory_hostname": "web1",
            "fleet_tenant": "alpha",
            "fleet_state_dir": str(self.root),
            **(variables or {}),
        }
        given = {"plan": self.book.plan, "part": "whole", "refusal": None, "waiting": False, **arguments}
        return action.act(given, own)

    def _answer_here(self, _action: object, module: str, given: dict[str, Any], _variables: object) -> Any:
        return self._answer(module, given, "web1")

    def _answer_delegated(
        self, _action: object, module: str, given: dict[str, Any], host: str, _variables: object
    ) -> Any:
        return self._answer(module, given, host)

    def _answer(self, module: str, given: dict[str, Any], on: str) -> Any:
        assert given["plan"] == self.book.plan
        step = STEPS[(module, given.get("state"))]
        self.taken.append(f"{step} on {on}")
        current = self.book.progress().current
        assert current is not None
        if step in CHANGING:
            self.book.write(current.number, "web1", Phase(step), EntryOutcome.INTENT, {})
        answer = self.answers.get(step, GOOD[step])
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def entries(self) -> list[dict[str, Any]]:
        return [entry for entry in read_entries(self.book.state.entries("alpha", self.book.plan)) if entry["host"]]

    @property
    def told(self) -> list[str]:
        """What the ledger says of web1, in its order."""
        assert {entry["host"] for entry in self.entries()} <= {"web1"}
        return [f"{entry['phase']} {entry['outcome']}" for entry in self.entries()]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A plan for web1 behind a load balancer."""
    return Stage(tmp_path, make_book(tmp_path, policy=BALANCED, max_failed=3), monkeypatch)
