# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A load balancer that does not do as it is asked: no host is changed behind it, and none is lost in it."""

from __future__ import annotations

import json

import pytest

from ..conftest import RunningLab
from .aftermath import (
    BOTH,
    apply,
    assert_sound,
    in_the_transaction,
    install,
    prepare,
    results,
    resume,
    users,
    wait_for,
)

HOSTS = ("lb1", "web1", "web2")
STATE_FILE = "/var/lib/haproxy/server-state"


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
        fresh.ssh("lb1", "sed -i 's/level user/level admin/' /etc/haproxy/haproxy.cfg && systemctl reload haproxy")
        resume(fresh, cycle, BOTH)


def test_no_host_is_drained_when_too_few_others_are_healthy(fresh: RunningLab) -> None:
    cycle = "2026-03"
    prepare(fresh, cycle)
    with users(fresh):
        fresh.haproxy("disable server web/web2")
        applied = apply(fresh, cycle)
        assert applied.returncode != 0
        assert fresh.servers() == {"web1": "UP", "web2": "MAINT"}
        web1 = results(fresh, cycle)["web1"]
        assert web1.in_service == "yes"
        assert "web2 is MAINT" in web1.reason
        fresh.haproxy("enable server web/web2")
        wait_for(lambda: fresh.servers()["web2"] == "UP")
        assert_sound(fresh, cycle, {"web1": "skipped", "web2": "not_attempted"})
        resume(fresh, cycle, BOTH)


def drained(lab: RunningLab, server: str) -> bool:
    """Whether haproxy was told to drain the server, whatever its checks say of it."""
    rows = [line.split() for line in lab.haproxy("show servers state web").splitlines()]
    return next(int(row[6]) for row in rows if row[3:4] == [server]) & 0x08 != 0


def reload(lab: RunningLab) -> None:
    """Replace the worker of haproxy, and wait for the new one."""

    def worker() -> str:
        return next(line for line in lab.haproxy("show info").splitlines() if line.startswith("Pid:"))

    before = worker()
    lab.ssh("lb1", "systemctl reload haproxy")
    wait_for(lambda: worker() != before)


def test_a_reload_while_a_server_is_drained_loses_nobody(fresh: RunningLab) -> None:
    cycle = "2026-04"
    install(fresh, "web1", "fleet-slow=1.0")
    prepare(fresh, cycle, patch_load_balancer=balancer(state_file=STATE_FILE))

    def reload_in_the_middle() -> None:
        assert drained(fresh, "web1")
        reload(fresh)
        assert drained(fresh, "web1")

    with users(fresh):
        with in_the_transaction(fresh, "web1", reload_in_the_middle):
            applied = apply(fresh, cycle)
        assert applied.returncode == 0
        assert_sound(fresh, cycle, BOTH)


def test_a_reload_that_forgets_the_drain_is_recorded(fresh: RunningLab) -> None:
    cycle = "2026-05"
    drop_in = "/etc/systemd/system/haproxy.service.d/fleet-lab.conf"
    fresh.ssh("lb1", f"rm {drop_in} {STATE_FILE}; systemctl daemon-reload; systemctl restart haproxy")
    install(fresh, "web1", "fleet-slow=1.0")
    prepare(fresh, cycle, patch_load_balancer=balancer())

    def reload_in_the_middle() -> None:
        reload(fresh)
        # Whoever is sent there now depends on how soon a check sees that the site is away.
        assert not drained(fresh, "web1")

    with in_the_transaction(fresh, "web1", reload_in_the_middle):
        applied = apply(fresh, cycle)
    assert applied.returncode == 0
    assert_sound(fresh, cycle, BOTH)
    returns = [entry["data"] for entry in fresh.ledger("alpha", cycle) if entry["phase"] == "return"]
    assert [data["before"]["admin_state"] for data in returns if "before" in data] == ["ready", "drain"]


def test_users_notice_a_host_that_is_changed_without_a_drain(fresh: RunningLab) -> None:
    """What all other tests say of users means something: their requests do fail when nobody drains the server."""
    cycle = "2026-06"
    install(fresh, "web1", "fleet-slow=1.0")
    prepare(fresh, cycle, "--limit", "web1", patch_load_balancer=None)

    def noticed() -> bool:
        return int(json.loads(fresh.lab("traffic", "report").stdout)["failed"]) > 0

    def change() -> None:
        with users(fresh), in_the_transaction(fresh, "web1", lambda: wait_for(noticed)):
            apply(fresh, cycle, "--limit", "web1")

    with pytest.raises(AssertionError, match=r'"failed": [1-9]'):
        change()
    assert_sound(fresh, cycle, {"web1": "verified"})
