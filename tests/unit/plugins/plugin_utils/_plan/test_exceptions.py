# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exceptions as files: read strictly, frozen in the plan, and worth nothing after their last day."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import ScannedHost, freeze_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.markdown import markdown
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.overrides import NOT_OVERRIDABLE
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import render_console
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.scans import scan

from .fleets import NOW, SOURCE, policies

ANSWERED = "owner: team, reason: waits for its vendor, ticket: RISK-7"
LAST_DAY = "2026-11-21"


def file_of(folder: Path, text: str) -> str:
    """An exceptions file with this text."""
    path = folder / "exceptions.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def problem_with(folder: Path, text: str) -> str:
    """What is said about a file when web1 and web2 name it."""
    path = file_of(folder, text)
    with pytest.raises(FleetError) as caught:
        policies(web1={"patch_exceptions_file": path}, web2={"patch_exceptions_file": path})
    assert caught.value.kind == "bad_policy"
    return caught.value.message.replace(path, "FILE")


def plan_of(folder: Path, text: str, later: int = 0) -> Any:
    """Entries, documents and facts of a plan for web1 and web2, made so many days after the 21st of November."""
    path = file_of(folder, text)
    found = policies(web1={"patch_exceptions_file": path}, web2={"patch_exceptions_file": path})
    hosts = [ScannedHost(host, its, scan(f"machine-of-{host}")) for host, its in found.items()]
    state = FolderState(folder / "state")
    created = NOW + timedelta(days=later)
    frozen = freeze_plan(
        state, tenant="tenant1", cycle="2026-11", hosts=hosts, created=created, revision="abc", source=SOURCE
    )
    documents = {host: state.get_host("tenant1", frozen.plan, host) for host in found}
    return frozen.head["hosts"], documents, frozen.facts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"holds: [{{{ANSWERED}, expires: 2026-12-31}}]", "FILE: holds[0].package: is missing. Set package."),
        ("waivers: [{host: web1, owner: a, reason: b, expires: 2026-12-31}]", "waivers[0].ticket: is missing"),
        (f"waivers: [{{host: web1, {ANSWERED}}}]", "waivers[0].expires: is missing"),
        (f"waivers: [{{host: web1, {ANSWERED}, expires: next year}}]", "waivers[0].expires: next year: is no date"),
        (f"waivers: [{{host: web1, {ANSWERED}, expires: '2026-02-30'}}]", "expires: 2026-02-30: is no date"),
        (f"waivers: [{{host: web1, {ANSWERED}, expires: 2026-02-30}}]", "cannot be read: day is out of range"),
        (f"waivers: [{{host: wbe1, {ANSWERED}, expires: 2026-12-31}}]", "wbe1: is not in the inventory. Did you mean"),
        (f"holds: [{{package: ' ', {ANSWERED}, expires: 2026-12-31}}]", "holds[0].package: is empty"),
        (
            f"holds: [{{pakcage: x, {ANSWERED}, expires: 2026-12-31}}]",
            "holds[0].pakcage: x: is not known. Did you mean",
        ),
        ("hold: []", "FILE: hold: []: is not known. Did you mean holds?"),
        ("holds: {package: x}", "FILE: holds: {'package': 'x'}: must be a list"),
        ("- holds", "must be a mapping with the keys holds and waivers"),
        ("", "must be a mapping with the keys holds and waivers"),
        ("holds: [", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_with_file_key_and_what_would_be_right(
    tmp_path: Path, text: str, said: str
) -> None:
    message = problem_with(tmp_path, text)
    assert said in message
    assert message.startswith("The policy has ")


@pytest.mark.parametrize(
    ("path", "said"), [("exceptions.yml", "is no absolute path"), ("/nowhere/exceptions.yml", "cannot be read")]
)
def test_a_file_that_cannot_be_found_is_the_fault_of_who_names_it(path: str, said: str) -> None:
    with pytest.raises(FleetError, match=said) as caught:
        policies(web1={"patch_exceptions_file": path})
    assert caught.value.message.splitlines()[1].startswith("- group_vars/all.yml:21: patch_exceptions_file")


def test_a_waived_host_is_skipped_by_a_gate_that_nothing_overrides(tmp_path: Path) -> None:
    entries, documents, facts = plan_of(tmp_path, f"waivers: [{{host: web1, {ANSWERED}, expires: {LAST_DAY}}}]")
    assert entries["web1"]["decision"] == "skipped"
    assert entries["web1"]["reason"] == "waiver: not patched until 2026-11-21 by team (RISK-7): waits for its vendor"
    assert entries["web2"]["decision"] == "patch"
    frozen = {"owner": "team", "reason": "waits for its vendor", "ticket": "RISK-7", "expires": LAST_DAY}
    assert documents["web1"]["waivers"] == [{**frozen, "expired": False}]
    assert documents["web2"]["waivers"] == []
    assert "waiver" in NOT_OVERRIDABLE
    # What is open on a waived host is known all the same.
    assert [update["name"] for update in documents["web1"]["pending"]] == ["openssl"]
    assert "| team | waits for its vendor | RISK-7 | 2026-11-21 | web1 |" in markdown(facts)
    assert any("waiver by team, until 2026-11-21" in line for line in render_console(facts))


def test_a_waiver_that_has_expired_waives_nothing_and_is_listed(tmp_path: Path) -> None:
    text = f"waivers: [{{host: web1, {ANSWERED}, expires: {LAST_DAY}}}]"
    entries, documents, facts = plan_of(tmp_path, text, later=1)
    assert entries["web1"]["decision"] == "patch"
    assert documents["web1"]["waivers"][0]["expired"] is True
    assert "2026-11-21 (expired: waives nothing)" in markdown(facts)


def test_holds_of_a_file_are_those_of_the_hosts_they_name_beside_those_of_the_policy(tmp_path: Path) -> None:
    text = f"holds: [{{package: 'nginx*', hosts: ['web1', 'db*'], {ANSWERED}, expires: {LAST_DAY}}}]"
    own = {"package": "curl", "owner": "web", "reason": "why not", "expires": "2026-12-31"}
    path = file_of(tmp_path, text)
    found = policies(web1={"patch_exceptions_file": path, "patch_holds": [own]}, web2={"patch_exceptions_file": path})
    assert [(hold.package, hold.ticket) for hold in found["web1"].holds] == [("curl", ""), ("nginx*", "RISK-7")]
    assert found["web2"].holds == ()


def test_a_hold_of_a_file_ends_by_itself(tmp_path: Path) -> None:
    text = f"holds: [{{package: openssl, {ANSWERED}, expires: {LAST_DAY}}}]"
    entries, documents, _facts = plan_of(tmp_path, text)
    assert entries["web1"]["reason"].startswith("holds: ")
    assert documents["web1"]["holds"][0]["ticket"] == "RISK-7"
    entries, documents, _facts = plan_of(tmp_path, text, later=1)
    assert entries["web1"]["decision"] == "patch"
    assert documents["web1"]["holds"][0]["expired"] is True
