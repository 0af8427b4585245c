# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an attempt's opening proves of its executor, so that the executor can be told from the approver."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.awx import awx_approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.sshsig import Signer
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.statement import (
    ATTEMPT_NAMESPACE,
    Opening,
    read_opening,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import CLOCKS_DIFFER, as_text

SIGNED_BEFORE = timedelta(minutes=15)
"""How long before it is opened an attempt may be signed: for many tenants a key may have to be touched many times."""


def opening_proof(
    policy: Mapping[str, Any],
    *,
    plan: str,
    tenant: str,
    attempt: int,
    purpose: str,
    opened: datetime,
    key: Path | None,
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """What the policy wants an opening entry to hold besides: ``executor``, ``awx_approval``, or nothing.

    Raises FleetError: ``opening_unsigned``, and as ``sign_opening`` and ``awx_approval`` do.
    """
    if policy["approval"] == "signature":
        if key is None:
            raise _unsigned(attempt, plan)
        signers = Path(policy["approval_signers"]).expanduser()
        signed = sign_opening(
            plan=plan, tenant=tenant, attempt=attempt, purpose=purpose, opened=opened, key=key, signers=signers
        )
        return {"executor": signed}
    if policy["approval"] == "awx":
        found = awx_approval(policy, plan=plan, tenant=tenant, purpose=purpose, environment=environment)
        return {"awx_approval": found}
    return {}


def sign_opening(
    *, plan: str, tenant: str, attempt: int, purpose: str, opened: datetime, key: Path, signers: Path
) -> dict[str, str]:
    """``{"statement", "sshsig", "principal", "fingerprint"}``, which the opening entry keeps as ``executor``.

    Verified at once, so that an attempt nobody may execute is not opened. Raises FleetError as ``sshsig`` does.
    """
    statement = Opening(plan, tenant, attempt, purpose, opened).as_bytes()
    signature = sshsig.sign(statement, key, ATTEMPT_NAMESPACE)
    signer = sshsig.verify(statement, signature, signers, ATTEMPT_NAMESPACE)
    return {
        "statement": statement.decode(),
        # Not called signature: the ledger would redact what has that name.
        "sshsig": sshsig.pack(signature),
        "principal": signer.principal,
        "fingerprint": signer.fingerprint,
    }


def executor_of(
    opening: Mapping[str, Any],
    *,
    plan: str,
    tenant: str,
    attempt: int,
    purpose: str,
    opened: datetime,
    signers: Path,
    then: bool = False,
) -> Signer:
    """Who signed the opening of this attempt, by keys that are good now, or were ``then``, when it was signed.

    ``opened`` is when the opening was written. Raises FleetError: ``opening_unsigned``, ``opening_invalid``.
    """
    executor = opening.get("executor")
    if not isinstance(executor, Mapping):
        raise _unsigned(attempt, plan)
    content = str(executor.get("statement", "")).encode()
    signature = sshsig.unpack(str(executor.get("sshsig", "")))
    try:
        signed = read_opening(content)
        signer = sshsig.verify(content, signature, signers, ATTEMPT_NAMESPACE, at=signed.opened if then else None)
    except FleetError as problem:
        raise _invalid(attempt, plan, problem.message) from problem
    if (signed.plan, signed.tenant, signed.attempt, signed.purpose) != (plan, tenant, attempt, purpose):
        theirs = f"{signed.purpose}, attempt {signed.attempt} on plan {signed.plan[:16]} of {signed.tenant}"
        raise _invalid(attempt, plan, f"What was signed is another opening: {theirs}.")
    if not -CLOCKS_DIFFER <= opened - signed.opened <= SIGNED_BEFORE:
        times = f"It was signed at {as_text(signed.opened)}, and the ledger has it from {as_text(opened)}."
        raise _invalid(attempt, plan, times)
    return signer


def refuse_late(signed: datetime, opened: datetime, *, attempt: int, plan: str) -> None:
    """Raise FleetError of kind ``opening_late`` for an attempt that nobody could tell from one that was dated anew."""
    if opened - signed > SIGNED_BEFORE:
        raise FleetError(
            f"Attempt {attempt} on plan {plan[:16]} was signed at {as_text(signed)}, and the ledger would have it from "
            f"{as_text(opened)}.",
            kind="opening_late",
            remedy="Run it again and sign sooner, for fewer tenants at once; and see that no clock is ahead.",
        )


def _unsigned(attempt: int, plan: str) -> FleetError:
    return FleetError(
        f"Nobody signed the opening of attempt {attempt} on plan {plan[:16]}, so its executor is not known.",
        kind="opening_unsigned",
        remedy="Name the executor's key with -e patch_executor_key=PATH.",
    )


def _invalid(attempt: int, plan: str, why: str) -> FleetError:
    return FleetError(
        f"The signature under the opening of attempt {attempt} on plan {plan[:16]} does not hold. {why}",
        kind="opening_invalid",
        remedy="Open a further attempt with the key of somebody whom patch_approval_signers lets execute.",
    )
