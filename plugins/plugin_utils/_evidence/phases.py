# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statuses of the record: each is defined here, once."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """What an entry of the ledger is about. Tasks say theirs by ``vars: {fleet_phase: …}``."""

    OPEN = "open"
    SCAN = "scan"
    PLAN = "plan"
    APPROVE = "approve"
    STAGE = "stage"
    PREFLIGHT = "preflight"
    DRAIN = "drain"
    APPLY = "apply"
    RESTART = "restart"
    REBOOT = "reboot"
    VERIFY = "verify"
    RETURN = "return"
    ROLLBACK = "rollback"
    HOOK = "hook"
    OUTCOME = "outcome"
    SOAK = "soak"
    GATE = "gate"
    DISTRIBUTE = "distribute"
    RECONCILE = "reconcile"
    COVERAGE = "coverage"
    CLOSE = "close"


class EntryOutcome(StrEnum):
    """How a single step ended, or that it is about to begin."""

    INTENT = "intent"
    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"


class HostOutcome(StrEnum):
    """What became of a host in a plan: the first that applies, in this order."""

    UNREACHABLE = "unreachable"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    VERIFIED = "verified"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    NOT_ATTEMPTED = "not_attempted"


class AttemptState(StrEnum):
    """Whether an attempt came to its end; ``incomplete`` is one that somebody else had to close."""

    OPEN = "open"
    CLOSED = "closed"
    INCOMPLETE = "incomplete"


class InService(StrEnum):
    """Whether a host serves its users, as far as it is known."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """The same for people."""
        return {"yes": "in service", "no": "out of service"}.get(self.value, "perhaps out of service")
