# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Overrides: somebody answers for a closed gate until a day, and the gate says so as long as it is there."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate, Verdict, closed, gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.overrides import (
    NOT_OVERRIDABLE,
    OVERRIDABLE,
    with_overrides,
)

TODAY = date(2026, 11, 21)
OVERRIDE = {"gate": "disk", "owner": "operations", "reason": "cleaned by hand", "expires": "2026-11-21"}
FULL = gate("disk", Verdict.BLOCK, "/ has 90 MB free and needs 500 MB")


def judged(found: Gate, *overrides: dict[str, Any], today: date = TODAY) -> Gate:
    (result,) = with_overrides([found], overrides, today)
    return result


def test_a_closed_gate_keeps_its_verdict_and_lets_through() -> None:
    found = judged(FULL, OVERRIDE)
    assert found == {
        **FULL,
        "override": {"owner": "operations", "reason": "cleaned by hand", "expires": "2026-11-21"},
    }
    assert closed([found]) == []


def test_a_gate_that_cannot_decide_is_overridden_as_well() -> None:
    assert closed([judged(gate("disk", Verdict.UNKNOWN, "the free space on / was not read"), OVERRIDE)]) == []


def test_an_override_that_is_not_needed_changes_nothing() -> None:
    passing = gate("disk", Verdict.PASS, "/ 9000 MB free")
    assert judged(passing, OVERRIDE) == passing


def test_an_override_of_another_gate_changes_nothing() -> None:
    assert judged(FULL, {**OVERRIDE, "gate": "checks"}) == FULL


def test_an_override_that_has_expired_is_named_and_lets_nothing_through() -> None:
    found = judged(FULL, OVERRIDE, today=date(2026, 11, 22))
    assert found["evidence"] == f"{FULL['evidence']}; the override by operations expired on 2026-11-21"
    assert closed([found]) == [found]


def test_a_frozen_override_is_judged_anew_on_the_day_of_the_look() -> None:
    frozen = judged(FULL, OVERRIDE)
    later = judged(frozen, OVERRIDE, today=date(2026, 11, 22))
    assert closed([later]) == [later]
    assert judged(later, OVERRIDE, today=date(2026, 11, 22)) == later


def test_an_override_that_still_holds_goes_before_one_that_has_expired() -> None:
    expired = {**OVERRIDE, "owner": "somebody else", "expires": "2026-01-01"}
    assert judged(FULL, expired, OVERRIDE)["override"]["owner"] == "operations"


@pytest.mark.parametrize("name", sorted(NOT_OVERRIDABLE))
def test_what_must_not_be_overridden_is_not_even_when_a_plan_says_so(name: str) -> None:
    shut = gate(name, Verdict.BLOCK, "no")
    assert closed([judged(shut, {**OVERRIDE, "gate": name})]) == [shut]


def test_every_gate_is_on_one_of_the_lists() -> None:
    assert OVERRIDABLE.isdisjoint(NOT_OVERRIDABLE)
    page = (Path(__file__).resolve().parents[5] / "docs/policy.md").read_text(encoding="utf-8")
    rows = page.partition("| gate | does not pass when |")[2].split("\n\n")[0].splitlines()[2:]
    documented = {name.strip(" `") for row in rows for name in row.split("|")[1].split(",")}
    assert documented == OVERRIDABLE | set(NOT_OVERRIDABLE)
