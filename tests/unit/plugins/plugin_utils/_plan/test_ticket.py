# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tickets: a change that needs one is not made without, and nothing that merely looks similar will do."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.ticket import (
    planned_ticket_gate,
    ticket_gate,
    ticket_of,
)

from .fleets import policy

NEEDED = policy(patch_change_ticket={"pattern": "CHG[0-9]{7}"}).as_data()


def said(found: Any) -> tuple[str, str]:
    return found["verdict"], found["evidence"]


def test_without_a_pattern_none_is_needed() -> None:
    assert said(ticket_gate(policy().as_data(), None)) == ("pass", "none is needed")


def test_a_ticket_that_fits_passes() -> None:
    assert said(ticket_gate(NEEDED, "CHG0031337")) == ("pass", "CHG0031337")


@pytest.mark.parametrize("ticket", ["CHG003133", "xCHG0031337", "CHG0031337\n", "CHG0031337 and more", "INC0031337"])
def test_a_ticket_of_which_a_part_fits_does_not(ticket: str) -> None:
    for look in (ticket_gate, planned_ticket_gate):
        verdict, evidence = said(look(NEEDED, ticket))
        assert verdict == "block"
        assert evidence.endswith("is not of the form CHG[0-9]{7}")


def test_a_missing_ticket_may_come_until_the_plan_is_applied() -> None:
    assert said(planned_ticket_gate(NEEDED, None)) == ("pass", "asked for when the plan is applied")
    assert said(ticket_gate(NEEDED, None)) == ("block", "none was given; say -e patch_ticket=<id>")


@pytest.mark.parametrize(
    ("given", "ticket"),
    [
        (None, None),
        ("", None),
        ("CHG1", "CHG1"),
        (4711, "4711"),
        ({"alpha": "CHG1", "beta": "CHG2"}, "CHG1"),
        ({"beta": "CHG2"}, None),
    ],
)
def test_a_ticket_is_for_all_tenants_or_for_one(given: Any, ticket: str | None) -> None:
    assert ticket_of(given, "alpha") == ticket


@pytest.mark.parametrize("given", [True, ["CHG1"], {"alpha": {"id": "CHG1"}}, 1.5])
def test_what_is_no_id_is_refused(given: Any) -> None:
    with pytest.raises(FleetError, match="is no id of a ticket"):
        ticket_of(given, "alpha")
