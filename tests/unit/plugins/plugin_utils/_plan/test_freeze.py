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
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import FrozenPlan, ScannedHost, freeze_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.gates import host_gates
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import Policy
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.scans import OPENSSL, pending, scan

from .fleets import NOW, SOURCE, WAVES, policies, policy, scanned

KERNEL = {
    "name": "linux-image-6.1.0-40-amd64",
    "arch": "amd64",
    "action": "install",
    "installed": None,
    "candidate": "6.1.153-1",
}
REMOVAL = {"name": "libssl1.1", "arch": "amd64", "action": "remove", "installed": "1.1.1n", "candidate": None}


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    return FolderState(tmp_path)


def freeze(state: FolderState, hosts: Any, **more: Any) -> FrozenPlan:
    arguments = {"tenant": "tenant1", "cycle": "2026-11", "created": NOW, "revision": "abc", "source": SOURCE, **more}
    return freeze_plan(state, hosts=hosts, **arguments)


def one(state: FolderState, found: dict[str, Any] | None, variables: dict[str, Any] | None = None, **more: Any) -> Any:
    """The head's entry and the document of a plan for web1 alone."""
    frozen = freeze(state, [ScannedHost("web1", policy(**(variables or {})), found, **more)])
    return frozen.head["hosts"]["web1"], state.get_host("tenant1", frozen.plan, "web1")


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


# The calendar, the tenant, and overrides

WINDOW = {"rrule": "FREQ=MONTHLY;BYDAY=2TU", "start": "2026-01-13T22:00", "duration_minutes": 240}
FULL = scan(download_bytes=11_000_000_000)


def override(gate: str) -> dict[str, str]:
    return {"gate": gate, "owner": "operations", "reason": "agreed", "expires": "2026-11-21"}


def test_a_host_that_no_window_is_open_for_stays_in_the_plan(state: FolderState) -> None:
    entry, document = one(state, scan(), {"patch_window": WINDOW})
    assert entry["decision"] == "patch"
    assert entry["reason"] == (
        "window: none is open before the plan expires at 2026-11-28T03:00+00:00; "
        "the next one opens at 2026-12-08T22:00+00:00"
    )
    assert document["gates"][-2]["verdict"] == "block"


def test_a_host_that_is_not_changed_needs_no_window(state: FolderState) -> None:
    entry, document = one(state, scan(transaction=[]), {"patch_window": WINDOW})
    assert (entry["decision"], {gate["verdict"] for gate in document["gates"]}) == ("unchanged", {"pass"})


def test_the_estimated_time_of_the_host_must_fit(state: FolderState) -> None:
    always = {"rrule": "FREQ=DAILY", "start": "2026-01-13T22:00", "duration_minutes": 2}
    assert one(state, scan(), {"patch_window": always})[0]["reason"] == ""
    reason = one(state, scan(), {"patch_window": always, "patch_reboot": "always"})[0]["reason"]
    assert "is long enough: the longest has 2 min left, and the change takes about 3 min" in reason


def test_a_freeze_calendar_that_is_missing_is_unknown_and_shown(state: FolderState, tmp_path: Path) -> None:
    entry, document = one(state, scan(), {"patch_freeze_calendar": str(tmp_path / "freezes.ics")})
    assert entry["decision"] == "patch"
    assert document["gates"][-1]["verdict"] == "unknown"
    assert "No such file or directory" in entry["reason"]


def test_a_gate_of_the_tenant_is_a_gate_of_each_host(state: FolderState) -> None:
    ticket = {"name": "ticket", "verdict": "block", "evidence": "x is not of the form CHG[0-9]+"}
    frozen = freeze(state, scanned(policies(web1={}, web2={})), ticket=ticket)
    for host in ("web1", "web2"):
        assert ticket in state.get_host("tenant1", frozen.plan, host)["gates"]
        assert frozen.head["hosts"][host]["reason"] == f"ticket: {ticket['evidence']}"


def test_an_override_is_frozen_with_the_gate_it_opens(state: FolderState) -> None:
    entry, document = one(state, FULL, {"patch_overrides": [override("disk")]})
    assert (entry["decision"], entry["reason"]) == ("patch", "")
    disk = next(gate for gate in document["gates"] if gate["name"] == "disk")
    assert disk["verdict"] == "block"
    assert disk["override"] == {"owner": "operations", "reason": "agreed", "expires": "2026-11-21"}
    assert document["policy"]["overrides"] == [override("disk")]


def test_a_lasting_gate_that_is_overridden_lets_the_host_be_planned(state: FolderState) -> None:
    found = scan(refresh_error="mirror away")
    assert one(state, found)[0]["decision"] == "skipped"
    assert one(state, found, {"patch_overrides": [override("metadata")]})[0]["decision"] == "patch"


def test_an_override_that_has_expired_opens_nothing(state: FolderState) -> None:
    expired = {**override("metadata"), "expires": "2026-11-20"}
    entry, _document = one(state, scan(refresh_error="mirror away"), {"patch_overrides": [expired]})
    assert entry["decision"] == "skipped"
    assert entry["reason"].endswith("mirror away; the override by operations expired on 2026-11-20")


# Clusters and backends


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
    place = {"fleet_cloud": "aws", "fleet_region": "eu-central-1", "fleet_environment": "production"}
    _entry, document = one(state, scan(), place)
    assert document["placement"] == {"cloud": "aws", "region": "eu-central-1", "environment": "production"}
    _entry, document = one(state, scan())
    assert set(document["placement"].values()) == {"unknown"}


def test_service_levels_are_frozen_with_the_policy(state: FolderState) -> None:
    _entry, document = one(state, scan(), {"patch_service_levels": {"critical": 7}})
    levels = {"critical": 7, "important": 30, "moderate": 90, "low": 90, "unknown": 30}
    assert document["policy"]["service_levels"] == levels
    with pytest.raises(FleetError, match=r"patch_service_levels\.low: 0: must be at least 1"):
        policy(patch_service_levels={"low": 0})
