# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people see of what was found: enough to act on, and nothing that acts on them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.console import (
    SHOWN_ROWS,
    render,
    render_looked,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import (
    Finding,
    Looked,
    Row,
    TenantCoverage,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.records import Recorded
from ansible_collections.bankops.fleet.tests.fakes.hostile_texts import ATTACKS
from ansible_collections.bankops.fleet.tests.fakes.sensors import instance

LOOKED = Looked("2026-11-15T22:00:00Z", 7, 3, [{"source": "falcon", "cid": "", "sensors": 3}])
NO_SENSORS = Looked("2026-11-15T22:00:00Z", 7, None)
PLAN = "a1b2c3d4e5f60718" * 4


def test_a_tenant_is_told_in_a_few_lines() -> None:
    rows = [
        Row(Finding.GONE, "", "web9", instance(9), "of plan a1b2c3d4e5f60718: no inventory has it any more"),
        Row(Finding.UNPROTECTED, "web1", "web1", instance(1), "it runs, and no sensor has its identity"),
    ]
    coverage = TenantCoverage("alpha", PLAN, "2026-11", 4, 3, 4, 2, 1, 0, Counter(ssh=3), Counter(ssm=2), rows)
    assert list(render(coverage, LOOKED, Recorded.LEDGER)) == [
        "Tenant alpha, plan a1b2c3d4e5f60718 of 2026-11",
        "machines: 4, running: 3, in the plan: 4",
        "protected: 2 of 3 running, 1 of them in reduced functionality mode",
        "transports: 3 ssh",
        "managed by their clouds: 2 ssm",
        "findings: 1 gone, 1 unprotected",
        "FINDING      MACHINE  CLOUD  ACCOUNT       INSTANCE             WHY",
        "unprotected  web1     aws    123456789012  i-00000000000000001  it runs, and no sensor has its identity",
        "gone         web9     aws    123456789012  i-00000000000000009  of plan a1b2c3d4e5f60718: no inventory has it "
        "any more",
        "recorded: in the ledger of plan a1b2c3d4e5f60718",
        "",
    ]


def test_without_sensors_nothing_is_said_to_be_protected() -> None:
    lines = list(render(TenantCoverage("alpha", machines=2, running=2, not_told=2), NO_SENSORS, Recorded.NOWHERE))
    assert lines == [
        "Tenant alpha",
        "machines: 2, running: 2",
        "protected: unknown of 2 running",
        "findings: 2 unknown",
        "recorded: nowhere",
        "",
    ]
    assert next(render_looked(NO_SENSORS)).startswith("sensors: none were read")


def test_when_the_inventory_was_read_is_told() -> None:
    looked = replace(LOOKED, inventory=[{"inventory": "/etc/fleet/a.multicloud.yml", "read": "2026-11-14T02:00:00Z"}])
    assert "inventory: a.multicloud.yml, read 2026-11-14T02:00:00Z" in render_looked(looked)


def test_who_has_no_tenant_is_told_as_such() -> None:
    lines = list(render(TenantCoverage("unknown", machines=1, running=1), LOOKED, Recorded.NOWHERE))
    assert lines[:2] == ["No tenant", "machines: 1, running: 1"]
    assert "recorded: nowhere" not in lines


def test_a_long_list_is_cut_by_finding() -> None:
    rows = [Row(Finding.UNKNOWN, f"w{n}", f"w{n}", instance(n), "why") for n in range(SHOWN_ROWS + 5)]
    rows.append(Row(Finding.STALE, "last", "last", instance(99), "why"))
    lines = list(render(TenantCoverage("alpha", rows=rows), LOOKED, Recorded.NOWHERE))
    assert "and 5 more unknown, which the result has" in lines
    assert any(line.startswith("stale") for line in lines)
    assert len(lines) == SHOWN_ROWS + 9


def test_hostile_texts_do_nothing_to_a_terminal() -> None:
    for text in (*ATTACKS, "x" * 5000):
        row = Row(Finding.UNKNOWN, text, text, (text, text, text), text, (text,))
        hostile = Looked("now", 7, 1, [{"source": text, "cid": text, "sensors": 1}], [text])
        hostile = replace(hostile, inventory=[{"inventory": text, "read": text}])
        coverage = TenantCoverage(text, rows=[row], transports=Counter({text: 1}))
        for line in (*render_looked(hostile), *render(coverage, hostile, Recorded.NOWHERE)):
            assert line.isprintable()
            assert len(line) < 800
