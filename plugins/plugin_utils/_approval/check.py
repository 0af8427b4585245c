# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a plan is approved, by somebody other than who executes it, and if not exactly why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.awx import require_awx_approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.model import Approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.opening import executor_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.sshsig import Signer
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.statement import (
    APPROVAL_NAMESPACE,
    Statement,
    read_statement,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import CLOCKS_DIFFER, as_text, hours_after
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State


def require_approval(
    state: State,
    head: Mapping[str, Any],
    plan: str,
    policy: Mapping[str, Any],
    opening: Mapping[str, Any],
    *,
    attempt: int,
    purpose: str,
    opened: datetime,
    now: datetime,
) -> Approval | None:
    """The approval under which ``attempt`` may change hosts now; None where the policy asks for none.

    ``policy`` is that of a host of the plan, ``opening`` what the attempt's opening entry says, and ``opened`` when it
    was written. Raises FleetError: ``not_approved``, ``approval_expired``, ``approval_invalid``, ``approval_foreign``,
    ``approval_own``, ``opening_unsigned``, ``opening_invalid``, ``signers_missing``. Of several approvals the first
    that holds counts.
    """
    tenant = head["tenant"]
    if policy["approval"] == "none":
        return None
    if policy["approval"] == "awx":
        return require_awx_approval(opening, plan=plan, tenant=tenant, purpose=purpose, now=now)
    signers = signers_of(policy)
    executor = executor_of(
        opening, plan=plan, tenant=tenant, attempt=attempt, purpose=purpose, opened=opened, signers=signers
    )
    refusals: list[FleetError] = []
    for content, signature in state.approvals(tenant, plan):
        try:
            statement, approver = read_approval(content, signature, plan=plan, tenant=tenant, policy=policy, now=now)
            _require_purpose(statement, purpose)
            _require_other(approver, executor)
        except FleetError as refusal:
            refusals.append(refusal)
        else:
            return as_approval(statement, approver, policy, executor)
    raise _not_approved(plan, tenant, purpose, refusals)


def read_approval(
    content: bytes,
    signature: str,
    *,
    plan: str,
    tenant: str,
    policy: Mapping[str, Any],
    now: datetime,
    at: datetime | None = None,
) -> tuple[Statement, Signer]:
    """A stored approval and who signed it, by keys that are good now, or were ``at`` another time.

    Raises FleetError: ``approval_invalid``, ``approval_foreign``, ``approval_expired``, ``signers_missing``.
    """
    try:
        approver = sshsig.verify(content, signature, signers_of(policy), APPROVAL_NAMESPACE, at=at)
    except FleetError as problem:
        if problem.kind == "signers_missing":
            raise
        raise FleetError(problem.message, kind="approval_invalid", remedy=problem.remedy) from problem
    statement = read_statement(content)
    if (statement.plan, statement.tenant) != (plan, tenant):
        raise FleetError(
            f"The approval of {approver.principal} is of plan {statement.plan[:16]} of tenant {statement.tenant}, "
            f"and not of plan {plan[:16]} of tenant {tenant}.",
            kind="approval_foreign",
            remedy="Find out who put it beside this plan.",
        )
    if statement.approver not in approver.principals:
        raise FleetError(
            f"The approval says that it is of {statement.approver}, and {approver.principal} signed it.",
            kind="approval_invalid",
            remedy="Approve the plan anew.",
        )
    # What is dated further ahead would hold for longer than the policy lets any approval hold.
    if statement.created > now + CLOCKS_DIFFER:
        raise FleetError(
            f"The approval of {approver.principal} says that it will be given at {as_text(statement.created)}.",
            kind="approval_invalid",
            remedy="Compare the clocks of both machines, then approve the plan anew.",
        )
    expires = expiry(statement, policy)
    if expires <= now:
        raise FleetError(
            f"The approval of {approver.principal} expired at {as_text(expires)}.",
            kind="approval_expired",
            remedy="Approve the plan anew.",
        )
    return statement, approver


def expiry(statement: Statement, policy: Mapping[str, Any]) -> datetime:
    """When an approval ends: as it says, and never later than the policy lets it hold."""
    return min(statement.expires, hours_after(statement.created, policy["approval_hours"]))


def signers_of(policy: Mapping[str, Any]) -> Path:
    """The allowed-signers file of the policy."""
    return Path(policy["approval_signers"]).expanduser()


def as_approval(
    statement: Statement, approver: Signer, policy: Mapping[str, Any], executor: Signer | None = None
) -> Approval:
    """The facts of an approval; without an executor as long as nobody executes."""
    return Approval(
        how="signature",
        purpose=statement.purpose,
        approver=approver.principal,
        approver_key=approver.fingerprint,
        created=as_text(statement.created),
        expires=as_text(expiry(statement, policy)),
        executor=executor.principal if executor else "",
        executor_key=executor.fingerprint if executor else "",
    )


def _require_purpose(statement: Statement, purpose: str) -> None:
    if statement.purpose != purpose:
        raise FleetError(
            f"The approval of {statement.approver} is for {statement.purpose}, not for {purpose}.",
            kind="not_approved",
            remedy=f"Approve it with -e patch_approval_purpose={purpose}.",
        )


def _require_other(approver: Signer, executor: Signer) -> None:
    if approver.is_also(executor):
        raise FleetError(
            f"{approver.principal}, who approved, executes as well ({executor.principal}, key {executor.fingerprint}).",
            kind="approval_own",
            remedy="Let somebody else approve, or somebody else execute.",
        )


def _not_approved(plan: str, tenant: str, purpose: str, refusals: list[FleetError]) -> FleetError:
    """What is wrong with each approval; the newest decides of which kind the refusal is."""
    if not refusals:
        return FleetError(
            f"Plan {plan[:16]} of tenant {tenant} is not approved.",
            kind="not_approved",
            remedy=f"Let somebody other than you run patch_approve.yml -e patch_approve={plan[:16]}.",
        )
    reasons = " ".join(dict.fromkeys(refusal.message for refusal in refusals))
    return FleetError(
        f"No approval of plan {plan[:16]} of tenant {tenant} holds for {purpose}. {reasons}",
        kind=refusals[-1].kind,
        remedy=refusals[-1].remedy,
        data={"refusals": [{"kind": refusal.kind, "message": refusal.message} for refusal in refusals]},
    )
