# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Preflight: whether a host is still the one that was planned for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import ScannedHost, freeze_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.preflight import Preflight, evaluate, regardless
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.scans import OPENSSL, scan

from .fleets import NOW, SOURCE, policy

NGINX = {
    "name": "nginx",
    "arch": "amd64",
    "action": "upgrade",
    "installed": "1.22.1-9",
    "candidate": "1.22.1-9+deb12u2",
}
NEWER = {**OPENSSL, "candidate": "3.0.18-1"}


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    """The document of a host for which openssl was planned."""
    return planned(tmp_path)


def planned(folder: Path, **variables: Any) -> dict[str, Any]:
    state = FolderState(folder)
    frozen = freeze_plan(
        state,
        tenant="tenant1",
        cycle="2026-11",
        hosts=[ScannedHost("web1", policy(**variables), scan())],
        created=NOW,
        revision="abc",
        source=SOURCE,
    )
    return state.get_host("tenant1", frozen.plan, "web1")


def look(document: dict[str, Any], found: dict[str, Any]) -> Preflight:
    return evaluate(document, found, NOW)


def blocked_by(document: dict[str, Any], found: dict[str, Any]) -> list[str]:
    result = look(document, found)
    assert result.verdict == "blocked"
    return [f"{gate['name']}: {gate['evidence']}" for gate in result.blocks]


def test_a_host_as_it_was_planned_proceeds(document: dict[str, Any]) -> None:
    result = look(document, scan())
    assert result.as_data() == {
        "verdict": "proceed",
        "blocks": [],
        "appeared": [],
        "vanished": [],
        "remaining": [OPENSSL],
        "notes": [],
    }


def test_an_update_that_appeared_is_reported_and_left_alone(document: dict[str, Any]) -> None:
    result = look(document, scan(transaction=[OPENSSL, NGINX]))
    assert (result.verdict, result.appeared, result.remaining) == ("proceed", [NGINX], [OPENSSL])
    assert result.notes == ["upgrade nginx 1.22.1-9+deb12u2 has appeared since the plan and is left alone"]


def test_a_newer_version_is_reported_and_the_planned_one_stays(document: dict[str, Any]) -> None:
    result = look(document, scan(transaction=[NEWER]))
    assert (result.verdict, result.appeared, result.remaining) == ("proceed", [NEWER], [OPENSSL])


def gone(*versions: str | None) -> list[dict[str, Any]]:
    """What a scan says of openssl when it is pending no more."""
    return [{"name": "openssl", "arch": "amd64", "installed": version} for version in versions]


def test_a_patched_host_has_nothing_to_do(document: dict[str, Any]) -> None:
    result = look(document, scan(transaction=[], not_pending=gone(OPENSSL["candidate"])))
    assert (result.verdict, result.vanished) == ("nothing_to_do", [OPENSSL])


def test_a_patched_host_with_a_still_newer_update_has_nothing_to_do(document: dict[str, Any]) -> None:
    result = look(document, scan(transaction=[{**NEWER, "installed": OPENSSL["candidate"]}]))
    assert (result.verdict, result.remaining) == ("nothing_to_do", [])
    assert len(result.appeared) == 1


@pytest.mark.parametrize("said", [gone(OPENSSL["installed"]), gone()], ids=["not installed", "not known"])
def test_a_version_that_was_withdrawn_is_not_done(document: dict[str, Any], said: list[dict[str, Any]]) -> None:
    found = scan(transaction=[], not_pending=said)
    assert blocked_by(document, found) == [
        "versions: openssl is still at 3.0.11-1, and 3.0.17-1 is not offered any more"
    ]


def test_what_was_unpacked_and_not_configured_is_not_taken_for_withdrawn(document: dict[str, Any]) -> None:
    interrupted = {"interrupted": True, "details": ["openssl is unpacked"]}
    result = look(document, scan(transaction=[], not_pending=gone(None), interrupted=interrupted))
    assert (result.verdict, result.remaining) == ("proceed", [OPENSSL])


def test_another_machine_is_blocked(document: dict[str, Any]) -> None:
    assert blocked_by(document, scan(machine="m2")) == ["identity: the plan is for the machine m1, and this is m2"]


def test_a_package_at_a_third_version_is_blocked(document: dict[str, Any]) -> None:
    found = scan(transaction=[{**OPENSSL, "installed": "3.0.14-1"}])
    assert blocked_by(document, found) == ["versions: openssl is at 3.0.14-1 and was planned from 3.0.11-1"]


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (scan(manager="dnf"), "manager"),
        (scan(locks=[{"path": "/x", "pid": 7, "command": "apt-get"}]), "locks"),
        (scan(download_bytes=11_000_000_000), "disk"),
        (scan(refresh_error="mirror away"), "metadata"),
        ({"state": {}, "packages": {}}, "scan"),
        ({}, "scan"),
        ({**scan(), "checks": [{"name": "https", "ok": False, "detail": "refused"}]}, "checks"),
        ({**scan(), "checks": [{"name": "https", "ok": "unknown", "detail": "?"}]}, "checks"),
    ],
)
def test_a_gate_that_does_not_pass_now_blocks(document: dict[str, Any], found: dict[str, Any], name: str) -> None:
    assert [reason.partition(":")[0] for reason in blocked_by(document, found)] == [name]


def test_health_checks_that_were_not_run_are_no_pass(tmp_path: Path) -> None:
    document = planned(tmp_path, patch_health_checks=[{"type": "tcp", "name": "https", "port": 443}])
    assert blocked_by(document, scan()) == ["checks: 0 of 1 health checks were run"]
    well = {**scan(), "checks": [{"name": "https", "ok": True, "detail": ""}]}
    assert look(document, well).verdict == "proceed"


def test_a_gate_of_the_plan_itself_stays_shut(document: dict[str, Any]) -> None:
    document["gates"].append({"name": "backend", "verdict": "block", "evidence": "the last one"})
    assert blocked_by(document, scan()) == ["backend: the last one"]


def test_a_gate_of_the_moment_is_looked_at_again(document: dict[str, Any]) -> None:
    document["gates"].append({"name": "locks", "verdict": "block", "evidence": "apt-daily at the time of the plan"})
    assert look(document, scan()).verdict == "proceed"


def test_a_hold_that_expired_since_is_noted(tmp_path: Path) -> None:
    hold = {"package": "nginx", "owner": "web team", "reason": "freeze", "expires": "2026-11-21"}
    document = planned(tmp_path, patch_holds=[hold])
    assert look(document, scan()).notes == []
    later = evaluate(document, scan(), NOW + timedelta(days=1))
    assert later.notes == ["the hold of web team on nginx has expired; this plan still keeps it back"]


# Overrides

OVERRIDE = {"gate": "disk", "owner": "operations", "reason": "cleaned by hand", "expires": "2026-11-21"}


def test_an_overridden_gate_lets_the_host_through_and_is_noted(tmp_path: Path) -> None:
    document = planned(tmp_path, patch_overrides=[OVERRIDE])
    result = look(document, scan(download_bytes=11_000_000_000))
    assert result.verdict == "proceed"
    assert result.notes == [
        "disk: / has 9536 MB free and needs 10993 MB; /var has 9536 MB free and needs 10993 MB; "
        "let through by operations until 2026-11-21: cleaned by hand"
    ]


def test_an_override_that_expired_since_the_plan_lets_nothing_through(tmp_path: Path) -> None:
    document = planned(tmp_path, patch_overrides=[OVERRIDE])
    later = evaluate(document, scan(download_bytes=11_000_000_000), NOW + timedelta(days=1))
    assert later.verdict == "blocked"
    assert later.blocks[0]["evidence"].endswith("; the override by operations expired on 2026-11-21")


def test_a_plan_that_missed_hosts_stays_shut(document: dict[str, Any]) -> None:
    document["gates"].append({"name": "population", "verdict": "block", "evidence": "1 of 9 hosts is gone"})
    assert blocked_by(document, scan()) == ["population: 1 of 9 hosts is gone"]


@pytest.mark.parametrize("name", ["window", "freeze", "ticket"])
def test_what_is_looked_at_for_a_whole_batch_is_not_looked_at_here(document: dict[str, Any], name: str) -> None:
    document["gates"].append({"name": name, "verdict": "block", "evidence": "at the time of the plan"})
    assert look(document, scan()).verdict == "proceed"


# A host that must be brought to an end, or back


def mended(document: dict[str, Any], found: dict[str, Any], note: str = "") -> Preflight:
    return regardless(look(document, found), document, note)


@pytest.mark.parametrize("name", ["checks", "locks"])
def test_what_is_to_be_mended_does_not_hold_a_resumed_host_back(document: dict[str, Any], name: str) -> None:
    unwell: dict[str, Any] = {
        "checks": {**scan(), "checks": [{"name": "https", "ok": False, "detail": "refused"}]},
        "locks": scan(locks=[{"path": "/x", "pid": 7, "command": "apt-get"}]),
    }
    blocked = look(document, unwell[name])
    result = mended(document, unwell[name], "an earlier attempt ended in the middle of its change")
    assert (result.verdict, result.blocks) == ("proceed", [])
    assert result.notes[0] == "an earlier attempt ended in the middle of its change"
    assert result.notes[1:] == [f"{gate['name']}: {gate['evidence']}" for gate in blocked.blocks]


@pytest.mark.parametrize("found", [scan(machine="m2"), scan(manager="dnf"), {}], ids=["identity", "manager", "scan"])
def test_another_machine_is_not_brought_to_an_end(document: dict[str, Any], found: dict[str, Any]) -> None:
    result = mended(document, found)
    assert result.verdict == "blocked"
    assert [gate["name"] for gate in result.blocks] == [gate["name"] for gate in look(document, found).blocks]


def test_a_resumed_host_that_is_patched_already_goes_the_whole_way_to_be_verified(document: dict[str, Any]) -> None:
    done = scan(transaction=[], not_pending=gone(OPENSSL["candidate"]))
    assert look(document, done).verdict == "nothing_to_do"
    result = mended(document, done)
    assert (result.verdict, result.remaining) == ("proceed", [OPENSSL])


def test_a_host_at_a_third_version_is_brought_to_an_end_as_well(document: dict[str, Any]) -> None:
    result = mended(document, scan(transaction=[{**OPENSSL, "installed": "3.0.14-1"}]))
    assert (result.verdict, result.remaining) == ("proceed", [OPENSSL])
    assert result.notes == ["versions: openssl is at 3.0.14-1 and was planned from 3.0.11-1"]
