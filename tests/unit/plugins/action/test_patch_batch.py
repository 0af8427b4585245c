# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""patch_batch, with a real ledger: when a batch may start, who is looked at first, and what nobody waits for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ansible_collections.bankops.fleet.plugins.action import patch_batch
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, open_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._apply.plans import (
    NOW,
    finish,
    listen,
    make_book,
    runner,
)

PROCESS = 4242


@dataclass
class Stage:
    """A plan whose hosts look as ``looks`` says, or well."""

    root: Path
    book: Book
    looks: dict[str, Mapping[str, Any]]

    check_mode: bool = field(default=False, init=False)

    def open(self, *, check_mode: bool = False) -> Attempt:
        self.check_mode = check_mode
        attempt = open_attempt(
            self.book,
            purpose="apply",
            runner=runner(PROCESS, check_mode=check_mode),
            inventory={"web1", "web2", "web3"},
            limit=None,
            now=NOW,
        )
        listen(self.book, attempt.number)
        return attempt

    def ask(self, *hosts: str) -> dict[str, Any]:
        """Whether the batch of these hosts may start."""
        templar, context = mock.Mock(template=lambda value: value), mock.Mock(password="", become_pass="")
        task = mock.Mock(check_mode=self.check_mode)
        action = patch_batch.ActionModule(task, mock.Mock(), context, mock.Mock(), templar, mock.Mock())
        variables = {
            "inventory_hostname": hosts[0],
            "ansible_play_batch": list(hosts),
            "fleet_tenant": "alpha",
            "fleet_state_dir": str(self.root),
        }
        return action.act({"plan": self.book.plan}, variables)

    def look(self, _action: object, module: str, given: dict[str, Any], host: str, variables: dict[str, Any]) -> Any:
        assert (module, given) == ("bankops.fleet.host_state_info", {"plan": self.book.plan, "timeout": 0})
        assert variables["inventory_hostname"] == host
        return self.looks.get(host, {"settled": True})


def stage_in(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Stage:
    stage = Stage(folder, make_book(folder, max_failed=3, **settings), {})
    monkeypatch.setattr(patch_batch, "controller_process", lambda: PROCESS)
    monkeypatch.setattr(patch_batch, "run_delegated", stage.look)
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("nobody should wait"))
    return stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A plan whose canary soaks for half an hour, for which nobody waits."""
    return stage_in(tmp_path, monkeypatch, policy={"soak_wait_minutes": 0})


def test_the_first_batch_may_start_and_says_where_it_stands(stage: Stage) -> None:
    attempt = stage.open()
    found = stage.ask("web1")
    assert (found["proceed"], found["waiting"], found["msg"]) == (True, False, "")
    assert (found["wave"], found["batch"], found["first_of_wave"], found["last_of_wave"]) == ("canary", 1, True, True)
    assert found["hook_context"] == {
        "cycle": "2026-11",
        "tenant": "alpha",
        "plan": stage.book.plan,
        "attempt": attempt.number,
        "wave": "canary",
        "batch": 1,
        "hosts": ["web1"],
    }


def test_a_batch_whose_wave_before_soaks_waits_as_planned(stage: Stage) -> None:
    finish(stage.book, stage.open().number, "web1", HostOutcome.VERIFIED)
    found = stage.ask("web2")
    assert (found["proceed"], found["waiting"], found["fleet_failure"]["kind"]) == (False, True, "soaking")


def test_nobody_waits_for_a_soak_by_a_clock_that_was_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = stage_in(tmp_path, monkeypatch, soak_minutes=0, policy={"soak_wait_minutes": 120})
    finish(stage.book, stage.open().number, "web1", HostOutcome.VERIFIED)
    monkeypatch.setattr(patch_batch, "datetime", mock.Mock(now=lambda _zone: NOW - timedelta(hours=1)))
    found = stage.ask("web2")
    assert (found["proceed"], found["waiting"], found["fleet_failure"]["kind"]) == (False, False, "gate_closed")
    assert "the clock of this machine is" in found["msg"]


def test_a_refusal_is_no_failure_of_the_task_and_begins_nothing(stage: Stage) -> None:
    stage.open()
    stage.book.state.request_stop("alpha", "a person wants to look first")
    found = stage.ask("web1")
    assert (found["proceed"], found["waiting"], found["hooks"], found["hooked"]) == (False, False, {}, [])
    assert "failed" not in found
    assert "asks to stop" in found["msg"]


def test_the_hosts_of_a_wave_that_has_soaked_are_looked_at_and_the_record_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_in(tmp_path, monkeypatch, soak_minutes=0)
    first = stage.open()
    finish(stage.book, first.number, "web1", HostOutcome.VERIFIED)
    close_attempt(stage.book, first, now_missing="")
    second = stage.open()
    stage.looks["web1"] = {"failed": True, "msg": "nginx.service failed"}
    # What was seen is for the guard of each host, which cannot be skipped.
    assert stage.ask("web2")["proceed"]
    look = stage.book.progress().looks["web1"]
    assert (look.well, look.attempt, look.reason) == (False, second.number, "nginx.service failed")


@pytest.mark.parametrize("canary", [None, HostOutcome.VERIFIED])
def test_a_host_left_half_changed_waits_for_no_wave_and_no_soak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: HostOutcome | None
) -> None:
    stage = stage_in(tmp_path, monkeypatch, policy={"soak_wait_minutes": 60})
    died = stage.open()
    stage.book.write(died.number, "web2", Phase.DRAIN, EntryOutcome.INTENT, {})
    stage.book.write(died.number, None, Phase.CLOSE, EntryOutcome.FAILED, {})
    attempt = stage.open()
    if canary:
        finish(stage.book, attempt.number, "web1", canary)
    assert stage.ask("web2")["proceed"]


def test_check_mode_looks_at_every_batch(stage: Stage) -> None:
    stage.open(check_mode=True)
    assert stage.ask("web3")["proceed"]


def test_hosts_with_hooks_of_their_own_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = {"before_host": ["/hooks/silence.yml"], "after_wave": [], "before_batch": ["/hooks/tell.yml"]}
    stage = stage_in(tmp_path, monkeypatch, policy={"hooks": hooks})
    stage.open()
    found = stage.ask("web1")
    assert found["hooked"] == ["web1"]
    assert found["hooks"] == {"before_host": ["/hooks/silence.yml"], "before_batch": ["/hooks/tell.yml"]}
