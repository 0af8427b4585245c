# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules that act on the controller alone, in real runs of ansible-playbook: from policy to report."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, open_attempt, open_book
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible
from ansible_collections.bankops.fleet.tests.fakes.scans import scan
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._apply.plans import dead_process, runner

CYCLE = "2026-11"
HOSTS = ("web1", "web2", "web3")


def task(module: str, *, once: bool = True, **more: Any) -> dict[str, Any]:
    """A task as the playbooks write it: decided once, on the controller."""
    keywords = {"run_once": True, "delegate_to": "localhost"} if once else {}
    name = f"Test {module.rpartition('.')[2]}"
    return {"name": name, module: more.pop("arguments", {"cycle": CYCLE}), **keywords, **more}


def play(hosts: str, *tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": f"Play {hosts}", "hosts": hosts, "gather_facts": False, "tasks": list(tasks), **more}


OPEN = task("bankops.fleet.patch_attempt", arguments={"state": "open", "cycle": CYCLE}, delegate_facts=True)
CLOSE = task("bankops.fleet.patch_attempt", arguments={"state": "closed", "cycle": CYCLE})
REPORT = task(
    "bankops.fleet.patch_report",
    arguments={"cycle": CYCLE, "judge": True, "user_requests": {"alpha": {"requests": 9, "failed": 0}}},
)
PLAN = play("fleet", task("bankops.fleet.patch_policy"), task("bankops.fleet.patch_plan"))
BATCH = play(
    "{{ hostvars['localhost'].ansible_facts.fleet_rollout.hosts }}",
    task("bankops.fleet.patch_batch", once=False, arguments={"plan": "{{ plan }}"}, run_once=True, register="batch"),
    task(
        "bankops.fleet.patch_host",
        once=False,
        arguments={"plan": "{{ plan }}", "refusal": "{{ omit if batch.proceed else batch.msg }}"},
    ),
    serial="{{ hostvars['localhost'].ansible_facts.fleet_rollout.serial }}",
    vars={"plan": "{{ hostvars['localhost'].ansible_facts.fleet_rollout.plans.alpha }}"},
)


class Controller:
    """A folder with an inventory of one tenant and the state of its plans."""

    def __init__(self, folder: Path, **variables: Any) -> None:
        self.folder = folder
        self.state: State = FolderState(folder / "state")
        common = {
            "fleet_tenant": "alpha",
            "fleet_cluster": "none",
            "fleet_wave": "broad",
            "fleet_state_dir": str(folder / "state"),
            "patch_waves": [{"name": "broad", "batches": [3], "soak_minutes": 0}],
            "patch_max_failed": 3,
            # Any task that would reach for a host fails.
            "ansible_connection": "ssh",
            "ansible_host": "192.0.2.1",
        }
        hosts = {host: {"fleet_scan": scan(f"machine-of-{host}")} for host in HOSTS}
        inventory = {"fleet": {"hosts": hosts, "vars": {**common, **variables}}}
        (folder / "inventory.json").write_text(json.dumps({"all": {"children": inventory}}))

    def run(
        self, *plays: dict[str, Any], arguments: tuple[str, ...] = (), environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        (self.folder / "plays.json").write_text(json.dumps(plays))
        return self.playbook("plays.json", *arguments, environment=environment)

    def playbook(
        self, name: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return run_ansible(self.folder, "playbook", "-i", "inventory.json", name, *arguments, environment=environment)

    @property
    def plan(self) -> str:
        (entry,) = self.state.get_cycle(CYCLE)["plans"]
        return str(entry["plan"])

    def entries(self) -> list[dict[str, Any]]:
        return list(read_entries(self.state.entries("alpha", self.plan)))

    def outcomes(self) -> dict[str, tuple[str, str]]:
        """The latest outcome of every host, and its reason."""
        decided = [entry for entry in self.entries() if entry["phase"] == "outcome"]
        return {entry["host"]: (entry["outcome"], entry["data"]["reason"]) for entry in decided}

    def open_attempt(self, process: int) -> tuple[Book, Attempt]:
        book = open_book(self.state, "alpha", self.plan)
        now = datetime.now(timezone.utc)
        return book, open_attempt(
            book, purpose="apply", runner=runner(process), inventory=set(HOSTS), limit=None, now=now
        )

    def earlier_attempt(self, **outcomes: tuple[HostOutcome, str]) -> None:
        """An attempt that came to these outcomes, for hosts that nobody can reach."""
        book, attempt = self.open_attempt(os.getpid())
        for host, (outcome, reason) in outcomes.items():
            data = {"in_service": "yes", "reason": reason, "holds": []}
            book.write(attempt.number, host, Phase.OUTCOME, outcome, data)
        close_attempt(book, attempt, now_missing="the end came first")


NOT_STAGED = "preflight: Nothing was staged on this host. Run patch_stage.yml for it, then this again."
Done = tuple[Controller, "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """A plan of which an earlier attempt finished two hosts, and an attempt at what is left."""
    controller = Controller(tmp_path_factory.mktemp("controller"))
    planned = controller.run(PLAN)
    assert planned.returncode == 0, planned.stdout
    controller.earlier_attempt(web1=(HostOutcome.VERIFIED, ""), web2=(HostOutcome.FAILED, "apply: dpkg broke"))
    return controller, controller.run(play("fleet", OPEN), BATCH, play("fleet", CLOSE, REPORT))


def test_the_plan_names_every_host_and_its_change(done: Done) -> None:
    controller, _run = done
    head = controller.state.get_plan("alpha", controller.plan)
    assert head["waves"] == [{"name": "broad", "soak_minutes": 0, "batches": [["web1", "web2", "web3"]]}]
    (change,) = controller.state.get_host("alpha", controller.plan, "web2")["transaction"]
    assert (change["name"], change["candidate"]) == ("openssl", "3.0.17-1")


def test_every_host_of_the_plan_has_one_outcome_in_a_ledger_that_verifies(done: Done) -> None:
    controller, run = done
    assert controller.outcomes() == {
        "web1": ("verified", ""),
        "web2": ("failed", "apply: dpkg broke"),
        "web3": ("skipped", NOT_STAGED),
    }, run.stdout
    assert verify(controller.state.entries("alpha", controller.plan)).ok


def test_a_hosts_step_and_outcome_are_written_by_its_own_task_and_nobody_is_contacted(done: Done) -> None:
    controller, run = done
    own = [(entry["phase"], entry["outcome"]) for entry in controller.entries() if entry["host"] == "web3"]
    assert own[-2:] == [("preflight", "failed"), ("outcome", "skipped")]
    assert "cannot be reached" not in run.stdout
    assert f"web3: skipped, in service: {NOT_STAGED}" in run.stdout


def test_the_ledger_begins_with_the_plan_and_ends_with_the_close_of_the_attempt(done: Done) -> None:
    phases = [entry["phase"] for entry in done[0].entries()]
    assert phases[0] == "plan"
    assert phases[-1] == "close"
    assert "open" in phases


def test_the_report_is_made_and_judges_the_run(done: Done) -> None:
    controller, run = done
    folder = controller.folder / "state/tenants/alpha/plans" / controller.plan
    assert "web2" in (folder / "report.html").read_text()
    assert "openssl" in (folder / "summary.md").read_text()
    assert run.returncode == 2
    assert "alpha: web2: failed" in run.stdout
    assert "dpkg broke" in run.stdout


def test_a_plan_on_which_changes_have_begun_is_not_replaced(done: Done) -> None:
    controller, _run = done
    before = controller.plan
    again = controller.run(PLAN)
    assert again.returncode != 0
    assert "it is being applied" in again.stdout
    assert controller.plan == before


def test_a_finished_host_is_not_taken_again(done: Done) -> None:
    controller, _run = done
    shown = {
        "name": "Show",
        "ansible.builtin.debug": {"msg": "{{ hostvars['localhost'].ansible_facts.fleet_rollout.hosts }}"},
    }
    again = controller.run(play("fleet", OPEN, {**shown, "run_once": True}, CLOSE))
    assert again.returncode == 0, again.stdout
    assert '"web3"' in again.stdout
    assert '"web1"' not in again.stdout


def test_a_plan_under_an_open_attempt_is_not_replaced_and_whether_that_lives_decides_what_to_do(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    assert controller.run(PLAN).returncode == 0
    replacing = play("fleet", task("bankops.fleet.patch_plan", arguments={"cycle": CYCLE, "replace": True}))
    book, attempt = controller.open_attempt(os.getpid())
    living = controller.run(replacing)
    assert living.returncode != 0
    assert "of tenant alpha is at work. Wait for its end." in " ".join(living.stdout.split())
    close_attempt(book, attempt, now_missing="the end came first")
    controller.open_attempt(dead_process())
    dead = controller.run(replacing)
    assert dead.returncode != 0
    assert "Attempt 2 (apply)" in dead.stdout
    assert "its process does not live. Run patch_apply.yml again" in " ".join(dead.stdout.split())


def test_a_wrong_policy_is_refused_before_anything_is_planned(tmp_path: Path) -> None:
    controller = Controller(tmp_path, patch_minimum_age_day=3)
    run = controller.run(PLAN)
    assert run.returncode != 0
    assert "patch_minimum_age_day" in run.stdout
    assert not (tmp_path / "state").exists()


def test_check_mode_plans_and_records_nothing(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    run = controller.run(PLAN, arguments=("--check",))
    assert run.returncode == 0, run.stdout
    assert not (tmp_path / "state/tenants").exists()


def test_a_batch_does_not_start_when_a_stop_is_requested(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    assert controller.run(PLAN).returncode == 0
    controller.state.request_stop("alpha", "a person wants to look first")
    run = controller.run(play("fleet", OPEN), BATCH, play("fleet", CLOSE))
    assert "STOP asks to stop. Remove it" in run.stdout
    assert {outcome for outcome, _reason in controller.outcomes().values()} == {"not_attempted"}
    assert not [entry for entry in controller.entries() if entry["phase"] == "preflight"]


def test_a_rollback_reports_before_it_fails_for_a_host_that_was_not_brought_back(tmp_path: Path) -> None:
    controller = Controller(tmp_path)
    assert controller.run(PLAN).returncode == 0
    report = tmp_path / "state/tenants/alpha/plans" / controller.plan / "report.html"
    roll_back = ("bankops.fleet.patch_rollback", "-e", f"patch_cycle={CYCLE}", "-e", "patch_rollback_hosts=all")
    nobody = controller.playbook(*roll_back)
    assert nobody.returncode == 0, nobody.stdout
    controller.earlier_attempt(web1=(HostOutcome.VERIFIED, ""), web2=(HostOutcome.FAILED, "apply: dpkg broke"))
    controller.state.request_stop("alpha", "a person wants to look first")
    report.unlink()
    stopped = controller.playbook(*roll_back)
    assert stopped.returncode == 2
    assert "web2: failed: apply: dpkg broke" in stopped.stdout
    assert "dpkg broke" in report.read_text()
