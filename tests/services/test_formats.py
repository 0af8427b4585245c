# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports read back by other programs than those that wrote them: csv, openpyxl, compliance-trestle and pypdf.

All of them say the same of one report, and a report whose texts attack does nothing in any of them.
"""

from __future__ import annotations

import csv
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from openpyxl import load_workbook
from openpyxl.workbook import Workbook
from pypdf import PdfReader
from trestle.core.duplicates_validator import DuplicatesValidator
from trestle.core.refs_validator import RefsValidator
from trestle.oscal.assessment_results import AssessmentResults
from trestle.oscal.common import Observation
from trestle.oscal.poam import PlanOfActionAndMilestones

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.build import SampleSize, build
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import CveStatus, Document, ScopeKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats import pdf
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.csv_files import write_csv
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.json_file import write_json
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.oscal import write_oscal
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.pdf import write_pdf
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.xlsx import write_xlsx
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Wanted
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document
from ansible_collections.bankops.fleet.tests.fakes.report_states import put_cycle

WRITERS = (write_json, write_csv, write_xlsx, write_oscal, write_pdf)
TABLES = (
    *("hosts", "changes", "cves", "open_updates", "exceptions", "gates", "approvals", "attempts", "plans", "batches"),
    "troubles",
)
Rows = list[dict[str, Any]]


class Written(NamedTuple):
    """A report, and the folder with all its formats."""

    report: Document
    folder: Path


class Figures(NamedTuple):
    """What every format says of a report."""

    population: int
    counts: dict[str, int]
    metrics: dict[str, float | None]
    cves: dict[str, int]
    requirements: dict[str, str]


def empty(report: Document) -> Document:
    nothing: dict[str, Any] = {
        field.name: () for field in fields(report) if isinstance(getattr(report, field.name), tuple)
    }
    return replace(report, **nothing, counts={}, comparison=None, sample=None, user_requests={})


def built(root: Path) -> Document:
    """A report as it is made from the plans and ledgers of two tenants over two cycles."""
    for tenant in ("alpha", "beta"):
        for cycle in ("2026-10", "2026-11"):
            put_cycle(root, tenant, cycle)
    now = datetime(2026, 11, 20, tzinfo=timezone.utc)
    return build(FolderState(root), Wanted(ScopeKind.CYCLE, cycle="2026-11"), now, drawn=SampleSize("7", 5))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    """Each kind of report in all formats, made once."""
    made = {}
    kinds = {"plain": document(hosts=45, updates=12), "hostile": document(hostile=True), "empty": empty(document())}
    kinds["built"] = built(tmp_path_factory.mktemp("state"))
    for kind, report in kinds.items():
        made[kind] = Written(report, tmp_path_factory.mktemp(kind))
        for write in WRITERS:
            write(report, made[kind].folder)
    return made


@pytest.fixture(params=["plain", "hostile", "empty", "built"])
def written(request: pytest.FixtureRequest, reports: dict[str, Written]) -> Written:
    return reports[request.param]


def csv_rows(folder: Path, table: str) -> Rows:
    with (folder / "csv" / f"{table}.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def workbook(folder: Path) -> Workbook:
    return load_workbook(folder / "report.xlsx")


def xlsx_rows(book: Workbook, sheet: str) -> Rows:
    head, *rows = book[sheet].iter_rows(values_only=True)
    columns = [str(title).replace(" ", "_") for title in head]
    return [dict(zip(columns, row, strict=True)) for row in rows]


def results(folder: Path) -> Any:
    paper: Any = AssessmentResults.oscal_read(folder / "oscal" / "assessment-results.json")
    (result,) = paper.results
    return result


def properties(part: Any) -> dict[str, str]:
    return {each.name: each.value for each in part.props or ()}


def said_by_json(folder: Path) -> Figures:
    data = json.loads((folder / "report.json").read_bytes())
    return Figures(
        len(data["hosts"]),
        dict(Counter(row["outcome"] for row in data["hosts"])),
        {each["name"]: each["total"]["value"] for each in data["metrics"]},
        dict(Counter(row["status"] for row in data["cves"])),
        {one["id"]: one["standing"] for each in data["frameworks"] for one in each["requirements"]},
    )


def said_by_tables(rows: Callable[[str], Rows]) -> Figures:
    metrics = {row["name"]: row["value"] for row in rows("metrics") if row["by"] == "all"}
    return Figures(
        len(rows("hosts")),
        dict(Counter(row["outcome"] for row in rows("hosts"))),
        {name: None if value in ("", None) else float(value) for name, value in metrics.items()},
        dict(Counter(row["status"] for row in rows("cves"))),
        {row["requirement"]: row["standing"] for row in rows("frameworks")},
    )


def said_by_csv(folder: Path) -> Figures:
    return said_by_tables(lambda table: csv_rows(folder, table))


def said_by_xlsx(folder: Path) -> Figures:
    book = workbook(folder)
    titles = {"cves": "CVEs"}
    return said_by_tables(lambda table: xlsx_rows(book, titles.get(table, table.capitalize())))


def said_by_oscal(folder: Path) -> Figures:
    result = results(folder)
    observed = [properties(each) for each in result.observations or ()]
    metrics = {each["metric"]: each.get("value") for each in observed if "metric" in each}
    items = result.local_definitions.inventory_items or ()
    return Figures(
        len(items),
        {
            outcome: len(each.subjects or ())
            for each in result.observations or ()
            if (outcome := properties(each).get("outcome"))
        },
        {name: None if value is None else float(value) for name, value in metrics.items()},
        dict(Counter(risk.status.model_dump(mode="json") for risk in result.risks or () if "cve" in properties(risk))),
        {properties(each)["requirement"]: properties(each)["standing"] for each in result.findings or ()},
    )


def said_by_model(report: Document) -> Figures:
    return Figures(
        len(report.hosts),
        dict(report.counts),
        {metric.name: metric.total.value for metric in report.metrics},
        dict(Counter(row.status.value for row in report.cves)),
        {one.id: one.standing.value for framework in report.frameworks for one in framework.requirements},
    )


def text_of(folder: Path) -> str:
    """The words of the PDF, as they follow one another."""
    pages = PdfReader(folder / "report.pdf").pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


@pytest.mark.parametrize("said", [said_by_json, said_by_csv, said_by_xlsx, said_by_oscal])
def test_every_format_says_the_same(written: Written, said: Callable[[Path], Figures]) -> None:
    assert said(written.folder) == said_by_model(written.report)


def test_the_pdf_says_the_same(reports: dict[str, Written]) -> None:
    report, folder = reports["plain"]
    text = text_of(folder)
    assert f"Population {len(report.hosts)} hosts" in text
    for outcome, count in report.counts.items():
        assert re.search(rf"\b{outcome.replace('_', ' ')} {count} [\d.]+ %", text), outcome
    metrics = text[text.index("Metric Value Of Definition") : text.index("By tenant")]
    for metric in report.metrics:
        value = metric.total.value
        digits = "not known" if value is None else f"{value:,.1f}".removesuffix(".0")
        assert re.search(rf"{metric.title} {re.escape(digits)}\b", metrics), metric.title
    still = sum(row.status is CveStatus.OPEN for row in report.cves)
    assert f"CVEs {len(report.cves) - still} closed, {still} open" in text
    for framework in report.frameworks:
        for one in framework.requirements:
            assert re.search(rf"{re.escape(one.id)} .{{1,90}} {one.standing}\b", text), one.id


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_as_many_rows_in_every_format(written: Written, table: str) -> None:
    wanted = len(getattr(written.report, table))
    title = {"cves": "CVEs"}.get(table, table.replace("_", " ").capitalize())
    assert len(json.loads((written.folder / "report.json").read_bytes())[table]) == wanted
    assert len(csv_rows(written.folder, table)) == wanted
    assert len(xlsx_rows(workbook(written.folder), title)) == wanted


def test_a_sheet_has_numbers_and_times_and_can_be_filtered(reports: dict[str, Written]) -> None:
    report, folder = reports["plain"]
    book = workbook(folder)
    for sheet in book.worksheets[1:]:
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == sheet.dimensions or sheet.max_row == 1, sheet.title
    plan = xlsx_rows(book, "Plans")[0]
    assert plan["created"] == datetime.fromisoformat(report.plans[0].created).replace(tzinfo=None)
    assert plan["hosts"] == report.plans[0].hosts
    host, row = next(
        (host, row) for host, row in zip(report.hosts, xlsx_rows(book, "Hosts"), strict=True) if host.seconds
    )
    assert (row["host"], row["seconds"], row["updates"]) == (host.host, host.seconds, host.updates)
    assert row["reason"] is None or isinstance(row["reason"], str)


def test_a_sheet_defines_every_metric_and_outcome_beside_the_figures(reports: dict[str, Written]) -> None:
    report, folder = reports["plain"]
    book = workbook(folder)
    defined = {(row["kind"], row["title"]): row["meaning"] for row in xlsx_rows(book, "Definitions")}
    assert all(defined["metric", metric.title] == metric.definition for metric in report.metrics)
    assert all(("outcome", outcome) in defined for outcome in report.counts)
    summary = {row[0]: row[1:] for row in book["Summary"].iter_rows(values_only=True)}
    assert summary["hosts"][0] == len(report.hosts)
    assert summary["Changes"][0] == len(report.changes)


def test_no_cell_of_a_hostile_workbook_is_a_formula_or_a_link(reports: dict[str, Written]) -> None:
    report, folder = reports["hostile"]
    cells = [cell for sheet in workbook(folder).worksheets for row in sheet.iter_rows() for cell in row]
    texts = [cell.value for cell in cells if isinstance(cell.value, str)]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    assert not [cell for cell in cells if cell.hyperlink]
    assert any(text.startswith('=HYPERLINK("http://x")') for text in texts), "it is there, as a text"
    assert all(text.isprintable() for text in texts)
    assert max(map(len, texts)) <= 32_767
    assert any(text.endswith("characters in all, whole in report.json)") for text in texts)
    assert len(report.hosts[0].reason) >= 1_000_000


def test_oscal_is_valid_and_refers_to_nothing_that_is_not_there(written: Written) -> None:
    papers: dict[str, Any] = {"assessment-results.json": AssessmentResults, "poam.json": PlanOfActionAndMilestones}
    found = sorted(path.name for path in (written.folder / "oscal").iterdir())
    assert found == (["assessment-results.json"] if not written.report.hosts else sorted(papers))
    for name in found:
        path = written.folder / "oscal" / name
        paper = papers[name].oscal_read(path)
        assert DuplicatesValidator().model_is_valid(paper, quiet=True)
        assert RefsValidator().model_is_valid(paper, quiet=True)
        # What the models make of it and write again is what was written: no key was dropped.
        again = json.loads(paper.oscal_serialize_json())
        assert sorted(_leaves(again)) == sorted(_leaves(json.loads(path.read_bytes())))


def _leaves(part: Any, key: str = "") -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            yield from _leaves(value, name)
    elif isinstance(part, list):
        for value in part:
            yield from _leaves(value, key)
    elif not isinstance(part, str) or not re.match(r"\d{4}-\d\d-\d\dT", part):
        yield f"{key}={part}"


def test_a_pdf_is_tagged_numbered_and_says_when_the_report_was_made(reports: dict[str, Written]) -> None:
    report, folder = reports["plain"]
    reader = PdfReader(folder / "report.pdf")
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert reader.metadata is not None
    assert reader.metadata.title == f"{report.scope.title}: patch report"
    assert reader.metadata.creation_date == datetime.fromisoformat(report.made)
    for number, page in enumerate(reader.pages, 1):
        assert f"Page {number} of {len(reader.pages)}" in page.extract_text()


def test_equal_reports_are_equal_pdfs(reports: dict[str, Written], tmp_path: Path) -> None:
    (again,) = write_pdf(document(hostile=True), tmp_path)
    assert again.read_bytes() == (reports["hostile"].folder / "report.pdf").read_bytes()


def test_a_hostile_pdf_does_nothing_and_leads_nowhere(reports: dict[str, Written]) -> None:
    reader = PdfReader(reports["hostile"].folder / "report.pdf")
    size: Any = reader.trailer["/Size"]
    objects: list[Any] = [reader.get_object(number) for number in range(1, size)]
    assert len(objects) > 100
    for found in objects:
        if isinstance(found, dict):
            assert not {"/JS", "/JavaScript", "/AA", "/OpenAction", "/URI", "/Launch", "/EmbeddedFiles"} & set(found)
            assert found.get("/S") not in ("/URI", "/JavaScript", "/Launch", "/GoToR", "/SubmitForm")
    assert not [page for page in reader.pages if page.get("/Annots")]
    text = text_of(reports["hostile"].folder)
    assert "\\x1b[31mred" in text
    assert text.isprintable()


def test_a_pdf_asks_nobody_for_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the page does, and if something ever did, it would be refused."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    secret = tmp_path / "secret.css"
    secret.write_text("body::before { content: 'from a file' }")
    address = f"http://127.0.0.1:{server.server_port}"
    page = (
        f"<link rel=stylesheet href='{address}/style.css'><link rel=stylesheet href='{secret.as_uri()}'>"
        f"<img alt='' src='{address}/picture.png'><link rel=attachment href='{secret.as_uri()}'><p>words"
    )
    monkeypatch.setattr(pdf, "html", lambda _report: page)
    try:
        write_pdf(document(), tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []
    assert text_of(tmp_path) == "words"
    assert not PdfReader(tmp_path / "report.pdf").attachments


def test_subjects_of_an_open_cve_are_the_hosts_it_is_open_on(reports: dict[str, Written]) -> None:
    report, folder = reports["plain"]
    result = results(folder)
    items = {item.uuid: properties(item)["asset-id"] for item in result.local_definitions.inventory_items}
    observed: dict[str, Observation] = {each.uuid: each for each in result.observations}
    for row, risk in zip(report.cves, result.risks, strict=False):
        subjects = [
            items[subject.subject_uuid]
            for related in risk.related_observations or ()
            for subject in observed[related.observation_uuid].subjects or ()
        ]
        assert (properties(risk)["cve"], tuple(subjects)) == (row.cve, row.hosts_open)
