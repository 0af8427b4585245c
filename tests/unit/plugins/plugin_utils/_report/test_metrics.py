# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics by examples that were computed by hand, and what holds for any fleet: unknown never makes a figure better."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import START, Verification
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome, InService
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Figure, InTime
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.facts import PlanFacts
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.figures import figures_of, together
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.metrics import (
    AGES,
    DEFINITIONS,
    metrics,
    nearest_rank,
    tally,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import (
    HostResult,
    PendingUpdate,
    Place,
    Report,
    VersionChange,
    Waiver,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.remediation import (
    NOT_PROVEN,
    days_between,
    in_time,
    remediation,
)

TODAY = date(2026, 11, 30)
DONE = datetime(2026, 11, 20, 3, tzinfo=timezone.utc)


def update(name: str = "openssl", seen: int | None = 10, **said: Any) -> PendingUpdate:
    """An update that was first seen so many days before today; None where nobody knows."""
    first_seen = "" if seen is None else (TODAY - timedelta(days=seen)).isoformat()
    known: dict[str, Any] = {
        "arch": "amd64",
        "candidate": "2",
        "is_security": True,
        "severity": "important",
        "cves": (f"CVE-{name}",),
        "selected": True,
        "reason": "",
        "allowed_days": 30,
        **said,
    }
    return PendingUpdate(name=name, first_seen=first_seen, **known)


def changes(*updates: PendingUpdate) -> tuple[VersionChange, ...]:
    """The changes by which a host got these updates."""
    return tuple(
        VersionChange(f"{each.name}:{each.arch}", "1", each.candidate, True, "important", ()) for each in updates
    )


def host(
    name: str, outcome: str = "verified", pending: Any = (), place: Place | None = None, **said: Any
) -> HostResult:
    """A host; a verified one got what was selected."""
    done = outcome == "verified"
    known: dict[str, Any] = {
        "in_service": InService.YES,
        "reason": "",
        "wave": "broad",
        "batch": 1,
        "cluster": None,
        "changes": changes(*(each for each in pending or () if each.selected)) if done else (),
        "seconds": None,
        "away_seconds": None,
        "rebooted": False,
        "notes": (),
        "updates": len(pending or ()),
        "began_change": outcome in ("verified", "failed", "rolled_back"),
        "ended": DONE if done else None,
        **said,
    }
    return HostResult(
        host=name, outcome=HostOutcome(outcome), pending=pending, place=place or Place("aws", "x", "prod"), **known
    )


def facts(*hosts: HostResult, latest: bool = True, as_of: date = TODAY, **said: Any) -> PlanFacts:
    """The facts of a plan of these hosts."""
    known: dict[str, Any] = {
        "tenant": "alpha",
        "plan": "a" * 64,
        "cycle": "2026-11",
        "approval": "signature",
        "missing": (),
        "holds": (),
        "waivers": (),
        "overrides": (),
        **said,
    }
    nothing: dict[str, Any] = dict.fromkeys(
        ("cves", "left", "gates", "batches", "approvals", "attempts", "troubles"), ()
    )
    report = Report(
        created="2026-11-11T08:00:00Z",
        expires="2026-11-18T08:00:00Z",
        revision="abc",
        query=None,
        left_out=None,
        hosts=hosts,
        counts=dict(Counter(each.outcome.value for each in hosts)),
        unknown_cves=0,
        ledger=Verification(True, 0, START, ()),
        torn=0,
        user_requests=None,
        **nothing,
        **known,
    )
    return PlanFacts(report, as_of, latest, None, remediation(hosts))


def total(name: str, *plans: PlanFacts) -> Figure:
    """A metric over these plans."""
    return next(metric.total for metric in metrics(tally(plans)) if metric.name == name)


# Service levels


@pytest.mark.parametrize(
    ("days", "allowed", "expected"),
    [
        (30, 30, InTime.YES),
        (31, 30, InTime.NO),
        (0, 30, InTime.YES),
        (None, 30, InTime.UNKNOWN),
        (1, None, InTime.UNKNOWN),
    ],
)
def test_the_last_day_of_a_service_level_is_in_time(days: int | None, allowed: int | None, expected: InTime) -> None:
    assert in_time(days, allowed) is expected


def test_days_are_whole_ones_and_never_negative() -> None:
    assert days_between("2026-11-01", date(2026, 12, 1)) == 30
    assert days_between("2026-12-02", date(2026, 12, 1)) == 0
    assert days_between("", date(2026, 12, 1)) is None
    assert days_between("soon", date(2026, 12, 1)) is None


def test_compliance_counts_what_was_done_or_can_still_be_done_in_time() -> None:
    quick, slow, late = update("quick", seen=40), update("slow", seen=41), update("late", seen=100)
    # Done on the 20th, ten days before today: after 30, 31 and 90 days.
    done = host("a", pending=(quick, slow, late))
    # Open today: 31 days would be too late, 10 are not.
    waiting = host("b", "skipped", pending=(update("new", seen=10), update("old", seen=31)))
    figure = total("compliance", facts(done, waiting))
    assert (figure.count, figure.of, figure.value) == (2, 5, 40.0)


def test_an_update_without_a_first_day_and_a_host_that_was_not_scanned_are_out_of_time() -> None:
    known = host("a", pending=(update("fine", seen=20),))
    nobody_knows = host("b", "skipped", pending=(update("when", seen=None),))
    away = host("c", "unreachable", pending=None)
    assert total("compliance", facts(known, nobody_knows, away)).value == 33.3
    assert total("compliance", facts(known, missing=("gone",))).value == 50.0


def test_only_security_updates_have_a_service_level() -> None:
    other = update("tzdata", seen=400, is_security=False, allowed_days=None, selected=False, reason="not_security")
    figures = facts(host("a", pending=(other,)))
    assert total("compliance", figures) == Figure("all", None, 0, 0)
    assert total("posture", figures).value == 100.0
    assert total("age_over_90", figures).value == 0.0


# The hosts


def test_posture_counts_hosts_without_an_overdue_security_update() -> None:
    late, fresh = update("late", seen=31), update("fresh", seen=30)
    hosts = (
        host("a", pending=(late,)),
        host("b", "unchanged", pending=()),
        host("c", "skipped", pending=(fresh,)),
        host("d", "skipped", pending=(late,)),
        host("e", "unreachable", pending=None),
        host("f", "skipped", pending=(update("when", seen=None),)),
    )
    assert total("posture", facts(*hosts)) == Figure("all", 50.0, 3, 6)


def test_an_update_that_the_policy_leaves_is_open_also_on_a_verified_host() -> None:
    held = update("postgresql", seen=50, selected=False, reason="held")
    assert total("posture", facts(host("a", pending=(update(), held)))).value == 0.0


def test_coverage_counts_hosts_that_were_scanned_and_judged() -> None:
    hosts = (
        host("a"),
        host("b", "unchanged"),
        host("c", "rolled_back"),
        host("d", "failed", in_service=InService.NO),
        host("e", "failed", in_service=InService.UNKNOWN),
        host("f", "skipped"),
        host("g", "skipped", pending=None),
        host("h", "unreachable", pending=None),
        host("i", "not_attempted"),
    )
    assert total("coverage", facts(*hosts)) == Figure("all", 55.5, 5, 9)
    assert total("coverage", facts(*hosts, missing=("gone",))) == Figure("all", 50.0, 5, 10)


def test_the_change_failure_rate_is_of_hosts_whose_change_was_begun() -> None:
    hosts = (
        host("a"),
        host("b"),
        host("c", "failed"),
        host("d", "rolled_back"),
        host("e", "skipped"),
        host("f", "unreachable", began_change=True, pending=None),
        host("g", "failed", began_change=False),
    )
    assert total("change_failure_rate", facts(*hosts)) == Figure("all", 60.0, 3, 5)
    assert total("rollbacks", facts(*hosts)).count == 1


def test_open_updates_are_in_one_bucket_each() -> None:
    ages = (0, 7, 8, 30, 31, 90, 91, None)
    hosts = [host("a", "skipped", pending=tuple(update(f"p{age}", seen=age) for age in ages)), host("b", "skipped")]
    found = [total(name, facts(*hosts)).count for name, _first, _last in AGES]
    assert found == [2, 2, 2, 2]


def test_the_time_to_remediate_is_that_of_every_update_on_every_host() -> None:
    # Done on the 20th: after 1, 2, 3, …, 10 days.
    hosts = [host(f"h{days}", pending=(update(f"p{days}", seen=10 + days),)) for days in range(1, 11)]
    assert total("remediation_median", facts(*hosts)) == Figure("all", 5.0, 10)
    assert total("remediation_p90", facts(*hosts)) == Figure("all", 9.0, 10)
    assert total("remediation_p90", facts(host("a"))).value is None


@pytest.mark.parametrize(
    ("days", "percent", "expected"),
    [([4], 50, 4), ([1, 9], 50, 1), ([1, 9], 90, 9), ([1, 1, 1, 9], 75, 1), ([1, 1, 1, 9], 76, 9)],
)
def test_percentiles_are_nearest_ranks(days: list[int], percent: int, expected: int) -> None:
    assert nearest_rank(Counter(days), percent) == expected


def test_a_change_that_nothing_proves_leaves_its_update_open() -> None:
    one, other = update("one"), update("other")
    bare = host("a", pending=(one, other), changes=changes(one))
    (left,) = remediation([bare]).left
    assert (left.update, left.reason, left.hosts) == (other, NOT_PROVEN, ("a",))
    same = host("b", pending=(one,), changes=(replace(changes(one)[0], after="1"),))
    assert [left.reason for left in remediation([same]).left] == [NOT_PROVEN]
    there_before = host("c", pending=(one,), changes=(replace(changes(one)[0], before="2"),))
    assert remediation([there_before]) == remediation([])


def test_exceptions_are_counted_and_expired_ones_apart() -> None:
    waivers = tuple(
        Waiver("team", "why", "RISK-1", expires, False, ("a",))
        for expires in ("2026-11-30", "2026-11-29", "2027-01-01")
    )
    figures = facts(host("a", "skipped"), waivers=waivers)
    assert (total("exceptions", figures).count, total("exceptions_expired", figures).count) == (2, 1)


def test_an_older_plan_says_what_was_done_and_not_how_hosts_are() -> None:
    older = facts(host("a", pending=(update(seen=15),)), host("b", "failed", pending=(update(seen=300),)), latest=False)
    newer = facts(host("a", "unchanged"), host("b", "unchanged"))
    assert total("coverage", older, newer) == Figure("all", 100.0, 2, 2)
    assert total("posture", older, newer) == Figure("all", 100.0, 2, 2)
    assert total("compliance", older, newer) == Figure("all", 100.0, 1, 1)
    assert total("change_failure_rate", older, newer) == Figure("all", 50.0, 1, 2)


def test_shares_are_rounded_to_the_worse_side() -> None:
    hosts = [host(f"h{n}") for n in range(2999)]
    assert total("coverage", facts(*hosts, host("x", "unreachable", pending=None))).value == 99.9
    assert total("change_failure_rate", facts(*hosts, host("x", "failed"))).value == 0.1


def test_every_group_has_a_figure_of_every_metric() -> None:
    hosts = (host("a", place=Place("aws", "x", "prod")), host("b", "rolled_back", place=Place()))
    for metric in metrics(tally([facts(*hosts)])):
        assert [figure.group for figure in metric.by["cloud"]] == ["aws", "unknown"], metric.name
        assert [figure.group for figure in metric.by["tenant"]] == ["alpha"]
        assert metric.definition.endswith(".")


# What holds for any fleet

PENDING = st.lists(
    st.builds(
        update,
        name=st.sampled_from(["a", "b", "c", "d"]),
        seen=st.one_of(st.none(), st.integers(0, 200)),
        is_security=st.booleans(),
        selected=st.booleans(),
        allowed_days=st.sampled_from([7, 30, 90]),
    ),
    max_size=4,
    unique_by=lambda each: each.name,
).map(tuple)
HOSTS = st.lists(
    st.tuples(
        st.sampled_from([outcome.value for outcome in HostOutcome]),
        st.one_of(st.none(), PENDING),
        st.sampled_from([Place(), Place("aws", "x", "prod"), Place("gcp", "y", "test")]),
        st.sampled_from(list(InService)),
    ),
    min_size=1,
    max_size=12,
)


def fleet(drawn: Any) -> list[HostResult]:
    return [
        host(f"h{n}", outcome, pending=pending, place=place, in_service=service)
        for n, (outcome, pending, place, service) in enumerate(drawn)
    ]


@settings(deadline=None, max_examples=50)
@given(HOSTS)
def test_counts_add_up_over_every_kind_of_group(drawn: Any) -> None:
    for metric in metrics(tally([facts(*fleet(drawn))])):
        assert metric.unit != "percent" or metric.total.value is None or 0 <= metric.total.value <= 100
        assert metric.total.of is None or (metric.total.count or 0) <= metric.total.of
        for figures in metric.by.values():
            assert sum(figure.count or 0 for figure in figures) == metric.total.count, metric.name
            assert sum(figure.of or 0 for figure in figures) == (metric.total.of or 0), metric.name


@settings(deadline=None, max_examples=50)
@given(HOSTS)
def test_every_pending_update_of_a_host_is_open_remedied_or_was_there(drawn: Any) -> None:
    hosts = fleet(drawn)
    found = remediation(hosts)
    assert set(found.unknown) == {each.host for each in hosts if each.pending is None}
    pairs = [(left.update, name) for left in found.left for name in left.hosts]
    pairs += [(remedied.update, name) for remedied in found.remedied for name in remedied.hosts]
    assert len(pairs) == len(set(pairs))
    every = {(each, one.host) for one in hosts for each in one.pending or ()}
    gone = {(each, one.host) for one in hosts for each in one.pending or () if one.outcome is HostOutcome.UNCHANGED}
    assert set(pairs) <= every
    assert every - set(pairs) <= gone


@settings(deadline=None, max_examples=50)
@given(HOSTS, st.data())
def test_not_knowing_a_host_makes_no_figure_better(drawn: Any, data: Any) -> None:
    hosts = fleet(drawn)
    place = data.draw(st.integers(0, len(hosts) - 1))
    blind = replace(hosts[place], pending=None, outcome=HostOutcome.UNREACHABLE, changes=(), ended=None)
    unknown = [*hosts[:place], blind, *hosts[place + 1 :]]
    for name in ("coverage", "posture"):
        assert (total(name, facts(*unknown)).value or 0) <= (total(name, facts(*hosts)).value or 0)
    before, after = total("change_failure_rate", facts(*hosts)), total("change_failure_rate", facts(*unknown))
    assert (after.count or 0) >= (before.count or 0)


@settings(deadline=None, max_examples=50)
@given(HOSTS, st.data())
def test_not_knowing_when_an_update_was_first_seen_makes_no_figure_better(drawn: Any, data: Any) -> None:
    hosts = fleet(drawn)
    place = data.draw(st.integers(0, len(hosts) - 1))
    blind = tuple(replace(each, first_seen="") for each in hosts[place].pending or ())
    unknown = [*hosts[:place], replace(hosts[place], pending=blind if hosts[place].pending is not None else None)]
    unknown += hosts[place + 1 :]
    for name in ("compliance", "posture"):
        assert (total(name, facts(*unknown)).value or 0) <= (total(name, facts(*hosts)).value or 0)


@settings(deadline=None, max_examples=50)
@given(HOSTS, HOSTS)
def test_figures_of_several_plans_are_those_of_all_their_hosts(first: Any, second: Any) -> None:
    one = facts(*fleet(first), as_of=date(2026, 11, 11))
    other = facts(*fleet(second), as_of=date(2026, 11, 11), tenant="beta")
    values = together([figures_of(one), figures_of(other)]).values()
    assert values == {metric.name: metric.total.value for metric in metrics(tally([one, other]))}
    assert set(values) == {each.name for each in DEFINITIONS}
