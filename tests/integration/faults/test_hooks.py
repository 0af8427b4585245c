# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hook of the site that refuses, or whose own host is away, keeps every host untouched."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..conftest import RunningLab
from .aftermath import HOOKS, apply, assert_sound, installed, prepare, results

NEITHER = {"web1": "not_attempted", "web2": "not_attempted"}


@pytest.fixture(scope="module")
def fleet(start_lab: Callable[..., RunningLab]) -> RunningLab:
    """Two web servers behind the load balancer."""
    return start_lab("faulthooks", "--only", "lb1,web1,web2")


@pytest.mark.parametrize(
    ("cycle", "point", "hook", "reason"),
    [
        ("2026-01", "before_batch", "refusing.yml", "change freeze"),
        ("2026-02", "before_cycle", "delegating_to_nobody.yml", "hook before the cycle"),
    ],
)
def test_a_hook_that_does_not_come_to_a_good_end_keeps_every_host_as_it_is(
    fleet: RunningLab, cycle: str, point: str, hook: str, reason: str
) -> None:
    prepare(fleet, cycle, patch_hooks={point: [str(HOOKS / hook)]})
    applied = apply(fleet, cycle)
    assert applied.returncode != 0
    assert_sound(fleet, cycle, NEITHER)
    assert reason in results(fleet, cycle)["web1"].reason
    assert "apply" not in {entry["phase"] for entry in fleet.ledger("alpha", cycle)}
    assert installed(fleet, "web1")["fleet-hello"] == "1.0"
