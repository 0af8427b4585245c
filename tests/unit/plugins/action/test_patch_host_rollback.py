# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""patch_host in an attempt that takes a change back."""

from __future__ import annotations

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.tests.unit.plugins.action.stages import (
    BACK,
    RETURNED,
    Stage,
    stage,
)
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._apply.plans import (
    finish,
)

__all__ = ["stage"]


ROLLED_BACK = ["preflight ok", "drain intent", "drain changed", *BACK, *RETURNED, "outcome rolled_back"]


@pytest.fixture
def applied(stage: Stage) -> Stage:
    """web1 has been verified, and an attempt to roll it back is open."""
    attempt = stage.open()
    finish(stage.book, attempt.number, "web1", HostOutcome.VERIFIED)
    close_attempt(stage.book, attempt, now_missing="the end came first")
    stage.open(purpose="rollback")
    return stage


def back(applied: Stage) -> list[str]:
    """What the ledger says of web1 in the attempt that rolls it back."""
    return [f"{entry['phase']} {entry['outcome']}" for entry in applied.entries() if entry["attempt"] == 2]


def test_an_attempt_to_roll_back_brings_the_versions_from_before_back(applied: Stage) -> None:
    assert applied.act()["outcome"]["outcome"] == "rolled_back"
    assert back(applied) == ROLLED_BACK


def test_a_host_with_hooks_is_only_looked_at_before_them_on_its_way_back_too(applied: Stage) -> None:
    assert applied.act(part="look")["proceed"]
    assert back(applied) == ["preflight ok"]
    assert applied.act(part="change")["outcome"]["outcome"] == "rolled_back"
    assert back(applied) == ROLLED_BACK


@pytest.mark.parametrize("part", ["whole", "change"])
def test_a_host_that_is_not_to_be_rolled_back_keeps_its_outcome(applied: Stage, part: str) -> None:
    result = applied.act(part=part, refusal="the silence was refused")
    assert result["outcome"]["outcome"] == "not_attempted"
    assert applied.book.progress().outcomes["web1"].outcome is HostOutcome.VERIFIED
