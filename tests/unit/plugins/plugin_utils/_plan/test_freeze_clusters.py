# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Freezing: clusters and backends keep as many members in service as they must."""

from __future__ import annotations

from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import ScannedHost
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

from .fleets import policies, scanned
from .freezing import freeze, state

__all__ = ["state"]


def balanced(host: str, **more: Any) -> dict[str, Any]:
    return {"patch_load_balancer": {"host": "lb1", "backend": "web", **more}, "patch_cluster_max_down": 2}


def test_servers_of_a_backend_are_never_all_out_of_service(state: FolderState) -> None:
    found = policies(web1=balanced("web1"), web2=balanced("web2"), web3=balanced("web3"))
    waves = [{"name": "broad", "batches": ["100%"], "soak_minutes": 0}]
    found = policies(**{host: {**balanced(host), "patch_waves": waves} for host in found})
    assert freeze(state, scanned(found)).head["waves"][0]["batches"] == [["web1", "web2"], ["web3"]]


def test_the_last_server_of_a_backend_is_not_planned_and_told_why(state: FolderState) -> None:
    frozen = freeze(state, scanned(policies(web1=balanced("web1"))))
    entry = frozen.head["hosts"]["web1"]
    reason = (
        "backend: web on lb1: it has 1 servers and 1 must stay healthy, so none may be taken out; "
        "add a server, or lower patch_load_balancer.min_healthy"
    )
    assert (entry["decision"], entry["reason"]) == ("skipped", reason)
    gates = state.get_host("tenant1", frozen.plan, "web1")["gates"]
    assert gates[-1] == {"name": "backend", "verdict": "block", "evidence": reason.removeprefix("backend: ")}


def test_hosts_outside_the_limit_count_as_servers_all_the_same(state: FolderState) -> None:
    found = policies(web1=balanced("web1"), web2=balanced("web2"))
    head = freeze(state, scanned({"web1": found["web1"]}), bystanders=[found["web2"]]).head
    assert head["hosts"]["web1"]["decision"] == "patch"


def test_a_member_that_cannot_be_reached_takes_the_room_of_its_cluster(state: FolderState) -> None:
    found = policies(**{host: {"fleet_cluster": "etcd"} for host in ("kv1", "kv2", "kv3")})
    hosts = scanned(found)
    hosts[0] = ScannedHost("kv1", found["kv1"], None, reachable=False)
    head = freeze(state, hosts).head
    assert [head["hosts"][host]["decision"] for host in ("kv1", "kv2", "kv3")] == ["unreachable", "skipped", "skipped"]
    assert head["hosts"]["kv2"]["reason"] == (
        "cluster: etcd: 1 of 3 hosts cannot be reached and may be out of service, so no other may be taken out; "
        "bring them back, then plan again"
    )
