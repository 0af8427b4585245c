# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a plan has come is read from its ledger: who was begun and never judged, what was measured and seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Progress, read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase

from .plans import NOW, line, opening_line

INTENT, OK, FAILED = EntryOutcome.INTENT, EntryOutcome.OK, EntryOutcome.FAILED
CLOSED = line(None, Phase.CLOSE, FAILED)


def begun(*phases: Phase, attempt: int = 1) -> list[bytes]:
    """An attempt that opens and is about to do these things to web1."""
    return [opening_line(attempt), *(line("web1", phase, INTENT, attempt=attempt, of=phase.value) for phase in phases)]


def judged(outcome: HostOutcome, *, attempt: int = 1, **data: Any) -> bytes:
    return line("web1", Phase.OUTCOME, outcome, attempt=attempt, **data)


def phases_in_the_middle(progress: Progress) -> list[str]:
    return [intent.phase.value for intent in progress.unfinished.get("web1", [])]


def test_a_host_is_in_the_middle_from_its_first_intent_to_its_outcome() -> None:
    lines = begun(Phase.DRAIN, Phase.APPLY)
    assert phases_in_the_middle(read_progress(lines)) == ["drain", "apply"]
    assert not read_progress([*lines, judged(HostOutcome.VERIFIED)]).in_the_middle("web1")


@pytest.mark.parametrize("outcome", [HostOutcome.FAILED, HostOutcome.ROLLED_BACK, HostOutcome.SKIPPED])
def test_whatever_was_found_out_about_a_host_ends_the_middle(outcome: HostOutcome) -> None:
    assert phases_in_the_middle(read_progress([*begun(Phase.APPLY), judged(outcome)])) == []


def test_a_host_that_went_away_stays_in_the_middle() -> None:
    lines = [*begun(Phase.APPLY), judged(HostOutcome.UNREACHABLE)]
    assert phases_in_the_middle(read_progress(lines)) == ["apply"]


def test_an_attempt_that_does_not_begin_a_host_says_nothing_about_its_middle() -> None:
    lines = [*begun(Phase.APPLY), CLOSED, opening_line(2), judged(HostOutcome.SKIPPED, attempt=2)]
    assert phases_in_the_middle(read_progress(lines)) == ["apply"]


def test_a_later_attempt_that_finds_a_host_well_ends_its_middle_without_a_step_of_its_own() -> None:
    lines = [*begun(Phase.APPLY), opening_line(2), judged(HostOutcome.VERIFIED, attempt=2)]
    assert phases_in_the_middle(read_progress(lines)) == []


def test_the_intents_of_all_attempts_since_the_last_outcome_count() -> None:
    lines = [*begun(Phase.DRAIN, Phase.REBOOT), CLOSED, *begun(Phase.REBOOT, attempt=2)]
    progress = read_progress(lines)
    assert phases_in_the_middle(progress) == ["drain", "reboot", "reboot"]
    latest = progress.began("web1", Phase.REBOOT)
    assert latest is not None
    assert (latest.attempt, latest.data) == (2, {"of": "reboot"})
    assert progress.began("web1", Phase.ROLLBACK) is None
    assert progress.began("web2", Phase.REBOOT) is None


def test_a_host_is_proven_from_its_verification_until_something_else_is_begun_or_it_is_judged() -> None:
    proven = [*begun(Phase.DRAIN, Phase.APPLY), line("web1", Phase.VERIFY, OK)]
    assert read_progress(proven).proven == {"web1"}
    assert read_progress([*proven, line("web1", Phase.RETURN, INTENT), CLOSED]).proven == {"web1"}
    assert read_progress([*proven, CLOSED, *begun(Phase.DRAIN, attempt=2)]).proven == set()
    assert read_progress([*proven, judged(HostOutcome.VERIFIED)]).proven == set()
    assert read_progress([*begun(Phase.APPLY), line("web1", Phase.VERIFY, FAILED)]).proven == set()


def test_staging_puts_no_host_in_the_middle() -> None:
    lines = [opening_line(purpose="stage"), line("web1", Phase.STAGE, INTENT), line("web1", Phase.STAGE, OK)]
    progress = read_progress(lines)
    assert not progress.in_the_middle("web1")
    assert progress.staged == {"web1"}


def test_only_what_was_verified_with_both_durations_is_measured() -> None:
    durations: dict[str, Any] = {"seconds": 90.5, "estimated_seconds": 60}
    assert read_progress([opening_line(), judged(HostOutcome.VERIFIED, **durations)]).measured == [(90.5, 60)]
    assert read_progress([opening_line(), judged(HostOutcome.ROLLED_BACK, **durations)]).measured == []
    assert read_progress([opening_line(), judged(HostOutcome.VERIFIED, estimated_seconds=60)]).measured == []
    assert read_progress([opening_line(), judged(HostOutcome.VERIFIED, seconds=90, estimated_seconds=0)]).measured == []


def test_the_latest_look_at_a_host_counts() -> None:
    unwell = line("web1", Phase.SOAK, FAILED, minute=31, msg="nginx.service failed")
    look = read_progress([opening_line(), unwell]).looks["web1"]
    assert (look.well, look.attempt, look.time) == (False, 1, NOW + timedelta(minutes=31))
    assert look.reason == "nginx.service failed"
    assert read_progress([opening_line(), unwell, line("web1", Phase.SOAK, OK, minute=40)]).looks["web1"].well


def test_a_host_that_could_not_be_looked_at_is_not_well() -> None:
    away = line("web1", Phase.SOAK, EntryOutcome.UNREACHABLE, msg="no route")
    assert not read_progress([opening_line(), away]).looks["web1"].well


def test_a_gate_is_open_for_the_attempt_whose_hook_found_it_so() -> None:
    def gates(*lines: bytes) -> set[str]:
        current = read_progress(lines).current
        return current.gates if current else set()

    found = line(None, Phase.GATE, OK, gate="ticket")
    assert gates(opening_line(), found) == {"ticket"}
    assert gates(opening_line(), line(None, Phase.GATE, FAILED, gate="ticket")) == set()
    assert gates(opening_line(), found, CLOSED, opening_line(2)) == set()
    # A word of an attempt that is over opens nothing for the next one.
    assert gates(opening_line(), CLOSED, opening_line(2), found) == set()


def test_the_last_line_is_kept_for_who_compares_clocks() -> None:
    assert read_progress([]).last_line is None
    assert read_progress([opening_line(), line("web1", Phase.VERIFY, OK)]).last_line == line("web1", Phase.VERIFY, OK)


def test_who_asks_for_one_host_learns_of_others_how_they_came_out_and_of_neighbours_how_far_they_went() -> None:
    def preflight(host: str) -> bytes:
        return line(host, Phase.PREFLIGHT, OK, remaining=[{"name": f"of-{host}"}], notes=["x" * 5000])

    way = [
        entry
        for host in ("web1", "web2", "db1")
        for entry in (preflight(host), line(host, Phase.DRAIN, INTENT, about={"host": "web2"}))
    ]
    lines = [opening_line(), *way, line("db2", Phase.OUTCOME, HostOutcome.FAILED), line("db2", Phase.SOAK, OK)]
    asked = read_progress(lines, "web2", ["web1"])
    assert asked.current is not None
    assert asked.current.remaining == {"web2": [{"name": "of-web2"}]}
    assert asked.current.started == {"web1", "web2"}
    assert asked.in_the_middle("web1")
    assert list(asked.outcomes) == list(asked.looks) == ["db2"]
    assert asked.last_line == lines[-1]
    everything = read_progress(lines)
    assert everything.current is not None
    assert set(everything.current.remaining) == everything.current.started == {"web1", "web2", "db1"}


@pytest.mark.parametrize("host", ["web1", "wéb1", "web-1.example"])
def test_a_host_is_known_by_its_name_as_the_ledger_writes_it(host: str) -> None:
    assert read_progress([opening_line(), line(host, Phase.DRAIN, INTENT)], host).in_the_middle(host)


@pytest.mark.parametrize("said", [[{}], 5, "apply", None])
def test_what_a_host_says_of_its_runs_cannot_make_the_ledger_unreadable(said: Any) -> None:
    found = read_progress([opening_line(), line("web1", Phase.PREFLIGHT, OK, remaining=[], runs=said)]).current
    assert found is not None
    assert found.runs["web1"] == frozenset()


@pytest.mark.parametrize(("in_service", "spent"), [("yes", []), ("no", ["web1"]), ("unknown", ["web1"])])
def test_a_skipped_host_that_may_be_out_of_service_spends_the_budget(in_service: str, spent: list[str]) -> None:
    skipped = line("web1", Phase.OUTCOME, HostOutcome.SKIPPED, in_service=in_service, reason="")
    assert read_progress([opening_line(), skipped]).spent == spent


def test_what_the_preflight_of_a_resumed_host_found_begun_on_it_is_known() -> None:
    runs = {"apply": {"state": "interrupted"}, "rollback": {"state": "complete"}}
    found = read_progress([opening_line(), line("web1", Phase.PREFLIGHT, OK, remaining=[], runs=runs)]).current
    assert found is not None
    assert found.runs["web1"] == {"apply", "rollback"}
