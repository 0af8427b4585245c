# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shipping into a database in a file, and which state a run opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.plugins.plugin_utils._store import open_state
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.shipping import ship_all
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import callback_state
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import publish
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.databases import without_keeper
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._store.contract_of_shipping import (
    Harbour,
    Shipping,
    plan,
    write,
)

__all__ = ["plan"]


@pytest.fixture
def harbour(tmp_path: Path) -> Harbour:
    url = f"sqlite:///{tmp_path / 'store' / 'state.db'}"
    return Harbour(lambda: without_keeper(url, tmp_path / "local"), tmp_path / "local")


class TestShipping(Shipping):
    pass


def test_a_state_in_a_folder_has_no_spools_and_those_of_a_database_are_not_forgotten(
    harbour: Harbour, plan: str
) -> None:
    state = open_state(harbour.folder, None)
    assert isinstance(state, FolderState)
    assert ship_all(state, harbour.folder) == 0
    write(harbour.spool(plan), plan, 1)
    with pytest.raises(FleetError, match="waits for a database") as refused:
        ship_all(state, harbour.folder)
    assert refused.value.kind == "spool_left"


def test_the_callback_of_a_folder_writes_into_the_folder_itself(tmp_path: Path) -> None:
    state = FolderState(tmp_path)
    plan = publish(state)
    assert state.evidence_dir("tenant1", plan, "anybody") == tmp_path
    assert type(callback_state(tmp_path)) is FolderState


def test_without_a_lease_there_is_no_spool_to_write_to(harbour: Harbour, plan: str) -> None:
    with pytest.raises(FleetError) as refused:
        harbour.open().evidence_dir("north", plan, "somebody")
    assert refused.value.kind == "lease_lost"
