# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's way: which step follows which, whatever each of them says."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.steps import Result, Step
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.way import Way, proceeds
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.outcome import decide

FORWARD = ["preflight", "drain", "apply", "verify", "return_to_service"]
BACK = ["rollback", "verify_after_rollback"]
GOOD: dict[Step, Result] = {
    Step.PREFLIGHT: {"preflight": {"verdict": "proceed"}},
    Step.DRAIN: {"changed": True},
    Step.APPLY: {"changed": True, "reboot": {"required": False}},
    Step.REBOOT: {"changed": True},
    Step.VERIFY: {"settled": True},
    Step.ROLLBACK: {"changed": True, "reboot": {"required": False}},
    Step.VERIFY_AFTER_ROLLBACK: {"settled": True},
    Step.RETURN_TO_SERVICE: {"changed": True},
}
NEEDS_REBOOT = {"changed": True, "reboot": {"required": True}}


def failed(kind: str, **more: Any) -> Result:
    return {"failed": True, "fleet_failure": {"kind": kind}, **more}


def go(
    results: dict[Step, Result] | None = None,
    *,
    back: bool = False,
    reboot: str = "never",
    balancer: bool = True,
    **settings: Any,
) -> list[str]:
    """The steps that a host takes, in order; each says what ``results`` has for it, or that all is well."""
    taken: list[str] = []

    def do(step: Step) -> Result:
        taken.append(step.value)
        return {**GOOD, **(results or {})}[step]

    policy = {"load_balancer": {"host": "lb1"} if balancer else None, "reboot": reboot}
    way = Way(do, policy, **settings)
    steps = way.look()
    if proceeds(steps):
        go_on = way.take_back if back else way.change
        go_on(steps)
    assert list(steps) == taken
    return taken


def test_a_good_way_ends_in_service() -> None:
    assert go() == FORWARD


def test_a_host_without_a_load_balancer_is_neither_drained_nor_returned() -> None:
    assert go(balancer=False) == ["preflight", "apply", "verify"]


@pytest.mark.parametrize(
    "preflight",
    [
        {"preflight": {"verdict": "nothing_to_do"}},
        {"preflight": {"verdict": "blocked"}, **failed("preflight_blocked")},
        # A failure is never a permission, whatever stands beside it.
        {"preflight": {"verdict": "proceed"}, "failed": True},
        {"preflight": {}},
        {},
    ],
)
def test_a_host_that_may_not_proceed_is_only_looked_at(preflight: Result) -> None:
    assert go({Step.PREFLIGHT: preflight}) == ["preflight"]
    assert go({Step.PREFLIGHT: preflight}, back=True) == ["preflight"]


def test_a_host_that_could_not_be_drained_is_not_changed() -> None:
    assert go({Step.DRAIN: failed("too_few_left")}) == ["preflight", "drain"]


def test_a_change_that_did_not_begin_leaves_the_host_in_service() -> None:
    assert go({Step.APPLY: failed("lock_held")}) == ["preflight", "drain", "apply", "return_to_service"]


def test_a_change_that_is_still_at_work_is_left_alone() -> None:
    assert go({Step.APPLY: failed("still_running")}) == ["preflight", "drain", "apply"]


@pytest.mark.parametrize("kind", ["change_failed", "unreachable"])
def test_a_change_that_failed_half_way_is_taken_back_and_the_host_returned(kind: str) -> None:
    assert go({Step.APPLY: failed(kind)}) == ["preflight", "drain", "apply", *BACK, "return_to_service"]


def test_a_rollback_that_an_earlier_attempt_had_begun_is_finished_and_nothing_applied() -> None:
    refused = failed("rollback_begun", fleet_refused=True)
    assert go({Step.APPLY: refused}) == ["preflight", "drain", "apply", *BACK, "return_to_service"]


def test_a_host_that_is_unwell_after_the_change_is_taken_back() -> None:
    worse = {"failed": True, "settled": False}
    assert go({Step.VERIFY: worse}) == ["preflight", "drain", "apply", "verify", *BACK, "return_to_service"]


def test_a_host_that_is_unwell_after_nothing_was_changed_stays_out_of_service() -> None:
    unchanged = {"changed": False, "before": {"a:all": "2"}, "after": {"a:all": "2"}}
    taken = go({Step.APPLY: unchanged, Step.VERIFY: {"failed": True, "settled": False}})
    assert taken == ["preflight", "drain", "apply", "verify"]


def test_a_host_whose_rollback_failed_stays_out_of_service() -> None:
    taken = go({Step.APPLY: failed("change_failed"), Step.ROLLBACK: failed("change_failed")})
    assert taken == ["preflight", "drain", "apply", "rollback"]


def test_a_host_that_is_unwell_after_its_rollback_stays_out_of_service() -> None:
    taken = go({Step.APPLY: failed("change_failed"), Step.VERIFY_AFTER_ROLLBACK: {"failed": True}})
    assert taken == ["preflight", "drain", "apply", *BACK]


@pytest.mark.parametrize(
    ("wanted", "required", "reboots"),
    [
        ("never", True, False),
        ("if_required", False, False),
        ("if_required", True, True),
        ("always", False, True),
    ],
)
def test_a_host_is_rebooted_between_change_and_verification_as_its_policy_says(
    wanted: str, required: bool, reboots: bool
) -> None:
    taken = go({Step.APPLY: {"changed": True, "reboot": {"required": required}}}, reboot=wanted)
    assert taken == ["preflight", "drain", "apply", *["reboot"] * reboots, "verify", "return_to_service"]


def test_a_reboot_that_an_earlier_attempt_had_begun_is_seen_to_even_when_none_is_required_any_more() -> None:
    taken = go(reboot="if_required", rebooting=True)
    assert taken == ["preflight", "drain", "apply", "reboot", "verify", "return_to_service"]


@pytest.mark.parametrize("step", [Step.APPLY, Step.REBOOT, Step.VERIFY])
def test_a_host_that_went_away_is_left_to_a_further_attempt(step: Step) -> None:
    away = failed("unreachable", fleet_unreachable=True)
    taken = go({Step.APPLY: NEEDS_REBOOT, step: away}, reboot="if_required")
    assert taken[-1] == step


HELLO, TOOLS = {"name": "hello"}, {"name": "tools"}


def way_of_proven(
    vanished: list[dict[str, str]],
    proven: Step = Step.VERIFY,
    remaining: tuple[Any, ...] = (HELLO, TOOLS),
    *,
    results: dict[Step, Result] | None = None,
    balancer: bool = True,
) -> tuple[list[str], dict[str, Result]]:
    """The steps of a host that an earlier attempt had found well, and their results."""
    found = {"verdict": "proceed", "remaining": list(remaining), "vanished": vanished}
    answers: dict[Step, Result] = {**GOOD, Step.PREFLIGHT: {"preflight": found}, **(results or {})}
    taken: list[str] = []

    def do(step: Step) -> Result:
        taken.append(step.value)
        return answers[step]

    way = Way(do, {"load_balancer": {"host": "lb1"} if balancer else None, "reboot": "never"}, proven=proven)
    steps = way.look()
    way.change(steps)
    return taken, steps


def test_a_host_that_only_had_to_be_returned_is_looked_at_and_not_drained_again() -> None:
    taken, steps = way_of_proven([HELLO, TOOLS])
    assert taken == ["preflight", "verify", "return_to_service"]
    assert decide(steps) == {"outcome": "verified", "in_service": "yes", "reason": ""}
    taken, steps = way_of_proven([HELLO, TOOLS], balancer=False)
    assert taken == ["preflight", "verify"]
    assert decide(steps) == {"outcome": "verified", "in_service": "yes", "reason": ""}


def test_a_host_that_only_had_to_be_returned_after_its_rollback_is_not_rolled_back_again() -> None:
    taken, steps = way_of_proven([], Step.VERIFY_AFTER_ROLLBACK)
    assert taken == ["preflight", "verify_after_rollback", "return_to_service"]
    reason = "apply: An earlier attempt rolled this host back."
    assert decide(steps) == {"outcome": "rolled_back", "in_service": "yes", "reason": reason}


@pytest.mark.parametrize(
    ("vanished", "proven", "remaining"),
    [
        # Somebody has undone a part of it since.
        ([HELLO], Step.VERIFY, (HELLO, TOOLS)),
        # Somebody has done a part of what was taken back.
        ([HELLO], Step.VERIFY_AFTER_ROLLBACK, (HELLO, TOOLS)),
        # Nobody knows what is pending.
        ([], Step.VERIFY, ()),
        ([], Step.VERIFY_AFTER_ROLLBACK, ()),
    ],
)
def test_a_host_that_has_changed_since_it_was_proven_goes_the_whole_way(
    vanished: list[dict[str, str]], proven: Step, remaining: tuple[Any, ...]
) -> None:
    assert way_of_proven(vanished, proven, remaining)[0] == FORWARD


def test_a_host_that_is_unwell_since_it_was_proven_goes_the_whole_way() -> None:
    taken, steps = way_of_proven([HELLO, TOOLS], results={Step.VERIFY: {"failed": True, "settled": False}})
    assert taken == ["preflight", "verify", "drain", "apply", "verify", *BACK, "return_to_service"]
    assert decide(steps)["outcome"] == "rolled_back"


def test_check_mode_foretells_the_change_and_verifies_and_takes_back_nothing() -> None:
    assert go(simulated=True) == ["preflight", "drain", "apply"]
    assert go({Step.APPLY: NEEDS_REBOOT}, reboot="if_required", simulated=True)[-1] == "reboot"
    assert go({Step.APPLY: failed("change_failed")}, simulated=True) == ["preflight", "drain", "apply"]
    assert go(back=True, simulated=True) == ["preflight", "drain", "rollback"]


def test_the_versions_from_before_are_brought_back_on_request() -> None:
    assert go(back=True) == ["preflight", "drain", *BACK, "return_to_service"]
    assert go(back=True, balancer=False) == ["preflight", *BACK]


def test_a_host_is_rebooted_into_what_was_brought_back() -> None:
    taken = go({Step.ROLLBACK: NEEDS_REBOOT}, back=True, reboot="if_required")
    assert taken == ["preflight", "drain", "rollback", "reboot", "verify_after_rollback", "return_to_service"]


@pytest.mark.parametrize(
    ("results", "last"),
    [
        ({Step.DRAIN: failed("too_few_left")}, "drain"),
        ({Step.ROLLBACK: failed("checksum_mismatch")}, "rollback"),
        ({Step.ROLLBACK: NEEDS_REBOOT, Step.REBOOT: failed("reboot_timeout")}, "reboot"),
        ({Step.VERIFY_AFTER_ROLLBACK: {"failed": True}}, "verify_after_rollback"),
    ],
)
def test_what_cannot_be_brought_back_does_not_return_to_service(results: dict[Step, Result], last: str) -> None:
    assert go(results, back=True, reboot="if_required")[-1] == last
