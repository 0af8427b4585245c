# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every format says the same of who approved a plan and who executed it, and judges nothing by itself."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Approved, Document
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats import csv_files, json_file, oscal, pdf
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.history_page import render_history
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.html import render
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document


def of(approved: Approved, approver: str = "alice", executor: str = "alice") -> Document:
    """A report of one plan; that both names are equal must change no judgement."""
    made = document(tenants=1)
    (plan,) = made.plans
    return replace(
        made, plans=(replace(plan, approver=approver, executor=executor, approved_by_another=approved),), approvals=()
    )


def mark(page: str, before: str) -> str:
    """The mark that stands behind a text of a page, without its symbol."""
    (found,) = re.findall(rf'{before}<span class="mark [a-z]+"><span aria-hidden="true">.</span> (.*?)</span>', page)
    return str(found)


def in_csv(report: Document, folder: Path) -> str:
    csv_files.write_csv(report, folder)
    with (folder / "csv" / "plans.csv").open(encoding="utf-8-sig", newline="") as stream:
        (row,) = csv.DictReader(stream)
    return row["approved_by_another"]


def in_json(report: Document, folder: Path) -> str:
    (path,) = json_file.write_json(report, folder)
    return str(json.loads(path.read_bytes())["plans"][0]["approved_by_another"])


def in_oscal(report: Document, folder: Path) -> str:
    results = json.loads(oscal.write_oscal(report, folder)[0].read_bytes())["assessment-results"]["results"][0]
    (said,) = (
        prop["value"]
        for observation in results["observations"]
        for prop in observation.get("props", [])
        if prop["name"] == "approved-by-another"
    )
    return str(said)


def in_pdf(report: Document, _folder: Path) -> str:
    row = re.search(r"<h2>Plans</h2>.*?<tbody>(.*?)</tr>", pdf.html(report), re.DOTALL)
    assert row
    return str(re.findall(r"<td>(.*?)</td>", row[1])[-2])


FORMATS: dict[str, Callable[[Document, Path], str]] = {
    "page": lambda report, _folder: mark(render(report), '<td data-label="By another">'),
    "history": lambda report, _folder: mark(render_history(report, {}), "by another</span> "),
    "csv": in_csv,
    "json": in_json,
    "oscal": in_oscal,
    "pdf": in_pdf,
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("approved", Approved)
def test_the_judgement_of_the_model_is_in_every_format(tmp_path: Path, name: str, approved: Approved) -> None:
    assert FORMATS[name](of(approved), tmp_path).replace(" ", "_") == approved


def test_a_name_that_is_not_recorded_is_not_said_to_be_nobodys() -> None:
    report = of(Approved.UNKNOWN, approver="", executor="")
    for page in (render(report), render_history(report, {}), pdf.html(report)):
        assert page.count("not recorded") == 2
        assert "nobody<" not in page


def test_what_policy_does_not_ask_for_is_no_fault() -> None:
    assert "No plan of this scope requires an approval." in render(of(Approved.NOT_REQUIRED))
    lacking = render(of(Approved.NO))
    assert "No approval of this scope is recorded." in lacking
    assert '<span class="mark bad"><span aria-hidden="true">✕</span> no</span>' in lacking
