# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CSV format: a file for each table of a report, as RFC 4180 has it, that a spreadsheet may open without harm.

UTF-8 with a byte order mark, without which Excel takes UTF-8 for something else. A record is a line.
A spreadsheet takes a text that begins like a formula for one, and a comma in one country is a semicolon in another, at
which it then begins a new cell. So an apostrophe stands where a cell could begin like a formula: ``restored`` takes it
away again.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.tables import (
    Cell,
    HostGroups,
    tables,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.texts import shortened, visible

NAME = "csv"
_MARK = "\ufeff"
_END = "\r\n"
# Blanks and quotes are skipped by some spreadsheets. The wide and small forms are what East Asian keyboards write. An
# apostrophe is doubled, so that one that was there before is told from one that was put there.
_LIKE_A_FORMULA = re.compile(r"""(^|;)(?=[\s"]*['=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b])""")
_APOSTROPHE = re.compile(r"(^|;)'")


def write_csv(document: Document, folder: Path) -> list[Path]:
    """Write the folder ``csv`` with a file for each table; the same bytes for the same document. Raises OSError."""
    groups = HostGroups()
    written = []
    own = folder / NAME
    own.mkdir(exist_ok=True)
    for table in tables(document, groups):
        _write(own / f"{table.name}.csv", table.columns, table.rows)
        written.append(table.name)
    names = _Cells()
    _write_host_groups(own / "host_groups.csv", groups, names)
    _write_host_changes(own / "host_changes.csv", document, names)
    return [own / f"{name}.csv" for name in (*written, "host_groups", "host_changes")]


def safe(text: str) -> str:
    """The text as it stands in a cell: no formula for a spreadsheet, on one line, of a bearable length."""
    return _LIKE_A_FORMULA.sub(r"\1'", shortened(visible(text)))


def restored(cell: str) -> str:
    """The text that ``safe`` was given, but for characters that are written as escapes and for what was cut."""
    return _APOSTROPHE.sub(r"\1", cell)


def _write(path: Path, columns: Iterable[str], rows: Iterable[tuple[Cell, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(_MARK)
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([safe(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)


class _Cells(dict[str, str]):
    """How texts are written as cells: names of hosts stand on millions of lines, and are looked at once."""

    def __missing__(self, text: str) -> str:
        cell = self[text] = _record((text,)).removesuffix(_END)
        return cell


def _write_host_groups(path: Path, groups: HostGroups, names: _Cells) -> None:
    """A line for each host of each group of hosts that a row of another table names."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(_MARK + _record(("group", "host")))
        for number, hosts in groups:
            stream.writelines([f"{number},{names[host]}{_END}" for host in hosts])


def _write_host_changes(path: Path, document: Document, names: _Cells) -> None:
    """A line for each change of each host."""
    columns = ("host", "tenant", "cycle", "plan", "package", "before", "after", "changed")
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(_MARK + _record(columns))
        for row in document.changes:
            changed = "yes" if row.changed else "no"
            rest = _record((row.tenant, row.cycle, row.plan, row.package, row.before, row.after, changed))
            stream.writelines([f"{names[host]},{rest}" for host in row.hosts])


def _record(cells: Iterable[Cell]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([safe(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue()
