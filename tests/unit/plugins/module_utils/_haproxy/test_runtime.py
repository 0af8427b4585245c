# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""haproxy's socket is asked, and what it says is parsed strictly. The samples are recorded from haproxy 2.6.12."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.backend import Admin, Operation, parse_server
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.runtime import (
    Runtime,
    checked_name,
    parse_information,
    parse_servers_state,
    parse_statistics,
)
from ansible_collections.bankops.fleet.tests.fakes.haproxy import FakeHaproxy, FakeServer, listening

RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> str:
    return (RECORDED / f"haproxy-2.6.12-{name}.txt").read_text()


def servers(suffix: str = "") -> dict[str, tuple[Admin, Operation, str]]:
    states = {row["srv_name"]: row for row in parse_servers_state(recorded(f"servers-state{suffix}"))}
    parsed = [parse_server(row, states[row["svname"]]) for row in parse_statistics(recorded(f"stat{suffix}"))]
    return {server.name: (server.admin, server.operation, server.status) for server in parsed}


def test_every_server_of_a_real_backend_is_understood() -> None:
    assert servers() == {
        "a": (Admin.DRAIN, Operation.UP, "DRAIN"),
        "b": (Admin.MAINT, Operation.UNKNOWN, "MAINT"),
        "c": (Admin.READY, Operation.UP, "UP"),
        "d": (Admin.READY, Operation.DOWN, "DOWN"),
        "e": (Admin.MAINT, Operation.UNKNOWN, "MAINT"),
        "f": (Admin.READY, Operation.UP, "UP"),
        "g": (Admin.DRAIN, Operation.UP, "DRAIN"),  # it tracks a, and drains with it
    }


def test_servers_that_nobody_checks_are_not_up() -> None:
    found = servers("-unchecked")
    assert found["p1"] == (Admin.READY, Operation.UNCHECKED, "no check")
    assert found["t"][1] is Operation.UP, "a server that tracks another is checked by it"


def test_information_of_a_real_haproxy() -> None:
    assert parse_information(recorded("info"))["Version"].startswith("2.6.12")


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_statistics, ""),
        (parse_statistics, "app,a,UP"),
        (parse_statistics, "# pxname,svname\napp,a"),
        (parse_statistics, recorded("stat").rstrip() + "\napp,h,0,0\n"),
        (parse_servers_state, ""),
        (parse_servers_state, recorded("servers-state").replace("1\n", "2\n", 1)),
        (parse_servers_state, recorded("servers-state").rstrip() + "\n3 app 8\n"),
        (parse_information, "Name: HAProxy\n"),
    ],
)
def test_an_answer_that_is_not_what_it_should_be_is_refused(parse: object, text: str) -> None:
    with pytest.raises(FleetError) as caught:
        parse(text)  # type: ignore[operator]
    assert caught.value.kind == "unexpected_answer"


@pytest.mark.parametrize("name", ["a;b", "a\nset server x/y state drain", "a b", "a/b", "", "a\\", "é", "$(id)"])
def test_names_that_could_carry_a_command_are_refused(name: str) -> None:
    with pytest.raises(FleetError) as caught:
        checked_name(name, "server")
    assert caught.value.kind == "bad_name"


@pytest.mark.parametrize("address", ["admin.sock", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "a b:1", ""])
def test_addresses_that_are_none_are_refused(address: str) -> None:
    with pytest.raises(FleetError) as caught:
        Runtime(address)
    assert caught.value.kind == "bad_address"


def test_a_socket_that_is_not_there() -> None:
    with pytest.raises(FleetError) as caught:
        Runtime("/nonexistent/admin.sock").information()
    assert caught.value.kind == "socket_missing"


def test_a_port_on_which_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FleetError) as caught:
        Runtime(f"127.0.0.1:{port}").information()
    assert caught.value.kind == "socket_refused"


AGAIN = "Is haproxy overloaded, or reloading? Run patch_apply.yml again."


def test_a_socket_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        runtime = Runtime(f"127.0.0.1:{listener.getsockname()[1]}", timeout=0.05)
        with pytest.raises(FleetError) as caught:
            runtime.information()
    assert (caught.value.kind, caught.value.remedy) == ("socket_timeout", AGAIN)


def test_a_socket_that_hangs_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection = listener.accept()[0]
            connection.recv(100)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(FleetError) as caught:
            Runtime(f"127.0.0.1:{listener.getsockname()[1]}").information()
        thread.join()
    assert (caught.value.kind, caught.value.remedy) == ("socket_closed", AGAIN)


def test_a_socket_of_a_lower_level_is_refused_by_name(tmp_path: Path) -> None:
    haproxy = FakeHaproxy([FakeServer("web1")], level="operator")
    with listening(haproxy, tmp_path / "s") as address:
        with pytest.raises(FleetError) as asked:
            Runtime(address).require_admin()
        with pytest.raises(FleetError) as ordered:
            Runtime(address).order("set server web/web1 state drain")
    assert asked.value.kind == ordered.value.kind == "permission_denied"


def test_what_haproxy_says_to_an_order_it_does_not_obey_is_the_error(tmp_path: Path) -> None:
    haproxy = FakeHaproxy([FakeServer("web1")])
    with listening(haproxy, tmp_path / "s") as address, pytest.raises(FleetError) as caught:
        Runtime(address).order("set server web/web9 state drain")
    assert caught.value.kind == "refused"
    assert "No such server." in caught.value.message
