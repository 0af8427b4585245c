# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a message says of a report: a few figures and sentences of the document that all formats show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    CveStatus,
    Document,
    InTime,
    Metric,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.texts import visible

MOST_TROUBLES = 10
LONGEST_LINE = 200
"""Characters of a line. What hosts say has no end of its own, and Teams takes no message of more than 28 KB."""

_FIGURES = ("percent", "days")
_MOST_FIGURES = 8


@dataclass(frozen=True)
class Brief:
    """Each text is one short line that steers no terminal; it is data from outside all the same.

    ``figures`` are pairs of a title and a value; ``troubles`` the first of them, ``more_troubles`` how many follow.
    """

    tenants: tuple[str, ...]
    title: str
    made: str
    verdict: str
    well: bool
    figures: tuple[tuple[str, str], ...]
    troubles: tuple[str, ...]
    more_troubles: int

    def as_data(self) -> dict[str, Any]:
        """Plain data, that ``read_brief`` takes back."""
        return {
            "tenants": list(self.tenants),
            "title": self.title,
            "made": self.made,
            "verdict": self.verdict,
            "well": self.well,
            "figures": [list(figure) for figure in self.figures],
            "troubles": list(self.troubles),
            "more_troubles": self.more_troubles,
        }


def brief_of(document: Document) -> Brief:
    """The brief of a report."""
    return Brief(
        tenants=document.scope.tenants,
        title=line(document.scope.title),
        made=line(document.made),
        verdict=line(document.verdict),
        well=document.well,
        figures=tuple((line(title), line(value)) for title, value in _figures(document)),
        troubles=tuple(map(line, document.troubles[:MOST_TROUBLES])),
        more_troubles=max(0, len(document.troubles) - MOST_TROUBLES),
    )


def read_brief(data: Mapping[str, Any]) -> Brief:
    """The brief from what ``as_data`` gave."""
    return Brief(
        **{
            **data,
            "tenants": tuple(data["tenants"]),
            "figures": tuple((title, value) for title, value in data["figures"]),
            "troubles": tuple(data["troubles"]),
        }
    )


def line(text: str) -> str:
    """The text on one line, nothing in it hidden, and no longer than ``LONGEST_LINE``."""
    # Cut before, for making a text visible may make it six times as long.
    shown = visible(text[:LONGEST_LINE])
    return shown if len(text) <= LONGEST_LINE and len(shown) <= LONGEST_LINE else shown[: LONGEST_LINE - 1] + "…"


def _figures(document: Document) -> Iterator[tuple[str, str]]:
    yield "Hosts", str(len(document.hosts))
    yield "Outcomes", ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in document.counts.items())
    still = [cve for cve in document.cves if cve.status is CveStatus.OPEN]
    late = sum(cve.in_time is InTime.NO for cve in still)
    yield "CVEs", f"{len(document.cves) - len(still)} closed, {len(still)} open, {late} of these late"
    measured = [metric for metric in document.metrics if metric.unit in _FIGURES]
    for metric in measured[:_MOST_FIGURES]:
        yield metric.title, _value(metric)


def _value(metric: Metric) -> str:
    total = metric.total
    if total.value is None:
        return "unknown"
    unit = "%" if metric.unit == "percent" else metric.unit
    share = f" ({total.count} of {total.of})" if total.count is not None and total.of is not None else ""
    return f"{total.value:g} {unit}{share}"
