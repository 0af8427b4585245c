# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A load balancer that does not do as it is asked: no host is changed behind it, and none is lost in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..conftest import RunningLab
from .aftermath import (
    apply,
    assert_sound,
    hold_transaction,
    install,
    installed,
    let_transaction_go,
    meanwhile,
    prepare,
    results,
    resume,
    users,
    wait_for,
    wait_for_transaction,
)

BOTH = {"web1": "verified", "web2": "verified"}
UNTOUCHED = {"fleet-hello": "1.0", "fleet-tools": "1.0"}
DISABLE_WEB2 = (
    'import socket; admin = socket.socket(socket.AF_UNIX); admin.connect("/run/haproxy/admin.sock"); '
    'admin.sendall(b"disable server web/web2\\n"); admin.recv(100)'
)
STATE_FILE = "/var/lib/haproxy/server-state"


@pytest.fixture(scope="module")
def fleet(start_lab: Callable[..., RunningLab]) -> RunningLab:
    """Two web servers behind the load balancer."""
    return start_lab("faultbalancer", "--only", "lb1,web1,web2")


def balancer(**more: object) -> dict[str, object]:
    """The policy of the lab's load balancer, with some of it changed."""
    return {"host": "lb1", "backend": "web", "socket": "/run/haproxy/admin.sock", "min_healthy": 1, **more}


def test_a_stopped_haproxy_keeps_every_host_as_it_is(fresh: RunningLab) -> None:
    cycle = "2026-01"
    prepare(fresh, cycle)
    fresh.ssh("lb1", "systemctl stop haproxy")
    applied = apply(fresh, cycle)
    assert applied.returncode != 0
    fresh.ssh("lb1", "systemctl start haproxy")
    assert_sound(fresh, cycle, {"web1": "skipped", "web2": "not_attempted"})
    web1 = results(fresh, cycle)["web1"]
    assert "haproxy" in web1.reason
    assert installed(fresh, "web1") == UNTOUCHED
    resume(fresh, cycle, BOTH)


def test_a_socket_that_may_only_be_read_keeps_every_host_as_it_is(fresh: RunningLab) -> None:
    cycle = "2026-02"
    prepare(fresh, cycle)
    fresh.ssh("lb1", "sed -i 's/level admin/level user/' /etc/haproxy/haproxy.cfg && systemctl restart haproxy")
    with users(fresh):
        applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert_sound(fresh, cycle, {"web1": "skipped", "web2": "not_attempted"})
        web1 = results(fresh, cycle)["web1"]
        assert "may not change a server" in web1.reason
        assert web1.in_service == "yes"
        assert installed(fresh, "web1") == UNTOUCHED
        fresh.ssh("lb1", "sed -i 's/level user/level admin/' /etc/haproxy/haproxy.cfg && systemctl reload haproxy")
        resume(fresh, cycle, BOTH)


def test_no_host_is_drained_when_too_few_others_are_healthy(fresh: RunningLab) -> None:
    cycle = "2026-03"
    prepare(fresh, cycle)
    with users(fresh):
        fresh.ssh("lb1", f"python3 -c '{DISABLE_WEB2}'")
        applied = apply(fresh, cycle)
        assert applied.returncode != 0
        found = results(fresh, cycle)
        assert {host: str(done.outcome) for host, done in found.items()} == {"web1": "skipped", "web2": "not_attempted"}
        assert found["web1"].in_service == "yes"
        assert fresh.servers() == {"web1": "UP", "web2": "MAINT"}
        assert installed(fresh, "web1") == UNTOUCHED


@pytest.mark.parametrize("keeps_state", [True, False])
def test_a_reload_while_a_server_is_drained_loses_nobody(fresh: RunningLab, keeps_state: bool) -> None:
    cycle = "2026-04" if keeps_state else "2026-05"
    if not keeps_state:
        drop_in = "/etc/systemd/system/haproxy.service.d/fleet-lab.conf"
        fresh.ssh("lb1", f"rm {drop_in} {STATE_FILE}; systemctl daemon-reload; systemctl restart haproxy")
    install(fresh, "web1", "fleet-slow=1.0")
    wanted = balancer(state_file=STATE_FILE) if keeps_state else balancer()
    prepare(fresh, cycle, patch_load_balancer=wanted)
    hold_transaction(fresh, "web1")

    def reload_in_the_middle() -> None:
        wait_for_transaction(fresh, "web1")
        assert fresh.servers()["web1"] == "DRAIN"
        fresh.ssh("lb1", "systemctl reload haproxy")
        wait_for(lambda: fresh.servers()["web1"] == ("DRAIN" if keeps_state else "UP"))
        let_transaction_go(fresh, "web1")

    with users(fresh):
        with meanwhile(reload_in_the_middle):
            applied = apply(fresh, cycle)
        assert applied.returncode == 0
        assert_sound(fresh, cycle, BOTH)
    assert fresh.servers() == {"web1": "UP", "web2": "UP"}
