# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""patch_status.yml in real runs of ansible-playbook: what is shown, and when the run fails."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import record
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY, run_ansible

CYCLE = f"{datetime.now(timezone.utc):%Y-%m}"


class Fleet:
    """A state with one plan of one host, in the cycle of this month."""

    def __init__(self, folder: Path, expires_in: timedelta = timedelta(days=7)) -> None:
        self.folder, self.state = folder, FolderState(folder / "state")
        now = datetime.now(timezone.utc)
        with self.state.write_plan("alpha") as writer:
            entry = {"wave": "broad", "cluster": None, "decision": "patch", "reason": "", "updates": 3}
            document = {"format": 1, "host": "web1"}
            head = {
                "format": 1,
                "tenant": "alpha",
                "cycle": CYCLE,
                "created": f"{now:%Y-%m-%dT%H:%M:%SZ}",
                "expires": f"{now + expires_in:%Y-%m-%dT%H:%M:%SZ}",
                "waves": [{"name": "broad", "soak_minutes": 0, "batches": [["web1"]]}],
                "limits": {"max_failed": 0, "cluster_max_down": {}},
                "hosts": {"web1": {**entry, "digest": writer.put_host("web1", document)}},
            }
            self.plan = writer.finish(head)
        self.state.put_cycle(CYCLE, [{"tenant": "alpha", "plan": self.plan}])

    def open(self, owner: str) -> None:
        """Record that somebody has opened an attempt."""
        opening = {"purpose": "apply", "controller": "elsewhere", "process": 1, "check_mode": False, "batches": []}
        record(
            self.state,
            plan=self.plan,
            attempt=1,
            cycle=CYCLE,
            tenant="alpha",
            host=None,
            phase=Phase.OPEN,
            outcome=EntryOutcome.OK,
            data={"opening": {**opening, "owner": owner}},
        )

    def show(self, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Run the playbook as a user does, without an inventory."""
        extra = json.dumps({"fleet_state_dir": str(self.folder / "state"), **variables})
        playbook = str(REPOSITORY / "playbooks" / "patch_status.yml")
        return run_ansible(self.folder, "playbook", playbook, "-e", extra, *arguments)


def test_the_plans_of_this_month_are_shown_when_no_cycle_is_named(tmp_path: Path) -> None:
    done = Fleet(tmp_path).show("--check")
    assert done.returncode == 0, done.stdout
    assert f"Tenant alpha, cycle {CYCLE}, plan" in done.stdout
    assert "hosts: 1 left = 1" in done.stdout


def test_nothing_is_written_by_looking(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.open("elsewhere:1:1:boot")
    before = sorted((str(path), path.stat().st_mtime_ns) for path in (tmp_path / "state").rglob("*.json*"))
    fleet.show()
    assert sorted((str(path), path.stat().st_mtime_ns) for path in (tmp_path / "state").rglob("*.json*")) == before


def test_a_cycle_without_a_plan_fails_and_says_what_to_do(tmp_path: Path) -> None:
    done = Fleet(tmp_path).show(patch_cycle="2020-01")
    assert done.returncode != 0
    assert "Cycle 2020-01 has no plan" in done.stdout
    assert "Run patch_plan.yml for it." in done.stdout


def test_a_tenant_without_a_plan_fails_also_beside_one_that_has_one(tmp_path: Path) -> None:
    done = Fleet(tmp_path).show(patch_tenants=["alpha", "gamma"])
    assert done.returncode != 0
    assert "There is no plan of gamma." in done.stdout


def test_a_plan_that_was_never_applied_fails_the_run_once_it_has_expired(tmp_path: Path) -> None:
    done = Fleet(tmp_path, timedelta(seconds=-5)).show()
    assert done.returncode != 0
    assert "alpha: it was never applied, and expired at" in done.stdout


def test_a_cycle_that_should_have_begun_fails_the_run(tmp_path: Path) -> None:
    done = Fleet(tmp_path).show(patch_status_expect="begun")
    assert done.returncode != 0
    assert "alpha: it should have begun by" in done.stdout


@pytest.mark.parametrize("lives", [True, False])
def test_whether_an_open_attempt_lives_is_told_by_its_lease(tmp_path: Path, lives: bool) -> None:
    fleet, owner = Fleet(tmp_path), "elsewhere:1:1:boot"
    fleet.open(owner)
    now = datetime.now(timezone.utc)
    heartbeat = now if lives else now - timedelta(hours=1)
    fleet.state.acquire("alpha", {"host:web1"}, owner, seconds=600, now=heartbeat, is_dead=lambda _owner: False)
    done = fleet.show()
    assert (done.returncode == 0) is lives, done.stdout
    assert ("interrupted" in done.stdout) is not lives
