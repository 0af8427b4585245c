# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Freezing: gates of the calendar and of the tenant, and overrides that open them."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.scans import scan

from .fleets import policies, scanned
from .freezing import freeze, one, state

__all__ = ["state"]


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
