# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of a host, from the results of our own modules; those of others decide nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import SPENDING
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome, InService
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.results import COLLECTION
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import GOOD

HOST = COLLECTION + "patch_host"
BATCH = COLLECTION + "patch_batch"
STAGE = COLLECTION + "updates_stage"


class Looked(StrEnum):
    """What is said of a host of an attempt that gives no outcome: it stages, or only looks (check mode)."""

    STAGED = "staged"
    NOT_STAGED = "not_staged"
    LOOKED_AT = "looked_at"


@dataclass(frozen=True)
class Failure:
    """A step that failed on the way of a host, in full; every text of it comes from outside."""

    step: str
    message: str
    remedy: str
    log: str


@dataclass(frozen=True)
class Done:
    """A host that this run has come to an end with. ``in_service`` is empty where nobody has looked."""

    outcome: str
    in_service: str
    reason: str
    waiting: bool = False
    """It was left as it is because the plan goes that way."""
    failures: tuple[Failure, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nobody need look at the host."""
        well = self.outcome in GOOD and self.in_service == InService.YES
        return well or self.waiting or self.outcome in (Looked.STAGED, Looked.LOOKED_AT)

    def spends(self, purpose: str) -> bool:
        """Whether the host counts against the failure budget of an attempt with this purpose."""
        if purpose == "rollback":
            return self.outcome in SPENDING - {HostOutcome.ROLLED_BACK}
        may_be_away = self.outcome == HostOutcome.SKIPPED and self.in_service != InService.YES
        return self.outcome in SPENDING or may_be_away


def done_by(module: str, result: Mapping[str, Any], *, failed: bool, check_mode: bool) -> Done | None:
    """What a task's result says of its host; None while the host goes on, or the module says nothing of that kind."""
    if module == STAGE:
        reason = str(result.get("msg", "")) if failed else ""
        return Done(Looked.NOT_STAGED if failed else Looked.STAGED, "", reason)
    if module != HOST or failed:
        return None
    if "outcome" in result:
        return _done(result["outcome"], _failures(result))
    return Done(Looked.LOOKED_AT, "", str(result.get("msg", ""))) if check_mode else None


def done_at_close(closed: Mapping[str, Any]) -> dict[str, Done]:
    """What a closed attempt says of its hosts: an item of ``tenants`` in the result of ``patch_attempt``."""
    waiting = frozenset(closed["waiting"])
    return {host: _done({**found, "waiting": host in waiting}) for host, found in closed["hosts"].items()}


def _done(decided: Mapping[str, Any], failures: tuple[Failure, ...] = ()) -> Done:
    # Staging looks at no service.
    staging = decided["outcome"] == Looked.NOT_STAGED
    return Done(
        str(decided["outcome"]),
        "" if staging else str(decided["in_service"]),
        str(decided["reason"]),
        decided.get("waiting") is True,
        failures,
    )


def _failures(result: Mapping[str, Any]) -> tuple[Failure, ...]:
    return tuple(
        Failure(str(found["step"]), str(found["msg"]), str(found["remedy"]), str(found["log"]))
        for found in result.get("failures") or []
    )
