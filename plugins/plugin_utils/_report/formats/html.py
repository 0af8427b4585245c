# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as one HTML file that needs nothing else: no font, no picture, no script from anywhere.

The tables of hosts, versions, CVEs and open updates are drawn by the page's own script from data in the page, a
screenful at a time, so that ten thousand hosts can be searched; all else is there without a script too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    CveStatus,
    Document,
    HostRow,
    InTime,
    Metric,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page import charts, columns, shell
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page.words import plain

NAME = "report.html"
_MOST_ATTENTION = 100


def write_html(document: Document, folder: Path) -> list[Path]:
    """Write ``report.html`` into ``folder``; return its path in a list. Raises OSError."""
    path = folder / NAME
    path.write_text(render(document), encoding="utf-8")
    return [path]


def render(document: Document) -> str:
    """The page. Everything in it is escaped: host names, package names and messages come from outside."""
    attention = [host for host in document.hosts if host.needs_attention]
    return shell.page(
        "report.html.j2",
        ("switch.js", "tables.js", "report.js"),
        {
            "document": document,
            "attention": attention[:_MOST_ATTENTION],
            "attention_count": len(attention),
            "most_troubles": _MOST_ATTENTION,
            "troubles": list(_other_troubles(document, attention)),
            "outcomes": charts.outcomes(document.counts),
            "cve_count": Counter(cve.status.value for cve in document.cves),
            "late_cves": sum(cve.status is CveStatus.OPEN and cve.in_time is not InTime.YES for cve in document.cves),
            "late_updates": sum(update.in_time is InTime.NO for update in document.open_updates),
            **_metrics(document),
            "data": columns.tables(document),
        },
    )


def _other_troubles(document: Document, attention: list[HostRow]) -> Iterator[str]:
    """Those that are not the outcome of a host, which the table of hosts that need attention shows."""
    outcomes = {host.host: plain(host.outcome) for host in attention}
    for trouble in document.troubles:
        # Of several plans each trouble begins with whose it is: "alpha, 2026-11: web1: failed, out of service".
        parts = trouble.split(": ", 3)
        told = ((name, said) for name, said in pairwise(parts[:3]) if name in outcomes)
        if not any(said.startswith(outcomes[name]) for name, said in told):
            yield trouble


def _metrics(document: Document) -> dict[str, Any]:
    shares = [metric for metric in document.metrics if metric.unit == "percent"]
    days = [metric for metric in document.metrics if metric.unit == "days"]
    grouped = [metric for metric in shares if metric.by]
    leading = _leading(grouped)
    return {
        "ages": charts.totals(metric for metric in document.metrics if metric.name.startswith("age_")),
        "times": charts.totals(days),
        "grouped": grouped,
        "leading": leading,
        "groups": {kind: charts.groups(leading, kind) for kind in charts.GROUPS} if leading else {},
        "trends": charts.trends((*shares, *days), document.trend) if len(document.trend) > 1 else [],
    }


def _leading(grouped: list[Metric]) -> Metric | None:
    """The metric that the charts of groups show: compliance, or the first where that is not known by group."""
    return next((metric for metric in grouped if metric.name == "compliance"), grouped[0] if grouped else None)
