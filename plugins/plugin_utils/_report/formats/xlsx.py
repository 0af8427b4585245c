# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The XLSX format: sheets that an auditor can filter, with numbers and times that a spreadsheet can calculate with.

Every text is written as a text: nothing in it becomes a formula, a link or markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.tables import (
    MOMENTS,
    Cell,
    HostGroups,
    Table,
    tables,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.texts import CELL, shortened, visible

if TYPE_CHECKING:
    from xlsxwriter import Workbook

NAME = "report.xlsx"
ROWS = 1_048_576
"""As many rows as a sheet of Excel has, its head among them."""

_WIDTHS = {
    **dict.fromkeys(
        ("host", "package", "before", "after", "candidate", "subject", "owner", "approver", "executor"), 26
    ),
    **dict.fromkeys(("tenant", "cve", "trouble", "approvals", "notes", "effect", "cves", "population"), 26),
    **dict.fromkeys(("title", "reason", "hosts_named", "hosts_closed_named", "hosts_open_named", "detail"), 40),
    **dict.fromkeys(("evidence", "definition", "missing", "verdict", "value", "names", "meaning"), 60),
}
_WIDTH, _WIDTH_OF_A_MOMENT = 14, 20

_OUTCOMES = {
    HostOutcome.UNREACHABLE: "could not be reached, so nobody knows",
    HostOutcome.FAILED: "a step failed, or its end was not seen",
    HostOutcome.ROLLED_BACK: "was changed, did not verify, and has its former versions again",
    HostOutcome.VERIFIED: "was changed as planned, and looked at afterwards",
    HostOutcome.UNCHANGED: "needed no change",
    HostOutcome.SKIPPED: "was left as it is, for the reason beside it",
    HostOutcome.NOT_ATTEMPTED: "was not begun",
}
_READING = (
    ("times", "UTC."),
    ("an empty cell", "not there, or not known; it is no zero and no yes."),
    (r"\x1b, \n, \u202e", "a character that cannot be seen, written as in Python, so that it does nothing."),
    ("a text of more than 32,767 characters", "is cut at its end, and says so; it is whole in report.json."),
    (
        "more rows than a sheet takes",
        "continue on a further sheet of the same name with a number; none is left out.",
    ),
    (
        "hosts … named, hosts … group",
        "the first names, and the number under which all names stand on the sheet Host groups. "
        "The folder csv has a line for each change of each host (host_changes.csv).",
    ),
)


def write_xlsx(document: Document, folder: Path) -> list[Path]:
    """Write ``report.xlsx``; the same bytes for the same document. Raises OSError."""
    # What every report's module imports is paid for by those that make no sheets.
    from xlsxwriter import Workbook

    path = folder / NAME
    # The library keeps the rows of each sheet in a file until the end, which must be where there is room for them.
    rows = {"constant_memory": True, "tmpdir": str(folder)}
    with Workbook(str(path), {**rows, "strings_to_formulas": False, "strings_to_urls": False}) as workbook:
        _Book(workbook).fill(document)
    return [path]


@dataclass
class _Sheet:
    """A sheet under the pen: ``row`` is the next one."""

    sheet: Any
    columns: tuple[str, ...]
    row: int = 1


class _Book:
    def __init__(self, workbook: Workbook) -> None:
        self._workbook = workbook
        top = {"valign": "top"}
        self._title = workbook.add_format({"bold": True, "font_size": 16})
        self._head = workbook.add_format({"bold": True, "bg_color": "#1F4E8C", "font_color": "#FFFFFF", **top})
        self._good = workbook.add_format({"bold": True, "font_color": "#0F6B3A", "text_wrap": True, **top})
        self._bad = workbook.add_format({"bold": True, "font_color": "#A3161F", "text_wrap": True, **top})
        self._wrapped = workbook.add_format({"text_wrap": True, "align": "left", **top})
        self._moment = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
        self._day = workbook.add_format({"num_format": "yyyy-mm-dd", "align": "left"})
        self._whole = workbook.add_format({"num_format": "#,##0"})
        self._fraction = workbook.add_format({"num_format": "#,##0.0"})

    def fill(self, document: Document) -> None:
        made = _time(document.made)
        self._workbook.set_properties(
            {"title": _text(document.scope.title), "created": made, "comments": "Made by bankops.fleet"}
        )
        groups = HostGroups()
        first, *others = tables(document, groups)
        # The first sheet is written last: it says how many rows the others have.
        summary = self._workbook.add_worksheet(first.title)
        written = [(table, self._write(table)) for table in others]
        names = Table(
            "host_groups",
            "Host groups",
            "The names of the hosts behind each number in a column … group; a long list takes several rows.",
            ("group", "hosts", "names"),
            ((number, len(some), "; ".join(some)) for number, hosts in groups for some in _handfuls(hosts)),
        )
        written.append((names, self._write(names)))
        self._summary(summary, document, first, written)
        self._definitions(document, others)

    def _write(self, table: Table) -> int:
        """Write a table onto as many sheets as it needs; return how many rows it has."""
        sheet, written, sheets = self._begin(table, table.title), 0, 1
        for row in table.rows:
            if sheet.row == ROWS:
                self._end(sheet)
                sheets += 1
                sheet = self._begin(table, f"{table.title} ({sheets})")
            for column, cell in enumerate(row):
                self._cell(sheet.sheet, sheet.row, column, cell, table.columns[column] in MOMENTS)
            sheet.row += 1
            written += 1
        self._end(sheet)
        return written

    def _begin(self, table: Table, name: str) -> _Sheet:
        sheet = self._workbook.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(table.columns):
            sheet.set_column(place, place, _width(column))
            sheet.write_string(0, place, column.replace("_", " "), self._head)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        return _Sheet(sheet, table.columns)

    def _end(self, done: _Sheet) -> None:
        last_row, last_column = max(1, done.row - 1), len(done.columns) - 1
        done.sheet.autofilter(0, 0, last_row, last_column)
        # A version such as 1.10 is a text on purpose.
        done.sheet.ignore_errors({"number_stored_as_text": f"A1:{_letters(last_column)}{last_row + 1}"})

    def _cell(self, sheet: Any, row: int, column: int, cell: Cell, is_moment: bool = False) -> None:
        if isinstance(cell, str):
            moment = _time(cell) if is_moment else None
            if moment is None:
                sheet.write_string(row, column, _text(cell))
            else:
                sheet.write_datetime(row, column, moment, self._day if len(cell) == len("2026-11-30") else self._moment)
        elif cell is not None:
            sheet.write_number(row, column, cell, self._whole if isinstance(cell, int) else self._fraction)

    def _summary(self, sheet: Any, document: Document, first: Table, written: Iterable[tuple[Table, int]]) -> None:
        sheet.set_column(0, 0, 36)
        sheet.set_column(1, 1, 20)
        sheet.set_column(2, 2, 100)
        row = 0
        for name, value in first.rows:
            if name == "title":
                sheet.write_string(row, 0, _text(str(value)), self._title)
            elif name == "verdict":
                sheet.write_string(row, 0, _text(str(value)), self._good if document.well else self._bad)
            else:
                sheet.write_string(row, 0, _text(str(name)))
                self._cell(sheet, row, 1, value, name in MOMENTS)
            row += 1
        row = self._list(sheet, row + 1, ("metric", "value", "definition"), _totals(document))
        sheets = ((table.title, rows, table.about) for table, rows in written)
        self._list(sheet, row + 1, ("sheet", "rows", "what stands in it"), sheets)

    def _list(self, sheet: Any, row: int, head: tuple[str, ...], lines: Iterable[tuple[Cell, ...]]) -> int:
        for column, title in enumerate(head):
            sheet.write_string(row, column, title, self._head)
        for line in lines:
            row += 1
            for column, cell in enumerate(line):
                self._cell(sheet, row, column, cell)
        return row + 1

    def _definitions(self, document: Document, others: Iterable[Table]) -> None:
        words: list[tuple[str, str, str]] = [
            *(("metric", metric.title, metric.definition) for metric in document.metrics),
            *(("outcome", str(outcome), meaning) for outcome, meaning in _OUTCOMES.items()),
            *(("sheet", table.title, table.about) for table in others),
            *(("reading", what, meaning) for what, meaning in _READING),
        ]
        self._write(Table("definitions", "Definitions", "", ("kind", "title", "meaning"), words))


def _totals(document: Document) -> Iterable[tuple[Cell, ...]]:
    for metric in document.metrics:
        yield f"{metric.title} ({metric.unit})", metric.total.value, metric.definition


def _handfuls(hosts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """So many names at a time that a cell takes them. A row for each name may be a million rows."""
    begin, units = 0, 0
    for place, host in enumerate(hosts):
        length = 2 * len(visible(host)) + 2
        if units + length > CELL - 1 and place > begin:
            yield hosts[begin:place]
            begin, units = place, 0
        units += length
    yield hosts[begin:]


def _text(text: str) -> str:
    shown = shortened(visible(text), CELL - 1)
    # What stands between these two the library takes for markup that somebody else escaped, and writes it as it is.
    return f"{shown} " if shown.startswith("<r>") and shown.endswith("</r>") else shown


def _time(text: str) -> datetime | None:
    """A time or day as Excel has it: in no zone, and not before 1900. None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return moment if moment.year > 1900 else None


def _width(column: str) -> int:
    return _WIDTHS.get(column, _WIDTH_OF_A_MOMENT if column in MOMENTS else max(_WIDTH, len(column) + 4))


def _letters(column: int) -> str:
    return chr(ord("A") + column)
