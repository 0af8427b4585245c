# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a ledger tells of each host and each attempt, read in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import Checker, read_entries
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import (
    AttemptState,
    EntryOutcome,
    HostOutcome,
    InService,
    Phase,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._once import Alike, Once
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Decision, HostEntry
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import shapes
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import ApprovalResult, AttemptResult

Value = TypeVar("Value")
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
    begun: int | None = None
    """The attempt that began the host, until the host is judged: it may be drained and half changed."""
    before: dict[str, str | None] = field(default_factory=dict)
    after: dict[str, str | None] = field(default_factory=dict)
    changed: bool = False
    """A change of its packages was begun in some attempt, whatever became of it."""
    staged: dict[str, list[str]] = field(default_factory=dict)
    """The CVEs that staging found in changelogs, by package. What was malformed is not known."""
    appeared: list[str] = field(default_factory=list)
    not_reversible: list[str] = field(default_factory=list)
    outcome: HostOutcome | None = None
    in_service: InService = InService.UNKNOWN
    reason: str = ""
    waiting: bool = False
    """It was left as it is because this goes as planned."""
    refusal: str = ""
    """Why an attempt after the one with the outcome did not begin the host."""


class _Alike:
    """What many hosts have in common is read and kept once: ten thousand of them have millions of versions."""

    def __init__(self) -> None:
        self._said = Alike()
        self._versions: Once[dict[str, str | None]] = Once()
        self._cves: Once[dict[str, list[str]]] = Once()

    def versions(self, value: Any) -> dict[str, str | None]:
        """``{"name:arch": version or null}``. Raises MalformedError."""
        said = self._said.of(value)
        return self._versions.of(said, lambda: shapes.versions(said))

    def cves(self, value: Any) -> dict[str, list[str]]:
        """``{name: [id]}`` of what is known. Raises MalformedError."""
        said = self._said.of(value)
        return self._cves.of(said, lambda: shapes.cves(said))


@dataclass
class History:
    """All hosts that the ledger names, all attempts in order, and what could not be read, one clause each."""

    hosts: dict[str, HostHistory] = field(default_factory=dict)
    attempts: dict[int, AttemptResult] = field(default_factory=dict)
    approvals: list[ApprovalResult] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    begun: dict[int, dict[str, datetime]] = field(default_factory=dict)
    """By attempt, when it began each of its hosts."""
    alike: _Alike = field(default_factory=_Alike)


def read_history(lines: Iterable[bytes], checker: Checker | None = None) -> History:
    """Read a ledger, which a ``checker`` verifies in passing.

    Attempts in check mode are listed, and what they wrote of hosts is left out: nothing was done.

    Evidence that has not its shape is named in ``malformed`` and otherwise left out, for a host must not be able to
    prevent the report. Raises FleetError of kind ``ledger_damaged`` where a line is no entry.
    """
    history = History()
    for number, entry in enumerate(read_entries(lines, checker), start=1):
        try:
            _take_entry(history, entry)
        except shapes.MalformedError:
            clause = _whose(entry, number)
            if clause not in history.malformed:
                history.malformed.append(clause)
    return history


def outcome_of(way: HostHistory, entry: HostEntry) -> tuple[HostOutcome, InService, str]:
    """The one outcome of a host of a plan, whether it is in service, and the reason."""
    if way.begun is not None and way.outcome is not HostOutcome.NOT_ATTEMPTED:
        return HostOutcome.FAILED, InService.UNKNOWN, "its change was begun, and its outcome is not known"
    if way.outcome is not None:
        return way.outcome, way.in_service if way.begun is None else InService.UNKNOWN, way.reason
    if entry["decision"] != Decision.PATCH:
        return HostOutcome.NOT_ATTEMPTED, InService.YES, f"planned as {entry['decision']}: {entry['reason']}"
    return HostOutcome.NOT_ATTEMPTED, InService.YES, "no attempt has come to it"


def _whose(entry: Mapping[str, Any], number: int) -> str:
    if isinstance(entry["host"], str) and isinstance(entry["phase"], str):
        return f"the evidence of {entry['host']}'s {entry['phase']} is malformed"
    return f"entry {number} of the ledger is malformed"


def _take_entry(history: History, entry: Mapping[str, Any]) -> None:
    moment, data = shapes.moment(entry["time"]), shapes.mapping(entry["data"])
    phase, attempt = entry["phase"], history.attempts.get(shapes.whole(entry["attempt"]))
    if phase == Phase.OPEN and "opening" in data:
        opening = shapes.mapping(data["opening"])
        history.attempts[entry["attempt"]] = _opened(entry["attempt"], opening, moment)
        if "awx_approval" in opening:
            _take_approval(history, shapes.mapping(opening["awx_approval"]))
    elif phase == Phase.APPROVE and entry["host"] is None and entry["attempt"] == 0:
        _take_approval(history, shapes.mapping(data.get("approval")))
    elif phase == Phase.CLOSE and attempt:
        _take_close(history, attempt, entry, data, moment)
    elif entry["host"] is not None and attempt and not attempt.check_mode:
        host = history.hosts.setdefault(shapes.text(entry["host"]), HostHistory())
        if phase == Phase.STAGE:
            _take_stage(host, entry["outcome"], data, history.alike)
        elif phase == Phase.OUTCOME:
            _take_outcome(host, entry, data, moment)
            if entry["outcome"] in (HostOutcome.VERIFIED, HostOutcome.ROLLED_BACK):
                # No host comes out so without somebody who acted, whatever else the ledger leaves out.
                history.begun.setdefault(entry["attempt"], {}).setdefault(entry["host"], host.began or moment)
        elif phase not in (Phase.SOAK, Phase.RECONCILE):
            # A look at a host after its soak, or after its attempt has died, is no part of its way.
            _turn_to(host, entry["attempt"])
            did = entry["outcome"] == EntryOutcome.INTENT or phase in (Phase.APPLY, Phase.ROLLBACK)
            if did and not data.get("reconciled"):
                # What the reconciler has learned of a host is written long after the host was begun.
                history.begun.setdefault(entry["attempt"], {}).setdefault(entry["host"], moment)
            _take_step(host, entry, data, moment, history.alike)


def _take_approval(history: History, said: Mapping[str, Any]) -> None:
    approval = ApprovalResult(
        approver=shapes.text(said.get("approver")),
        key=shapes.text(said.get("approver_key")),
        how=shapes.text(said.get("how")),
        purpose=shapes.text(said.get("purpose")),
        created=shapes.moment(said.get("created")),
        expires=shapes.moment(said.get("expires")),
    )
    if approval not in history.approvals:
        # Each attempt of a workflow reads the same approval again.
        history.approvals.append(approval)


def _take_stage(host: HostHistory, outcome: str, data: Mapping[str, Any], alike: _Alike) -> None:
    if outcome in _DONE:
        host.staged = _merged(host.staged, alike.cves(data.get("cves", {})))
        host.not_reversible = shapes.names(shapes.mapping(data.get("rollback", {})).get("cannot", []))


def _turn_to(host: HostHistory, attempt: int) -> None:
    """Times are those of the latest attempt that came to the host."""
    if attempt != host.attempt:
        host.attempt, host.began, host.ended, host.drained, host.returned = attempt, None, None, None, None


def _take_outcome(host: HostHistory, entry: Mapping[str, Any], data: Mapping[str, Any], moment: datetime) -> None:
    """Keep the outcome as the progress of the plan does: that a host was not begun makes no earlier outcome better."""
    outcome, in_service = shapes.member(HostOutcome, entry["outcome"]), shapes.member(InService, data.get("in_service"))
    reason = shapes.text(data.get("reason", ""))
    if outcome is not HostOutcome.NOT_ATTEMPTED or entry["attempt"] == host.begun:
        host.begun = None
    if outcome is HostOutcome.NOT_ATTEMPTED and host.outcome not in (None, HostOutcome.NOT_ATTEMPTED):
        host.refusal = reason
        return
    _turn_to(host, entry["attempt"])
    host.outcome, host.in_service, host.reason, host.refusal = outcome, in_service, reason, ""
    host.waiting = data.get("waiting") is True
    # An outcome without a way (decided by the plan, or never begun) took no time.
    host.ended = moment if host.began else None


def _take_step(
    host: HostHistory, entry: Mapping[str, Any], data: Mapping[str, Any], moment: datetime, alike: _Alike
) -> None:
    phase, outcome = entry["phase"], entry["outcome"]
    if outcome == EntryOutcome.INTENT:
        host.begun = entry["attempt"]
        host.changed = host.changed or phase == Phase.APPLY
        if host.outcome is HostOutcome.NOT_ATTEMPTED:
            host.outcome = None
    elif phase == Phase.DRAIN and outcome in _DONE:
        host.drained = host.drained or moment
    elif phase == Phase.RETURN and outcome in _DONE:
        host.returned = moment
    elif phase == Phase.REBOOT and outcome == EntryOutcome.CHANGED:
        host.rebooted = True
    # What may be malformed comes last, so that it takes nothing else with it.
    if host.began is None:
        host.began = moment
        host.began = moment - shapes.duration(data)
    if phase == Phase.PREFLIGHT:
        host.appeared = shapes.names(data.get("appeared", []))
    elif phase in (Phase.APPLY, Phase.ROLLBACK) and "after" in data:
        before, after = alike.versions(data.get("before", {})), alike.versions(data["after"])
        # The first `before` stays: a later attempt, and the rollback, begin from what the first change left.
        host.before = _merged(before, host.before)
        host.after = _merged(host.after, after)


def _merged(first: dict[str, Value], then: dict[str, Value]) -> dict[str, Value]:
    """Both, the second where they differ; neither is changed, for other hosts may have it as well."""
    return {**first, **then} if first and then else first or then


def _opened(number: int, opening: Mapping[str, Any], moment: datetime) -> AttemptResult:
    source = shapes.mapping(opening.get("provenance", {}))
    limit = opening.get("limit")
    who = str(source.get("user", UNKNOWN))
    executor = shapes.mapping(opening.get("executor", opening.get("awx_approval", {})))
    return AttemptResult(
        number=number,
        purpose=shapes.text(opening.get("purpose")),
        check_mode=opening.get("check_mode") is True,
        who=f"{source['sudo_user']} (as {who})" if source.get("sudo_user") else who,
        where=str(source.get("host", UNKNOWN)),
        revision=str(source.get("revision", UNKNOWN)),
        dirty=source.get("dirty"),
        job=str(source.get("awx_job") or ""),
        ansible_core=str(source.get("ansible_core", UNKNOWN)),
        collection=str(source.get("collection", UNKNOWN)),
        opened=moment,
        closed=None,
        in_order=False,
        limit=None if limit is None else tuple(map(str, shapes.items(limit))),
        executor=str(executor.get("principal", executor.get("executor", ""))),
        executor_key=str(executor.get("fingerprint", "")),
        ticket=str(opening.get("ticket") or ""),
    )


def _take_close(
    history: History, attempt: AttemptResult, entry: Mapping[str, Any], data: Mapping[str, Any], moment: datetime
) -> None:
    """The first close counts, as for the progress of the plan."""
    if attempt.closed is None:
        history.attempts[attempt.number] = replace(
            attempt,
            closed=moment,
            in_order=entry["outcome"] == EntryOutcome.OK,
            incomplete=data.get("state") == AttemptState.INCOMPLETE,
        )
