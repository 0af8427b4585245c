# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom the task speaks of, whom it hands on, and what makes it fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.action.fleet_coverage import (
    check_bounds,
    choose,
    hosts_of,
    latest_plans,
    trouble_of,
)
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import Finding, Row, TenantCoverage
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.report_states import put_cycle
from ansible_collections.bankops.fleet.tests.fakes.sensors import instance


def row(finding: Finding, host: str, name: str = "") -> Row:
    return Row(finding, host, name or host, instance(1), "why")


ALPHA = TenantCoverage(
    "alpha",
    rows=[
        row(Finding.UNPROTECTED, "web2"),
        row(Finding.UNPROTECTED, "web1"),
        row(Finding.DUPLICATE, "web1"),
        row(Finding.GONE, "", "web9"),
    ],
)
BETA = TenantCoverage("beta", not_told=3)


def test_all_tenants_are_spoken_of_unless_some_are_named() -> None:
    assert choose([ALPHA, BETA], []) == [ALPHA, BETA]
    assert choose([ALPHA, BETA], ["beta"]) == [BETA]


def test_a_tenant_that_nobody_knows_is_refused() -> None:
    with pytest.raises(FleetError) as refused:
        choose([ALPHA, BETA], ["gamma", "alpha"])
    assert (refused.value.kind, refused.value.remedy) == ("no_tenant", "The tenants are alpha, beta.")
    assert refused.value.message == "Neither the inventory nor the state has the tenant gamma."


def test_hosts_of_the_inventory_are_handed_on_by_finding() -> None:
    assert hosts_of([ALPHA, BETA]) == {
        "unprotected": ["web1", "web2"],
        "unmanaged": [],
        "stale": [],
        "duplicate": ["web1"],
        "gone": [],
        "unknown": [],
    }


@pytest.mark.parametrize(
    ("fail_on", "trouble"),
    [
        ([], ""),
        (["stale", "unknown"], ""),
        (["unprotected", "gone"], "alpha: 2 unprotected (web2, web1), 1 gone (web9)"),
    ],
)
def test_only_what_was_named_is_trouble(fail_on: list[str], trouble: str) -> None:
    assert trouble_of(ALPHA, fail_on) == trouble


def test_nobody_who_is_not_told_of_passes() -> None:
    assert trouble_of(BETA, ["unknown"]) == "beta: 3 unknown"


def test_the_plan_of_another_tenant_is_not_even_read(tmp_path: Path) -> None:
    damaged = put_cycle(tmp_path, "beta", "2026-11", hosts=1)
    put_cycle(tmp_path, "alpha", "2026-11", hosts=1)
    (tmp_path / "tenants" / "beta" / "plans" / damaged / "plan.json").write_text("{}")
    state = FolderState(tmp_path)
    assert list(latest_plans(state, ["alpha"])) == ["alpha"]
    with pytest.raises(FleetError):
        latest_plans(state, [])


@pytest.mark.parametrize(
    ("name", "value"), [("stale_days", 0), ("stale_days", -1), ("stale_days", 10**9), ("timeout", 0), ("timeout", 3601)]
)
def test_days_and_seconds_have_bounds(name: str, value: int) -> None:
    good = {"stale_days": 365, "timeout": 1}
    check_bounds(good)
    with pytest.raises(FleetError, match=f"{name} is {value}.") as refused:
        check_bounds({**good, name: value})
    assert refused.value.kind == "bad_argument"
