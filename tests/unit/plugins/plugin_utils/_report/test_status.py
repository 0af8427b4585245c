# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status of a plan: where it stands, what it waits for, and whether somebody must look."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import build_entry
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.status import read_status
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.status_console import render
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.status_model import PlanStatus, read_expectation

OPENSSL = ("openssl", "3.0.15-1~deb12u1", "3.0.17-1~deb12u3", ["CVE-2024-9143"])
EXPIRED = datetime(2026, 11, 28, tzinfo=timezone.utc)


def status(book: Any, *, lives: bool = True, stop: str | None = None, **more: Any) -> PlanStatus:
    """The status of the book's plan right after its last entry."""
    return read_status(
        book.state.get_plan("north", book.plan),
        book.plan,
        partial(book.state.entries, "north", book.plan),
        **{"now": book.now, "living": lambda _attempt: lives, "stop": stop, **more},
    )


@pytest.fixture
def pair(book: Any) -> Any:
    """A plan of two batches of two hosts."""
    hosts = {name: {"updates": [OPENSSL]} for name in ("web1", "web2", "web3", "web4")}
    book.freeze(hosts, [["web1", "web2"], ["web3", "web4"]])
    book.write(None, Phase.PLAN, EntryOutcome.OK, {"decisions": {}})
    return book


def verified(book: Any, host: str, seconds: float = 64.0) -> None:
    """A host with its outcome, and how long it took."""
    data = {"in_service": "yes", "reason": "", "holds": [], "seconds": seconds, "estimated_seconds": 32}
    book.write(host, Phase.OUTCOME, HostOutcome.VERIFIED, data, seconds)


# Where a plan stands


def test_a_plan_without_an_attempt_is_planned(pair: Any) -> None:
    found = status(pair)
    assert (found.state, found.counts, found.troubles) == ("planned", {"left": 4}, ())


def test_a_staged_plan_says_so(pair: Any) -> None:
    pair.open("stage")
    pair.stage("web1", {})
    pair.close()
    assert status(pair).state == "staged"


def test_a_running_plan_shows_each_host_in_work_with_its_phase_and_since_when(pair: Any) -> None:
    pair.open()
    verified(pair, "web1")
    pair.write("web2", Phase.PREFLIGHT, EntryOutcome.OK, {"remaining": []})
    pair.write("web2", Phase.APPLY, EntryOutcome.INTENT, {})
    since = pair.now
    found = status(pair, now=pair.now + timedelta(seconds=30))
    assert found.state == "running"
    assert [(host.host, host.phase, host.doing, host.since) for host in found.in_work] == [
        ("web2", "apply", True, since)
    ]
    assert found.counts == {"verified": 1, "apply": 1, "left": 2}
    assert [(batch.left, batch.counts) for batch in found.batches] == [
        (1, {"verified": 1, "apply": 1}),
        (2, {"left": 2}),
    ]
    assert found.troubles == ()


@pytest.mark.parametrize("purpose", ["stage", "apply", "rollback"])
def test_an_open_attempt_whose_process_does_not_live_is_interrupted(pair: Any, purpose: str) -> None:
    pair.open(purpose)
    pair.write("web1", Phase.APPLY, EntryOutcome.INTENT, {})
    found = status(pair, lives=False)
    assert found.state == "interrupted"
    assert found.troubles[0] == (
        f"attempt 1 ({purpose}) of controller is open, and its process does not live; "
        f"run patch_{purpose}.yml again, which resumes it"
    )
    assert found.troubles[1:] == ("web1: its change was begun, and its outcome is not known",) * (purpose != "stage")


def test_hosts_that_are_left_wait_for_what_the_last_attempt_said(pair: Any) -> None:
    pair.open()
    verified(pair, "web1")
    verified(pair, "web2")
    for host in ("web3", "web4"):
        pair.judge(host, HostOutcome.NOT_ATTEMPTED, reason="the window is closed")
    pair.close()
    found = status(pair)
    assert (found.state, found.troubles) == ("waiting", ())
    assert [(waiting.reason, waiting.hosts) for waiting in found.waiting] == [("the window is closed", 2)]


def test_a_stop_file_stops_a_plan_and_is_named(pair: Any) -> None:
    pair.open()
    pair.close()
    found = status(pair, stop="/srv/fleet/STOP")
    assert (found.state, found.troubles) == ("stopped", ())
    assert "stopped by /srv/fleet/STOP" in render(found)[0]


@pytest.mark.parametrize(("outcome", "state"), [(HostOutcome.FAILED, "spent"), (HostOutcome.UNREACHABLE, "waiting")])
def test_a_spent_budget_ends_a_plan_unless_who_spent_it_is_tried_again(
    pair: Any, outcome: HostOutcome, state: str
) -> None:
    pair.open()
    for host in ("web1", "web2"):
        pair.judge(host, outcome, in_service="no", reason="nginx is failed")
    pair.close()
    found = status(pair)
    assert (found.state, found.spent, found.allowed) == (state, ("web1", "web2"), 1)
    assert f"web1: {outcome.value}, out of service: nginx is failed" in found.troubles


def test_a_plan_of_which_nothing_is_left_is_complete_also_after_its_expiry(pair: Any) -> None:
    pair.open()
    for host in ("web1", "web2", "web3", "web4"):
        verified(pair, host)
    pair.close()
    found = status(pair, now=EXPIRED)
    assert (found.state, found.troubles, found.estimated_end) == ("complete", (), None)


# Who must look


def test_a_plan_that_was_never_applied_and_has_expired_did_not_run(pair: Any) -> None:
    found = status(pair, now=EXPIRED)
    assert found.state == "expired"
    assert found.troubles == ("it was never applied, and expired at 2026-11-27T09:00:00Z",)


def test_hosts_that_are_left_of_an_expired_plan_need_attention(pair: Any) -> None:
    pair.open()
    verified(pair, "web1")
    pair.close()
    assert status(pair, now=EXPIRED).troubles == ("it expired at 2026-11-27T09:00:00Z, and 3 hosts are left",)


def test_a_simulated_attempt_is_no_beginning(pair: Any) -> None:
    pair.open(check_mode=True)
    pair.close()
    found = status(pair, expectation=read_expectation(None, False, pair.now))
    assert found.troubles == ("it should have begun by 2026-11-21 02:00 UTC",)


def test_an_attempt_that_was_kept_from_every_host_is_no_beginning(pair: Any) -> None:
    pair.open()
    for host in ("web1", "web2", "web3", "web4"):
        pair.judge(host, HostOutcome.NOT_ATTEMPTED, reason="window: closed")
    pair.close()
    assert status(pair, expectation=read_expectation(None, False, pair.now)).troubles != ()


@pytest.mark.parametrize(("by", "late"), [("2026-11-20", True), ("2026-11-21", False), ("2026-11-21T01:00:00Z", True)])
def test_a_plan_must_have_begun_by_the_time_that_is_given(pair: Any, by: str, late: bool) -> None:
    assert bool(status(pair, expectation=read_expectation(by, None, pair.now)).troubles) is late


def test_a_plan_that_has_begun_is_not_complete_yet(pair: Any) -> None:
    pair.open()
    pair.write("web1", Phase.DRAIN, EntryOutcome.INTENT, {})
    assert status(pair, expectation=read_expectation(None, False, pair.now)).troubles == ()
    found = status(pair, expectation=read_expectation(None, True, pair.now))
    assert found.troubles == ("it should have been complete by 2026-11-21 02:00 UTC",)


@pytest.mark.parametrize("by", ["soon", "2026-11-21T01:00:00", ""])
def test_a_time_without_its_zone_is_refused(by: str) -> None:
    with pytest.raises(FleetError, match="neither a date nor a time") as refused:
        read_expectation(by, None, EXPIRED)
    assert refused.value.kind == "bad_time"


def test_a_host_that_is_not_well_any_more_needs_attention(pair: Any) -> None:
    pair.open()
    verified(pair, "web1")
    pair.write("web1", Phase.SOAK, EntryOutcome.FAILED, {"msg": "nginx.service is failed"})
    assert status(pair).troubles == ("web1: verified, and not well any more: nginx.service is failed",)


def test_a_ledger_that_does_not_verify_says_nothing_else(pair: Any) -> None:
    pair.open()
    verified(pair, "web1")
    lines = list(pair.state.entries("north", pair.plan))
    forged = [line.replace(b'"verified"', b'"unchanged"') for line in lines]
    found = read_status(
        pair.state.get_plan("north", pair.plan),
        pair.plan,
        lambda: forged,
        now=pair.now,
        living=lambda _attempt: True,
        stop=None,
    )
    assert (found.state, found.counts) == ("unknown", {"left": 4})
    assert found.troubles == ("the ledger does not verify: Line 4: its content does not match its hash.",)


# Pace and end


def test_the_end_is_estimated_by_the_pace_of_the_hosts_so_far(pair: Any) -> None:
    untouched = status(pair)
    assert untouched.estimated_end == pair.now + timedelta(seconds=2 * 32)
    pair.open()
    verified(pair, "web1")
    verified(pair, "web2")
    found = status(pair)
    # They took twice as long as is roughly estimated for one package.
    assert (found.mean_seconds, found.estimated_end) == (64.0, pair.now + timedelta(seconds=64))


def test_the_time_that_a_batch_in_work_has_had_is_gone(pair: Any) -> None:
    pair.open()
    pair.write("web1", Phase.APPLY, EntryOutcome.INTENT, {})
    now = pair.now + timedelta(seconds=12)
    assert status(pair, now=now).estimated_end == now + timedelta(seconds=20 + 32)


def test_a_soak_counts_into_the_end_and_is_shown(pair: Any) -> None:
    head = pair.state.get_plan("north", pair.plan)
    head["waves"] = [
        {"name": "canary", "soak_minutes": 60, "batches": [["web1", "web2"]]},
        {"name": "broad", "soak_minutes": 0, "batches": [["web3", "web4"]]},
    ]
    pair.open()
    verified(pair, "web1", 32)
    verified(pair, "web2", 32)
    pair.close()
    lines = partial(pair.state.entries, "north", pair.plan)
    found = read_status(head, pair.plan, lines, now=pair.now, living=lambda _attempt: True, stop=None)
    soaked = pair.now - timedelta(seconds=1) + timedelta(minutes=60)
    assert (found.state, found.soaks_until) == ("waiting", soaked)
    assert found.estimated_end == soaked + timedelta(seconds=32)
    assert "waiting, soaks until 2026-11-21 03:01:" in render(found)[0]


# What is shown


def test_the_console_shows_the_table_the_hosts_in_work_and_the_budget(pair: Any) -> None:
    pair.open()
    verified(pair, "web1")
    pair.write("web2", Phase.DRAIN, EntryOutcome.INTENT, {})
    lines = render(status(pair, now=pair.now + timedelta(seconds=5)))
    assert lines[0].startswith(f"Tenant north, cycle 2026-11, plan {pair.plan[:16]}: running, attempt 1 (apply) since")
    assert "canary  1      2      1 drain, 1 verified" in lines
    assert "web2     drain  5 s" in lines
    assert "failure budget: 0 of 1 spent" in lines
    assert "pace: 2 min a host, of 1 measured" in lines
    assert max(map(len, lines)) <= 120


def test_the_data_for_other_programs_is_plain(pair: Any) -> None:
    pair.open()
    pair.write("web1", Phase.APPLY, EntryOutcome.INTENT, {})
    data = status(pair).as_data()
    assert json.loads(json.dumps(data)) == data
    assert data["attempt"]["purpose"] == "apply"
    assert data["in_work"] == [{"host": "web1", "phase": "apply", "doing": True, "since": "2026-11-21T02:00:04Z"}]


def test_control_characters_of_a_host_do_not_reach_the_terminal(pair: Any) -> None:
    pair.open()
    pair.judge("web1", HostOutcome.FAILED, in_service="no", reason="\x1b[2Jall is well")
    pair.judge("web2", HostOutcome.NOT_ATTEMPTED, reason="\x1b]0;pwned\x07")
    pair.close()
    assert all(line.isprintable() for line in render(status(pair)))


def test_a_thousand_hosts_and_ten_thousand_entries_are_read_at_once(book: Any) -> None:
    names = [f"host{number:05}" for number in range(1000)]
    batches = [names[start : start + 50] for start in range(0, len(names), 50)]
    head = {
        "tenant": "north",
        "cycle": "2026-11",
        "created": "2026-11-20T09:00:00Z",
        "expires": "2026-11-27T09:00:00Z",
        "waves": [{"name": "broad", "soak_minutes": 0, "batches": batches}],
        "limits": {"max_failed": 1},
        "hosts": {name: {"decision": "patch", "updates": 100, "cluster": None} for name in names},
    }
    lines = _ledger_of(names)
    began = time.process_time()
    found: PlanStatus = read_status(
        head,  # type: ignore[arg-type]
        "p" * 64,
        lambda: iter(lines),
        now=book.now,
        living=lambda _attempt: True,
        stop=None,
    )
    seconds = time.process_time() - began
    assert (len(lines), found.counts) == (10_001, {"verified": 1000})
    assert len(render(found)) < 40
    # A few tenths of a second on a free core; what grows with hosts times entries would take minutes.
    assert seconds < 5


def _ledger_of(names: list[str]) -> list[bytes]:
    """The ledger of a whole cycle, ten entries a host."""
    opening = {"purpose": "apply", "controller": "c", "process": 1, "batches": [], "check_mode": False}
    done = {"in_service": "yes", "reason": "", "seconds": 60.0, "estimated_seconds": 60}
    changes = [Phase.DRAIN, Phase.APPLY, Phase.RETURN, Phase.VERIFY]
    steps: list[tuple[Phase, EntryOutcome | HostOutcome, dict[str, Any]]] = [
        (Phase.PREFLIGHT, EntryOutcome.OK, {"remaining": []}),
        *((phase, outcome, {}) for phase in changes for outcome in (EntryOutcome.INTENT, EntryOutcome.OK)),
        (Phase.OUTCOME, HostOutcome.VERIFIED, done),
    ]
    entries = [(None, Phase.OPEN, EntryOutcome.OK, {"opening": opening})]
    entries += [(name, *step) for name in names for step in steps]  # type: ignore[misc]
    lines: list[bytes] = []
    moment = datetime(2026, 11, 21, 2, 0, tzinfo=timezone.utc)
    for host, phase, outcome, data in entries:
        lines.append(
            build_entry(
                lines[-1] if lines else None,
                plan="p" * 64,
                attempt=1,
                cycle="2026-11",
                tenant="north",
                host=host,
                phase=phase,
                outcome=outcome,
                data=data,
                time=moment,
            )
        )
    return lines
