# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan that no second person has approved changes no host, whatever lies beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.statement import APPROVAL_NAMESPACE, Statement
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

from ..conftest import RunningLab, said
from .aftermath import APP_UNTOUCHED, apply, assert_sound, installed, intended, play, prepare, results, resume

HOSTS = ("app1",)
CYCLE, REPLACED, APPROVED = "2026-01", "2026-02", "2026-03"
Keys = dict[str, Path]


@pytest.fixture(scope="module")
def keys(fleet: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """The lab's approver, its executor who may approve as well, somebody unknown, and the file without the last one."""
    facts = json.loads(fleet.lab("facts", "--json").stdout)
    folder = tmp_path_factory.mktemp("keys")
    stranger = folder / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    executor = Path(facts["signing_keys"]["executor"])
    own = f"executor {executor.with_suffix('.pub').read_text()}"
    lines = Path(facts["allowed_signers"]).read_text().splitlines()
    signers = folder / "allowed_signers"
    signers.write_text("\n".join([own, *(line for line in lines if not line.startswith("executor"))]) + "\n")
    return {
        "approver": Path(facts["signing_keys"]["approver"]),
        "executor": executor,
        "stranger": stranger,
        "signers": signers,
    }


def plan(lab: RunningLab, keys: Keys, cycle: str, **more: Any) -> None:
    prepare(lab, cycle, patch_approval="signature", patch_approval_signers=str(keys["signers"]), **more)


@pytest.fixture(scope="module")
def planned(fleet: RunningLab, keys: Keys) -> RunningLab:
    """A plan that wants an approval and has none."""
    plan(fleet, keys, CYCLE)
    return fleet


@pytest.fixture
def unapproved(planned: RunningLab) -> RunningLab:
    """The same plan, without what another test has put beside it."""
    shutil.rmtree(planned.plan_folder("beta", CYCLE) / "approvals", ignore_errors=True)
    return planned


def put_approval(lab: RunningLab, key: Path, *, altered: tuple[bytes, bytes] = (b"", b""), **other: Any) -> None:
    """Put an approval beside the plan that says something ``other``, or was ``altered`` after it was signed."""
    digest, now = lab.plan_folder("beta", CYCLE).name, datetime.now(timezone.utc).replace(microsecond=0)
    usual = {"plan": digest, "tenant": "beta", "purpose": "apply", "approver": key.name, "created": now}
    statement = Statement(**{**usual, "expires": now + timedelta(hours=2), **other}).as_bytes()
    signature = sshsig.sign(statement, key, APPROVAL_NAMESPACE)
    FolderState(lab.state).put_approval("beta", digest, statement.replace(*altered), signature)


def approve(lab: RunningLab, cycle: str, digest: str, key: Path) -> subprocess.CompletedProcess[str]:
    return play(lab, "patch_approve.yml", patch_cycle=cycle, patch_approve=digest, patch_approval_key=str(key))


def assert_refused(lab: RunningLab, keys: Keys, why: str, cycle: str = CYCLE) -> None:
    """An attempt by the executor begins no host, and says why."""
    applied = apply(lab, cycle, tenant="beta", patch_executor_key=str(keys["executor"]))
    assert applied.returncode != 0
    assert why in said(applied)
    assert_sound(lab, cycle, {"app1": "not_attempted"}, tenant="beta")
    app1 = results(lab, cycle, "beta")["app1"]
    assert why in app1.reason
    assert app1.in_service == "yes"
    assert not intended(lab, cycle, "app1", "apply", tenant="beta")


def test_a_plan_without_an_approval_is_refused(unapproved: RunningLab, keys: Keys) -> None:
    assert_refused(unapproved, keys, "is not approved")


def test_an_executor_who_does_not_sign_is_refused(unapproved: RunningLab, keys: Keys) -> None:
    put_approval(unapproved, keys["approver"])
    applied = apply(unapproved, CYCLE, tenant="beta")
    assert applied.returncode != 0
    assert "patch_executor_key" in said(applied)
    assert not intended(unapproved, CYCLE, "app1", "apply", tenant="beta")
    assert installed(unapproved, "app1") == APP_UNTOUCHED


def test_the_approval_of_somebody_unknown_is_neither_made_nor_believed(unapproved: RunningLab, keys: Keys) -> None:
    refused = approve(unapproved, CYCLE, unapproved.plan_folder("beta", CYCLE).name, keys["stranger"])
    assert refused.returncode != 0
    assert "nobody would believe its signature" in said(refused)
    put_approval(unapproved, keys["stranger"], approver="approver")
    assert_refused(unapproved, keys, f"The key that signed is not in {keys['signers']}")


def test_the_executor_cannot_approve_for_themselves(unapproved: RunningLab, keys: Keys) -> None:
    approved = approve(unapproved, CYCLE, unapproved.plan_folder("beta", CYCLE).name, keys["executor"])
    assert approved.returncode == 0, approved.stdout
    assert_refused(unapproved, keys, "executor, who approved, executes as well")


def test_the_approval_of_another_tenants_plan_is_refused(unapproved: RunningLab, keys: Keys) -> None:
    put_approval(unapproved, keys["approver"], tenant="alpha", plan="0" * 64)
    assert_refused(unapproved, keys, f"is of plan {'0' * 16} of tenant alpha")


def test_an_approval_for_something_else_is_refused(unapproved: RunningLab, keys: Keys) -> None:
    put_approval(unapproved, keys["approver"], purpose="rollback")
    assert_refused(unapproved, keys, "is for rollback, not for apply")


def test_an_expired_approval_is_refused(unapproved: RunningLab, keys: Keys) -> None:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    put_approval(unapproved, keys["approver"], created=now - timedelta(hours=2), expires=now - timedelta(seconds=1))
    assert_refused(unapproved, keys, "The approval of approver expired at")


def test_an_approval_that_was_altered_is_refused(unapproved: RunningLab, keys: Keys) -> None:
    put_approval(unapproved, keys["approver"], purpose="rollback", altered=(b'"rollback"', b'"apply"'))
    assert_refused(unapproved, keys, "The signature is not of this statement")


def test_the_approval_of_a_plan_that_was_replaced_is_refused(fleet: RunningLab, keys: Keys) -> None:
    plan(fleet, keys, REPLACED)
    first = fleet.plan_folder("beta", REPLACED).name
    assert approve(fleet, REPLACED, first, keys["approver"]).returncode == 0
    plan(fleet, keys, REPLACED, patch_max_failed=1)
    assert fleet.plan_folder("beta", REPLACED).name != first
    assert_refused(fleet, keys, "is not approved", REPLACED)
    again = approve(fleet, REPLACED, first, keys["approver"])
    assert again.returncode != 0
    assert "names none of the plans" in said(again)


def test_the_second_persons_approval_lets_the_plan_through(fresh: RunningLab, keys: Keys) -> None:
    plan(fresh, keys, APPROVED)
    assert_refused(fresh, keys, "is not approved", APPROVED)
    approved = approve(fresh, APPROVED, fresh.plan_folder("beta", APPROVED).name, keys["approver"])
    assert approved.returncode == 0, approved.stdout
    resume(fresh, APPROVED, {"app1": "verified"}, tenant="beta", patch_executor_key=str(keys["executor"]))
    reported = play(fresh, "patch_report.yml", patch_cycle=APPROVED)
    assert reported.returncode == 0, reported.stdout
    assert "approved: for apply by approver" in said(reported)
