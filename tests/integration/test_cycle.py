# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole cycle on the lab's fleet, as its users run it: plan, stage, look, apply, report, and the next month."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import verify

from .conftest import ROOT, RunningLab, said

CYCLE, NEXT = "2026-11", "2026-12"
ALPHA = {"web1", "web2", "kv1", "kv2", "kv3"}
BETA = {"app1", "rpm1"}
SECRET = "s3cret-of-the-site"  # noqa: S105
HOOKS = str(ROOT / "tests" / "integration" / "hooks")


@pytest.fixture(scope="module")
def fleet(start_lab: Callable[..., RunningLab]) -> RunningLab:
    """Two tenants, planned and staged; users are at work from here on."""
    lab = start_lab("cycle", "--only", ",".join(("lb1", *sorted(ALPHA | BETA))))
    assert lab.lab("traffic", "start").returncode == 0
    planned = lab.play("patch_plan.yml", patch_cycle=CYCLE, patch_hooks={"before_host": [f"{HOOKS}/leaky.yml"]})
    assert planned.returncode == 0, planned.stdout[-5000:]
    staged = lab.play("patch_stage.yml", patch_cycle=CYCLE)
    assert staged.returncode == 0, staged.stdout[-5000:]
    return lab


def versions(lab: RunningLab, host: str) -> str:
    return lab.ssh(host, "dpkg-query -W -f '${Package}=${Version}\\n' fleet-*; apt-mark showauto fleet-*")


def test_staging_changes_no_package_and_finds_the_cves(fleet: RunningLab) -> None:
    assert "fleet-service=1.0" in versions(fleet, "app1")
    summary = (fleet.plan_folder("beta", CYCLE) / "summary.md").read_text()
    assert "CVE-2026-0004" in summary


def test_check_mode_says_what_would_change_and_changes_nothing(fleet: RunningLab) -> None:
    before = versions(fleet, "app1")
    looked = fleet.play("patch_apply.yml", "--check", "--diff", patch_cycle=CYCLE, site_password=SECRET)
    assert looked.returncode == 0, looked.stdout[-5000:]
    assert "fleet-service" in said(looked)
    assert versions(fleet, "app1") == before
    assert fleet.outcomes("beta", CYCLE) == {}


def test_the_cycle_patches_every_host_while_no_user_notices(fleet: RunningLab) -> None:
    applied = fleet.play("patch_apply.yml", patch_cycle=CYCLE, site_password=SECRET)
    assert applied.returncode == 0, applied.stdout[-8000:]
    assert fleet.outcomes("alpha", CYCLE) == dict.fromkeys(ALPHA, "verified")
    assert fleet.outcomes("beta", CYCLE) == dict.fromkeys(BETA, "verified")
    fleet.lab("traffic", "stop")
    report = fleet.lab("traffic", "report")
    requests = json.loads(report.stdout)
    assert report.returncode == 0, requests
    assert requests["failed"] == 0
    assert requests["etcd_failed"] == 0
    assert requests["requests"] > 100
    assert requests["etcd_writes"] > 20


def test_services_run_the_new_files_and_marks_stay_as_they_were(fleet: RunningLab) -> None:
    installed = versions(fleet, "app1").splitlines()
    assert "fleet-service=2.0" in installed
    assert "fleet-tools=1.0" in installed
    assert {"fleet-lib", "fleet-extra"} <= set(installed)
    assert "fleet-service" not in installed
    assert "2.0" in fleet.ssh("app1", "curl -s http://127.0.0.1:8080/")
    assert "fleet-service-2.0" in fleet.ssh("rpm1", "rpm -q fleet-service")


def test_the_load_balancer_has_everybody_back(fleet: RunningLab) -> None:
    assert fleet.servers() == {"web1": "UP", "web2": "UP"}


def test_the_ledger_verifies_and_holds_intents_before_changes(fleet: RunningLab) -> None:
    for tenant, hosts in (("alpha", ALPHA), ("beta", BETA)):
        lines = (fleet.plan_folder(tenant, CYCLE) / "ledger.jsonl").read_bytes().splitlines()
        checked = verify(lines)
        assert checked.ok, checked.problems
        entries = fleet.ledger(tenant, CYCLE)
        for host in hosts:
            # What check mode looked at is recorded as well; it intends nothing.
            mine = [(entry["phase"], entry["outcome"]) for entry in entries if entry["host"] == host]
            assert ("apply", "intent") in mine, host
            assert mine.index(("apply", "intent")) < max(
                index for index, entry in enumerate(mine) if entry == ("apply", "changed")
            )
            assert [outcome for phase, outcome in mine if phase == "outcome"] == ["verified"]


def test_no_secret_reaches_the_state(fleet: RunningLab) -> None:
    kept = [path for path in fleet.state.rglob("*") if path.is_file()]
    assert any(path.name == "ledger.jsonl" and b'"phase":"hook"' in path.read_bytes() for path in kept)
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []


def test_a_finished_plan_has_nothing_left_and_changes_nothing(fleet: RunningLab) -> None:
    again = fleet.play("patch_apply.yml", patch_cycle=CYCLE)
    assert again.returncode == 0, again.stdout[-5000:]
    assert "Apply the planned transaction" not in again.stdout


def test_a_plan_that_is_being_applied_is_not_replaced(fleet: RunningLab) -> None:
    replanned = fleet.play("patch_plan.yml", patch_cycle=CYCLE)
    assert replanned.returncode != 0
    assert "it is being applied" in said(replanned)


def test_the_reports_are_made_and_add_up(fleet: RunningLab) -> None:
    reported = fleet.play(
        "patch_report.yml", patch_cycle=CYCLE, patch_user_requests={"alpha": {"requests": 100, "failed": 0}}
    )
    assert reported.returncode == 0, reported.stdout[-5000:]
    page = (fleet.plan_folder("alpha", CYCLE) / "report.html").read_text()
    assert all(host in page for host in ALPHA)
    assert "CVE-2026-0001" in page
    assert not any(host in page for host in BETA)


def test_the_next_month_finds_nothing_to_do(fleet: RunningLab) -> None:
    ended = fleet.play("patch_cycle.yml", patch_cycle=NEXT)
    assert ended.returncode == 0, ended.stdout[-5000:]
    assert set(fleet.outcomes("alpha", NEXT).values()) == {"unchanged"}
    assert set(fleet.outcomes("beta", NEXT).values()) == {"unchanged"}
    assert "Apply the planned transaction" not in ended.stdout


def test_the_state_belongs_to_its_owner_alone(fleet: RunningLab) -> None:
    open_to_others = [path for path in Path(fleet.state).rglob("*") if path.stat().st_mode & 0o077 and path.is_dir()]
    assert open_to_others == []
