# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attempts whose process died are closed as incomplete, with what their hosts know, and can be gone on with."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, Runner, abandon_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.leases import left_by
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import (
    AttemptState,
    EntryOutcome,
    HostOutcome,
    Phase,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import PlanHead
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.history import HostHistory, outcome_of, read_history
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.status import read_status
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.status_console import render
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.reconcile import (
    Learned,
    close_dead,
    dead_attempts,
    hosts_to_ask,
    is_news,
    learn,
    record_learned,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.sealing import seal_plan
from ansible_collections.bankops.fleet.tests.fakes.sealing import OWNER, Site, utc_now
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._apply.plans import dead_process

NOBODY_ANSWERED = {"asked": 2, "answered": 0, "silent": [], "failed": [], "left": [], "taken_in": 0}
DONE = {"apply": {"state": "complete", "status": 0, "started": "2026-11-21T04:23:41Z"}}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def died(site: Site) -> tuple[Book, Attempt]:
    """An attempt that finished web1, began web2, did not come to web3, and was killed."""
    book = site.freeze(hosts=("web1", "web2", "web3"))
    site.approve(book)
    attempt = site.open(book, process=dead_process())
    site.begin(book, attempt, "web1")
    site.finish(book, attempt, "web1")
    site.begin(book, attempt, "web2")
    return book, book.progress().attempts[-1]


def dead(book: Book) -> list[int]:
    found = dead_attempts(book.state, [(book.tenant, book.plan)], datetime.now(timezone.utc))
    return [attempt.number for _book, attempt in found]


def close(book: Book, attempt: Attempt) -> dict[str, Any] | None:
    return close_dead(book, attempt, datetime.now(timezone.utc), taken_in=0)


def phases(book: Book, host: str | None) -> list[tuple[str, str]]:
    entries = [json.loads(line) for line in book.state.entries(book.tenant, book.plan)]
    return [(entry["phase"], entry["outcome"]) for entry in entries if entry["host"] == host]


def test_what_the_attempt_has_not_judged_itself_is_asked(died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    assert dead(book) == [1]
    assert hosts_to_ask(book, attempt) == ["web2", "web3"]


def test_it_is_closed_as_incomplete_with_what_was_learned(died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    record_learned(book, attempt, "web2", learn({"runs": DONE}))
    found = close(book, attempt)
    assert found == {"asked": 2, "answered": 1, "silent": ["web3"], "failed": [], "left": ["web2"], "taken_in": 0}
    last = json.loads(list(book.state.entries(book.tenant, book.plan))[-1])
    assert (last["phase"], last["outcome"], last["data"]["state"]) == ("close", "failed", "incomplete")
    assert last["data"]["silent"] == ["web3"]
    assert verify(book.state.entries(book.tenant, book.plan)).ok
    # Who found it open closes nothing twice.
    assert close(book, attempt) is None


def test_a_host_that_did_not_answer_is_asked_again_until_it_does(died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    record_learned(book, attempt, "web2", learn({"failed": True, "msg": "no python"}))
    close(book, attempt)
    (closed,) = book.progress().attempts
    assert dead(book) == [1]
    assert hosts_to_ask(book, closed) == ["web2", "web3"]
    # That it fails still is not recorded each time; that it is away now is.
    assert not is_news(book, closed, "web2", learn({"failed": True, "msg": "no python"}))
    away = Learned(EntryOutcome.UNREACHABLE, {"msg": "away"})
    assert is_news(book, closed, "web2", away)
    record_learned(book, closed, "web2", away)
    assert close(book, closed) == {**NOBODY_ANSWERED, "silent": ["web2", "web3"], "left": ["web2"]}
    for host in ("web2", "web3"):
        assert is_news(book, closed, host, learn({"runs": DONE}))
        record_learned(book, closed, host, learn({"runs": DONE}))
    assert close(book, closed) == {**NOBODY_ANSWERED, "answered": 2, "left": ["web2", "web3"]}
    assert phases(book, None).count(("close", "failed")) == 1
    (lease,) = book.state.leases("alpha")
    assert lease.names == {f"plan:{book.plan[:16]}", "host:web2", "host:web3"}
    assert dead(book) == []


def test_nobody_is_asked_again_of_what_was_given_up(died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    close(book, attempt)
    assert dead(book) == [1]
    abandon_attempt(book, Runner(1, {"host": "controller"}, False, OWNER))
    assert dead(book) == []
    assert book.state.leases("alpha") == []


def test_nobody_is_asked_of_an_attempt_that_was_abandoned_while_it_was_open(died: tuple[Book, Attempt]) -> None:
    book, _attempt = died
    abandon_attempt(book, Runner(1, {"host": "controller"}, False, OWNER))
    assert dead(book) == []


def test_nobody_is_asked_again_when_somebody_went_on_with_the_plan(site: Site, died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    close(book, attempt)
    second = site.open(book)
    assert dead(book) == []
    (closed, _second) = book.progress().attempts
    assert close(book, closed) is None
    close_attempt(book, second, now_missing="")
    assert dead(book) == []


def test_nobody_is_asked_again_of_a_plan_that_is_sealed(site: Site) -> None:
    book = site.freeze(expires=timedelta(minutes=1))
    site.approve(book)
    attempt = site.open(book, process=dead_process())
    site.begin(book, attempt, "web1")
    close(book, attempt)
    assert dead(book) == [1]
    later = utc_now() + timedelta(minutes=2)
    seal_plan(site.state, "alpha", book.plan, site.sealer("alpha"), later)
    assert dead(book) == []


def test_every_report_says_so_and_the_host_left_in_the_middle_stays_unknown(died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    record_learned(book, attempt, "web2", learn({"runs": DONE}))
    close(book, attempt)
    history = read_history(book.state.entries(book.tenant, book.plan))
    assert history.attempts[1].state is AttemptState.INCOMPLETE
    outcome, in_service, reason = outcome_of(history.hosts["web2"], book.head["hosts"]["web2"])
    assert (outcome, in_service) == (HostOutcome.FAILED, "unknown")
    assert reason == "its change was begun, and its outcome is not known"
    assert history.malformed == []


def test_a_change_that_only_the_host_knows_of_counts_as_begun(died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    record_learned(book, attempt, "web3", learn({"runs": DONE}))
    record_learned(book, attempt, "web2", learn({"runs": {}}))
    assert phases(book, "web3") == [("reconcile", "ok"), ("apply", "intent")]
    assert phases(book, "web2") == [("apply", "intent"), ("reconcile", "ok")]
    found = close(book, attempt)
    assert found is not None
    assert found["left"] == ["web2", "web3"]
    # And what is known already is not intended twice.
    record_learned(book, attempt, "web2", learn({"runs": DONE}))
    assert phases(book, "web2") == [("apply", "intent"), ("reconcile", "ok"), ("reconcile", "ok")]


def test_a_further_attempt_goes_on_with_it(site: Site, died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    close(book, attempt)
    second = site.open(book)
    assert second.number == 2
    assert second.batches == [["web2", "web3"]]
    assert book.progress().in_the_middle("web2")
    took_over = book.progress().attempts[-1].opening["took_over"]
    assert took_over == [{"owner": left_by(book.plan)}]
    for host in ("web2", "web3"):
        site.begin(book, second, host)
        site.finish(book, second, host)
    close_attempt(book, second, now_missing="")
    sealed = site.seal(book)
    assert [attempt["state"] for attempt in sealed.seal.attempts] == ["incomplete", "closed"]
    site.report(book)
    assert {finding.kind for finding in site.verify()} == {"report_missing"}


def test_an_attempt_that_the_next_one_closes_is_incomplete_too(site: Site, died: tuple[Book, Attempt]) -> None:
    book, _attempt = died
    site.open(book)
    assert [each.incomplete for each in book.progress().attempts] == [True, False]


def test_a_living_attempt_is_never_touched(site: Site) -> None:
    book = site.freeze()
    site.approve(book)
    attempt = site.open(book)
    assert dead(book) == []
    # Also when it took the plan over only between the look and the close.
    before = len(list(book.state.entries(book.tenant, book.plan)))
    assert close(book, attempt) is None
    assert len(list(book.state.entries(book.tenant, book.plan))) == before
    assert len(book.state.leases("alpha")) == 1


def test_hosts_left_half_changed_keep_other_plans_away_and_others_do_not(died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    close(book, attempt)
    (lease,) = book.state.leases("alpha")
    assert lease.names == {f"plan:{book.plan[:16]}", "host:web2"}
    assert not lease.is_alive(datetime.now(timezone.utc) + timedelta(seconds=1), lambda _owner: False)


def test_an_attempt_that_left_nobody_half_changed_leaves_no_lease(site: Site) -> None:
    book = site.freeze(approval="none")
    attempt = site.open(book, process=dead_process(), purpose="stage")
    assert hosts_to_ask(book, attempt) == []
    close(book, attempt)
    assert book.state.leases("alpha") == []


@pytest.mark.parametrize(
    ("answer", "data"),
    [
        ({"runs": {"apply": {"state": "complete", "status": 0, "started": "x"}}}, {"apply": ("complete", 0)}),
        ({"runs": {"apply": {"state": "<b>", "status": "0"}, "rm -rf": {}}}, {"apply": ("unknown", None)}),
        (
            {"runs": {"rollback": None, "apply": ["complete"]}},
            {"rollback": ("unknown", None), "apply": ("unknown", None)},
        ),
        ({"runs": "apply"}, {}),
        ({}, {}),
        (
            {
                "failed": True,
                "fleet_failure": {"kind": "still_running", "data": {"unit": "bankops-fleet-0c5e-apply.service"}},
            },
            {"apply": ("running", None)},
        ),
    ],
)
def test_what_a_host_says_is_taken_only_in_its_form(answer: dict[str, Any], data: dict[str, Any]) -> None:
    learned = learn(answer)
    assert learned.outcome == "ok"
    assert {run: (said["state"], said["status"]) for run, said in learned.runs.items()} == data


@pytest.mark.parametrize(
    "answer",
    [
        {"failed": True, "msg": "x" * 10_000},
        {"failed": True, "fleet_failure": "still_running"},
        {"failed": True, "fleet_failure": {"kind": "still_running", "data": ["apply"]}},
        {"failed": True, "fleet_failure": {"kind": "still_running", "data": {"unit": "sshd.service"}}},
    ],
)
def test_from_a_host_that_fails_nothing_is_learned(died: tuple[Book, Attempt], answer: dict[str, Any]) -> None:
    book, attempt = died
    learned = learn(answer)
    assert (learned.outcome, learned.runs) == ("failed", {})
    record_learned(book, attempt, "web2", learned)
    found = close(book, attempt)
    assert found is not None
    assert (found["silent"], found["failed"]) == (["web3"], ["web2"])
    assert (Phase.RECONCILE, "failed") in phases(book, "web2")


def test_a_host_without_a_record_has_no_history_of_the_reconciliation(died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    record_learned(book, attempt, "web3", learn({"runs": {}}))
    history = read_history(book.state.entries(book.tenant, book.plan))
    assert history.hosts["web3"] == HostHistory()


def test_the_status_of_the_plan_says_so(died: tuple[Book, Attempt]) -> None:
    book, attempt = died
    close(book, attempt)
    status = read_status(
        cast("PlanHead", book.head),
        book.plan,
        lambda: book.state.entries(book.tenant, book.plan),
        now=datetime.now(timezone.utc),
        living=lambda _attempt: False,
        stop=None,
    )
    assert (status.state, [each["number"] for each in status.as_data()["incomplete"]]) == ("waiting", [1])
    assert [line for line in render(status) if line.startswith("incomplete: attempt 1 (apply), opened ")]
