# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files appear whole or not at all, and texts do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.texts import shortened, visible
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.whole import whole_file, whole_folder

# Half surrogate pairs, as bytes that are no UTF-8 become, are among them.
TEXTS = st.text(st.characters(exclude_categories=()))


def fail_halfway(file: Path) -> None:
    file.write_text("hal")
    raise RuntimeError


def test_a_file_is_for_its_owner_alone_and_replaces_the_former(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.txt"
    for content in ("first", "second"):
        with whole_file(path) as temporary:
            temporary.write_text(content)
    assert path.read_text() == "second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_file_whose_writing_fails_leaves_the_former_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("former")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        fail_halfway(temporary)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"report.txt": "former"}


def test_a_folder_takes_the_place_of_the_former_with_all_its_files(tmp_path: Path) -> None:
    path = tmp_path / "csv"
    for name in ("old", "new"):
        with whole_folder(path) as temporary:
            (temporary / name).write_text(name)
    assert [file.name for file in tmp_path.rglob("*")] == ["csv", "new"]
    assert (path / "new").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("former", [True, False])
def test_a_folder_whose_writing_fails_leaves_what_was_there(tmp_path: Path, former: bool) -> None:
    path = tmp_path / "csv"
    if former:
        path.mkdir()
        (path / "old").write_text("old")
    with pytest.raises(RuntimeError), whole_folder(path) as temporary:
        fail_halfway(temporary / "new")
    assert [file.name for file in sorted(tmp_path.rglob("*"))] == (["csv", "old"] if former else [])


@pytest.mark.parametrize("writer", [whole_file, whole_folder])
def test_what_cannot_be_written_is_named(tmp_path: Path, writer: object) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FleetError) as caught, writer(tmp_path / "file" / "report"):  # type: ignore[operator]
        pass
    assert caught.value.kind == "report_unwritable"
    assert str(tmp_path / "file" / "report") in caught.value.message


@given(TEXTS)
def test_everything_in_a_visible_text_is_seen_and_can_be_written(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    shown.encode()
    assert shown == text or not text.isprintable()


def test_what_nobody_would_see_is_written_as_in_python() -> None:
    assert visible("a\x1b[31m\r\n\u202eb\udc80\ufeff\U0001f600") == "a\\x1b[31m\\r\\n\\u202eb\\udc80\\ufeff\U0001f600"


@given(st.text(max_size=300), st.integers(min_value=120, max_value=300))
def test_a_text_is_cut_by_the_units_that_excel_counts_and_says_so(text: str, most: int) -> None:
    cut = shortened(text, most)
    assert len(cut.encode("utf-16-le")) // 2 <= most
    if cut != text:
        assert cut.endswith(f" … (cut: {len(text):,} characters in all, whole in report.json)")
        assert text.startswith(cut[: cut.index(" … (cut")])
