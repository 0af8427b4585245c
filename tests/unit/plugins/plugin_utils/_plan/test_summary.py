# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the approver reads: everything that changes, what is not known said as unknown, and every value as mere data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import FrozenPlan, ScannedHost, freeze_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.markdown import markdown, render_markdown, text
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import Facts, duration, gather, render_console
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.scans import OPENSSL, pending, scan

from .fleets import NOW, SOURCE, WAVES, policies

HOLD = {"package": "nginx*", "owner": "web team", "reason": "freeze until launch", "expires": "2026-12-31"}
EXPIRED = {**HOLD, "package": "curl", "expires": "2026-11-01"}
LIBSSL = {**OPENSSL, "name": "libssl3"}


@pytest.fixture
def plan(tmp_path: Path) -> tuple[FolderState, FrozenPlan]:
    return make_plan(tmp_path)


def make_plan(folder: Path, **more: Any) -> tuple[FolderState, FrozenPlan]:
    """Two alike web hosts, a host with a change that it takes along, a busy one, and one that is away."""
    common: dict[str, Any] = {"patch_waves": WAVES, "patch_holds": [HOLD, EXPIRED], **more}
    found = policies(web1={**common, "fleet_wave": "canary"}, web2=common, app1=common, app2=common, away=common)
    known = pending(OPENSSL, cves=["CVE-2026-0001", "CVE-2026-0002"], severity="important")
    hosts = [
        ScannedHost("web1", found["web1"], scan("a", pending=[known])),
        ScannedHost("web2", found["web2"], scan("b", pending=[known])),
        ScannedHost("app1", found["app1"], scan("c", [LIBSSL, OPENSSL], pending=[known])),
        ScannedHost(
            "app2", found["app2"], scan("d", pending=[known], locks=[{"path": "/x", "pid": 7, "command": "apt-get"}])
        ),
        ScannedHost("away", found["away"], None, reachable=False, failure="timed out"),
    ]
    state = FolderState(folder)
    arguments: dict[str, Any] = {"tenant": "tenant1", "cycle": "2026-11", "created": NOW, "source": SOURCE}
    return state, freeze_plan(state, hosts=hosts, revision="abc123", **arguments)


def documents(state: FolderState, frozen: FrozenPlan) -> Any:
    return [state.get_host("tenant1", frozen.plan, host) for host in frozen.head["hosts"]]


def facts_of(plan: tuple[FolderState, FrozenPlan], **more: Any) -> Facts:
    return gather(plan[1].head, documents(*plan), **more)


def page_of(plan: tuple[FolderState, FrozenPlan], **more: Any) -> str:
    return render_markdown(plan[1].head, documents(*plan), **more)


def test_hosts_with_the_same_changes_are_shown_together(plan: Any) -> None:
    page = page_of(plan)
    assert "### 1 changes on 3 hosts\n\nHosts: app2, web1, web2\n" in page
    assert "### 2 changes on 1 hosts\n\nHosts: app1\n" in page


def test_what_is_gathered_while_a_plan_is_frozen_is_what_its_documents_say(tmp_path: Path) -> None:
    """The backend cannot spare a server, so the plan skips its hosts at the very end."""
    balancer = {"host": "app1", "backend": "web", "min_healthy": 5}
    state, frozen = make_plan(tmp_path, patch_load_balancer=balancer)
    assert frozen.head["hosts"]["web1"]["decision"] == "skipped"
    assert markdown(frozen.facts) == page_of((state, frozen))
    assert render_console(frozen.facts) == render_console(facts_of((state, frozen)))


def test_of_many_different_transactions_each_change_is_shown_with_the_number_of_its_hosts(tmp_path: Path) -> None:
    state, changes = FolderState(tmp_path), [{**OPENSSL, "name": f"lib{number}"} for number in range(101)]
    found = policies(**{f"web{number}": {} for number in range(101)})
    hosts = [
        ScannedHost(host, its, scan(host, [OPENSSL, change]))
        for (host, its), change in zip(found.items(), changes, strict=True)
    ]
    arguments: dict[str, Any] = {"tenant": "tenant1", "cycle": "2026-11", "created": NOW, "source": SOURCE}
    page = markdown(freeze_plan(state, hosts=hosts, revision="abc123", **arguments).facts)
    assert "There are 101 different transactions." in page
    for name, hosts_of_it in [("openssl", 101), *((f"lib{number}", 1) for number in range(101))]:
        assert f"| {name} | upgrade | 3.0.11-1 | 3.0.17-1 | yes | unknown | unknown | {hosts_of_it} |" in page


def test_the_page_names_the_plan_and_its_bounds(plan: Any) -> None:
    page = page_of(plan)
    assert f"| Digest | {plan[1].plan} |" in page
    assert "| Expires | 2026-11-28T03:00:00Z |" in page
    assert "| Hosts | 5: 4 patch, 0 unchanged, 0 skipped, 1 unreachable |" in page


def test_cves_are_named_and_unknown_ones_are_said_to_be_unknown(plan: Any) -> None:
    page = page_of(plan)
    assert "This plan closes 2 known CVEs: CVE-2026-0001, CVE-2026-0002." in page
    assert "Which CVEs 1 of its changes close is unknown." in page
    assert "| libssl3 | upgrade | 3.0.11-1 | 3.0.17-1 | unknown | unknown | unknown |" in page
    assert "| openssl | upgrade | 3.0.11-1 | 3.0.17-1 | yes | important | CVE-2026-0001, CVE-2026-0002 |" in page


def test_staging_tells_what_was_unknown(plan: Any) -> None:
    facts = facts_of(plan, cves={"libssl3=3.0.17-1": ["CVE-2026-0009"], "openssl=3.0.17-1": []})
    assert facts.cves == ["CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0009"]
    assert facts.changes_of_unknown_cves == 0


def test_holds_are_shown_with_owner_reason_and_expiry(plan: Any) -> None:
    page = page_of(plan)
    assert "| nginx\\* | web team | freeze until launch |  | 2026-12-31 | none pending | app1, app2, away, web1" in page
    assert "| curl | web team | freeze until launch |  | 2026-11-01 (expired: keeps nothing back) |" in page


def test_batches_gates_and_hosts_that_are_not_patched_are_shown(plan: Any) -> None:
    page = page_of(plan)
    assert "| canary | 1 | web1 | 32 s | 30 min |" in page
    assert "| broad | 1 | app1, app2 | 34 s |  |" in page
    assert "| locks | block | at work beside us: apt-get (pid 7) | app2 |" in page
    assert "| unreachable | timed out | away |" in page


def test_the_duration_has_batches_and_the_soak_between_waves(plan: Any) -> None:
    facts = facts_of(plan)
    assert facts.total_seconds == 32 + 30 * 60 + 34 + 32


def test_the_console_has_it_in_a_few_lines(plan: Any) -> None:
    lines = render_console(facts_of(plan))
    assert lines[0].endswith(
        "of tenant tenant1, cycle 2026-11: 5 hosts, 4 patch, 0 unchanged, 0 skipped, 1 unreachable"
    )
    assert lines[1].startswith("closes 2 known CVEs, those of 1 changes unknown until they are staged; about 32 min")
    assert lines[2].split() == ["canary", "1", "32", "s", "web1"]
    assert any("unreachable" in line and "timed out" in line for line in lines)
    assert any("held nginx* by web team, until 2026-12-31" in line for line in lines)
    assert any("held curl by web team, expired 2026-11-01" in line for line in lines)


def test_overrides_are_shown_with_what_they_do(tmp_path: Path) -> None:
    override = {"gate": "metadata", "owner": "operations", "reason": "the mirror moves", "expires": "2026-12-31"}
    overrides = [override, {**override, "gate": "disk"}, {**override, "gate": "window", "expires": "2026-11-01"}]
    state = FolderState(tmp_path)
    found = policies(web1={"patch_overrides": overrides})
    hosts = [ScannedHost("web1", found["web1"], scan(refresh_error="mirror away"))]
    arguments: dict[str, Any] = {"tenant": "tenant1", "cycle": "2026-11", "created": NOW, "source": SOURCE}
    plan = state, freeze_plan(state, hosts=hosts, revision="abc123", **arguments)
    assert plan[1].head["hosts"]["web1"]["decision"] == "patch"
    let_through = "lets through unknown: the package lists could not be refreshed: mirror away"
    page = page_of(plan)
    assert "## Gates that do not pass" not in page
    assert f"| metadata | operations | the mirror moves |  | 2026-12-31 | {let_through} | web1 |" in page
    assert "| disk | operations | the mirror moves |  | 2026-12-31 | not needed by the plan | web1 |" in page
    expired = "had expired when the plan was made"
    assert f"| window | operations | the mirror moves |  | 2026-11-01 | {expired} | web1 |" in page
    said = f"  override of metadata by operations until 2026-12-31 (the mirror moves): {let_through}: web1"
    assert said in render_console(facts_of(plan))


def test_what_comes_from_outside_stays_data(tmp_path: Path) -> None:
    evil = "x](https://example.com) | <script> \n# \x1b[31m *bold* `code`"
    plan = make_plan(tmp_path, patch_holds=[{**HOLD, "reason": evil}])
    page = page_of(plan)
    shown = r"x\](https\://example.com) \| \<script\>  \#  \[31m \*bold\* \`code\`"
    assert shown in page
    assert "\x1b" not in page
    assert all("\x1b" not in line and "\n" not in line for line in render_console(facts_of(plan)))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("linux-image-6.1.0-40", "linux-image-6.1.0-40"),
        ("a|b", r"a\|b"),
        ("a\nb", "a b"),
        ("__init__", r"\_\_init\_\_"),
    ],
)
def test_text_is_escaped_only_where_it_must_be(value: str, shown: str) -> None:
    assert text(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (61, "2 min"), (3600, "1 h 00 min"), (11100, "3 h 05 min")],
)
def test_durations_are_for_people(seconds: int, shown: str) -> None:
    assert duration(seconds) == shown


def test_whom_the_inventory_has_besides_is_shown_where_it_says_it(plan: Any) -> None:
    facts = facts_of(plan)
    facts.head["left_out"] = {"stopped": ["db1"], "unreachable_transport": [], "unassigned": 3}
    said = "1 stopped (db1), 0 without a transport, 3 of no tenant"
    assert f"not in the plan by the inventory: {said}" in render_console(facts)
    assert f"| Not in the plan by the inventory | {said} |" in markdown(facts)
