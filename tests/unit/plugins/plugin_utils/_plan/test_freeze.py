# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Freezing: what a plan decides for every host, and that it says why."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._once import MOST
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import ScannedHost
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.gates import host_gates
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import Policy
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.scans import OPENSSL, pending, scan

from .fleets import NOW, SOURCE, WAVES, policies, policy, scanned
from .freezing import freeze, one, state

__all__ = ["state"]


KERNEL = {
    "name": "linux-image-6.1.0-40-amd64",
    "arch": "amd64",
    "action": "install",
    "installed": None,
    "candidate": "6.1.153-1",
}
REMOVAL = {"name": "libssl1.1", "arch": "amd64", "action": "remove", "installed": "1.1.1n", "candidate": None}


def gate_of(found: dict[str, Any], name: str, variables: dict[str, Any] | None = None) -> tuple[str, str]:
    gates = {gate["name"]: gate for gate in host_gates(found, policy(**(variables or {})).as_data(), [])}
    return gates[name]["verdict"], gates[name]["evidence"]


# Decisions


def test_a_host_with_a_selected_update_is_patched(state: FolderState) -> None:
    entry, document = one(state, scan())
    assert (entry["decision"], entry["reason"], entry["updates"]) == ("patch", "", 1)
    assert document["transaction"] == [OPENSSL]
    assert document["identity"] == {"machine_id": "m1", "instance_id": "unknown"}
    assert {gate["verdict"] for gate in document["gates"]} == {"pass"}
    assert document["pending"][0]["first_seen"] == "2026-11-21"


def test_the_head_has_the_shape_of_the_contract(state: FolderState) -> None:
    frozen = freeze(state, scanned(policies(web1={"fleet_cluster": "web"}, web2={"fleet_cluster": "web"})))
    head = state.get_plan("tenant1", frozen.plan)
    assert head == frozen.head
    assert {key: head[key] for key in ("format", "tenant", "cycle", "created", "expires", "revision", "limits")} == {
        "format": 1,
        "tenant": "tenant1",
        "cycle": "2026-11",
        "created": "2026-11-21T03:00:00Z",
        "expires": "2026-11-28T03:00:00Z",
        "revision": "abc",
        "limits": {"max_failed": 0, "cluster_max_down": {"web": 1}},
    }
    assert head["waves"][-1] == {"name": "broad", "soak_minutes": 0, "batches": [["web1"], ["web2"]]}


def test_the_same_facts_make_the_same_plan(state: FolderState, tmp_path: Path) -> None:
    found = policies(web1={}, web2={}, web3={})
    again = FolderState(tmp_path / "again")
    assert freeze(state, scanned(found)).plan == freeze(again, reversed(scanned(found))).plan


def test_a_host_without_selected_updates_is_unchanged(state: FolderState) -> None:
    left = pending(OPENSSL, selected=False, reason="not_security")
    entry, _document = one(state, scan(transaction=[], pending=[left]))
    assert (entry["decision"], entry["reason"]) == ("unchanged", "no pending update is selected (1 not_security)")


def test_an_unreachable_host_is_in_the_plan_and_in_no_batch(state: FolderState) -> None:
    found = policies(web1={}, web2={})
    hosts = [ScannedHost("web1", found["web1"], None, reachable=False, failure="no route"), scanned(found)[1]]
    head = freeze(state, hosts).head
    assert (head["hosts"]["web1"]["decision"], head["hosts"]["web1"]["reason"]) == ("unreachable", "no route")
    assert [wave["batches"] for wave in head["waves"]] == [[], [], [["web2"]]]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "the scan returned nothing"),
        ({"state": {}}, "the scan is incomplete: state.machine_id, state.disk, packages.manager"),
        (scan(manager=None), "the host has neither apt nor dnf"),
        (scan(machine=""), "identity: the host has no machine id; run systemd-machine-id-setup on it"),
        (scan(refresh_error="mirror away"), "metadata: the package lists could not be refreshed: mirror away"),
        (scan(transaction=[], refresh_error="x"), "metadata: the package lists could not be refreshed: x"),
        (
            scan(transaction=[OPENSSL, REMOVAL]),
            "removals: the transaction removes libssl1.1; exclude what needs it, or set patch_allow_removals",
        ),
    ],
)
def test_what_cannot_be_decided_is_skipped_with_the_reason(state: FolderState, found: Any, reason: str) -> None:
    entry, _document = one(state, found)
    assert entry["decision"] == "skipped"
    assert entry["reason"].startswith(reason)


def test_a_transaction_that_changes_a_held_package_is_not_planned(state: FolderState) -> None:
    hold = {"package": "open*", "owner": "payments team", "reason": "not certified", "expires": "2026-12-31"}
    entry, document = one(state, scan(), {"patch_holds": [hold]})
    assert entry["reason"].startswith("holds: the transaction changes openssl, which is held")
    assert document["holds"] == [{**hold, "ticket": "", "expired": False, "updates": ["openssl"]}]


def test_an_expired_hold_keeps_nothing_back_and_is_reported(state: FolderState) -> None:
    hold = {"package": "openssl", "owner": "payments team", "reason": "not certified", "expires": "2026-11-20"}
    entry, document = one(state, scan(), {"patch_holds": [hold]})
    assert entry["decision"] == "patch"
    assert document["holds"][0]["expired"] is True
    assert document["selection"]["held"] == []


def test_a_hold_of_the_package_manager_is_reported_without_an_owner(state: FolderState) -> None:
    _entry, document = one(state, scan(held=[{"name": "openssl", "version": "3.0.11-1"}]))
    assert document["holds"][0]["owner"] is None
    assert document["holds"][0]["reason"] == "held at 3.0.11-1 in the package manager itself"


def test_first_seen_dates_are_kept_from_plan_to_plan(state: FolderState) -> None:
    one(state, scan())
    later = freeze(state, scanned({"web1": policy()}), created=NOW + timedelta(days=30))
    document = state.get_host("tenant1", later.plan, "web1")
    assert document["pending"][0]["first_seen"] == "2026-11-21"
    assert state.first_seen("tenant1", [], date(2026, 12, 21)) == {"openssl=3.0.17-1": "2026-11-21"}


# Gates


@pytest.mark.parametrize(
    ("found", "name", "expected"),
    [
        (scan(), "identity", ("pass", "machine id m1")),
        (
            scan(locks=[{"path": "/var/lib/dpkg/lock", "pid": 7, "command": "apt-get"}]),
            "locks",
            ("block", "at work beside us: apt-get (pid 7)"),
        ),
        (
            scan(other_actors=[{"pid": 9, "command": "unattended-upgr"}]),
            "locks",
            ("block", "at work beside us: unattended-upgr (pid 9)"),
        ),
        (
            scan(interrupted={"interrupted": True, "details": ["nginx is half-configured"]}),
            "interrupted",
            ("pass", "will be healed first: nginx is half-configured"),
        ),
        (
            scan(download_bytes=11_000_000_000),
            "disk",
            ("block", "/ has 9536 MB free and needs 10993 MB; /var has 9536 MB free and needs 10993 MB"),
        ),
    ],
)
def test_a_gate_says_its_verdict_with_evidence(found: Any, name: str, expected: tuple[str, str]) -> None:
    assert gate_of(found, name) == expected


def test_a_kernel_without_a_reboot_is_a_warning() -> None:
    found = scan(transaction=[KERNEL])
    found["packages"]["pending"] = [pending(KERNEL, is_kernel=True)]
    verdict, evidence = gate_of(found, "reboot", {"patch_reboot": "never"})
    assert verdict == "pass"
    assert evidence.startswith("warning: linux-image-6.1.0-40-amd64 takes effect at a reboot")


def test_a_path_is_measured_on_its_own_file_system_or_not_at_all() -> None:
    found = scan()
    del found["state"]["disk"]["/boot"]
    assert gate_of(found, "disk")[0] == "pass"
    found["state"]["mounts"] = ["/", "/boot"]
    assert gate_of(found, "disk") == ("unknown", "the free space on /boot was not read")


def test_a_health_check_that_is_not_well_is_shown_in_the_plan(state: FolderState) -> None:
    checks = {"patch_health_checks": [{"type": "tcp", "name": "https", "port": 443}]}
    failed = {**scan(), "checks": [{"name": "https", "ok": False, "detail": "refused"}]}
    assert gate_of(failed, "checks", checks) == ("block", "https: refused")
    assert one(state, scan(), checks)[0]["reason"] == ""


def test_a_gate_of_the_moment_does_not_take_a_host_out_of_the_plan(state: FolderState) -> None:
    entry, _document = one(state, scan(locks=[{"path": "/x", "pid": 7, "command": "apt-get"}]))
    assert (entry["decision"], entry["reason"]) == ("patch", "locks: at work beside us: apt-get (pid 7)")


# Bad input


def test_two_names_of_one_machine_are_refused(state: FolderState, tmp_path: Path) -> None:
    found = policies(web1={}, web2={}, web3={})
    hosts = [ScannedHost(host, its, scan("same" if host != "web2" else "other")) for host, its in found.items()]
    with pytest.raises(FleetError) as caught:
        freeze(state, hosts)
    assert caught.value.kind == "duplicate_host"
    assert caught.value.as_result()["msg"] == (
        "inventories/example: hosts that are the same machine: web1 and web3 have the machine id same. "
        "Leave one name of each in the inventory; on cloned machines, run systemd-machine-id-setup."
    )
    assert list((tmp_path / "tenants/tenant1/plans").iterdir()) == []


def test_one_name_twice_is_refused(state: FolderState) -> None:
    with pytest.raises(FleetError, match="inventories/example: web1 appears twice"):
        freeze(state, [*scanned({"web1": policy()}), *scanned({"web1": policy()})])


def test_an_empty_fleet_is_refused(state: FolderState) -> None:
    with pytest.raises(FleetError, match="inventories/example: no host is selected") as caught:
        freeze(state, [])
    assert caught.value.kind == "empty_fleet"


# Scale


def test_hosts_go_by_one_after_the_other_and_are_forgotten(state: FolderState) -> None:
    """Once the updates of as many kinds of hosts are kept as ever are, more hosts need hardly more memory."""
    changes = [{**OPENSSL, "name": f"package{number}"} for number in range(100)]

    def fleet(count: int) -> Iterator[ScannedHost]:
        its: Policy = policy(patch_waves=WAVES)
        for number in range(count):
            yield ScannedHost(f"web{number}", its, scan(f"m{number}", changes))

    def peak(count: int) -> int:
        tracemalloc.start()
        freeze(state, fleet(count), cycle=f"2026-{count // MOST + 1:02}")
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(1)
    assert peak(3 * MOST) < 1.2 * peak(MOST)


# What reports need


def test_the_query_that_found_the_population_is_frozen(state: FolderState) -> None:
    query = {"inventory": SOURCE, "hosts": "fleet", "limit": "web*"}
    frozen = freeze(state, scanned(policies(web1={})), query=query)
    assert state.get_plan("tenant1", frozen.plan)["query"] == query


def test_a_host_keeps_where_it_is_and_what_it_is_for(state: FolderState) -> None:
    place = {
        "fleet_cloud": "aws",
        "fleet_account": "123456789012",
        "fleet_region": "eu-central-1",
        "fleet_environment": "production",
    }
    _entry, document = one(state, scan(), place)
    assert document["placement"] == {name.removeprefix("fleet_"): value for name, value in place.items()}
    _entry, document = one(state, scan())
    assert set(document["placement"].values()) == {"unknown"}


def test_service_levels_are_frozen_with_the_policy(state: FolderState) -> None:
    _entry, document = one(state, scan(), {"patch_service_levels": {"critical": 7}})
    levels = {"critical": 7, "important": 30, "moderate": 90, "low": 90, "unknown": 30}
    assert document["policy"]["service_levels"] == levels
    with pytest.raises(FleetError, match=r"patch_service_levels\.low: 0: must be at least 1"):
        policy(patch_service_levels={"low": 0})
