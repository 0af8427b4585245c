# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The XLSX format, as far as its parts show without a program for sheets: tests/services reads it back with one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats import xlsx
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.xlsx import write_xlsx
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document


def parts(report: Document, folder: Path) -> dict[str, str]:
    (path,) = write_xlsx(report, folder)
    with ZipFile(path) as book:
        return {name: book.read(name).decode() for name in book.namelist()}


def sheets(report: Document, folder: Path) -> dict[str, str]:
    """The sheets' XML by their names."""
    made = parts(report, folder)
    names = re.findall(r'<sheet name="([^"]+)"', made["xl/workbook.xml"])
    return {name: made[f"xl/worksheets/sheet{number}.xml"] for number, name in enumerate(names, 1)}


def test_equal_reports_are_equal_bytes_and_say_when_the_report_was_made(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (write_xlsx(document(hostile=True), tmp_path / name)[0] for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert list(one.parent.iterdir()) == [one], "the rows of the sheets are elsewhere meanwhile"
    with ZipFile(one) as book:
        assert {file.date_time[0] for file in book.infolist()} == {1980}
        assert document().made in book.read("docProps/core.xml").decode()


def test_nothing_in_it_is_a_formula_a_link_or_markup(tmp_path: Path) -> None:
    report = document(hostile=True)
    attack = '<r><t>x</t></r></is></c><c r="B9"><f>HYPERLINK("http://x")</f></c><c t="inlineStr"><is><r><t>y</t></r>'
    texts = (attack, "=1+1", "http://x", "mailto:a@b", "internal:Sheet1!A1", "_x003D_1")
    hosts = tuple(replace(host, reason=text) for host, text in zip(report.hosts, texts, strict=False))
    made = parts(replace(report, hosts=(*hosts, *report.hosts[len(texts) :])), tmp_path)
    for name, content in made.items():
        assert "<f>" not in content, name
        assert "<hyperlink" not in content, name
    assert not [name for name in made if name.startswith("xl/worksheets/_rels") or "external" in name.lower()]
    assert "&lt;r&gt;&lt;t&gt;x" in "".join(made.values())
    assert "_x005F_x003D_1" in "".join(made.values())


def test_more_rows_than_a_sheet_takes_continue_on_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "ROWS", 13)
    report = document(hosts=30)
    made = sheets(report, tmp_path)
    assert [name for name in made if name.startswith("Hosts")] == ["Hosts", "Hosts (2)", "Hosts (3)"]
    rows = [made[name].count("<row ") - 1 for name in ("Hosts", "Hosts (2)", "Hosts (3)")]
    assert rows == [12, 12, 6]
    found = "".join(made[name] for name in ("Hosts", "Hosts (2)", "Hosts (3)"))
    assert all(f"<t>{host.host}</t>" in found for host in report.hosts)


def test_a_set_of_hosts_too_long_for_a_cell_takes_several_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "CELL", 120)
    report = document(hosts=60)
    rows = re.findall(r"<row .*?</row>", sheets(report, tmp_path)["Host groups"])[1:]
    names: dict[str, list[str]] = {}
    for row in rows:
        number, count, cell = re.search(r"<v>(\d+)</v>.*<v>(\d+)</v>.*<t>(.*)</t>", row).groups()  # type: ignore[union-attr]
        assert len(cell) < 120
        assert len(cell.split("; ")) == int(count)
        names.setdefault(number, []).extend(cell.split("; "))
    assert len(rows) > len(names)
    assert {tuple(group) for group in names.values()} >= {row.hosts for row in report.changes}
