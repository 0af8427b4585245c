# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""patch_approve.yml in real runs of ansible-playbook: plans are shown, and exactly the named ones are approved."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import verify
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY, run_ansible

from .test_the_way_of_a_plan import CYCLE, PLAN, Controller


class Approving(Controller):
    """A controller whose policy wants signatures, and the keys of two people."""

    def __init__(self, folder: Path) -> None:
        signers = folder / "allowed_signers"
        super().__init__(folder, patch_approval="signature", patch_approval_signers=str(signers))
        lines = []
        for name, namespace in (("alice", "approval"), ("bob", "attempt")):
            key = folder / name
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
            public = key.with_suffix(".pub").read_text()
            lines.append(f'{name} namespaces="bankops-fleet-{namespace}" {public}')
        signers.write_text("".join(lines))

    def approve(self, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        extra = json.dumps({"patch_cycle": CYCLE, **variables})
        playbook = str(REPOSITORY / "playbooks/patch_approve.yml")
        environment = {"ANSIBLE_SHOW_CUSTOM_STATS": "1"}
        command = ["playbook", "-i", "inventory.json", playbook, "-e", extra, *arguments]
        return run_ansible(self.folder, *command, environment=environment)

    def kept(self) -> list[tuple[bytes, str]]:
        return self.state.approvals("alpha", self.plan)


def left_to_workflow(run: subprocess.CompletedProcess[str]) -> Any:
    """What AWX would take for the artifacts of the job."""
    return json.loads(run.stdout.rpartition("RUN: ")[2])


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Approving:
    controller = Approving(tmp_path_factory.mktemp("controller"))
    run = controller.run(PLAN)
    assert run.returncode == 0, run.stdout
    return controller


def test_a_plan_leaves_its_digest_to_a_workflow(tmp_path: Path) -> None:
    controller = Approving(tmp_path)
    (tmp_path / "plays.json").write_text(json.dumps([PLAN]))
    environment = {"ANSIBLE_SHOW_CUSTOM_STATS": "1"}
    run = run_ansible(tmp_path, "playbook", "-i", "inventory.json", "plays.json", environment=environment)
    assert left_to_workflow(run) == {"fleet_plans": {"alpha": controller.plan}}


def test_without_a_digest_the_plans_are_shown_and_nothing_is_signed(planned: Approving) -> None:
    run = planned.approve()
    assert run.returncode == 0, run.stdout
    assert f"Plan {planned.plan[:16]} of tenant alpha, cycle {CYCLE}: 3 hosts" in run.stdout
    assert f"digest: {planned.plan}\n" in run.stdout
    assert "approval: none yet" in run.stdout
    assert f"to approve it: -e patch_approve={planned.plan} -e patch_approval_key=PATH" in run.stdout
    assert left_to_workflow(run) == {"fleet_plans": {"alpha": planned.plan}}
    rollback = planned.approve(patch_approval_purpose="rollback")
    assert left_to_workflow(rollback) == {"fleet_rollbacks": {"alpha": planned.plan}}
    assert planned.kept() == []


def test_check_mode_says_what_would_be_signed(planned: Approving) -> None:
    run = planned.approve("--check", patch_approve=planned.plan, patch_approval_key=str(planned.folder / "alice"))
    assert run.returncode == 0, run.stdout
    assert f"alice would approve plan {planned.plan} for apply until" in run.stdout
    assert planned.kept() == []


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"patch_approve": "f" * 16, "patch_approval_key": "alice"}, "names none of the plans"),
        ({"patch_approve": "PLAN"}, "patch_approval_key no key"),
        ({"patch_approve": "PLAN", "patch_approval_key": "bob"}, "bob may not sign this"),
        ({"patch_approve": "PLAN", "patch_approval_key": "nobody"}, "cannot be used to sign"),
        ({"patch_approve": "PLAN", "patch_approval_key": "alice", "patch_approval_purpose": "stage"}, "one of"),
    ],
)
def test_what_cannot_be_approved_is_refused_and_nothing_is_signed(
    planned: Approving, variables: dict[str, Any], why: str
) -> None:
    given = {name: planned.plan[:16] if value == "PLAN" else value for name, value in variables.items()}
    run = planned.approve(**given)
    assert run.returncode != 0
    assert why in " ".join(run.stdout.split())
    assert planned.kept() == []


def test_exactly_the_plan_that_was_named_is_approved(planned: Approving) -> None:
    run = planned.approve(patch_approve=[planned.plan[:16]], patch_approval_key=str(planned.folder / "alice"))
    assert run.returncode == 0, run.stdout
    assert f"alice approved plan {planned.plan} for apply until" in run.stdout
    ((statement, signature),) = planned.kept()
    assert json.loads(statement)["plan"] == planned.plan
    assert (planned.folder / "alice").read_text().splitlines()[1] not in run.stdout + signature
    (entry,) = [entry for entry in planned.entries() if entry["phase"] == "approve"]
    assert entry["data"]["approval"]["approver"] == "alice"
    assert verify(planned.state.entries("alpha", planned.plan)).ok
    again = planned.approve()
    assert "approval: alice (SHA256:" in again.stdout
    assert ") for apply until " in again.stdout


def test_an_approval_that_does_not_hold_is_shown_with_its_reason(planned: Approving) -> None:
    planned.state.put_approval("alpha", planned.plan, b"{}", "")
    assert "approval: does not hold: The signature is none of OpenSSH's." in planned.approve().stdout
