# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the charts of a page are drawn from: lengths and words, from the figures of the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Figure, Metric, TrendPoint
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page.marks import MARKS, ORDER
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page.words import count, figure

GROUPS = ("tenant", "cloud", "environment")
MOST_BARS = 12
_NAMED_CYCLES = 5


@dataclass(frozen=True)
class Bar:
    """A bar; ``length`` and ``start`` are in percent of the width."""

    label: str
    length: float
    words: str
    tone: str = "accent"
    start: float = 0.0


@dataclass(frozen=True)
class Point:
    """A cycle of a trend. ``x`` and ``y`` are in percent, ``y`` from above and None without a value."""

    cycle: str
    words: str
    x: float
    y: float | None
    named: bool
    anchor: str


@dataclass(frozen=True)
class Line:
    """A metric over the cycles. ``runs`` are the stretches without a gap, as SVG writes points."""

    title: str
    latest: str
    points: tuple[Point, ...]
    runs: tuple[str, ...]


def outcomes(counts: Mapping[str, int]) -> list[Bar]:
    """Hosts by outcome, as parts of one bar."""
    total, bars, start = sum(counts.values()), [], 0.0
    for outcome in sorted(counts, key=lambda name: ORDER.get(name, len(ORDER))):
        if counts[outcome]:
            length = 100 * counts[outcome] / total
            bars.append(
                Bar(MARKS[outcome].word, round(length, 3), count(counts[outcome]), MARKS[outcome].tone, round(start, 3))
            )
            start += length
    return bars


def totals(metrics: Iterable[Metric]) -> list[Bar]:
    """Some metrics of one unit beside each other."""
    chosen = list(metrics)
    most = max((metric.total.value or 0.0 for metric in chosen), default=0.0)
    # The words with which all titles begin stand above the chart; of one title that would be all.
    titles = [metric.title.split(" ") for metric in chosen]
    same = len(list(takewhile(lambda words: len(set(words)) == 1, zip(*titles, strict=False)))) if titles[1:] else 0
    return [
        _bar(" ".join(title[same:]), metric.total, metric.unit, most)
        for title, metric in zip(titles, chosen, strict=True)
    ]


def groups(metric: Metric, kind: str) -> list[Bar]:
    """A metric in percent by tenant, cloud or environment; of many groups those with the least."""
    figures = sorted(metric.by.get(kind, ()), key=lambda one: 101.0 if one.value is None else one.value)
    return [_bar(one.group, one, metric.unit, 100.0) for one in figures[:MOST_BARS]]


def _bar(label: str, one: Figure, unit: str, most: float) -> Bar:
    length = 100 * (one.value or 0.0) / most if most else 0.0
    words = figure(one.value, unit) + (f" of {one.of:,}" if unit == "percent" and one.of is not None else "")
    return Bar(label or "(none)", round(min(max(length, 0.0), 100.0), 2), words)


def trends(metrics: Iterable[Metric], points: Sequence[TrendPoint]) -> list[Line]:
    """A line for each metric that has a value in some cycle."""
    lines = (_line(metric, points) for metric in metrics)
    return [line for line in lines if line.runs]


def _line(metric: Metric, cycles: Sequence[TrendPoint]) -> Line:
    values = [cycle.values.get(metric.name) for cycle in cycles]
    top = 100.0 if metric.unit == "percent" else max((value or 0.0 for value in values), default=0.0) or 1.0
    heights = [None if value is None else round(100 - 100 * min(max(value / top, 0.0), 1.0), 2) for value in values]
    last = len(cycles) - 1
    step = max(1, -(-last // (_NAMED_CYCLES - 1)))
    points, runs, run = [], [], list[str]()
    for place, (cycle, value, height) in enumerate(zip(cycles, values, heights, strict=True)):
        across = 100 * place / last if last else 50.0
        # The names of the first and the last cycle stay inside; those between must not run into the last.
        named = place in (0, last) or (place % step == 0 and last - place >= step)
        anchor = "start" if last and not place else "end" if last and place == last else "middle"
        x = 2 + 0.96 * across
        points.append(Point(cycle.cycle, figure(value, metric.unit), round(x, 2), height, named, anchor))
        if height is not None:
            run.append(f"{across:.2f},{height:g}")
        if run and (height is None or place == last):
            runs.append(" ".join(run))
            run = []
    return Line(metric.title, points[-1].words if points else "", tuple(points), tuple(runs))
