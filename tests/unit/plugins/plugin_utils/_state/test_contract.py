# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The promises of every state, kept by the folder and by a database in a file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state import contract
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import Store, state
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract_of_leases import Leases
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract_of_seals import Seals
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.databases import without_keeper

__all__ = ["state"]


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database whose tables are there: making them is tested elsewhere, and takes longest."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    without_keeper(f"sqlite:///{path}", path.parent).tenants()
    return path


@pytest.fixture(params=["folder", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Store(lambda: FolderState(tmp_path / "state"))
    path = tmp_path / "state.db"
    shutil.copy(request.getfixturevalue("empty_database"), path)
    return Store(lambda: without_keeper(f"sqlite:///{path}", tmp_path / "local"))


class TestPlans(contract.Plans):
    pass


class TestCycles(contract.Cycles):
    pass


class TestKept(contract.Kept):
    pass


class TestSeals(Seals):
    pass


class TestLedger(contract.Ledger):
    pass


class TestDates(contract.Dates):
    pass


class TestLeases(Leases):
    pass
