# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until a host is healthy."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._health.wait import Clock, wait_for_health

HEALTHY: dict[str, Any] = {
    "machine_id": "1" * 32,
    "kernel": {"running": "6.1.0-37-amd64"},
    "units": {"active": ["nginx.service"], "failed": []},
    "sockets": ["tcp 0.0.0.0:80"],
    "mounts": ["/"],
    "disk": {},
    "incomplete": {},
}


class Hands(Clock):
    """A clock that goes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def starting(clock: Hands, seconds: float) -> Any:
    """A host whose nginx is up after so many seconds."""

    def read(_commands: Commands) -> dict[str, Any]:
        state = copy.deepcopy(HEALTHY)
        if clock.now() < seconds:
            state["units"]["active"], state["sockets"] = [], []
        return state

    return read


def test_it_returns_at_once_when_nothing_is_worse() -> None:
    clock = Hands()
    result = wait_for_health([], Commands(), before=HEALTHY, timeout=60, read=starting(clock, 0), clock=clock)
    assert (result["settled"], result["attempts"], result["seconds"]) == (True, 1, 0)
    assert set(result) == {"state", "worse", "checks", "settled", "attempts", "seconds"}


def test_it_waits_until_the_host_is_as_good_as_before() -> None:
    clock = Hands()
    result = wait_for_health([], Commands(), before=HEALTHY, timeout=60, read=starting(clock, 7), clock=clock)
    assert result["settled"]
    assert result["worse"] == []
    assert result["attempts"] == 5
    assert result["seconds"] == 8


def test_it_gives_up_after_its_timeout_and_says_what_is_worse() -> None:
    clock = Hands()
    result = wait_for_health([], Commands(), before=HEALTHY, timeout=5, read=starting(clock, 99), clock=clock)
    assert not result["settled"]
    assert [entry["kind"] for entry in result["worse"]] == ["socket_gone", "unit_inactive"]
    assert clock.now() == 5


def test_without_a_timeout_it_looks_once() -> None:
    clock = Hands()
    result = wait_for_health([], Commands(), before=HEALTHY, read=starting(clock, 1), clock=clock)
    assert (result["settled"], result["attempts"]) == (False, 1)


def test_without_a_state_from_before_only_the_checks_count() -> None:
    clock = Hands()
    passing = [{"type": "command", "argv": ["true"]}]
    assert wait_for_health(passing, Commands(), read=starting(clock, 99), clock=clock)["settled"]
    failing = [{"type": "command", "argv": ["false"]}]
    result = wait_for_health(failing, Commands(), timeout=3, read=starting(clock, 0), clock=clock)
    assert not result["settled"]
    assert result["attempts"] == 3
