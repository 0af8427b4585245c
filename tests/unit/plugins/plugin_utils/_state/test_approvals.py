# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approvals beside their plan: as they were signed, in their order, and none lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    return FolderState(tmp_path / "state")


def publish(state: FolderState) -> str:
    with state.write_plan("tenant1") as writer:
        return writer.finish({"format": 1, "hosts": {}})


def test_approvals_stand_beside_their_plan_in_their_order(state: FolderState, tmp_path: Path) -> None:
    plan = publish(state)
    assert state.approvals("tenant1", plan) == []
    for number in range(1, 12):
        state.put_approval("tenant1", plan, f"{number}".encode(), f"signature {number}")
    assert state.approvals("tenant1", plan) == [(f"{n}".encode(), f"signature {n}") for n in range(1, 12)]
    (tmp_path / "state/tenants/tenant1/plans" / plan / "approvals/2.sig").unlink()
    assert state.approvals("tenant1", plan)[1] == (b"2", "")
    with pytest.raises(FleetError, match="part of the plan itself"):
        state.put_report("tenant1", plan, "approvals", b"x")


def test_two_approvals_at_once_are_both_kept(state: FolderState) -> None:
    plan = publish(state)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: state.put_approval("tenant1", plan, b"%d" % n, str(n)), range(40)))
    kept = state.approvals("tenant1", plan)
    assert sorted(int(statement) for statement, _signature in kept) == list(range(40))
    assert all(statement == signature.encode() for statement, signature in kept)
