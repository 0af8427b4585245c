# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health of an etcd cluster as its members tell it."""

from __future__ import annotations

from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._health.checks import run_checks


def look(endpoints: list[str], **keys: Any) -> dict[str, Any]:
    check = {"type": "etcd", "endpoints": endpoints, "timeout": 5, **keys}
    return run_checks([check], Commands())[0]


def test_a_whole_cluster_is_healthy(cluster: Any) -> None:
    result = look(cluster.endpoints)
    assert result["ok"]
    assert result["detail"] == "3 of 3 members healthy, leader kv1, largest lag 0"


def test_the_gateway_of_etcd_3_3_is_understood(old_cluster: Any) -> None:
    assert look(old_cluster.endpoints)["ok"]


def test_a_stopped_member_fails_the_check_unless_fewer_are_enough(cluster: Any) -> None:
    cluster.members[1].stop()
    result = look(cluster.endpoints)
    assert not result["ok"]
    assert "2 of 3 members healthy, needed 3" in result["detail"]
    assert look(cluster.endpoints, minimum_healthy=2)["ok"]


def test_a_member_without_quorum_is_not_healthy(cluster: Any) -> None:
    cluster.members[0].stop()
    cluster.members[1].stop()
    result = look(cluster.endpoints, minimum_healthy=1)
    assert not result["ok"]
    assert "0 of 3 members healthy" in result["detail"]
    assert "no leader" in result["detail"]


def test_members_must_agree_on_one_leader(cluster: Any) -> None:
    cluster.members[2].sees_leader = cluster.members[1].identity
    result = look(cluster.endpoints)
    assert not result["ok"]
    assert "do not agree on one leader: kv1, kv2" in result["detail"]


def test_a_member_that_is_behind_has_not_caught_up(cluster: Any) -> None:
    cluster.members[2].lag = 101
    result = look(cluster.endpoints)
    assert not result["ok"]
    assert "kv3 is 101 entries behind, allowed are 100" in result["detail"]
    assert look(cluster.endpoints, caught_up=False)["ok"]
    assert look(cluster.endpoints, maximum_lag=101)["ok"]


def test_an_alarm_fails_the_check_whatever_is_enough(cluster: Any) -> None:
    cluster.alarm = "memberID:1001 alarm:NOSPACE "
    result = look(cluster.endpoints, minimum_healthy=1)
    assert not result["ok"]
    assert "NOSPACE" in result["detail"]


def test_a_learner_is_not_a_healthy_member(cluster: Any) -> None:
    cluster.members[2].learner = True
    assert not look(cluster.endpoints)["ok"]
    assert look(cluster.endpoints, minimum_healthy=2)["ok"]


def test_one_member_under_two_addresses_counts_once(cluster: Any) -> None:
    first = cluster.endpoints[0]
    result = look([first, first, cluster.endpoints[1]], minimum_healthy=3)
    assert not result["ok"]
    assert "2 of 3 members healthy, needed 3" in result["detail"]


def test_what_is_not_etcd_is_said_so(server: Any) -> None:
    server.routes["/health"] = server.routes["/"]
    result = look([server.url])
    assert not result["ok"]
    assert "may not be an etcd endpoint" in result["detail"]


def test_certificate_files_that_do_not_exist_fail_the_check(cluster: Any) -> None:
    result = look(cluster.endpoints, ca_file="/nonexistent/ca.pem")
    assert not result["ok"]
    assert "certificate files cannot be used" in result["detail"]
