# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The PDF format, as far as it goes without WeasyPrint: what is printed, and what is said where it cannot be."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.pdf import MOST, html, write_pdf
from ansible_collections.bankops.fleet.tests.fakes.hostile_texts import ATTACKS, MEGABYTE
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document


@pytest.mark.parametrize(
    "module", ["raise ImportError", "raise OSError('cannot load library libpango')", "HTML = 'of a version too old'"]
)
def test_where_it_cannot_be_made_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    for name in ("weasyprint", "weasyprint.urls"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "weasyprint.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FleetError) as caught:
        write_pdf(document(), tmp_path / "reports")
    assert caught.value.kind == "format_unavailable"
    assert "requirements-pdf.txt" in caught.value.remedy
    assert "Pango" in caught.value.remedy
    assert not (tmp_path / "reports").exists()
    # The next test may have the real one.
    sys.modules.pop("weasyprint", None)


def test_everything_from_outside_is_escaped_and_leads_nowhere() -> None:
    page = html(replace(document(hostile=True), troubles=ATTACKS))
    assert page.replace("\n", "").isprintable()
    assert set(re.findall(r"<([a-z0-9]+)", page)) <= {
        *("html", "head", "meta", "title", "style", "body", "section", "h1", "h2", "h3", "p", "ul", "li"),
        *("table", "colgroup", "col", "thead", "tbody", "tr", "th", "td"),
    }
    assert not re.search(r"<[^>]*\b(href|src|on\w+)=", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7*7 }}" in page


def test_a_text_of_a_megabyte_is_cut_and_says_so() -> None:
    page = html(replace(document(), troubles=("B" * MEGABYTE,)))
    assert f"{'B' * 300}… (1,000,000 characters)" in page
    assert len(page) < MEGABYTE / 10


def test_a_long_list_says_how_long_it_is_and_where_all_of_it_is() -> None:
    report = document(hosts=900)
    attention = [host for host in report.hosts if host.needs_attention]
    page = html(report)
    assert len(attention) > 2 * MOST
    assert f"The first {MOST} of {len(attention)} are printed here." in page
    assert "sheet Hosts of report.xlsx, in csv/hosts.csv" in page
    printed = re.findall(r'<th scope="row">(\w+)</th><td>\w+</td><td>[\w ]+</td><td>\w+</td><td>', page)
    assert printed == [host.host for host in attention[:MOST]]
