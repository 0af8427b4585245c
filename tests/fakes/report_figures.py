# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures of an invented report: what its rows come to, said as the formats get it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    ApprovalRow,
    ChangeRow,
    Comparison,
    CveRow,
    CveStatus,
    Dossier,
    Figure,
    HostRow,
    InTime,
    Metric,
    OpenUpdate,
    Step,
    TrendPoint,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.framework_model import (
    Framework,
    Requirement,
    Standing,
)

CYCLE, PREVIOUS = "2026-11", "2026-10"
CYCLES = ("2026-06", "2026-07", "2026-08", "2026-09", PREVIOUS, CYCLE)


def metrics(hosts: list[HostRow], left: list[OpenUpdate], cves: list[CveRow]) -> Iterator[Metric]:
    reached = [host for host in hosts if host.outcome != "unreachable"]
    worked = [host for host in hosts if host.outcome in ("verified", "rolled_back", "failed")]
    late = {
        (row.tenant, host) for row in left if row.is_security and row.in_time is not InTime.YES for host in row.hosts
    }
    unwell = {(host.tenant, host.host) for host in worked if host.outcome != "verified"}
    rolled_back = {(host.tenant, host.host) for host in hosts if host.outcome == "rolled_back"}
    unreached = {(host.tenant, host.host) for host in hosts} - {(host.tenant, host.host) for host in reached}
    yield _share("posture", "Hosts without an overdue security update", hosts, late)
    yield _share("coverage", "Hosts that were reached and judged", hosts, unreached)
    yield _share("change_failure_rate", "Changes that failed or were rolled back", worked, unwell, bad=True)
    yield _number("rollbacks", "Hosts that were rolled back", "hosts", len(rolled_back))
    in_time = [row for row in cves if row.in_time is InTime.YES]
    share = round(100 * len(in_time) / len(cves), 1) if cves else None
    figure = Figure("all", share, len(in_time), len(cves))
    yield Metric(
        "compliance", "Patch compliance", "CVEs that are closed or open in time, of all.", "percent", figure, {}
    )
    for name, title, first, last in (
        ("age_0_7", "Open for 0 to 7 days", 0, 7),
        ("age_8_30", "Open for 8 to 30 days", 8, 30),
        ("age_31_90", "Open for 31 to 90 days", 31, 90),
        ("age_over_90", "Open for more than 90 days", 91, 10**6),
    ):
        yield _number(name, title, "count", sum(len(row.hosts) for row in left if first <= (row.days or 0) <= last))
    days = sorted(row.days for row in cves if row.status is CveStatus.CLOSED and row.days is not None)
    for name, title, place in (("remediation_median", "Median", 0.5), ("remediation_p90", "90th percentile", 0.9)):
        value = float(days[int(place * (len(days) - 1))]) if days else None
        figure = Figure("all", value, len(days))
        definition = "From the day the update was first seen to the day it was verified."
        yield Metric(name, f"{title} of the time to remediate", definition, "days", figure, {})


def _share(name: str, title: str, hosts: list[HostRow], out: set[tuple[str, str]], bad: bool = False) -> Metric:
    def figure(group: str, own: list[HostRow]) -> Figure:
        hits = sum(((host.tenant, host.host) in out) is bad for host in own)
        return Figure(group, round(100 * hits / len(own), 1) if own else None, hits, len(own))

    by = {
        kind: tuple(
            figure(group, [host for host in hosts if getattr(host, kind) == group])
            for group in sorted({getattr(host, kind) for host in hosts})
        )
        for kind in ("tenant", "cloud", "environment")
    }
    return Metric(name, title, f"{title}, of all hosts it is asked of.", "percent", figure("all", hosts), by)


def _number(name: str, title: str, unit: str, value: int) -> Metric:
    return Metric(name, title, f"{title}; each counts once.", unit, Figure("all", float(value), value), {})


def trend(metrics: Iterable[Metric]) -> Iterator[TrendPoint]:
    """Six cycles that get better, the first without figures of what nobody measured then."""
    for place, cycle in enumerate(CYCLES):
        left = len(CYCLES) - 1 - place
        values: dict[str, float | None] = {}
        for metric in metrics:
            value = metric.total.value
            worse = max(0.0, (value or 0.0) - 4.0 * left) if metric.unit == "percent" else (value or 0.0) + 3.0 * left
            values[metric.name] = None if value is None or (place == 0 and metric.unit == "days") else round(worse, 1)
        yield TrendPoint(cycle, values)


def frameworks(hosts: int) -> tuple[Framework, ...]:
    population = f"{hosts} hosts of cycle {CYCLE}"
    return (
        Framework(
            "soc2",
            "SOC 2 Trust Services Criteria",
            "2017, revised 2022",
            (
                Requirement(
                    "CC7.1",
                    "Weaknesses are looked for and found",
                    Standing.PARTLY,
                    ("hosts were scanned for pending updates",),
                    population,
                    ("hosts that did not answer were not scanned",),
                ),
                Requirement(
                    "CC8.1",
                    "Changes are approved, tested and recorded",
                    Standing.EVIDENCED,
                    ("each plan was approved by somebody other than its executor", "each change was verified"),
                    population,
                    (),
                ),
            ),
        ),
        Framework(
            "pci_dss",
            "PCI DSS",
            "4.0.1",
            (
                Requirement(
                    "6.3.3",
                    "Critical and high security updates within a month",
                    Standing.MISSING,
                    (),
                    population,
                    ("security updates are open beyond their service level",),
                ),
            ),
        ),
    )


def comparison(cves: list[CveRow]) -> Comparison:
    still = sorted({row.cve for row in cves if row.status is CveStatus.OPEN})
    closed = sorted({row.cve for row in cves} - set(still))
    return Comparison(PREVIOUS, tuple(still[:1]), (*closed, "CVE-2026-0900"), tuple(still[1:2]), tuple(still[2:]))


def dossier(
    host: HostRow, changes: list[ChangeRow], approvals: tuple[ApprovalRow, ...], pending: Iterable[str]
) -> Dossier:
    steps = [
        ("scan", "ok", "5 updates pending"),
        ("preflight", "ok", "proceed"),
        ("outcome", host.outcome, host.reason),
    ]
    if host.seconds is not None:
        steps[2:2] = [
            ("drain", "intent", ""),
            ("apply", "changed", "openssl 3.0.11 to 3.0.17"),
            ("verify", "ok", "well"),
        ]
    return Dossier(
        host=host,
        pending=tuple(pending) if host.updates else (),
        approvals=tuple(row for row in approvals if row.tenant == host.tenant),
        changes=tuple(row for row in changes if row.tenant == host.tenant and host.host in row.hosts),
        steps=tuple(
            Step(10 + number, f"2026-11-14T22:0{number}:00Z", 3, phase, outcome, detail)
            for number, (phase, outcome, detail) in enumerate(steps)
        ),
    )
