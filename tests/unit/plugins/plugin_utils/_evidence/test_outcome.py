# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every host comes out with exactly one outcome, and never with a better one than was proven."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.outcome import ON_HOST, count, decide
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome, InService

OK: dict[str, Any] = {"changed": False}
CHANGED: dict[str, Any] = {"changed": True}
SKIPPED: dict[str, Any] = {"changed": False, "skipped": True}
PROCEED: dict[str, Any] = {"changed": False, "preflight": {"verdict": "proceed"}}
SETTLED: dict[str, Any] = {"changed": False, "settled": True}
UNSETTLED: dict[str, Any] = {"changed": False, "settled": False, "failed": True, "msg": "unit nginx.service is failed"}
GONE: dict[str, Any] = {
    "changed": False,
    "failed": True,
    "fleet_unreachable": True,
    "msg": "The host cannot be reached",
}


def failed(message: str, kind: str = "broken", **more: Any) -> dict[str, Any]:
    return {"changed": False, "failed": True, "msg": message, "fleet_failure": {"kind": kind, "data": {}}, **more}


RESUMED: dict[str, Any] = {**PROCEED, "resumed": True}
BALANCED: dict[str, Any] = {"preflight": PROCEED, "drain": CHANGED}
ALONE: dict[str, Any] = {"preflight": PROCEED, "drain": SKIPPED}
BROKEN = failed("nginx: post-install ended with status 1", changed=True)
UNDONE: dict[str, Any] = {"rollback": CHANGED, "verify_after_rollback": SETTLED}
RETURNED: dict[str, Any] = {"return_to_service": CHANGED}

CASES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # nothing was touched
    "its turn never came": ({}, "not_attempted", "yes", "turn"),
    "all steps are None": (dict.fromkeys(("preflight", "drain", "apply")), "not_attempted", "yes", "turn"),
    "nothing to do": ({"preflight": {"preflight": {"verdict": "nothing_to_do"}}}, "unchanged", "yes", "nothing"),
    "the preflight blocked": (
        {"preflight": failed("Preflight: disk: 3 MB free", "preflight_blocked")},
        "skipped",
        "yes",
        "Preflight: disk: 3 MB free",
    ),
    "the preflight crashed": (
        {"preflight": {"failed": True, "msg": "Traceback"}},
        "failed",
        "yes",
        "preflight: Traceback",
    ),
    "a verdict nobody knows": ({"preflight": {"preflight": {"verdict": "maybe"}}}, "skipped", "yes", "did not say"),
    "no verdict": ({"preflight": OK}, "skipped", "yes", "did not say"),
    "a hook refused it after the preflight": ({"preflight": PROCEED}, "skipped", "yes", ""),
    "not reached at the preflight": ({"preflight": GONE}, "unreachable", "unknown", "preflight: The host cannot"),
    # the drain
    "the drain was refused": (
        {"preflight": PROCEED, "drain": failed("too few healthy", "too_few_healthy")},
        "skipped",
        "yes",
        "drain: too few healthy",
    ),
    "the drain was not put back": (
        {
            "preflight": PROCEED,
            "drain": {
                **OK,
                "failed": True,
                "fleet_failure": {"kind": "sessions_remain", "data": {"not_put_back": [{}]}},
            },
        },
        "skipped",
        "unknown",
        "drain: it did not succeed",
    ),
    "the balancer was not reached": (
        {"preflight": PROCEED, "drain": failed("no route", "unreachable")},
        "skipped",
        "unknown",
        "drain: no route",
    ),
    "drained, and nothing more": (BALANCED, "failed", "no", ""),
    "drained, returned, never applied": ({**BALANCED, **RETURNED}, "failed", "yes", ""),
    # the good way
    "verified behind a balancer": (
        {**BALANCED, "apply": CHANGED, "reboot": CHANGED, "verify": SETTLED, **RETURNED},
        "verified",
        "yes",
        "",
    ),
    "verified, no reboot was needed": (
        {**BALANCED, "apply": CHANGED, "reboot": SKIPPED, "verify": SETTLED, **RETURNED},
        "verified",
        "yes",
        "",
    ),
    "verified, no balancer": (
        {**ALONE, "apply": CHANGED, "verify": SETTLED, "return_to_service": SKIPPED},
        "verified",
        "yes",
        "",
    ),
    "verified, nobody returned it": ({**BALANCED, "apply": CHANGED, "verify": SETTLED}, "verified", "no", ""),
    "verified, the return failed": (
        {**BALANCED, "apply": CHANGED, "verify": SETTLED, "return_to_service": failed("not up", "not_up")},
        "failed",
        "no",
        "return to service: not up",
    ),
    # not verified
    "never verified": ({**BALANCED, "apply": CHANGED}, "failed", "no", ""),
    "the verification did not say settled": ({**ALONE, "apply": CHANGED, "verify": OK}, "failed", "unknown", "verify"),
    "the verification was skipped": (
        {**ALONE, "apply": CHANGED, "verify": SKIPPED},
        "failed",
        "unknown",
        "",
    ),
    # the change failed
    "rolled back and returned": (
        {**BALANCED, "apply": BROKEN, **UNDONE, **RETURNED},
        "rolled_back",
        "yes",
        "apply: nginx: post-install",
    ),
    "rolled back after a bad verification": (
        {**BALANCED, "apply": CHANGED, "verify": UNSETTLED, **UNDONE, **RETURNED},
        "rolled_back",
        "yes",
        "verify: unit nginx.service",
    ),
    "rolled back after a reboot that failed": (
        {**BALANCED, "apply": CHANGED, "reboot": failed("has not come back"), **UNDONE, **RETURNED},
        "rolled_back",
        "yes",
        "reboot: has not come back",
    ),
    "rolled back, no balancer": ({**ALONE, "apply": BROKEN, **UNDONE}, "rolled_back", "yes", "apply: nginx"),
    "rolled back, not returned": (
        {**BALANCED, "apply": BROKEN, **UNDONE, "return_to_service": failed("not up")},
        "failed",
        "no",
        "return to service: not up",
    ),
    "the rollback failed": (
        {**BALANCED, "apply": BROKEN, "rollback": failed("no old version")},
        "failed",
        "no",
        "apply: nginx: post-install ended with status 1; rollback: no old version",
    ),
    "not well after the rollback": (
        {**BALANCED, "apply": BROKEN, "rollback": CHANGED, "verify_after_rollback": UNSETTLED},
        "failed",
        "no",
        "verify after rollback: unit nginx.service",
    ),
    "not verified after the rollback": ({**ALONE, "apply": BROKEN, "rollback": CHANGED}, "failed", "unknown", "apply"),
    "refused before anything changed": (
        {**ALONE, "apply": failed("another apt is at work", "lock_held")},
        "skipped",
        "yes",
        "apply: another apt",
    ),
    "refused before anything changed, returned": (
        {**BALANCED, "apply": failed("another apt is at work", "lock_held"), **RETURNED},
        "skipped",
        "yes",
        "apply: another apt",
    ),
    "refused before anything changed, and not returned": (
        {**BALANCED, "apply": failed("another apt is at work", "lock_held"), "return_to_service": failed("not up")},
        "failed",
        "no",
        "return to service: not up",
    ),
    "an interrupted dpkg that could not be finished": (
        {**BALANCED, "apply": failed("half-configured", "interrupted"), **RETURNED},
        "failed",
        "yes",
        "apply: half-configured",
    ),
    "the change is still at work": (
        {**BALANCED, "apply": failed("it still runs after 3600 s", "still_running")},
        "unreachable",
        "no",
        "apply: it still runs",
    ),
    "changed, failed, could not be rolled back": ({**ALONE, "apply": BROKEN}, "failed", "unknown", "apply: nginx"),
    "nothing was changed, and it is unwell": (
        {**ALONE, "apply": OK, "verify": UNSETTLED},
        "failed",
        "unknown",
        "verify: unit nginx.service",
    ),
    # an earlier attempt ended in the middle of its change
    "resumed, and the preflight blocked": (
        {"preflight": {**failed("Preflight: disk: 3 MB free", "preflight_blocked"), "resumed": True}},
        "skipped",
        "unknown",
        "Preflight: disk",
    ),
    "resumed, and a hook refused it": ({"preflight": RESUMED}, "skipped", "unknown", ""),
    "resumed, and the drain was refused": (
        {"preflight": RESUMED, "drain": failed("too few healthy", "too_few_healthy")},
        "skipped",
        "unknown",
        "drain: too few healthy",
    ),
    "resumed, and the preflight crashed": (
        {"preflight": {"failed": True, "msg": "Traceback", "resumed": True}},
        "failed",
        "unknown",
        "preflight: Traceback",
    ),
    "resumed, and the change was refused": (
        {"preflight": RESUMED, "drain": SKIPPED, "apply": failed("another apt is at work", "lock_held")},
        "failed",
        "unknown",
        "apply: another apt",
    ),
    "resumed, refused, and returned": (
        {
            "preflight": RESUMED,
            "drain": CHANGED,
            "apply": failed("another apt is at work", "lock_held"),
            "return_to_service": CHANGED,
        },
        "failed",
        "yes",
        "apply: another apt",
    ),
    "resumed, blocked, and returned all the same": (
        {"preflight": {**failed("disk", "preflight_blocked"), "resumed": True}, "return_to_service": CHANGED},
        "failed",
        "yes",
        "",
    ),
    "resumed and verified, no balancer": (
        {"preflight": RESUMED, "drain": SKIPPED, "apply": CHANGED, "verify": SETTLED},
        "verified",
        "yes",
        "",
    ),
    # it went away
    "gone in the middle of the change": (
        {**BALANCED, "apply": GONE, "rollback": GONE},
        "unreachable",
        "no",
        "rollback: The host cannot",
    ),
    "gone in the middle of the change, no balancer": ({**ALONE, "apply": GONE}, "unreachable", "unknown", "apply: The"),
    "gone at the reboot": ({**BALANCED, "apply": CHANGED, "reboot": GONE}, "unreachable", "no", "reboot: The host"),
    "gone at the verification": ({**BALANCED, "apply": CHANGED, "verify": GONE}, "unreachable", "no", "verify: The"),
    "gone, came back, rolled back": (
        {**BALANCED, "apply": GONE, **UNDONE, **RETURNED},
        "rolled_back",
        "yes",
        "apply: The",
    ),
    "gone, as Ansible itself says it": (
        {**ALONE, "apply": {"unreachable": True, "msg": "Connection timed out"}},
        "unreachable",
        "unknown",
        "apply: Connection timed out",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_outcome_of(case: str) -> None:
    steps, outcome, in_service, reason = CASES[case]
    decided = decide(steps)
    assert (decided["outcome"], decided["in_service"]) == (outcome, in_service)
    assert reason in decided["reason"]
    assert bool(decided["reason"]) == bool(reason)


RESULT = st.sampled_from(
    [
        None,
        {},
        OK,
        CHANGED,
        SKIPPED,
        PROCEED,
        SETTLED,
        UNSETTLED,
        GONE,
        BROKEN,
        failed("refused"),
        {"unreachable": True},
        {"failed": True, "settled": True},
        {"skipped": True, "settled": True},
        {"settled": "yes"},
        {"failed": True, "fleet_failure": {"kind": "unreachable"}},
        {"preflight": {"verdict": "nothing_to_do"}},
        {"preflight": {"verdict": "?"}},
        RESUMED,
        {"failed": True, "resumed": True, "fleet_failure": {"kind": "preflight_blocked"}},
    ]
)
WAY = ("drain", "return_to_service", *ON_HOST)
STEPS = st.fixed_dictionaries(dict.fromkeys(WAY, RESULT))


def good(steps: dict[str, Any], name: str) -> bool:
    result: dict[str, Any] = steps.get(name) or {}
    return bool(result) and not result.get("failed") and not result.get("skipped")


def ran(steps: dict[str, Any], name: str) -> bool:
    result: dict[str, Any] = steps.get(name) or {}
    return bool(result) and not result.get("skipped")


def settled(steps: dict[str, Any], name: str) -> bool:
    return good(steps, name) and steps[name].get("settled") is True


@settings(max_examples=400)
@given(STEPS)
def test_any_way_has_exactly_one_outcome_and_never_more_than_was_proven(steps: dict[str, Any]) -> None:
    decided = decide(steps)
    outcome, in_service = HostOutcome(decided["outcome"]), InService(decided["in_service"])
    if outcome is HostOutcome.VERIFIED:
        assert good(steps, "apply")
        assert good(steps, "verify")
        assert steps["verify"]["settled"] is True
        assert not good(steps, "rollback")
    if outcome is HostOutcome.ROLLED_BACK:
        assert good(steps, "rollback")
        assert steps["verify_after_rollback"]["settled"] is True
    if good(steps, "drain") and not good(steps, "return_to_service"):
        assert in_service is InService.NO
    returned = good(steps, "return_to_service")
    undone = outcome is HostOutcome.ROLLED_BACK and good(steps, "verify_after_rollback")
    if ran(steps, "verify") and not settled(steps, "verify"):
        assert outcome is not HostOutcome.VERIFIED
        assert in_service is not InService.YES or returned or undone
    if (steps["preflight"] or {}).get("resumed") and outcome not in (HostOutcome.VERIFIED, HostOutcome.ROLLED_BACK):
        assert in_service is not InService.YES or returned
    if outcome in (HostOutcome.UNCHANGED, HostOutcome.SKIPPED, HostOutcome.NOT_ATTEMPTED):
        assert not good(steps, "apply")
        assert not good(steps, "rollback")
    if any((steps[name] or {}).get("failed") for name in WAY if name != "preflight"):
        assert decided["reason"] or outcome is HostOutcome.VERIFIED


def test_the_counts_add_up_to_the_population() -> None:
    counted = count({"a": "verified", "b": "verified", "c": "skipped"}, ["a", "b", "c"])
    assert sum(counted.values()) == 3
    assert list(counted) == [outcome.value for outcome in HostOutcome]
    assert (counted["verified"], counted["skipped"], counted["failed"]) == (2, 1, 0)


@pytest.mark.parametrize(
    ("outcomes", "population", "named"),
    [
        ({"a": "verified"}, ["a", "b"], "b"),
        ({"a": "verified", "z": "verified"}, ["a"], "z"),
        ({"a": "splendid"}, ["a"], "a"),
    ],
)
def test_counts_that_do_not_add_up_are_an_error(outcomes: dict[str, str], population: list[str], named: str) -> None:
    with pytest.raises(FleetError) as differ:
        count(outcomes, population)
    assert differ.value.kind == "counts_differ"
    assert named in differ.value.message
