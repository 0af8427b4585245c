# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server leaves its backend without a request lost, comes back proven, and is never left out by accident."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.runtime import Runtime
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.server import Wish, drain, ready
from ansible_collections.bankops.fleet.tests.fakes.haproxy import FakeHaproxy, FakeServer, listening


def three(**of_web1: Any) -> FakeHaproxy:
    return FakeHaproxy([FakeServer("web1", **of_web1), FakeServer("web2"), FakeServer("web3")])


def wish(**changes: Any) -> Wish:
    return Wish(
        **{"backend": "web", "server": "web1", "drain_timeout": 1, "up_timeout": 1, "interval": 0.01, **changes}
    )


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        numbers = iter(range(9))

        def start(*processes: FakeHaproxy) -> list[Runtime]:
            paths = [tmp_path / f"haproxy-{next(numbers)}.sock" for _ in processes]
            return [Runtime(stack.enter_context(listening(*pair))) for pair in zip(processes, paths, strict=True)]

        yield start


def failure(verb: Any, *arguments: Any, **named: Any) -> FleetError:
    with pytest.raises(FleetError) as caught:
        verb(*arguments, **named)
    return caught.value


def test_a_drained_server_has_no_session_left(connect: Any) -> None:
    haproxy = three(sessions=5)
    result = drain(connect(haproxy), wish())
    assert result["changed"]
    assert result["before"]["admin_state"] == "ready"
    assert result["after"] == {
        "admin_state": "drain",
        "operational_state": "up",
        "status": "DRAIN",
        "sessions": 0,
    }
    assert result["healthy"] == ["web2", "web3"]
    assert result["total"] == 3
    assert haproxy.orders() == ["set server web/web1 state drain"]


def test_draining_twice_changes_nothing(connect: Any) -> None:
    haproxy = three()
    runtimes = connect(haproxy)
    drain(runtimes, wish())
    orders = haproxy.orders()
    assert not drain(runtimes, wish())["changed"]
    assert haproxy.orders() == orders


def test_a_server_that_is_back_has_passed_its_checks_anew(connect: Any) -> None:
    haproxy = three()
    runtimes = connect(haproxy)
    drain(runtimes, wish())
    result = ready(runtimes, wish())
    assert result["changed"]
    assert result["after"]["status"] == "UP"
    assert haproxy.orders()[1:] == ["set server web/web1 health down", "set server web/web1 state ready"]
    assert not ready(runtimes, wish())["changed"]
    assert len(haproxy.orders()) == 3


def test_a_server_that_does_not_come_up_is_an_error_and_says_so(connect: Any) -> None:
    haproxy = three()
    runtimes = connect(haproxy)
    drain(runtimes, wish())
    haproxy.server("web1").alive = False
    problem = failure(ready, runtimes, wish(up_timeout=0.1))
    assert problem.kind == "not_up"
    assert "DOWN" in problem.message


def test_the_last_healthy_server_stays(connect: Any) -> None:
    haproxy = three()
    haproxy.server("web2").alive = haproxy.server("web3").alive = False
    problem = failure(drain, connect(haproxy), wish())
    assert problem.kind == "too_few_healthy"
    assert "web2 is DOWN" in problem.remedy
    assert haproxy.orders() == []


@pytest.mark.parametrize(
    "other",
    [
        {"bits": 8},  # drained
        {"bits": 1},  # in maintenance
        {"weight": 0},
        {"checked": False},
        {"backup": True},
    ],
)
def test_a_server_that_carries_nothing_or_that_nobody_checks_does_not_count(connect: Any, other: Any) -> None:
    haproxy = FakeHaproxy([FakeServer("web1"), FakeServer("web2", **other)])
    assert failure(drain, connect(haproxy), wish()).kind == "too_few_healthy"


@pytest.mark.parametrize(
    ("other", "option"), [({"checked": False}, "count_unchecked"), ({"backup": True}, "count_backup")]
)
def test_unchecked_and_backup_servers_count_on_demand(connect: Any, other: Any, option: str) -> None:
    haproxy = FakeHaproxy([FakeServer("web1"), FakeServer("web2", **other)])
    assert drain(connect(haproxy), wish(**{option: True}))["changed"]


def test_two_hosts_drained_at_the_same_moment_do_not_empty_the_backend(connect: Any) -> None:
    haproxy = FakeHaproxy([FakeServer("web1"), FakeServer("web2")])

    def another_is_drained_too(command: str) -> None:
        if command == "set server web/web1 state drain":
            haproxy.server("web2").bits = 8

    haproxy.before = another_is_drained_too
    problem = failure(drain, connect(haproxy), wish())
    assert problem.kind == "too_few_healthy"
    assert haproxy.server("web1").bits == 0, "web1 was put back"


def test_sessions_that_remain_put_the_server_back(connect: Any) -> None:
    haproxy = three(sessions=2, sticky=True)
    problem = failure(drain, connect(haproxy), wish(drain_timeout=0.1))
    assert problem.kind == "sessions_remain"
    assert problem.data["sessions"] == 2
    assert "put back" in problem.message
    assert haproxy.server("web1").bits == 0
    assert haproxy.server("web1").up, "its health was not touched"


def test_sessions_that_remain_can_be_cut_off_on_demand(connect: Any) -> None:
    haproxy = three(sessions=2, sticky=True)
    result = drain(connect(haproxy), wish(drain_timeout=0.05, restore_on_timeout=False))
    assert result["after"]["sessions"] == 2
    assert haproxy.server("web1").bits == 8


def test_a_drain_that_a_reload_undid_is_noticed(connect: Any) -> None:
    haproxy = three(sessions=9, sticky=True)
    looks = 0

    def reload(command: str) -> None:
        nonlocal looks
        looks += command.startswith("show stat")
        if looks == 4:
            haproxy.server("web1").bits = 0

    haproxy.before = reload
    assert failure(drain, connect(haproxy), wish()).kind == "drain_lost"


@pytest.mark.parametrize("state", [drain, ready])
def test_unknown_names_are_refused_with_the_known_ones(connect: Any, state: Any) -> None:
    runtimes = connect(three())
    server = failure(state, runtimes, wish(server="wbe1"))
    assert server.kind == "unknown_server"
    assert "did you mean web1?" in server.message
    assert "web1, web2, web3" in server.remedy
    backend = failure(state, runtimes, wish(backend="wep"))
    assert backend.kind == "unknown_backend"
    assert "did you mean web?" in backend.message


def test_names_that_carry_commands_never_reach_the_socket(connect: Any) -> None:
    haproxy = three()
    for names in ({"server": "web1 state drain; set server web/web2"}, {"backend": "web\nset server web/web1 x"}):
        assert failure(drain, connect(haproxy), wish(**names)).kind == "bad_name"
    assert haproxy.orders() == []


@pytest.mark.parametrize("state", [drain, ready])
def test_check_mode_foretells_and_changes_nothing(connect: Any, tmp_path: Path, state: Any) -> None:
    haproxy = three(bits=0 if state is drain else 8)
    result = state(connect(haproxy), wish(state_file=str(tmp_path / "state")), check_mode=True)
    assert result["changed"]
    assert result["after"]["admin_state"] == ("drain" if state is drain else "ready")
    assert haproxy.orders() == []
    assert not (tmp_path / "state").exists()


def test_check_mode_refuses_what_would_be_refused(connect: Any) -> None:
    denied = three()
    denied.level = "operator"
    assert failure(drain, connect(denied), wish(), check_mode=True).kind == "permission_denied"
    assert failure(drain, connect(three()), wish(min_healthy=3), check_mode=True).kind == "too_few_healthy"


def test_maintenance_comes_after_the_last_session_and_goes_back_through_drain(connect: Any) -> None:
    haproxy = three(sessions=2)
    runtimes = connect(haproxy)
    assert drain(runtimes, wish(maintenance=True))["after"]["admin_state"] == "maint"
    assert ready(runtimes, wish(maintenance=True))["after"]["status"] == "UP"
    assert [order.split(" ", 3)[3] for order in haproxy.orders()] == [
        "state drain",
        "state maint",
        "state drain",
        "health down",
        "state ready",
    ]


def test_the_maintenance_of_others_is_left_alone(connect: Any) -> None:
    haproxy = three(bits=1)
    runtimes = connect(haproxy)
    assert not drain(runtimes, wish())["changed"]
    assert failure(ready, runtimes, wish()).kind == "in_maintenance"
    assert haproxy.orders() == []


def test_other_servers_that_are_out_are_told(connect: Any) -> None:
    haproxy = FakeHaproxy([FakeServer("web1"), FakeServer("web2"), FakeServer("web3", bits=8)])
    assert drain(connect(haproxy), wish())["other_out_of_service"] == ["web3"]


def test_every_process_is_drained(connect: Any) -> None:
    pair = [three(sessions=3), three(sessions=1)]
    result = drain(connect(*pair), wish())
    assert [haproxy.server("web1").bits for haproxy in pair] == [8, 8]
    assert [instance["server"]["sessions"] for instance in result["instances"]] == [0, 0]


def test_a_process_that_refuses_leaves_no_other_drained(connect: Any) -> None:
    first, second = three(), three()
    second.before = lambda command: "No such server.\n" if command.startswith("set ") else None
    problem = failure(drain, connect(first, second), wish())
    assert problem.kind == "refused"
    assert first.server("web1").bits == 0


def test_what_could_not_be_put_back_is_told(connect: Any) -> None:
    haproxy = three(sessions=1, sticky=True)
    haproxy.before = lambda command: "Permission denied\n" if command.endswith("state ready") else None
    problem = failure(drain, connect(haproxy), wish(drain_timeout=0.05))
    assert problem.kind == "sessions_remain"
    assert len(problem.data["not_put_back"]) == 1
    assert "could not be put back" in problem.message


def test_a_server_without_a_check_is_not_taken_for_up(connect: Any) -> None:
    haproxy = three(checked=False)
    runtimes = connect(haproxy)
    drain(runtimes, wish())
    problem = failure(ready, runtimes, wish(up_timeout=0.05))
    assert problem.kind == "not_up"
    assert "count_unchecked" in problem.remedy
    assert ready(runtimes, wish(count_unchecked=True))["after"]["status"] == "no check"
    assert not any("health" in order for order in haproxy.orders()), "it would stay down for ever"


def test_the_state_file_holds_what_was_decided_and_nothing_else(connect: Any, tmp_path: Path) -> None:
    state_file = tmp_path / "state"
    runtimes = connect(three())
    drain(runtimes, wish(state_file=str(state_file)))
    assert [line.split()[3] for line in state_file.read_text().splitlines()[2:]] == ["web1"]
    assert not drain(runtimes, wish(state_file=str(state_file)))["changed"]
    state_file.write_text("")
    assert drain(runtimes, wish(state_file=str(state_file)))["changed"], "a reload would have undone the drain"
    ready(runtimes, wish(state_file=str(state_file)))
    assert len(state_file.read_text().splitlines()) == 2
    assert [path.name for path in tmp_path.glob(".server-state*")] == []


def test_a_state_file_that_cannot_be_written_leaves_the_server_in_service(connect: Any, tmp_path: Path) -> None:
    haproxy = three()
    problem = failure(drain, connect(haproxy), wish(state_file=str(tmp_path / "missing" / "state")))
    assert problem.kind == "state_file"
    assert haproxy.server("web1").bits == 0


def test_a_socket_that_a_reload_replaces_is_asked_again(connect: Any) -> None:
    haproxy = three(sessions=4)
    looks = 0

    def hang_up_once(command: str) -> str | None:
        nonlocal looks
        looks += command.startswith("show stat")
        if looks == 3:
            looks += 1
            raise ConnectionResetError
        return None

    haproxy.before = hang_up_once
    assert drain(connect(haproxy), wish())["after"]["sessions"] == 0
