# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metrics of a report, each with its definition: unknown counts against a fleet, and never for it.

A metric is first tallied, as counts that can be added over plans, and then said as a figure. Percentages are rounded to
the worse side, so that nothing less than all is ever 100 %.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome, InService
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Figure, InTime, Metric
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.facts import ALL, Group, PlanFacts
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import HostResult
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.remediation import days_between, in_time

AGES = (("age_0_7", 0, 7), ("age_8_30", 8, 30), ("age_31_90", 31, 90), ("age_over_90", 91, None))
"""The buckets of open security updates: name, first and last day."""

_JUDGED = frozenset(HostOutcome) - {HostOutcome.UNREACHABLE, HostOutcome.NOT_ATTEMPTED}


@dataclass
class Tally:
    """Counts of one metric by group: ``hits`` ``of`` so many; ``days`` are how often something took so many days."""

    hits: Counter[Group] = field(default_factory=Counter)
    of: Counter[Group] = field(default_factory=Counter)
    days: dict[Group, Counter[int]] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Count the other one besides."""
        self.hits.update(other.hits)
        self.of.update(other.of)
        for group, days in other.days.items():
            self.days.setdefault(group, Counter()).update(days)


@dataclass(frozen=True)
class Definition:
    """A metric without its figures. ``good`` says which way a share is rounded: down where more is better."""

    name: str
    title: str
    definition: str
    unit: str
    say: Callable[[Tally, Group], Figure]


def tally(plans: Iterable[PlanFacts]) -> dict[str, Tally]:
    """The counts of every metric over all these plans."""
    tallies = {each.name: Tally() for each in DEFINITIONS}
    for facts in plans:
        _tally_changes(tallies, facts)
        _tally_remedied(tallies, facts)
        if facts.latest:
            _tally_population(tallies, facts)
            _tally_left(tallies, facts)
            _tally_exceptions(tallies, facts)
    return tallies


def metrics(tallies: dict[str, Tally]) -> tuple[Metric, ...]:
    """Every metric, with the figures of all groups that were tallied."""
    groups = sorted({group for tallied in tallies.values() for group in (*tallied.of, *tallied.hits, *tallied.days)})
    return tuple(_metric(each, tallies[each.name], groups) for each in DEFINITIONS)


def total(name: str, tallied: Tally) -> float | None:
    """The value of a metric over everything."""
    return next(each for each in DEFINITIONS if each.name == name).say(tallied, (ALL, ALL)).value


def _metric(definition: Definition, tallied: Tally, groups: Sequence[Group]) -> Metric:
    by = {
        kind: tuple(definition.say(tallied, group) for group in groups if group[0] == kind)
        for kind in ("tenant", "cloud", "environment")
    }
    figure = definition.say(tallied, (ALL, ALL))
    return Metric(definition.name, definition.title, definition.definition, definition.unit, figure, by)


def _tally_population(tallies: dict[str, Tally], facts: PlanFacts) -> None:
    """Coverage and posture: of every host of the plan, and of those that the inventory has no more."""
    hosts = facts.report.hosts
    everybody = facts.count(facts.everybody)
    judged = [host.host for host in hosts if _is_judged(host)]
    late = {
        host
        for left in facts.remediation.left
        if left.update.is_security and _age_in_time(facts, left.update.first_seen, left.update.allowed_days) is False
        for host in left.hosts
    }
    current = [host.host for host in hosts if host.pending is not None and host.host not in late]
    for name, hits in (("coverage", judged), ("posture", current)):
        tallies[name].hits.update(facts.count(hits))
        tallies[name].of.update(everybody)


def _is_judged(host: HostResult) -> bool:
    known = host.outcome is not HostOutcome.FAILED or host.in_service is not InService.UNKNOWN
    return host.outcome in _JUDGED and host.pending is not None and known


def _age_in_time(facts: PlanFacts, first_seen: str, allowed: int | None) -> bool:
    """Whether an update that is open can still be put on in time; what is not known is not in time."""
    return in_time(days_between(first_seen, facts.as_of), allowed) is InTime.YES


def _tally_left(tallies: dict[str, Tally], facts: PlanFacts) -> None:
    compliance = tallies["compliance"]
    for left in facts.remediation.left:
        if not left.update.is_security:
            continue
        spread = facts.spread(left.hosts)
        compliance.of.update(spread)
        if _age_in_time(facts, left.update.first_seen, left.update.allowed_days):
            compliance.hits.update(spread)
        tallies[_bucket(days_between(left.update.first_seen, facts.as_of))].hits.update(spread)
    # A host that nobody looked into may need anything: it counts as one update that is out of time.
    compliance.of.update(facts.spread((*facts.remediation.unknown, *facts.report.missing)))


def _bucket(days: int | None) -> str:
    """An age that nobody knows is in the last one."""
    for name, first, last in AGES:
        if last is None or (days is not None and first <= days <= last):
            return name
    raise AssertionError


def _tally_remedied(tallies: dict[str, Tally], facts: PlanFacts) -> None:
    compliance = tallies["compliance"]
    for remedied in facts.remediation.remedied:
        update = remedied.update
        if not update.is_security:
            continue
        spread, days = facts.spread(remedied.hosts), days_between(update.first_seen, remedied.day)
        compliance.of.update(spread)
        if in_time(days, update.allowed_days) is InTime.YES:
            compliance.hits.update(spread)
        if days is not None:
            for name in ("remediation_median", "remediation_p90"):
                for group, hosts in spread.items():
                    tallies[name].days.setdefault(group, Counter())[days] += hosts


def _tally_changes(tallies: dict[str, Tally], facts: PlanFacts) -> None:
    begun = [host for host in facts.report.hosts if host.began_change]
    failed = [host.host for host in begun if host.outcome is not HostOutcome.VERIFIED]
    tallies["change_failure_rate"].of.update(facts.count(host.host for host in begun))
    tallies["change_failure_rate"].hits.update(facts.count(failed))
    rolled_back = [host.host for host in facts.report.hosts if host.outcome is HostOutcome.ROLLED_BACK]
    tallies["rollbacks"].hits.update(facts.count(rolled_back))


def _tally_exceptions(tallies: dict[str, Tally], facts: PlanFacts) -> None:
    for exception in facts.exceptions:
        name = "exceptions_expired" if exception.expired else "exceptions"
        own = facts.spread(exception.hosts)
        # Each counts once in each group that it is about.
        tallies[name].hits.update({(ALL, ALL), ("tenant", exception.tenant), *own})


def _share(tallied: Tally, group: Group, rounded: Callable[[float], int]) -> Figure:
    hits, of = tallied.hits[group], tallied.of[group]
    # In tenths of a percent, so that rounding is exact.
    return Figure(group[1], rounded(1000 * hits / of) / 10 if of else None, hits, of)


def _good_share(tallied: Tally, group: Group) -> Figure:
    return _share(tallied, group, math.floor)


def _bad_share(tallied: Tally, group: Group) -> Figure:
    return _share(tallied, group, math.ceil)


def _number(tallied: Tally, group: Group) -> Figure:
    return Figure(group[1], float(tallied.hits[group]), tallied.hits[group])


def _percentile(percent: int) -> Callable[[Tally, Group], Figure]:
    def say(tallied: Tally, group: Group) -> Figure:
        days = tallied.days.get(group, Counter())
        return Figure(group[1], nearest_rank(days, percent), days.total())

    return say


def nearest_rank(days: Counter[int], percent: int) -> float | None:
    """The fewest days within which at least so many percent of all were done; None of nothing."""
    wanted, seen = math.ceil(days.total() * percent / 100), 0
    for value in sorted(days):
        seen += days[value]
        if seen >= wanted:
            return float(value)
    return None


def _ages() -> Iterator[Definition]:
    for name, first, last in AGES:
        span = f"for more than {first - 1} days" if last is None else f"for {first} to {last} days"
        yield Definition(
            name,
            f"Security updates open {span}",
            f"How many security updates, counted on each host that has them, are pending {span} since the fleet first "
            "saw them, whatever the reason. One of which nobody knows when it was first seen is in the oldest group.",
            "count",
            _number,
        )


DEFINITIONS: Sequence[Definition] = (
    Definition(
        "compliance",
        "Patch compliance",
        "Of all security updates, counted on each host that needed them, the share that was put on a host and verified "
        "within its service level, or is open and still within it. The time runs from the day on which the fleet first "
        "saw the update; the policy says how many days each severity has. An update whose first day is not known, and "
        "a host that was not scanned (as one update), count as out of time.",
        "percent",
        _good_share,
    ),
    Definition(
        "posture",
        "Posture",
        "Of all hosts, the share on which no security update is open beyond its service level. A host that was not "
        "scanned counts as one that has such an update, and so does one of an earlier plan that is gone from the "
        "inventory without a word.",
        "percent",
        _good_share,
    ),
    Definition(
        "coverage",
        "Coverage",
        "Of all hosts, the share that was scanned and has an outcome that was looked at: verified, unchanged, skipped, "
        "rolled back, or failed in a way that was seen. Hosts that were unreachable, not attempted, never scanned, or "
        "left in the middle of a change do not count, nor do those that are gone from the inventory without a word.",
        "percent",
        _good_share,
    ),
    Definition(
        "change_failure_rate",
        "Change failure rate",
        "Of all hosts on which a change of packages was begun, the share that did not come out verified: failed, "
        "rolled back, or gone away meanwhile.",
        "percent",
        _bad_share,
    ),
    Definition(
        "rollbacks",
        "Rollbacks",
        "How many hosts were brought back to the versions from before the change.",
        "hosts",
        _number,
    ),
    *_ages(),
    Definition(
        "remediation_median",
        "Time to remediate, median",
        "The days within which half of the security updates, counted on each host, were on it and verified (nearest "
        "rank). The time starts on the day on which the fleet first saw the update.",
        "days",
        _percentile(50),
    ),
    Definition(
        "remediation_p90",
        "Time to remediate, 90th percentile",
        "The days within which nine of ten security updates, counted on each host, were on it and verified (nearest "
        "rank). The time starts on the day on which the fleet first saw the update.",
        "days",
        _percentile(90),
    ),
    Definition(
        "exceptions",
        "Exceptions",
        "How many holds, overrides and waivers hold. They excuse nothing: what they keep back is counted as open.",
        "count",
        _number,
    ),
    Definition(
        "exceptions_expired",
        "Expired exceptions",
        "How many holds, overrides and waivers are listed although their last day has gone by. They do nothing.",
        "count",
        _number,
    ),
)
"""All metrics, in the order in which reports show them."""
