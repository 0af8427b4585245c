# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approving a plan: a statement signed by the approver, kept beside the plan and recorded in its ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.check import (
    as_approval,
    read_approval,
    signers_of,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.model import Approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.statement import APPROVAL_NAMESPACE, Statement
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest_of_bytes
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import hours_after
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.guard import refuse_sealed

LEAST_DIGITS = 16
"""Of a digest, so that nobody approves by accident."""


def choose_approved(digits: list[str], plans: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The (tenant, plan) pairs that were named by the first digits of their digests, each by its own.

    Raises FleetError of kind ``approve_unknown`` when one names no plan of these: it was replaced since it was read.
    """
    chosen: list[tuple[str, str]] = []
    for given in (text.strip().lower() for text in digits):
        found = [pair for pair in plans if len(given) >= LEAST_DIGITS and pair[1].startswith(given)]
        if len(found) != 1:
            shown = ", ".join(f"{plan[:LEAST_DIGITS]} (tenant {tenant})" for tenant, plan in plans)
            raise FleetError(
                f"patch_approve: {given!r} names {len(found) or 'none'} of the plans that were asked for: {shown}.",
                kind="approve_unknown",
                remedy="Give the digest that patch_approve.yml shows. If a plan was replaced, read the new one first.",
            )
        chosen += [pair for pair in found if pair not in chosen]
    return chosen


def prepare_approval(book: Book, policy: Mapping[str, Any], *, purpose: str, key: Path, now: datetime) -> Statement:
    """The statement that ``key`` would sign; nothing is written.

    Raises FleetError: ``plan_sealed``, ``approval_not_wanted``, ``plan_expired``, ``signer_unknown``, and as
    ``sshsig`` does.
    """
    refuse_sealed(book.state, book.tenant, book.plan)
    if policy["approval"] != "signature":
        raise FleetError(
            f"Plan {book.plan[:16]} of tenant {book.tenant} takes no signed approval (patch_approval: "
            f"{policy['approval']}).",
            kind="approval_not_wanted",
            remedy="Leave it out of patch_approve.",
        )
    plan_ends = datetime.fromisoformat(book.head["expires"])
    # A rollback comes after the change, often when the plan itself has expired.
    if purpose == "apply" and plan_ends <= now:
        raise FleetError(
            f"Plan {book.plan[:16]} of tenant {book.tenant} expired at {book.head['expires']}.",
            kind="plan_expired",
            remedy="Make a new plan with patch_plan.yml.",
        )
    names = sshsig.principals_of(sshsig.public_key(key), signers_of(policy))
    if not names:
        raise FleetError(
            f"{key} is not in {signers_of(policy)}, so nobody would believe its signature.",
            kind="signer_unknown",
            remedy="Add the key to the file if its owner may approve.",
        )
    ends = hours_after(now, policy["approval_hours"])
    expires = min(ends, plan_ends) if purpose == "apply" else ends
    return Statement(book.plan, book.tenant, purpose, names[0], now.replace(microsecond=0), expires)


def make_approval(book: Book, policy: Mapping[str, Any], prepared: Statement, *, key: Path, now: datetime) -> Approval:
    """Sign a prepared approval, keep it and record it. Raises FleetError as ``sshsig`` and ``read_approval`` do."""
    statement = prepared.as_bytes()
    signature = sshsig.sign(statement, key, APPROVAL_NAMESPACE)
    # What would not be believed later is not kept.
    read, signer = read_approval(statement, signature, plan=book.plan, tenant=book.tenant, policy=policy, now=now)
    book.state.put_approval(book.tenant, book.plan, statement, signature)
    approval = as_approval(read, signer, policy)
    evidence = {"approval": {**approval.as_data(), "statement_sha256": digest_of_bytes(statement)}}
    book.write(0, None, Phase.APPROVE, EntryOutcome.OK, evidence)
    return approval
