# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading sources side by side: nobody waits for another, and what is missing is named."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory import gather as module
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.gather import (
    AT_ONCE,
    Gathered,
    Reader,
    gather,
    problems_as_error,
)
from ansible_collections.bankops.fleet.tests.fakes.machines import FakeSource, failure, fleet, machine

ROOT = Path(__file__).resolve().parents[5]
EAST, WEST = Scope("cloud", "1", "east"), Scope("cloud", "1", "west")


def read(*sources: FakeSource, seconds: float = 30) -> Gathered:
    return gather([Reader(source, source.machines) for source in sources], Deadline.after(seconds))


def test_every_scope_of_every_source_is_read() -> None:
    found = read(fleet("b", machine("i-2"), machine("i-3")), fleet("a", machine("i-1")))
    assert [(scope.source, [each.instance_id for each in machines]) for scope, machines in found.found.items()] == [
        ("a", ["i-1"]),
        ("b", ["i-2", "i-3"]),
    ]
    assert found.problems == []


def test_no_source_at_all_is_nothing() -> None:
    assert gather([], Deadline.after(1)) == Gathered()


def test_a_scope_that_is_named_twice_is_read_once() -> None:
    class Twice(FakeSource):
        def scopes(self, deadline: Deadline) -> Sequence[Scope]:
            return [EAST, EAST]

    source = Twice(content={EAST: [machine()]})
    assert list(read(source).found) == [EAST]
    assert source.asked == [EAST]


def test_a_source_is_as_slow_as_its_slowest_scope_and_waits_for_no_other_source() -> None:
    slow = FakeSource("slow", {Scope("slow", "1", str(n)): [machine()] for n in range(8)}, seconds_a_page=0.2)
    many = FakeSource("many", {Scope("many", "1", str(n)): [machine()] for n in range(60)}, seconds_a_page=0.02)
    began = time.monotonic()
    assert len(read(slow, many).found) == 68
    assert time.monotonic() - began < 1.0, "one after the other they take 2.8 seconds"
    assert 1 < many.at_once <= AT_ONCE


def test_a_scope_that_fails_after_some_machines_is_missing_as_a_whole() -> None:
    source = FakeSource(content={EAST: [machine("i-1"), machine("i-2"), failure(EAST)], WEST: [machine("i-3")]})
    found = read(source)
    assert list(found.found) == [WEST]
    assert [problem.message for problem in found.problems] == [
        "source cloud, 1, east: ec2:DescribeInstances: the request was throttled"
    ]


def test_the_scopes_that_are_known_are_read_though_others_could_not_be_found_out() -> None:
    source = FakeSource(content={EAST: [machine()]}, trouble=lambda: failure(Scope("cloud", "2"), "access denied"))
    found = read(source)
    assert list(found.found) == [EAST]
    assert "access denied" in found.problems[0].message


def test_a_source_whose_scopes_are_not_known_is_missing() -> None:
    found = read(FakeSource(trouble=lambda: failure(Scope("cloud"))), fleet("other", machine()))
    assert [scope.source for scope in found.found] == ["other"]
    assert len(found.problems) == 1


def test_what_never_answers_is_given_up_at_the_deadline_and_the_rest_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.05)
    source = FakeSource(content={EAST: [machine()], WEST: [machine()]}, hangs=frozenset({WEST}))
    began = time.monotonic()
    found = read(source, seconds=0.3)
    assert time.monotonic() - began < 2
    assert list(found.found) == [EAST]
    assert [(problem.scope, problem.kind) for problem in found.problems] == [(WEST, "timed_out")]
    assert "raise timeout" in found.problems[0].remedy


def test_a_source_that_never_tells_its_scopes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(FakeSource):
        def scopes(self, deadline: Deadline) -> Sequence[Scope]:
            threading.Event().wait()
            return []

    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.05)
    assert [problem.scope for problem in read(Mute("mute"), seconds=0.1).problems] == [Scope("mute")]


@pytest.mark.parametrize("in_scopes", [True, False])
def test_what_nobody_foresaw_is_a_failure_with_its_place_and_without_its_words(in_scopes: bool) -> None:
    wrong = KeyError("token=secret")
    source = FakeSource(content={} if in_scopes else {EAST: [wrong]}, trouble=(lambda: wrong) if in_scopes else None)
    problem = read(source).problems[0]
    assert "unforeseen KeyError at machines.py:" in problem.message
    assert "secret" not in problem.message
    assert problem.kind == "unforeseen"


def test_all_problems_are_one_error_with_their_remedies() -> None:
    error = problems_as_error([failure(EAST), failure(WEST, "access denied", "access_denied")])
    assert error.kind == "source_failed"
    assert error.message.splitlines() == [
        "2 parts of the sources could not be read, so nothing is:",
        "- source cloud, 1, east: ec2:DescribeInstances: the request was throttled. Try again later.",
        "- source cloud, 1, west: ec2:DescribeInstances: access denied. Try again later.",
    ]
    assert "on_error: mark" in error.remedy
    assert [problem["kind"] for problem in error.data["problems"]] == ["throttled", "access_denied"]


HANGING = """
import sys, time
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.gather import Reader, gather
from ansible_collections.bankops.fleet.tests.fakes.machines import FakeSource
scope = Scope("cloud")
source = FakeSource(content={scope: []}, hangs=frozenset({scope}))
print("reading", flush=True)
found = gather([Reader(source, source.machines)], Deadline.after(float(sys.argv[1])))
print(found.problems[0].kind, flush=True)
"""


def hanging(seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HANGING, str(seconds)],
        env={"PYTHONPATH": str(ROOT / ".collections"), "PATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_hanging_service_keeps_no_process_from_ending() -> None:
    process = hanging(0.1)
    output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "reading\ntimed_out\n")


def test_an_interrupt_ends_the_reading_at_once() -> None:
    process = hanging(300)
    assert process.stdout
    assert process.stdout.readline() == "reading\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors


def test_machines_are_handed_on_as_they_came() -> None:
    one: Machine = machine()
    (found,) = read(fleet("a", one)).found.values()
    assert found[0] is one
