# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON format has the whole model, a row a line, and does nothing to whoever looks at it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import FORMAT, Document
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.json_file import write_json
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document


def read(document: Document, folder: Path) -> tuple[bytes, dict[str, Any]]:
    (path,) = write_json(document, folder)
    content = path.read_bytes()
    return content, json.loads(content)


@pytest.mark.parametrize("hostile", [False, True])
def test_everything_comes_back_as_it_was_in_the_order_of_the_model(tmp_path: Path, hostile: bool) -> None:
    report = document(hostile=hostile)
    _content, data = read(report, tmp_path)
    assert list(data) == list(report.as_data())
    # Tuples are lists in JSON.
    assert data == json.loads(json.dumps({"format": FORMAT, **asdict(report)}))


def test_equal_reports_are_equal_bytes_and_a_row_is_a_line(tmp_path: Path) -> None:
    content, data = read(document(), tmp_path)
    assert content == read(document(), tmp_path)[0]
    lines = content.decode().splitlines()
    begin = lines.index('"hosts":[') + 1
    hosts = [json.loads(line.removesuffix(",")) for line in lines[begin : begin + len(data["hosts"])]]
    assert hosts == data["hosts"]


def test_no_byte_of_it_steers_a_terminal_or_the_direction_of_writing(tmp_path: Path) -> None:
    text = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x61C, *range(0x200B, 0x2010), 0x2028, 0x202E)))
    text += "\u2066\u2069\ufeff\U000e0041"
    content, data = read(replace(document(), verdict=text), tmp_path)
    assert data["verdict"] == text
    shown = content.decode().replace("\n", "")
    assert shown.isprintable(), re.findall(r"[^ -~]", shown)


def test_bytes_that_are_no_utf8_are_written_as_such(tmp_path: Path) -> None:
    report = document()
    host = replace(report.hosts[0], reason="broken \udc80 name", notes=("\udcff",))
    content, data = read(
        replace(report, hosts=(host, *report.hosts[1:]), user_requests={"\udc81": {"failed": 1}}), tmp_path
    )
    assert data["hosts"][0]["reason"] == "broken \\udc80 name"
    assert data["hosts"][0]["notes"] == ["\\udcff"]
    assert data["user_requests"] == {"\\udc81": {"failed": 1}}
    assert data["hosts"][1] == json.loads(json.dumps(asdict(report.hosts[1])))
    content.decode()
