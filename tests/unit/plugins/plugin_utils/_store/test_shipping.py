# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shipping into a database in a file, and which state a run opens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.plugins.plugin_utils._store import open_state
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.shipping import ship_all
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import Spool, callback_state
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import publish
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.databases import without_keeper
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._store.contract_of_shipping import (
    Harbour,
    Shipping,
    plan,
    write,
)

__all__ = ["plan"]

STORE = "ansible_collections.bankops.fleet.plugins.plugin_utils._store"


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


@pytest.mark.parametrize("name", ["state", "50 % sure"])
def test_the_short_form_is_the_file_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # The keeper and later tasks need not run where this one does.
    monkeypatch.chdir(tmp_path)
    short = open_state(Path(name), "sqlite")
    monkeypatch.chdir("/")
    plan = publish(short)
    assert (tmp_path / name / "state.db").is_file()
    assert open_state(tmp_path / name, "sqlite").get_plan("tenant1", plan) == short.get_plan("tenant1", plan)


def test_the_short_form_is_the_same_as_the_whole_url(tmp_path: Path) -> None:
    plan = publish(open_state(tmp_path, "sqlite"))
    whole = open_state(tmp_path / "elsewhere", f"sqlite:///{tmp_path}/state.db")
    assert whole.plans("tenant1") == [plan]


def test_the_callback_of_a_folder_writes_into_the_folder_itself(tmp_path: Path) -> None:
    state = FolderState(tmp_path)
    plan = publish(state)
    assert state.evidence_dir("tenant1", plan, "anybody") == tmp_path
    assert type(callback_state(tmp_path)) is FolderState


def test_without_a_lease_there_is_no_spool_to_write_to(harbour: Harbour, plan: str) -> None:
    with pytest.raises(FleetError) as refused:
        harbour.open().evidence_dir("north", plan, "somebody")
    assert refused.value.kind == "lease_lost"


@pytest.mark.parametrize(("is_spool", "wanted"), [(False, set()), (True, {"sqlalchemy", "psycopg"})])
def test_what_forks_workers_imports_what_each_of_them_needs(tmp_path: Path, is_spool: bool, wanted: set[str]) -> None:
    folder = Spool.create(tmp_path, "one").root if is_spool else tmp_path
    program = (
        f"from {STORE}.spool import callback_state; from pathlib import Path\n"
        f"callback_state(Path({str(folder)!r})); print(*sys.modules)"
    )
    assert set(run_python(program).split()) & {"sqlalchemy", "psycopg", "alembic"} == wanted


def test_a_library_that_is_missing_is_named() -> None:
    program = (
        f"sys.modules['sqlalchemy'] = None; from {STORE} import import_early, open_state; from pathlib import Path\n"
        "import_early()\n"
        "try: open_state(Path('/srv'), 'sqlite:////srv/x.db')\n"
        "except Exception as problem: print(problem.kind, problem)"
    )
    assert run_python(program).startswith("library_missing fleet_store_url names a database, and a library for it is")


def run_python(program: str) -> str:
    """What a program prints in a process of its own, which has imported nothing yet."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / ".collections")}
    command = [sys.executable, "-c", f"import sys\n{program}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
