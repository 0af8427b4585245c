# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What verification finds, by kind: all of it, for an auditor who wants the whole list."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable


class FindingKind(StrEnum):
    """What is wrong. docs/auditors.md says of each what it means."""

    FILE_CHANGED = "file_changed"
    FILE_MISSING = "file_missing"
    FILE_ADDED = "file_added"
    SUMS_MALFORMED = "sums_malformed"
    SIGNATURE_BAD = "signature_bad"
    SIGNER_UNKNOWN = "signer_unknown"
    SEAL_MALFORMED = "seal_malformed"
    BUNDLE_MISPLACED = "bundle_misplaced"
    BUNDLE_MALFORMED = "bundle_malformed"
    PLAN_CHANGED = "plan_changed"
    HOST_CHANGED = "host_changed"
    LEDGER_BROKEN = "ledger_broken"
    LEDGER_APPENDED = "ledger_appended"
    LEDGER_CUT = "ledger_cut"
    LEDGER_REPLACED = "ledger_replaced"
    FACTS_DIFFER = "facts_differ"
    POLICY_DIFFERS = "policy_differs"
    APPROVAL_INVALID = "approval_invalid"
    APPROVAL_MISSING = "approval_missing"
    APPROVAL_OWN = "approval_own"
    CHANGE_UNPLANNED = "change_unplanned"
    EXECUTOR_UNPROVEN = "executor_unproven"
    REPORT_MISSING = "report_missing"
    SEAL_MISSING = "seal_missing"
    SEAL_FORKED = "seal_forked"
    CHAIN_BROKEN = "chain_broken"
    ANCHOR_DIFFERS = "anchor_differs"
    ANCHOR_GONE = "anchor_gone"
    STATE_DIFFERS = "state_differs"
    BUNDLE_MISSING = "bundle_missing"
    SEALED_PLAN_CHANGED = "sealed_plan_changed"
    PLAN_MISSING = "plan_missing"
    PLAN_UNSEALED = "plan_unsealed"
    ATTEMPT_OPEN = "attempt_open"
    MONTH_MISSING = "month_missing"


_COPY = "Compare it with a copy that was made when the plan was sealed, and find out who changed it."
_ASK = "Ask who made the bundle, and with which key; trust nothing that it says until that is known."
_KIND = FindingKind
_REMEDIES = {
    _KIND.FILE_ADDED: "Find out who put it there, and move it out of the bundle.",
    _KIND.SIGNATURE_BAD: _ASK,
    _KIND.SIGNER_UNKNOWN: _ASK,
    _KIND.BUNDLE_MISPLACED: "Give the folder the name that its seal.json says, if that is all that is wrong with it.",
    _KIND.BUNDLE_MALFORMED: _ASK,
    _KIND.FACTS_DIFFER: _ASK,
    _KIND.POLICY_DIFFERS: "Ask who made the plan, and who may be changed without a second person.",
    _KIND.APPROVAL_INVALID: "Ask the approver whether they signed it, and who might approve at that time.",
    _KIND.APPROVAL_MISSING: "Ask who let these hosts be changed.",
    _KIND.APPROVAL_OWN: "Ask why nobody else looked at the change: approver and executor must be two persons.",
    _KIND.CHANGE_UNPLANNED: "Ask who changed these hosts, and by what: the plan that was approved says nothing of it.",
    _KIND.EXECUTOR_UNPROVEN: "Ask who ran the attempt.",
    _KIND.REPORT_MISSING: "Make the reports by patch_report.yml before a plan is sealed.",
    _KIND.SEAL_MISSING: "Ask for the bundle; one that was ever there is also in the state, and in backups.",
    _KIND.SEAL_FORKED: "Ask which of them is in the state, and where the other one comes from.",
    _KIND.CHAIN_BROKEN: "Compare the roots of both bundles with the state and with anchors.",
    _KIND.ANCHOR_DIFFERS: "The anchor was kept elsewhere: ask who replaced the seal.",
    _KIND.ANCHOR_GONE: "The anchor was kept elsewhere: ask who removed the seal, and look for it in backups.",
    _KIND.STATE_DIFFERS: "One of both was changed: compare them with a copy and with anchors.",
    _KIND.BUNDLE_MISSING: "Run evidence_seal.yml for its plan, which makes the bundle again.",
    _KIND.SEALED_PLAN_CHANGED: "Find out who wrote into the state; the bundle has the plan as it was sealed.",
    _KIND.PLAN_MISSING: "Restore the state from a backup, and find out who removed the plan.",
    _KIND.PLAN_UNSEALED: "Run evidence_seal.yml for it.",
    _KIND.ATTEMPT_OPEN: "Run evidence_reconcile.yml, which finds out what became of it.",
    _KIND.MONTH_MISSING: "Ask why nothing was patched in that month.",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. ``subject`` is the seal, plan or cycle it is about, ``where`` the file or the entry."""

    kind: FindingKind
    tenant: str
    subject: str
    what: str
    where: str = ""

    @property
    def remedy(self) -> str:
        """What to do next."""
        return _REMEDIES.get(self.kind, _COPY)

    def as_data(self) -> dict[str, str]:
        """The finding as plain data, all of it printable: what a bundle says may be no text at all."""
        told = {key: printable(getattr(self, key)) for key in ("tenant", "subject", "what", "where")}
        return {"kind": self.kind.value, **told, "remedy": self.remedy}
