# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one model behind every format of a report: plain figures and rows, with no word of layout.

A format shows what stands here and computes nothing, so that all say the same. ``as_data`` is the JSON format. Times
are UTC, RFC 3339, in whole seconds. Texts are data from outside: every format escapes them in its own way.

Ten thousand hosts with two hundred updates each are two million changes, so no row stands for one change of one host:
rows name their ``hosts``, sorted, and rows with the same hosts share one tuple. A format that writes a line for each
host makes them one by one; one that names hosts by number needs to look up each different tuple only once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.framework_model import Framework

FORMAT = 1
"""The version of this model, as the JSON format says it."""


class ScopeKind(StrEnum):
    """What a report is about."""

    PLAN = "plan"
    CYCLE = "cycle"
    TENANT = "tenant"
    FLEET = "fleet"


class CveStatus(StrEnum):
    """A CVE within the scope. ``open`` on at least one host is open."""

    CLOSED = "closed"
    OPEN = "open"


class InTime(StrEnum):
    """Whether something was remedied, or still can be, within its service level; not known is no yes."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Approved(StrEnum):
    """Whether somebody else than its executor approved what was begun of a plan; ``unknown``: nothing was begun."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    NOT_REQUIRED = "not_required"


@dataclass(frozen=True)
class Scope:
    """What the report is about, in words for its title, and the query that found its population."""

    kind: ScopeKind
    title: str
    tenants: tuple[str, ...]
    cycles: tuple[str, ...]
    query: str


@dataclass(frozen=True)
class PlanRow:
    """A plan of the scope. ``state`` is ``sealed``, ``complete``, ``open``, ``incomplete`` or ``unknown``.

    ``sealed`` is the number of its seal (None: not sealed), ``ledger_head`` the last hash, ``query`` what found its
    population (empty: the plan does not say it). An empty ``approver`` or ``executor`` is not recorded.
    """

    tenant: str
    cycle: str
    plan: str
    created: str
    expires: str
    began: str | None
    ended: str | None
    revision: str
    collection: str
    ticket: str
    approver: str
    executor: str
    approved_by_another: Approved
    query: str
    hosts: int
    verdict: str
    state: str
    sealed: int | None
    entries: int
    ledger_head: str
    ledger_ok: bool
    troubles: tuple[str, ...]


@dataclass(frozen=True)
class HostRow:
    """A host in one plan; ``scanned``: what was pending is known. ``seconds`` from preflight to outcome, or None.

    ``began_change``: a change of its packages was begun, whatever became of it.
    """

    tenant: str
    cycle: str
    plan: str
    host: str
    outcome: str
    in_service: str
    reason: str
    cloud: str
    environment: str
    region: str
    cluster: str
    wave: str
    batch: int | None
    scanned: bool
    updates: int
    began_change: bool
    changed: int
    rebooted: bool
    seconds: float | None
    away_seconds: float | None
    needs_attention: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class BatchRow:
    """A batch of a wave: when it ran (None: it has not), how many hosts it has, and how many came out how."""

    tenant: str
    plan: str
    wave: str
    batch: int
    hosts: int
    began: str | None
    ended: str | None
    counts: dict[str, int]


@dataclass(frozen=True)
class ChangeRow:
    """The same change on all hosts that had it: a package before and after (None: not installed).

    ``changed`` says whether the version is another one now. ``cves`` is None where they are not known.
    """

    tenant: str
    cycle: str
    plan: str
    package: str
    before: str | None
    after: str | None
    changed: bool
    is_security: bool
    severity: str
    cves: tuple[str, ...] | None
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class CveRow:
    """A CVE of a tenant. ``days`` run from the day its update was first seen to the day it was closed, or today."""

    tenant: str
    cve: str
    status: CveStatus
    severity: str
    packages: tuple[str, ...]
    hosts_closed: tuple[str, ...]
    hosts_open: tuple[str, ...]
    first_seen: str | None
    closed: str | None
    days: int | None
    allowed_days: int | None
    in_time: InTime


@dataclass(frozen=True)
class OpenUpdate:
    """An update that is still pending on hosts after the plan, and why.

    ``reason`` is why the policy left it, the outcome of its hosts, or ``not_proven``: they are verified, and nothing
    proves that it is on them. ``allowed_days`` is None, and ``in_time`` unknown, for what is no security update.
    """

    tenant: str
    package: str
    candidate: str
    is_security: bool
    severity: str
    cves: tuple[str, ...] | None
    first_seen: str
    days: int | None
    allowed_days: int | None
    in_time: InTime
    reason: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class ExceptionRow:
    """A hold, an override of a gate or a waiver. An expired one does nothing, and is listed all the same."""

    tenant: str
    kind: str
    subject: str
    owner: str
    reason: str
    ticket: str
    expires: str
    expired: bool
    effect: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class GateRow:
    """A gate that did not pass by itself, in the plan; ``overridden`` says whether an override let it through."""

    tenant: str
    plan: str
    gate: str
    verdict: str
    evidence: str
    overridden: bool
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class ApprovalRow:
    """Who approved which plan, how, and by which key."""

    tenant: str
    plan: str
    approver: str
    key: str
    how: str
    purpose: str
    created: str
    expires: str


@dataclass(frozen=True)
class AttemptRow:
    """One execution of a playbook. ``state`` is ``closed``, ``open`` or ``incomplete`` (it died).

    ``begun`` is how many hosts it began, and ``unapproved`` how many of them while no approval by somebody other than
    its executor held, by the names and keys in the ledger. No signature was verified for that.
    """

    tenant: str
    plan: str
    number: int
    purpose: str
    check_mode: bool
    executor: str
    executor_key: str
    who: str
    where: str
    job: str
    revision: str
    collection: str
    ansible_core: str
    opened: str
    closed: str | None
    state: str
    in_order: bool
    begun: int
    unapproved: int

    @property
    def began_changes(self) -> bool:
        """Whether it began to change hosts, or to take changes back, which is what approvals are for."""
        return bool(self.begun) and self.purpose in ("apply", "rollback")


@dataclass(frozen=True)
class Figure:
    """A metric of one group. ``value`` is None where nothing can be said; ``of`` is what it is a part of."""

    group: str
    value: float | None
    count: int | None = None
    of: int | None = None


@dataclass(frozen=True)
class Metric:
    """A metric with its definition beside it. ``unit`` is ``percent``, ``days``, ``hosts`` or ``count``.

    ``by`` has the same metric by ``tenant``, ``cloud`` and ``environment``. The group of the total is ``all``.
    """

    name: str
    title: str
    definition: str
    unit: str
    total: Figure
    by: dict[str, tuple[Figure, ...]]


@dataclass(frozen=True)
class TrendPoint:
    """The metrics of one cycle, by the metric's name, as it stood when the records of its plans ended."""

    cycle: str
    values: dict[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """This cycle against the one before, by CVE ids; ``previous`` is empty where there is none."""

    previous: str
    new: tuple[str, ...]
    closed: tuple[str, ...]
    reopened: tuple[str, ...]
    still_open: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """What a dossier says was done with a host, from the ledger: its entry's number, time, phase, outcome, detail."""

    seq: int
    time: str
    attempt: int
    phase: str
    outcome: str
    detail: str


@dataclass(frozen=True)
class Dossier:
    """A host of the sample: what was pending, who approved, what was changed, how it was verified."""

    host: HostRow
    pending: tuple[str, ...]
    approvals: tuple[ApprovalRow, ...]
    changes: tuple[ChangeRow, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Sample:
    """Hosts drawn by a seed; ``method`` says how, so that an auditor draws the same again."""

    seed: str
    method: str
    population: int
    dossiers: tuple[Dossier, ...]


@dataclass(frozen=True)
class Document:
    """A report. ``counts`` are hosts by outcome, and add up to ``len(hosts)``; ``verdict`` is one sentence.

    ``unknown_cves`` counts different changes of which nobody knows which CVEs they close.
    """

    scope: Scope
    made: str
    collection: str
    verdict: str
    well: bool
    troubles: tuple[str, ...]
    plans: tuple[PlanRow, ...]
    hosts: tuple[HostRow, ...]
    counts: dict[str, int]
    batches: tuple[BatchRow, ...]
    changes: tuple[ChangeRow, ...]
    cves: tuple[CveRow, ...]
    unknown_cves: int
    open_updates: tuple[OpenUpdate, ...]
    exceptions: tuple[ExceptionRow, ...]
    gates: tuple[GateRow, ...]
    approvals: tuple[ApprovalRow, ...]
    attempts: tuple[AttemptRow, ...]
    metrics: tuple[Metric, ...]
    trend: tuple[TrendPoint, ...]
    frameworks: tuple[Framework, ...]
    comparison: Comparison | None
    sample: Sample | None
    user_requests: dict[str, dict[str, int]]

    def as_data(self) -> dict[str, Any]:
        """A mapping in this order of keys; its rows stay as they are, and orjson writes them as objects."""
        return {"format": FORMAT, **{field.name: getattr(self, field.name) for field in fields(self)}}
