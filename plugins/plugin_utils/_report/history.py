# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a ledger tells of each host and each attempt, read in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import AttemptResult

UNKNOWN = "unknown"
_DONE = (EntryOutcome.OK, EntryOutcome.CHANGED)


@dataclass
class HostHistory:
    """A host's way in its latest attempt; ``before`` and ``after`` are versions by ``name:arch``, over all attempts."""

    attempt: int = 0
    began: datetime | None = None
    ended: datetime | None = None
    drained: datetime | None = None
    returned: datetime | None = None
    rebooted: bool = False
    started: bool = False
    before: dict[str, str | None] = field(default_factory=dict)
    after: dict[str, str | None] = field(default_factory=dict)
    appeared: list[Mapping[str, Any]] = field(default_factory=list)
    not_reversible: list[Mapping[str, Any]] = field(default_factory=list)
    outcome: HostOutcome | None = None
    in_service: str = UNKNOWN
    reason: str = ""


@dataclass
class History:
    """All hosts that the ledger names, and all attempts in order."""

    hosts: dict[str, HostHistory] = field(default_factory=dict)
    attempts: dict[int, AttemptResult] = field(default_factory=dict)


def read_history(lines: Iterable[bytes]) -> History:
    """Read a ledger. Attempts in check mode are listed, and what they wrote of hosts is left out: nothing was done."""
    history = History()
    for entry in read_entries(lines):
        moment = datetime.fromisoformat(entry["time"])
        if entry["phase"] == Phase.OPEN and "opening" in entry["data"]:
            history.attempts[entry["attempt"]] = _opened(entry, moment)
        elif entry["phase"] == Phase.CLOSE and entry["attempt"] in history.attempts:
            _close(history, entry["attempt"], moment)
        elif entry["host"] is not None:
            attempt = history.attempts.get(entry["attempt"])
            if attempt and not attempt.check_mode:
                _take(history.hosts.setdefault(entry["host"], HostHistory()), entry, moment)
    return history


def _take(host: HostHistory, entry: Mapping[str, Any], moment: datetime) -> None:
    phase, outcome, data = entry["phase"], entry["outcome"], entry["data"]
    if phase == Phase.STAGE:
        host.not_reversible = (data.get("rollback") or {}).get("cannot", [])
        return
    if entry["attempt"] != host.attempt:
        host.attempt, host.began, host.drained, host.returned = entry["attempt"], None, None, None
    if phase == Phase.OUTCOME:
        host.outcome, host.in_service, host.reason = HostOutcome(outcome), data["in_service"], data["reason"]
        # An outcome without a way (decided by the plan, or never begun) took no time.
        host.ended = moment if host.began else None
        return
    if host.began is None:
        host.began = moment - timedelta(seconds=(data.get("task") or {}).get("seconds", 0))
    _take_step(host, phase, outcome, data, moment)


def _take_step(host: HostHistory, phase: str, outcome: str, data: Mapping[str, Any], moment: datetime) -> None:
    if outcome == EntryOutcome.INTENT:
        host.started = True
    elif phase == Phase.PREFLIGHT:
        host.appeared = data.get("appeared", [])
    elif phase == Phase.DRAIN and outcome in _DONE:
        host.drained = host.drained or moment
    elif phase == Phase.RETURN and outcome in _DONE:
        host.returned = moment
    elif phase == Phase.REBOOT and outcome == EntryOutcome.CHANGED:
        host.rebooted = True
    elif phase in (Phase.APPLY, Phase.ROLLBACK) and "after" in data:
        # The first `before` stays: a later attempt, and the rollback, begin from what the first change left.
        host.before = {**data.get("before", {}), **host.before}
        host.after = {**host.after, **data["after"]}


def _opened(entry: Mapping[str, Any], moment: datetime) -> AttemptResult:
    opening = entry["data"]["opening"]
    source = opening.get("provenance", {})
    limit = opening.get("limit")
    who = str(source.get("user", UNKNOWN))
    return AttemptResult(
        number=entry["attempt"],
        purpose=str(opening["purpose"]),
        check_mode=bool(opening["check_mode"]),
        who=f"{source['sudo_user']} (as {who})" if source.get("sudo_user") else who,
        where=str(source.get("host", UNKNOWN)),
        revision=str(source.get("revision", UNKNOWN)),
        dirty=source.get("dirty"),
        job=str(source.get("awx_job") or ""),
        ansible_core=str(source.get("ansible_core", UNKNOWN)),
        collection=str(source.get("collection", UNKNOWN)),
        opened=moment,
        closed=None,
        limit=None if limit is None else tuple(map(str, limit)),
    )


def _close(history: History, number: int, moment: datetime) -> None:
    attempt = history.attempts[number]
    history.attempts[number] = AttemptResult(**{**vars(attempt), "closed": moment})
