# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages of reports as text: what stands in them, and what cannot get into them. A browser reads them elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import HostRow, Metric, TrendPoint
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.history_page import (
    render_history,
    write_history,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.html import render, write_html
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page import charts
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page.columns import HostSets, tables
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page.shell import embedded
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def texts(column: dict[str, Any]) -> list[str]:
    return [column["of"][place] for place in column["at"]]


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_data_in_a_script_element_is_data_whatever_it_says(value: Any) -> None:
    text = str(embedded(value))
    assert json.loads(text) == value
    assert not re.search("[<>&\u2028\u2029]", text)


@pytest.mark.parametrize("made", [render(document()), render_history(document(), {})], ids=["report", "history"])
def test_the_policy_lets_nothing_run_but_the_pages_own_style_and_script(made: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', made)
    assert policy
    allowed = dict(rule.split(" ", 1) for rule in policy[1].replace("&#39;", "'").split("; "))
    assert allowed["default-src"] == "'none'"
    for rule, element in (("style-src", "style"), ("script-src", "script")):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", made, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert allowed[rule] == f"'sha256-{digest}'"
    assert not re.search(r"\b(src|srcset|action|style|on\w+)=|url\(|@import", made)


@given(st.lists(st.sets(st.integers(0, 40)), max_size=12))
def test_a_set_of_hosts_is_the_same_set_in_the_page(wanted: list[set[int]]) -> None:
    row = document(hosts=1, tenants=1).hosts[0]
    hosts = [replace(row, host=f"host{number}") for number in range(41)]
    sets = HostSets(hosts)
    names = [tuple(f"host{number}" for number in sorted(one)) for one in wanted]
    numbers = [sets.number(row.tenant, each, row.plan) for each in names]
    stored = sets.stored()
    assert [members(stored, number) for number in numbers] == wanted


def members(stored: dict[str, Any], number: int) -> set[int]:
    kinds = stored["of"][number]
    if isinstance(kinds, str):
        bits = base64.b64decode(kinds)
        kinds = [kind for kind in range(8 * len(bits)) if bits[kind >> 3] & (1 << (kind & 7))]
    return {row for row, kind in enumerate(stored["kinds"]) if kind in kinds}


def test_hosts_of_the_same_name_stay_apart() -> None:
    alpha, beta = (next(host for host in document().hosts if host.tenant == name) for name in ("alpha", "beta"))
    hosts: list[HostRow] = [alpha, replace(beta, host=alpha.host), replace(alpha, plan="of the month before")]
    sets = HostSets(hosts)
    own, all_plans = sets.number("alpha", (alpha.host,), alpha.plan), sets.number("alpha", (alpha.host,))
    stored = sets.stored()
    assert members(stored, own) == {0}
    assert members(stored, all_plans) == {0, 2}


def test_a_page_has_every_host_change_cve_and_open_update() -> None:
    report = document()
    data = data_of(render(report))["tables"]
    assert sorted(texts(data["hosts"]["host"])) == sorted(host.host for host in report.hosts)
    assert texts(data["changes"]["package"]) == [change.package for change in report.changes]
    assert texts(data["cves"]["cve"]) == [cve.cve for cve in report.cves]
    assert data["updates"]["hosts"] == [len(update.hosts) for update in report.open_updates]


def test_hosts_that_need_attention_come_first_and_texts_are_sorted_as_people_sort() -> None:
    hosts = tables(document())["tables"]["hosts"]
    attention = texts(hosts["attention"])
    assert attention == sorted(attention, reverse=True)
    assert hosts["host"]["of"][:4] == ["db3", "db6", "db9", "db12"]
    assert hosts["outcome"]["of"][:4] == ["unreachable", "failed", "rolled_back", "verified"]


def test_what_is_no_outcome_of_a_host_is_never_left_out_of_what_needs_attention() -> None:
    report = document()
    told = ("web7: the ledger does not verify", "alpha, 2026-11: the ledger does not verify: entry 3")
    shown = ("web7: failed, out of service", "alpha, 2026-11: web7: failed, out of service")
    page = render(replace(report, troubles=(*told, *shown)))
    assert all(f"<li>{trouble}</li>" in page for trouble in told)
    assert not any(trouble in page for trouble in shown)


def test_many_hosts_that_need_attention_do_not_make_the_page_long() -> None:
    report = document(hosts=3000, updates=3)
    page = render(replace(report, troubles=tuple(f"entry {number} is malformed" for number in range(5000))))
    assert page.count("is malformed</li>") == 100
    assert "and 4,900 more" in page
    assert "These are the first 100;" in page
    assert page.count('<th scope="row" data-label="Host">') == 100


def test_a_trend_has_a_gap_where_there_is_no_figure() -> None:
    metric = next(metric for metric in document().metrics if metric.unit == "percent")
    line = trend_of(metric, [90.0, None, 50.0, 100.0, None])
    assert line.runs == ("0.00,10", "50.00,50 75.00,0")
    assert [point.words for point in line.points] == ["90 %", "not known", "50 %", "100 %", "not known"]
    assert charts.trends([metric], [TrendPoint("2026-11", {metric.name: None})]) == []


def trend_of(metric: Metric, values: list[float | None]) -> charts.Line:
    points = [TrendPoint(f"2026-0{place}", {metric.name: value}) for place, value in enumerate(values, 1)]
    (line,) = charts.trends([metric], points)
    return line


def test_a_report_of_nothing_is_a_page_all_the_same() -> None:
    none: Any = ()
    empty = replace(
        document(hosts=1, tenants=1, updates=1),
        **dict.fromkeys(("plans", "hosts", "batches", "changes", "cves", "open_updates", "exceptions", "gates"), none),
        **dict.fromkeys(("approvals", "attempts", "metrics", "trend", "frameworks", "troubles"), none),
        counts={},
        comparison=None,
        sample=None,
        user_requests={},
    )
    assert "Nothing does" in render(empty)
    assert "There is no plan yet." in render_history(empty, {})


def test_bytes_that_are_no_text_do_not_prevent_a_page(tmp_path: Path) -> None:
    report = document()
    broken = replace(report.hosts[0], host="web\udce9", reason="\udcff\x00", needs_attention=True)
    (path,) = write_html(replace(report, hosts=(broken, *report.hosts[1:])), tmp_path)
    assert "web\\udce9" in path.read_text(encoding="utf-8")


def test_a_link_of_the_history_leads_to_a_file_beside_it(tmp_path: Path) -> None:
    report = document()
    plan = report.plans[0].plan
    page = render_history(report, {plan: {"report": "2026-11/re port.html", "bundle": "javascript:alert(1)"}})
    assert 'href="2026-11/re%20port.html"' in page
    assert 'href="javascript%3Aalert%281%29"' in page
    for path in ("/etc/passwd", "//evil.example/report.html", "\\\\evil.example\\report.html"):
        with pytest.raises(ValueError, match="no path from the folder"):
            write_history(report, tmp_path, {plan: {"report": path}})
    assert list(tmp_path.iterdir()) == []
