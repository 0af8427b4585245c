# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""patch_host, with a real ledger and steps that only answer: what is recorded, when, and what becomes of the host."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from ansible_collections.bankops.fleet.plugins.action import patch_host
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply import journal
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import record, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.tests.unit.plugins.action.stages import (
    BACK,
    BROKEN,
    FORWARD,
    GOOD,
    PROCESS,
    RETURNED,
    WELL,
    Stage,
    stage,
)

__all__ = ["stage"]


def test_every_step_is_in_the_ledger_before_the_next_and_the_outcome_last(stage: Stage) -> None:
    stage.open()
    result = stage.act()
    assert stage.told == [*FORWARD, *RETURNED, "outcome verified"]
    assert verify(stage.book.state.entries("alpha", stage.book.plan)).ok
    assert (result["changed"], result["proceed"], result["msg"]) == (True, False, "verified")
    assert result["outcome"] == {"outcome": "verified", "in_service": "yes", "reason": "", "holds": []}


def test_the_outcome_says_how_long_it_took_and_was_estimated_to_take(stage: Stage) -> None:
    stage.open()
    stage.act()
    data = stage.entries()[-1]["data"]
    assert set(data) == {"in_service", "reason", "holds", "seconds", "estimated_seconds"}
    assert data["estimated_seconds"] == 60
    assert stage.book.progress().measured == [(data["seconds"], 60)]


def test_only_the_load_balancers_steps_are_done_elsewhere(stage: Stage) -> None:
    stage.open()
    stage.act()
    assert stage.taken == ["preflight on web1", "drain on lb1", "apply on web1", "verify on web1", "return on lb1"]


def test_a_look_that_the_change_brought_along_is_not_taken_again(stage: Stage) -> None:
    stage.open()
    stage.answers["apply"] = {**GOOD["apply"], "verification": WELL}
    assert stage.act()["msg"] == "verified"
    assert stage.taken == ["preflight on web1", "drain on lb1", "apply on web1", "return on lb1"]
    (seen,) = [entry["data"] for entry in stage.entries() if entry["phase"] == "verify"]
    assert (seen["settled"], seen["kernel"]) == (True, "6.1")


@pytest.mark.parametrize("look", [{"settled": True}, "well", [WELL]])
def test_a_look_that_is_not_what_it_should_be_proves_nothing(stage: Stage, look: Any) -> None:
    stage.open()
    stage.answers["apply"] = {**GOOD["apply"], "verification": look}
    assert "rolled_back: verify: The step verify broke" in stage.act()["msg"]
    assert stage.told == [*FORWARD[:5], "verify failed", *BACK, *RETURNED, "outcome rolled_back"]


def test_a_look_from_before_a_reboot_is_not_believed(stage: Stage) -> None:
    stage.open()
    stage.answers["apply"] = {"changed": True, "reboot": {"required": True}, "verification": WELL}
    stage.act()
    assert stage.taken[2:5] == ["apply on web1", "reboot on web1", "verify on web1"]


@pytest.mark.parametrize(
    ("step", "told", "in_service"),
    [
        ("preflight", ["preflight failed", "outcome failed"], "yes"),
        ("drain", ["preflight ok", "drain intent", "drain failed", "outcome skipped"], "unknown"),
        ("apply", [*FORWARD[:4], "apply failed", *BACK, *RETURNED, "outcome rolled_back"], "yes"),
        ("return", [*FORWARD, "return intent", "return failed", "outcome failed"], "no"),
    ],
)
def test_a_defect_of_a_step_is_a_failure_of_the_step_and_the_way_goes_on_from_there(
    stage: Stage, step: str, told: list[str], in_service: str
) -> None:
    stage.open()
    stage.answers[step] = KeyError("a defect")
    result = stage.act()
    assert stage.told == told
    assert result["outcome"]["in_service"] == in_service
    assert f"The step {'return_to_service' if step == 'return' else step} broke: KeyError" in result["msg"]


def test_a_defect_of_the_verification_takes_the_change_back(stage: Stage) -> None:
    stage.open()
    stage.answers["verify"] = [ValueError("a defect"), WELL]
    stage.act()
    assert stage.told == [*FORWARD[:5], "verify failed", *BACK, *RETURNED, "outcome rolled_back"]


def test_a_host_that_broke_and_could_not_be_taken_back_is_said_to_be_out_of_service(stage: Stage) -> None:
    stage.open()
    stage.answers |= {"apply": BROKEN, "rollback": BROKEN}
    assert stage.act()["outcome"] == {
        "outcome": "failed",
        "in_service": "no",
        "reason": "apply: dpkg broke; rollback: dpkg broke",
        "holds": [],
    }


def test_what_a_host_said_cannot_rewrite_the_terminal(stage: Stage) -> None:
    stage.open()
    evil = "broke\x1b[2K\x1b]0;x\x07\x9b\u202e"
    stage.answers |= {"apply": {**BROKEN, "msg": evil}, "rollback": BROKEN}
    screen = mock.Mock()
    stage.monkeypatch.setattr(patch_host, "display", screen)
    stage.act()
    ((line,), _color) = screen.display.call_args
    assert line == "web1: failed, out of service: apply: broke?[2K?]0;x???; rollback: dpkg broke"


def test_what_failed_is_told_in_full_to_whoever_shows_it_and_no_secret_with_it(stage: Stage) -> None:
    stage.open()
    failure = {"kind": "change_failed", "remedy": "Make room."}
    stage.answers["apply"] = {**BROKEN, "fleet_failure": failure, "log": "E: no space\ntoken planted-secret"}
    result = stage.act({"service_token": "planted-secret"})
    assert result["failures"] == [
        {"step": "apply", "msg": "dpkg broke", "remedy": "Make room.", "log": "E: no space\ntoken [redacted]"}
    ]
    assert "planted-secret" not in repr(result)


@pytest.mark.parametrize("heard", [True, False])
def test_the_outcome_is_printed_where_no_callback_shows_it(
    stage: Stage, heard: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.open()
    announced: list[tuple[str, str]] = []
    stage.monkeypatch.setattr(patch_host, "is_heard", lambda: heard)
    stage.monkeypatch.setattr(patch_host, "announce", lambda host, phase: announced.append((host, phase)))
    stage.act()
    assert ("web1: verified, in service" in capsys.readouterr().out) is not heard
    assert announced == [("web1", phase) for phase in ("preflight", "drain", "apply", "verify", "return")]


def test_a_host_that_is_not_to_be_begun_is_left_alone_with_the_reason(stage: Stage) -> None:
    stage.open()
    result = stage.act(refusal="the hook before the batch failed")
    assert (stage.taken, stage.told) == ([], ["outcome not_attempted"])
    assert (result["changed"], result["proceed"]) == (False, False)
    assert result["msg"] == "not_attempted: the hook before the batch failed"
    assert stage.entries()[-1]["data"] == {
        "in_service": "yes",
        "reason": "the hook before the batch failed",
        "holds": [],
    }


def test_a_host_that_waits_as_planned_is_marked_so(stage: Stage) -> None:
    stage.open()
    stage.act(refusal="The wave before soaks.", waiting=True)
    assert stage.entries()[-1]["data"]["waiting"] is True


def test_nobody_knows_of_a_host_left_half_changed_that_is_not_to_be_begun(stage: Stage) -> None:
    died = stage.open()
    stage.book.write(died.number, "web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    stage.book.write(died.number, None, Phase.CLOSE, EntryOutcome.FAILED, {})
    stage.open()
    result = stage.act(refusal="The wave before soaks.", waiting=True)
    assert (result["outcome"]["in_service"], result["outcome"].get("waiting")) == ("unknown", None)
    assert stage.book.progress().in_the_middle("web1")


def test_a_reboot_that_a_dead_attempt_had_begun_is_seen_to(stage: Stage) -> None:
    died = stage.open()
    stage.book.write(died.number, "web1", Phase.REBOOT, EntryOutcome.INTENT, {"boot": "d0c5 100"})
    stage.book.write(died.number, None, Phase.CLOSE, EntryOutcome.FAILED, {})
    stage.open()
    assert stage.act()["msg"] == "verified"
    assert "reboot on web1" in stage.taken
    assert not stage.book.progress().in_the_middle("web1")


def test_a_look_ends_before_the_change_when_the_host_may_proceed(stage: Stage) -> None:
    stage.open()
    result = stage.act(part="look")
    assert (stage.taken, stage.told) == (["preflight on web1"], ["preflight ok"])
    assert (result["proceed"], "outcome" in result) == (True, False)


@pytest.mark.parametrize("part", ["look", "whole"])
def test_a_host_that_may_not_proceed_has_its_outcome_at_once(stage: Stage, part: str) -> None:
    stage.open()
    failure = {"kind": "preflight_blocked", "remedy": "", "data": {}}
    blocked = {"failed": True, "msg": "Preflight: disk: / is full", "fleet_failure": failure}
    stage.answers["preflight"] = {**blocked, "preflight": {"verdict": "blocked"}}
    result = stage.act(part=part)
    assert stage.told == ["preflight failed", "outcome skipped"]
    assert (result["proceed"], result["msg"]) == (False, "skipped: Preflight: disk: / is full")


def test_a_change_goes_on_where_the_look_ended(stage: Stage) -> None:
    stage.open()
    stage.act(part="look")
    assert stage.act(part="change")["msg"] == "verified"
    assert stage.told == [*FORWARD, *RETURNED, "outcome verified"]


def test_a_host_whose_own_hook_failed_is_not_changed(stage: Stage) -> None:
    stage.open()
    stage.act(part="look")
    result = stage.act(part="change", refusal="the silence was refused")
    assert stage.told == ["preflight ok", "outcome skipped"]
    assert (result["outcome"]["in_service"], result["outcome"]["reason"]) == ("yes", "the silence was refused")


def test_check_mode_says_what_would_be_done_and_decides_nothing(stage: Stage) -> None:
    stage.open(check_mode=True)
    result = stage.act()
    assert (result["changed"], result["proceed"]) == (True, True)
    assert result["msg"] == "It would be changed: drain, apply."
    assert "outcome" not in result
    assert not [entry for entry in stage.entries() if entry["phase"] == "outcome"]


def test_check_mode_says_why_a_host_would_be_left_alone(stage: Stage) -> None:
    stage.open(check_mode=True)
    stage.answers["preflight"] = {"failed": True, "msg": "Preflight: disk: / is full"}
    assert stage.act()["msg"] == "Preflight: disk: / is full"


@pytest.mark.parametrize(
    ("lines", "taken"),
    [(0, ["preflight on web1"]), (1, ["preflight on web1", "drain on lb1"])],
)
def test_a_ledger_that_cannot_be_written_ends_the_way_and_begins_no_further_host(
    stage: Stage, lines: int, taken: list[str]
) -> None:
    stage.open()
    left = iter(range(lines))

    def write_while_there_is_room(*arguments: Any, **entry: Any) -> None:
        if next(left, None) is None:
            raise OSError("No space left on device")
        record(*arguments, **entry)

    # The intents of the steps are their own; what is lost here are results.
    stage.monkeypatch.setattr(journal, "record", write_while_there_is_room)
    with pytest.raises(FleetError) as refused:
        stage.act()
    assert refused.value.kind == "ledger_unwritable"
    assert stage.taken == taken
    assert stage.book.state.stop_requested("alpha")


def test_without_an_attempt_of_this_run_nothing_is_done(stage: Stage) -> None:
    with pytest.raises(FleetError) as refused:
        stage.act()
    assert refused.value.kind == "no_attempt"
    stage.open()
    stage.monkeypatch.setattr(patch_host, "controller_process", lambda: PROCESS + 1)
    with pytest.raises(FleetError) as refused:
        stage.act()
    assert refused.value.kind == "foreign_attempt"
    assert (stage.taken, stage.told) == ([], [])


def test_no_secret_of_the_host_is_written(stage: Stage) -> None:
    stage.open()
    stage.answers |= {"apply": {**BROKEN, "msg": "refused planted-secret"}}
    stage.act({"db_password": "planted-secret"})
    assert "rolled_back" in stage.told[-1]
    assert not [line for line in stage.book.state.entries("alpha", stage.book.plan) if b"planted-secret" in line]
