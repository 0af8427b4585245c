# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports appear all together or not at all, and texts do nothing."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.texts import shortened, visible
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.whole import whole_reports

# Half surrogate pairs, as bytes that are no UTF-8 become, are among them.
TEXTS = st.text(st.characters(exclude_categories=()))


@pytest.fixture
def former(tmp_path: Path) -> dict[str, str]:
    """A report of before in two formats, and what somebody has put beside it."""
    folder = tmp_path / "reports"
    (folder / "csv").mkdir(parents=True)
    for name in ("report.html", "csv/hosts.csv", "csv/old.csv", "notes.txt"):
        (folder / name).write_text("former")
    return found(folder)


def found(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path) -> None:
    (folder / "csv").mkdir()
    for name in ("report.html", "csv/hosts.csv", "report.json"):
        (folder / name).write_text("new")


def write_on_full_disk(folder: Path) -> None:
    write(folder)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_all_take_the_place_of_the_former_together(tmp_path: Path, former: dict[str, str]) -> None:
    folder = tmp_path / "reports"
    with whole_reports(folder) as new:
        write(new)
        assert {**found(folder), **former} == found(folder)
    made = dict.fromkeys(("report.html", "report.json", "csv/hosts.csv"), "new")
    assert found(folder) == {"notes.txt": "former", **made}
    assert {path.name for path in folder.iterdir()} == {"csv", "report.html", "report.json", "notes.txt"}
    assert {path.stat().st_mode & 0o777 for path in (folder / "report.html", folder / "csv/hosts.csv")} == {0o600}
    assert (folder / "csv").stat().st_mode & 0o777 == 0o700


def test_when_one_cannot_be_written_the_former_stay_and_nothing_else(tmp_path: Path, former: dict[str, str]) -> None:
    folder = tmp_path / "reports"
    with pytest.raises(FleetError) as full, whole_reports(folder) as new:
        write_on_full_disk(new)
    assert full.value.kind == "report_unwritable"
    assert full.value.message == f"The reports in {folder} cannot be written: No space left on device."
    assert found(folder) == former


def test_what_a_killed_process_has_left_is_removed_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    began = tmp_path / "began"
    process = os.fork()
    if process == 0:
        with whole_reports(tmp_path / "reports") as new:
            write(new)
            began.touch()
            signal.pause()
        os._exit(0)
    while not began.exists():
        time.sleep(0.01)
    try:
        with whole_reports(tmp_path / "reports") as new:
            write(new)
        assert len(list((tmp_path / "reports").glob(".new-*"))) == 1
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    with whole_reports(tmp_path / "reports"):
        pass
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {"csv", "report.html", "report.json"}


def test_where_nothing_can_be_written_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FleetError) as caught, whole_reports(tmp_path / "file" / "reports"):
        pass
    assert caught.value.kind == "report_unwritable"
    assert str(tmp_path / "file" / "reports") in caught.value.message


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
