# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CSV format: its records are the rows of the report, and no cell is a formula wherever a spreadsheet cuts them."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.csv_files import restored, safe, write_csv
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.texts import visible
from ansible_collections.bankops.fleet.tests.fakes.hostile_texts import ATTACKS, MEGABYTE
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document

FORMULA = re.compile(r"""[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]""")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def read(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream, delimiter=delimiter))


def written(report: Document, folder: Path) -> dict[str, list[dict[str, str]]]:
    made = {}
    for path in write_csv(report, folder):
        columns, *rows = read(path)
        made[path.stem] = [dict(zip(columns, row, strict=True)) for row in rows]
    return made


def test_each_table_has_the_rows_of_the_report(tmp_path: Path) -> None:
    report = document()
    made = written(report, tmp_path)
    for name in ("hosts", "changes", "cves", "open_updates", "exceptions", "gates", "approvals", "attempts", "plans"):
        assert len(made[name]) == len(getattr(report, name)), name
    assert len(made["host_changes"]) == sum(len(row.hosts) for row in report.changes)
    assert [row["host"] for row in made["hosts"]] == [row.host for row in report.hosts]


def test_hosts_of_a_row_are_found_by_their_number(tmp_path: Path) -> None:
    report = document(hosts=60)
    made = written(report, tmp_path)
    groups: dict[str, list[str]] = {}
    for row in made["host_groups"]:
        groups.setdefault(row["group"], []).append(row["host"])
    for row, update in zip(made["open_updates"], report.open_updates, strict=True):
        assert int(row["hosts"]) == len(update.hosts)
        assert groups[row["hosts_group"]] == list(update.hosts)
    for row, cve in zip(made["cves"], report.cves, strict=True):
        assert groups.get(row["hosts_closed_group"], []) == list(cve.hosts_closed)


def test_a_long_list_is_named_by_its_beginning(tmp_path: Path) -> None:
    row = next(row for row in written(document(hosts=60), tmp_path)["changes"] if row["hosts"] == "18")
    assert row["hosts_named"].endswith("; and 8 more")
    assert row["hosts_named"].count(";") == 10


def test_what_is_not_known_is_no_zero_and_no_yes(tmp_path: Path) -> None:
    report = document()
    made = written(report, tmp_path)
    assert {row["seconds"] for row in made["hosts"] if row["outcome"] == "unreachable"} == {""}
    assert {row["in_service"] for row in made["hosts"] if row["outcome"] == "unreachable"} == {"unknown"}
    assert "unknown" in {row["cves"] for row in made["changes"]}
    assert {row["rebooted"] for row in made["hosts"]} == {"yes", "no"}


def test_records_are_lines_as_the_standard_has_them(tmp_path: Path) -> None:
    for path in write_csv(document(hostile=True), tmp_path):
        content = path.read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        assert content.count(b"\n") == content.count(b"\r\n") == len(read(path))
        assert all(len(row) == len(read(path)[0]) for row in read(path))


def test_equal_reports_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (write_csv(document(hostile=True), tmp_path / name) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_begins_like_a_formula_in_any_country(tmp_path: Path, delimiter: str) -> None:
    """Excel cuts at what the country of its user has between the items of a list."""
    report = document(hostile=True)
    host = replace(report.hosts[1], reason='x;=1+1;""=2;" =3";\t=4', notes=("=5", " +6", '"@7', "\uff1d8"))
    for path in write_csv(replace(report, hosts=(host, *report.hosts[1:])), tmp_path):
        for row in read(path, delimiter):
            for cell in row:
                assert NUMBER.fullmatch(cell) or not FORMULA.match(cell), (path.name, cell)


def test_no_character_steers_anything(tmp_path: Path) -> None:
    for path in write_csv(document(hostile=True), tmp_path):
        shown = path.read_text(encoding="utf-8-sig").replace("\r", "").replace("\n", "")
        assert shown.isprintable(), path.name


def test_a_text_of_a_megabyte_is_cut_and_says_so(tmp_path: Path) -> None:
    row = written(document(hostile=True), tmp_path)["hosts"][0]
    assert len(row["reason"]) < 33_000 < MEGABYTE
    assert "characters in all, whole in report.json" in row["reason"]


@given(st.lists(st.sampled_from([*ATTACKS, ";", "'", '"', " ", "=", "x", "-", "\uff20"])).map("".join))
def test_what_was_added_can_be_taken_away(text: str) -> None:
    assert restored(safe(text)) == visible(text)
