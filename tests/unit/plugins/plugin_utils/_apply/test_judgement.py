# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's way comes to: its one outcome, whether it serves, and why."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.guard import NOT_BEGUN
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.judgement import judge, not_attempted, settle
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase

from .plans import line, opening_line

PROCEED: dict[str, Any] = {"preflight": {"verdict": "proceed"}}
WELL: dict[str, dict[str, Any]] = {
    "preflight": PROCEED,
    "drain": {"changed": True},
    "apply": {"changed": True},
    "verify": {"settled": True},
}


def refused(kind: str) -> dict[str, Any]:
    """The steps of a host whose first one was refused on the controller."""
    failure = {"kind": kind, "remedy": "", "data": {}}
    return {"preflight": {"failed": True, "fleet_refused": True, "msg": "No.", "fleet_failure": failure}}


def test_a_host_that_was_left_as_it_is_still_serves() -> None:
    assert not_attempted("a person said so", resumed=False) == {
        "outcome": "not_attempted",
        "in_service": "yes",
        "reason": "a person said so",
    }


def test_nobody_knows_whether_a_host_serves_that_an_earlier_attempt_left_half_changed() -> None:
    assert not_attempted("stopped", resumed=True)["in_service"] == "unknown"
    assert judge(refused("stopped"), resumed=True)["in_service"] == "unknown"
    assert judge(refused("not_staged"), resumed=True)["in_service"] == "unknown"


def test_who_waits_as_planned_is_marked_so_but_not_when_half_changed() -> None:
    assert not_attempted("soaks", resumed=False, waiting=True)["waiting"] is True
    assert "waiting" not in not_attempted("soaks", resumed=True, waiting=True)
    assert "waiting" not in not_attempted("stopped", resumed=False)


@pytest.mark.parametrize("kind", sorted(NOT_BEGUN))
def test_a_refusal_that_says_nothing_about_the_host_leaves_it_to_a_further_attempt(kind: str) -> None:
    decided = judge(refused(kind), resumed=False)
    assert (decided["outcome"], decided["in_service"], decided["reason"]) == ("not_attempted", "yes", "No.")
    assert decided.get("waiting", False) is (kind == "soaking")


def test_a_refusal_for_the_hosts_own_sake_skips_it() -> None:
    assert judge(refused("not_staged"), resumed=False) == {
        "outcome": "skipped",
        "in_service": "yes",
        "reason": "preflight: No.",
    }


def test_the_same_word_from_a_host_is_no_refusal() -> None:
    said = refused("stopped")
    del said["preflight"]["fleet_refused"]
    assert judge(said, resumed=False)["outcome"] == "skipped"


def test_a_host_that_went_its_whole_way_is_verified() -> None:
    done = {**WELL, "return_to_service": {"changed": True}}
    assert judge(done, resumed=False) == {"outcome": "verified", "in_service": "yes", "reason": ""}


def test_a_verified_host_that_was_not_returned_is_not_called_well() -> None:
    refusing = {"failed": True, "msg": "The load balancer cannot be reached."}
    decided = judge({**WELL, "return_to_service": refusing}, resumed=False)
    assert (decided["outcome"], decided["in_service"]) == ("failed", "no")
    assert "cannot be reached" in decided["reason"]


def test_what_a_hook_said_is_the_reason_where_no_step_has_a_better_one() -> None:
    decided = judge({"preflight": PROCEED}, resumed=False, failure="the silence was refused")
    assert (decided["outcome"], decided["reason"]) == ("skipped", "the silence was refused")
    broken = {"preflight": PROCEED, "apply": {"failed": True, "msg": "dpkg broke"}}
    assert judge(broken, resumed=False, failure="the silence was refused")["reason"] == "apply: dpkg broke"


CHANGED_BEFORE = [HostOutcome.FAILED, HostOutcome.VERIFIED, HostOutcome.ROLLED_BACK]
LOOKED = {"preflight": {"failed": True, "msg": "Preflight: disk"}}
BLOCKED = {"outcome": "skipped", "in_service": "yes", "reason": "Preflight: disk"}
GONE = {"outcome": "unreachable", "in_service": "unknown", "reason": "preflight: The host cannot be reached"}


def settled(decided: dict[str, Any], steps: Any, known: HostOutcome) -> str:
    """What is recorded of web1 by an attempt after the one that found it as ``known``."""
    drained = line("web1", Phase.DRAIN, EntryOutcome.INTENT)
    before = [opening_line(), drained, line("web1", Phase.OUTCOME, known, in_service="no", reason="")]
    return str(settle(decided, steps, read_progress([*before, opening_line(2)]), "web1")["outcome"])


@pytest.mark.parametrize("known", CHANGED_BEFORE)
@pytest.mark.parametrize("decided", [BLOCKED, GONE], ids=["blocked", "gone"])
def test_a_look_makes_nothing_undone_that_an_earlier_attempt_came_to(decided: Any, known: HostOutcome) -> None:
    assert settled(decided, LOOKED, known) == "not_attempted"


@pytest.mark.parametrize("known", CHANGED_BEFORE)
def test_a_drain_that_may_have_lasted_is_a_failure_of_a_host_that_was_changed_before(known: HostOutcome) -> None:
    steps = {"preflight": PROCEED, "drain": {"failed": True}}
    assert settled({**BLOCKED, "in_service": "unknown"}, steps, known) == "failed"
    assert settled(BLOCKED, steps, known) == "not_attempted"


def test_a_host_in_the_middle_of_its_change_stays_so_when_it_is_only_looked_at() -> None:
    assert settled({**BLOCKED, "in_service": "unknown"}, LOOKED, HostOutcome.UNREACHABLE) == "not_attempted"


def test_a_host_that_was_away_before_it_was_begun_is_judged_anew() -> None:
    before = [opening_line(), line("web1", Phase.OUTCOME, HostOutcome.UNREACHABLE, in_service="unknown", reason="")]
    assert settle(BLOCKED, LOOKED, read_progress(before), "web1") == BLOCKED


@pytest.mark.parametrize("step", ["apply", "rollback"])
def test_what_an_attempt_has_done_counts(step: str) -> None:
    steps = {"preflight": PROCEED, step: {"failed": True}}
    assert settled(GONE, steps, HostOutcome.FAILED) == "unreachable"
