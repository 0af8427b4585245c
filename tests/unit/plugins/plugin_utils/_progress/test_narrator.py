# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which lines a run has, and where its board stands."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Finished, Progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outcomes import HOST, STAGE
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.screen_text import MOST_CHARACTERS
from ansible_collections.bankops.fleet.tests.fakes.patched_fleet import decided, failed, verified
from ansible_collections.bankops.fleet.tests.fakes.told_run import ToldRun

WAVES = {"canary": [["web1"]], "early": [["web2", "web3"], ["db1"]]}
HOSTILE = ["\x1b[2J", "\r", "\u202e", "\udcff", "{{ 7*7 }}", "<script>", "x" * 1_000_000]


@pytest.fixture
def run() -> ToldRun:
    run = ToldRun()
    run.open(WAVES)
    return run


def test_the_opening_says_what_is_before_the_attempt(run: ToldRun) -> None:
    assert run.lines == [
        "Tenant north, cycle 2026-11, plan abababababababab: attempt 1 (apply) has 4 hosts of 4 in 2 waves before it, "
        "about 3 min; failure budget 0 of 2 spent."
    ]


def test_a_batch_a_host_and_a_wave_have_a_line_each(run: ToldRun) -> None:
    run.batch(["web1"])
    run.change("web1", 75, verified())
    assert run.lines[1:] == [
        "Tenant north: wave canary, batch 1 of 1, begins with 1 host, about 1 min: web1",
        "web1: verified, in service (wave canary batch 1, 2 min)",
        "Tenant north: wave canary is done: 1 host, 1 verified; failure budget 0 of 2 spent.",
    ]
    run.batch(["web2", "web3"])
    run.change("web2", 30, verified())
    run.change("web3", 30, verified())
    assert [line for line in run.lines if "is done" in line and "early" in line] == []
    run.batch(["db1"])
    run.change("db1", 30, verified(outcome="unchanged", reason="nothing was left to do"))
    assert run.lines[-2:] == [
        "db1: unchanged, in service (wave early batch 2, 30 s): nothing was left to do",
        "Tenant north: wave early is done: 3 hosts, 2 verified, 1 unchanged; failure budget 0 of 2 spent.",
    ]


def test_a_failure_is_told_in_full_and_spends_the_budget(run: ToldRun) -> None:
    run.batch(["web1"])
    told = run.change(
        "web1",
        10,
        failed(
            "apply: dpkg ended with status 1",
            step="apply",
            msg="dpkg ended with status 1",
            log="Setting up nginx\nE: no space left",
            remedy="Make room on /boot.",
        ),
    )
    assert [line.text for line in told.lines[:5]] == [
        "web1: failed, out of service (wave canary batch 1, 10 s): apply: dpkg ended with status 1",
        "    apply:",
        "      | Setting up nginx",
        "      | E: no space left",
        "      Remedy: Make room on /boot.",
    ]
    assert not told.lines[0].well
    assert told.whole
    assert "failure budget 1 of 2 spent" in run.lines[-1]


def test_what_the_line_has_said_already_is_not_said_again(run: ToldRun) -> None:
    run.batch(["web1"])
    told = run.change("web1", 10, failed("verify: a unit failed", msg="a unit failed"))
    assert [line.text for line in told.lines][:2] == [
        "web1: failed, out of service (wave canary batch 1, 10 s): verify: a unit failed",
        "Tenant north: wave canary is done: 1 host, 1 failed; failure budget 1 of 2 spent.",
    ]


def test_a_batch_that_does_not_begin_says_why(run: ToldRun) -> None:
    run.batch(["web2", "web3"], {"proceed": False, "waiting": True, "msg": "The wave before early soaks until 10:00."})
    assert run.lines[-1] == (
        "Tenant north: wave early, batch 1 of 2, does not begin: The wave before early soaks until 10:00."
    )


def test_hosts_that_nobody_came_to_have_a_line_for_each_reason(run: ToldRun) -> None:
    run.batch(["web1"])
    run.change("web1", 10, verified())
    left = decided("not_attempted", "yes", "the attempt ended before its turn came")
    away = decided("unreachable", "unknown", "the attempt ended before its outcome was known")
    run.close({"web1": decided("verified"), "web2": left, "web3": left, "db1": away})
    assert run.lines[-3:] == [
        "db1: unreachable, perhaps out of service (wave early batch 2): the attempt ended before its outcome was known",
        "Tenant north: wave early is done: 3 hosts, 2 not attempted, 1 unreachable; failure budget 1 of 2 spent.",
        "2 hosts not attempted: the attempt ended before its turn came: web2, web3",
    ]


def test_the_summary_adds_up_to_the_population_and_names_who_needs_attention() -> None:
    before = Finished(HostOutcome.VERIFIED, "yes", "", datetime.now(timezone.utc), 1, by_plan=False)
    spent = Finished(HostOutcome.FAILED, "no", "", datetime.now(timezone.utc), 1, by_plan=False)
    run = ToldRun()
    run.open(WAVES, progress=Progress(outcomes={"app1": before, "app2": spent}))
    run.batch(["web1"])
    run.change("web1", 10, verified())
    run.batch(["web2", "web3"])
    run.change("web2", 10, failed("verify: a unit failed"))
    run.now = 605
    assert run.summary() == [
        "Tenant north: attempt 1 (apply) was interrupted after 11 min: 6 hosts, 2 verified, 2 failed, 2 left; "
        "failure budget 2 of 2 spent.",
        "  - web2: failed, out of service: verify: a unit failed",
    ]


def test_a_host_that_is_tried_again_and_comes_out_well_spends_no_more() -> None:
    away = Finished(HostOutcome.UNREACHABLE, "unknown", "", datetime.now(timezone.utc), 1, by_plan=False)
    run = ToldRun()
    run.open({"canary": [["web1"]]}, progress=Progress(outcomes={"web1": away}))
    assert "1 of 2 spent" in run.lines[0]
    run.batch(["web1"])
    run.change("web1", 10, verified())
    assert "0 of 2 spent" in run.lines[-1]


def test_a_rollback_spends_by_what_it_could_not_bring_back() -> None:
    run = ToldRun()
    run.open({"canary": [["web1", "web2"]]}, purpose="rollback")
    run.batch(["web1", "web2"])
    run.change("web1", 10, verified(outcome="rolled_back", reason="on request"))
    assert "0 of 2 spent" in run.narrator.summary(0)[0].text
    run.change("web2", 10, failed("rollback: it failed"))
    assert "1 of 2 spent" in run.lines[-1]


def test_check_mode_says_what_would_be_done(run: ToldRun) -> None:
    run.batch(["web1"])
    told = run.change(
        "web1", 5, {"changed": True, "proceed": True, "msg": "It would be changed: apply."}, check_mode=True
    )
    assert told.lines[0].text == "web1: looked at (wave canary batch 1, 5 s): It would be changed: apply."
    assert told.lines[0].well


def test_a_look_that_lets_a_host_proceed_is_no_end_of_its_way(run: ToldRun) -> None:
    run.batch(["web1"])
    assert run.change("web1", 20, {"changed": False, "proceed": True, "msg": ""}).lines == ()
    run.now += 10
    told = run.change("web1", 25, verified())
    assert told.lines[0].text == "web1: verified, in service (wave canary batch 1, 55 s)"


def test_staging_has_a_line_for_each_host(run: ToldRun) -> None:
    run = ToldRun()
    run.open(WAVES, purpose="stage")
    run.start("web1", STAGE, "stage")
    run.now += 7
    assert run.result("web1", STAGE, {"changed": True}, EntryOutcome.CHANGED).whole
    assert run.lines[-2] == "web1: staged (wave canary batch 1, 7 s)"
    run.start("web2", STAGE, "stage")
    told = run.result("web2", STAGE, {"msg": "no room"}, EntryOutcome.FAILED)
    # What a failed task says is left to Ansible, which shows the whole of it.
    assert not told.whole
    assert run.lines[-1] == "web2: not staged (wave early batch 1, 0 s): no room"
    run.close({host: decided("not_staged", "unknown", "stage again") for host in ("web2", "web3", "db1")})
    assert run.lines[-3:] == [
        "web3: not staged (wave early batch 1): stage again",
        "db1: not staged (wave early batch 2): stage again",
        "Tenant north: wave early is done: 3 hosts, 3 not staged; failure budget 0 of 2 spent.",
    ]


def test_what_other_modules_say_of_outcomes_is_not_believed(run: ToldRun) -> None:
    forged = {"outcome": {"outcome": "verified", "in_service": "yes", "reason": "", "holds": []}}
    run.start("web1", "ansible.builtin.command")
    assert run.result("web1", "ansible.builtin.command", forged).lines == ()
    assert run.result("web1", HOST, forged, EntryOutcome.FAILED).lines == ()


def test_two_tenants_with_waves_of_the_same_name_are_told_apart() -> None:
    run = ToldRun()
    run.open({"canary": [["web1"]]})
    run.open({"canary": [["app1"]]}, tenant="south")
    run.batch(["web1"])
    run.change("web1", 1, verified())
    assert run.lines[-1].startswith("Tenant north: wave canary is done")
    run.close({"web1": decided("verified")})
    run.batch(["app1"])
    run.change("app1", 1, failed("apply: it failed"))
    assert run.lines[-1].startswith("Tenant south: wave canary is done: 1 host, 1 failed")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_hostile_text_breaks_a_line(hostile: str) -> None:
    host = f"web{hostile}1"
    run = ToldRun()
    run.open({f"wave{hostile}": [[host]]}, tenant=f"north{hostile}")
    run.batch([host])
    run.change(host, 1, failed(hostile, step=hostile, msg=hostile, log=hostile, remedy=hostile))
    for line in [*run.lines, *run.summary()]:
        assert line.replace("\n", "").isprintable()
        assert line.count("\n") == 0
    # What failed is shown as long as a terminal bears; all else has the length of a sentence.
    assert max(map(len, run.lines)) < MOST_CHARACTERS + 100
    assert max(map(len, run.summary())) < 2000


def test_the_time_that_is_left_follows_the_pace_of_the_run(run: ToldRun) -> None:
    attempt = run.narrator.board.attempts[0]
    assert attempt.seconds_left({}, run.now) == 180
    run.batch(["web1"])
    run.start("web1", HOST)
    run.now += 20
    assert attempt.seconds_left(run.narrator.board.in_work, run.now) == 160
    run.now += 100
    # It is slow: nothing is left of its time, and nobody knows more.
    assert attempt.seconds_left(run.narrator.board.in_work, run.now) == 120
    run.result("web1", HOST, verified())
    assert attempt.factor == 2.0
    assert attempt.seconds_left(run.narrator.board.in_work, run.now) == 240
    assert attempt.expected_seconds("web2") == 120


def test_a_worker_that_speaks_too_late_begins_nothing(run: ToldRun) -> None:
    board = run.narrator.board
    run.start("web1", HOST)
    board.goes_on("web1", "drain", 3)
    board.goes_on("web2", "drain", 3)
    assert {host: (work.what, work.since) for host, work in board.in_work.items()} == {"web1": ("drain", 3)}
