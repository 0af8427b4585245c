# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real runs of ansible-playbook on a state in a database: the same way of a plan, and nothing of it in a folder."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.shipping import ship_all
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import spools_in
from ansible_collections.bankops.fleet.tests.unit.plugins.action.databases import ControllerOnDatabase, FleetOnDatabase
from ansible_collections.bankops.fleet.tests.unit.plugins.action.test_the_way_of_a_plan import (
    BATCH,
    CLOSE,
    NOT_STAGED,
    OPEN,
    PLAN,
    REPORT,
    Controller,
    play,
)
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.databases import without_keeper
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._store.contract_of_shipping import write

HOOK = {"name": "Silence", "ansible.builtin.debug": {"msg": "silenced"}, "vars": {"fleet_phase": "hook"}}
Done = tuple[ControllerOnDatabase, "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A plan of which an earlier attempt finished two hosts, and an attempt at what is left."""
    folder = tmp_path_factory.mktemp("controller")
    controller = ControllerOnDatabase(folder, f"sqlite:///{folder / 'state.db'}")
    planned = controller.run(PLAN)
    assert planned.returncode == 0, planned.stdout
    controller.earlier_attempt(web1=(HostOutcome.VERIFIED, ""), web2=(HostOutcome.FAILED, "apply: dpkg broke"))
    return controller, controller.run(play("fleet", OPEN, HOOK), BATCH, play("fleet", HOOK, CLOSE, REPORT))


def attempt(done: Done) -> list[dict[str, Any]]:
    """The entries of the attempt at what was left."""
    return [entry for entry in done[0].entries() if entry["attempt"] == 2]


def test_every_host_has_one_outcome_in_a_ledger_that_verifies(done: Done) -> None:
    controller, run = done
    assert controller.outcomes() == {
        "web1": ("verified", ""),
        "web2": ("failed", "apply: dpkg broke"),
        "web3": ("skipped", NOT_STAGED),
    }, run.stdout
    assert verify(controller.state.entries("alpha", controller.plan)).ok


def test_what_the_callback_saw_is_in_the_ledger_between_what_the_tasks_wrote(done: Done) -> None:
    found = [(entry["phase"], entry["host"], "recorded" in entry["data"]) for entry in attempt(done)]
    silenced = [("hook", host, True) for host in ("web1", "web2", "web3")]
    assert found[:2] == [("open", None, False), ("open", None, True)]
    assert sorted(found[2:5]) == silenced
    assert found[5:7] == [("preflight", "web3", False), ("outcome", "web3", False)]
    assert sorted(found[7:10]) == silenced
    assert found[10:] == [("close", None, False)]


def test_the_attempt_is_closed_and_nobody_keeps_its_lease(done: Done) -> None:
    controller, run = done
    assert controller.state.leases("alpha") == []
    assert controller.state.stop_requested("alpha") is None
    assert "bankops.fleet.evidence:" not in run.stdout + run.stderr
    assert ship_all(controller.state, controller.folder / "state") == 0
    assert list(spools_in(controller.folder / "state")) == []


def test_the_reports_are_in_the_database_and_nothing_in_the_folder(done: Done) -> None:
    controller, run = done
    kept = controller.state.reports("alpha", controller.plan)
    assert {"report.html", "report.json", "report.xlsx", "csv/hosts.csv", "summary.md"} <= set(kept)
    assert b"web2" in controller.state.get_report("alpha", controller.plan, "report.html")
    assert f"report: report.html of plan {controller.plan} in sqlite:////" in run.stdout
    assert not (controller.folder / "state/tenants").exists()


def test_one_word_is_enough_for_a_database(tmp_path: Path) -> None:
    controller = Controller(tmp_path, fleet_store_url="sqlite")
    planned = controller.run(PLAN)
    assert planned.returncode == 0, planned.stdout
    controller.state = without_keeper(f"sqlite:///{tmp_path / 'state/state.db'}", tmp_path / "elsewhere")
    run = controller.run(play("fleet", OPEN), BATCH, play("fleet", CLOSE))
    assert run.returncode == 0, run.stdout
    assert verify(controller.state.entries("alpha", controller.plan)).ok
    assert {outcome for outcome, _reason in controller.outcomes().values()} == {"skipped"}
    assert sorted(path.name for path in (tmp_path / "state").iterdir() if path.is_dir()) == ["spool"]


def test_an_attempt_whose_callback_is_not_there_begins_no_host(tmp_path: Path) -> None:
    controller = ControllerOnDatabase(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")
    assert controller.run(PLAN).returncode == 0
    other = {"ANSIBLE_CALLBACKS_ENABLED": "another.one"}
    run = controller.run(play("fleet", OPEN), BATCH, play("fleet", CLOSE), environment=other)
    assert "Nobody records attempt 1" in run.stdout
    assert {outcome for outcome, _reason in controller.outcomes().values()} == {"not_attempted"}


def test_a_run_that_was_killed_is_taken_over_and_what_its_callback_wrote_is_not_lost(tmp_path: Path) -> None:
    fleet = FleetOnDatabase(tmp_path, f"sqlite:///{tmp_path / 'state.db'}")
    with fleet.at_work() as first:
        assert "open: process" in fleet.run().stdout
        owner = fleet.lease().owner
        (spool,) = spools_in(tmp_path / "state")
        write(spool, fleet.plan, "its last words, as the callback writes them")
        first.send_signal(signal.SIGKILL)
        assert first.wait(30) != 0
        second = fleet.run()
    assert second.returncode == 0, second.stdout
    assert fleet.openings()[1]["took_over"] == [{"owner": owner}]
    entries = list(read_entries(fleet.state.entries("north", fleet.plan)))
    assert [entry["data"].get("said") for entry in entries].count("its last words, as the callback writes them") == 1
    assert "its process ended without closing it" in [entry["data"].get("reason") for entry in entries]
    assert verify(fleet.state.entries("north", fleet.plan)).ok
    assert not spool.root.exists()
