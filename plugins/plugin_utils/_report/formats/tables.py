# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as tables, for the formats that are made of them: CSV and XLSX have the same tables, columns and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    ApprovalRow,
    AttemptRow,
    BatchRow,
    ChangeRow,
    CveRow,
    Document,
    Dossier,
    ExceptionRow,
    GateRow,
    HostRow,
    Metric,
    OpenUpdate,
    PlanRow,
    Step,
)

Cell = str | int | float | None
"""None is an empty cell: not there, or not known, as the table says."""

MOMENTS = frozenset({"created", "expires", "began", "ended", "opened", "closed", "first_seen", "time", "made"})
"""The columns of times and dates, as texts of RFC 3339."""

_HOSTS = frozenset({"hosts", "hosts_closed", "hosts_open"})
_OF_A_HOST = ("tenant", "cycle", "plan", "host")
_NAMED = 10


@dataclass(frozen=True)
class Table:
    """A table. ``rows`` are made while they are read, once; texts in them are as they came from outside."""

    name: str
    title: str
    about: str
    columns: tuple[str, ...]
    rows: Iterable[tuple[Cell, ...]]


class HostGroups:
    """Sets of hosts by number, in the order in which rows name them: ten thousand names do not fit into a cell."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}
        # Rows with the same hosts share one tuple, and to find it by its names takes as long as it has names.
        self._known: dict[int, int] = {}

    def number(self, hosts: tuple[str, ...]) -> int:
        """The number of these hosts, which the caller keeps in memory."""
        known = self._known.get(id(hosts))
        if known is None:
            known = self._known[id(hosts)] = self._numbers.setdefault(hosts, len(self._numbers) + 1)
        return known

    def __iter__(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        return ((number, hosts) for hosts, number in self._numbers.items())


def tables(document: Document, groups: HostGroups) -> Iterator[Table]:
    """The tables in the order in which people want them. Read one to its end before the next, and ``groups`` last."""
    yield Table("summary", "Summary", "What the report is about, in one look.", ("name", "value"), _summary(document))
    yield Table(
        "metrics",
        "Metrics",
        "Each metric for all hosts and by tenant, cloud and environment, with its definition. "
        "An empty value: nothing can be said. count and of: what it is a share of.",
        ("name", "title", "by", "group", "value", "unit", "count", "of", "definition"),
        (row for metric in document.metrics for row in _metric(metric)),
    )
    of = _OfRows(groups)
    yield of.table(
        HostRow, document.hosts, "hosts", "Hosts", "The population: each host of each plan, with one outcome."
    )
    yield of.table(
        ChangeRow,
        document.changes,
        "changes",
        "Changes",
        "A row stands for the same change on all hosts that had it, before and after. "
        "Empty before or after: the package was, or is, not installed. unknown cves: nobody knows them.",
    )
    yield of.table(
        CveRow,
        document.cves,
        "cves",
        "CVEs",
        "CVEs of the tenants, closed and open; open on one host is open. An empty allowed_days: no service level.",
    )
    yield of.table(
        OpenUpdate, document.open_updates, "open_updates", "Open updates", "What is still pending on hosts, and why."
    )
    yield of.table(
        ExceptionRow,
        document.exceptions,
        "exceptions",
        "Exceptions",
        "Holds, waivers and overrides, in force or expired; an expired one does nothing.",
    )
    yield of.table(GateRow, document.gates, "gates", "Gates", "Gates that did not pass by themselves.")
    yield of.table(ApprovalRow, document.approvals, "approvals", "Approvals", "Who approved which plan, and how.")
    yield of.table(
        AttemptRow,
        document.attempts,
        "attempts",
        "Attempts",
        "Each execution of a playbook on a plan. incomplete: its process died.",
    )
    yield of.table(
        PlanRow,
        document.plans,
        "plans",
        "Plans",
        "The plans, with the last hash of each ledger. An empty approver or executor: not recorded. "
        "approved_by_another: whether no host was begun without an approval by somebody else than its executor.",
    )
    yield of.table(
        BatchRow, document.batches, "batches", "Batches", "The rollout in waves and batches, hosts by outcome."
    )
    yield Table(
        "frameworks",
        "Frameworks",
        "What evidence stands for each requirement, for which population, and what is missing.",
        ("framework", "version", "requirement", "title", "standing", "evidence", "population", "missing"),
        _frameworks(document),
    )
    yield Table(
        "comparison",
        "Comparison",
        "CVEs against the cycle before: new, closed, reopened, still_open.",
        ("previous", "change", "cve"),
        _comparison(document),
    )
    yield Table("trend", "Trend", "The metrics, cycle by cycle.", ("cycle", "metric", "value"), _trend(document))
    yield Table(
        "sample",
        "Sample",
        "Hosts drawn by a seed for an auditor's look; their steps are in the next table, by plan and host.",
        (*_OF_A_HOST, "outcome", "pending", "changes", "approvals", "seed", "method"),
        _sample(document),
    )
    yield Table(
        "sample_steps",
        "Sample steps",
        "What the ledger says of each host of the sample: seq is the number of the entry.",
        (*_OF_A_HOST, *(field.name for field in fields(Step))),
        _steps(document),
    )
    yield Table(
        "user_requests",
        "User requests",
        "What was measured of the users' requests while hosts were changed.",
        ("of", "name", "value"),
        ((of, name, value) for of, measured in document.user_requests.items() for name, value in measured.items()),
    )
    yield Table(
        "troubles", "Troubles", "What somebody must look at.", ("trouble",), ((text,) for text in document.troubles)
    )


class _OfRows:
    """Tables whose columns are the fields of the model, so that a field that is added there is in them."""

    def __init__(self, groups: HostGroups) -> None:
        self._groups = groups

    def table(self, kind: type[Any], rows: Iterable[Any], name: str, title: str, about: str) -> Table:
        columns: list[str] = []
        getters: list[Callable[[Any], tuple[Cell, ...]]] = []
        hints = get_type_hints(kind)
        for field in fields(kind):
            wanted, getter = self._column(field.name, hints[field.name])
            columns += wanted
            getters.append(getter)
        made = (tuple(cell for getter in getters for cell in getter(row)) for row in rows)
        return Table(name, title, about, tuple(columns), made)

    def _column(self, name: str, hint: Any) -> tuple[list[str], Callable[[Any], tuple[Cell, ...]]]:
        if name in _HOSTS and hint is not int:
            return [name, f"{name}_named", f"{name}_group"], lambda row: self._hosts(getattr(row, name))
        if name == "counts":
            return [*HostOutcome], lambda row: tuple(row.counts.get(outcome, 0) for outcome in HostOutcome)
        if name == "cves":
            return [name], lambda row: ("unknown" if row.cves is None else _cell(row.cves),)
        return [name], lambda row: (_cell(getattr(row, name)),)

    def _hosts(self, hosts: tuple[str, ...]) -> tuple[Cell, ...]:
        """How many, the first names, and the number under which all of them stand."""
        more = len(hosts) - _NAMED
        named = "; ".join(hosts[:_NAMED]) + (f"; and {more:,} more" if more > 0 else "")
        return len(hosts), named, self._groups.number(hosts) if hosts else None


def _cell(value: Any) -> Cell:
    if value is True or value is False:
        return "yes" if value else "no"
    return "; ".join(value) if isinstance(value, tuple) else value


def _summary(document: Document) -> Iterator[tuple[Cell, ...]]:
    scope = document.scope
    yield "title", scope.title
    yield "verdict", document.verdict
    yield "well", _cell(document.well)
    yield "scope", scope.kind.value
    yield "tenants", _cell(scope.tenants)
    yield "cycles", _cell(scope.cycles)
    yield "population found by", scope.query
    yield "made", document.made
    yield "collection", document.collection
    yield "plans", len(document.plans)
    yield "hosts", len(document.hosts)
    for outcome, count in document.counts.items():
        yield f"hosts {outcome}", count
    yield "cves", len(document.cves)
    yield "changes of which nobody knows the cves", document.unknown_cves
    yield "troubles", len(document.troubles)


def _metric(metric: Metric) -> Iterator[tuple[Cell, ...]]:
    for by, figures in {"all": (metric.total,), **metric.by}.items():
        for each in figures:
            figure = (each.group, each.value, metric.unit, each.count, each.of)
            yield (metric.name, metric.title, by, *figure, metric.definition)


def _frameworks(document: Document) -> Iterator[tuple[Cell, ...]]:
    for framework in document.frameworks:
        for one in framework.requirements:
            yield (
                framework.title,
                framework.version,
                one.id,
                one.title,
                one.standing,
                _cell(one.evidence),
                one.population,
                _cell(one.missing),
            )


def _comparison(document: Document) -> Iterator[tuple[Cell, ...]]:
    if document.comparison:
        for change in ("new", "closed", "reopened", "still_open"):
            for cve in getattr(document.comparison, change):
                yield document.comparison.previous, change, cve


def _trend(document: Document) -> Iterator[tuple[Cell, ...]]:
    for point in document.trend:
        for name, value in point.values.items():
            yield point.cycle, name, value


def _sample(document: Document) -> Iterator[tuple[Cell, ...]]:
    sample = document.sample
    for dossier in sample.dossiers if sample else ():
        changes = tuple(f"{row.package}: {row.before or 'none'} to {row.after or 'none'}" for row in dossier.changes)
        approvals = tuple(f"{row.approver} ({row.how}, {row.created})" for row in dossier.approvals)
        did = (dossier.host.outcome, _cell(dossier.pending), _cell(changes), _cell(approvals))
        yield (*_host(dossier), *did, sample.seed if sample else "", sample.method if sample else "")


def _steps(document: Document) -> Iterator[tuple[Cell, ...]]:
    for dossier in document.sample.dossiers if document.sample else ():
        for step in dossier.steps:
            yield (*_host(dossier), *(_cell(getattr(step, field.name)) for field in fields(Step)))


def _host(dossier: Dossier) -> tuple[Cell, ...]:
    return dossier.host.tenant, dossier.host.cycle, dossier.host.plan, dossier.host.host
