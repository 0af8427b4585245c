# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reports that are kept beside a plan: all of one moment, each whole, and nothing when one cannot be made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats import registry
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.kept import USUAL, put_reports
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import publish

TENANT = "tenant1"


@pytest.fixture(params=["folder", "database"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    if request.param == "folder":
        return FolderState(tmp_path / "state")
    return SpooledState(f"sqlite:///{tmp_path}/state.db", tmp_path / "spools", keep=lambda _order: None)


def written(folder: Path, hostile: bool = False) -> dict[str, bytes]:
    """What the formats write for this document by themselves, by its place in their folder."""
    folder.mkdir(exist_ok=True)
    registry.write_reports(document(hostile=hostile), folder, USUAL, {})
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kept(state: State, plan: str) -> dict[str, bytes]:
    return {name: state.get_report(TENANT, plan, name) for name in state.reports(TENANT, plan)}


@pytest.mark.parametrize("hostile", [False, True])
def test_every_file_of_every_format_is_kept_as_it_was_written(state: State, tmp_path: Path, hostile: bool) -> None:
    plan = publish(state)
    places = put_reports(state, TENANT, plan, document(hostile=hostile), USUAL)
    wanted = written(tmp_path / "out", hostile)
    # A workbook has the time at which its parts were packed.
    found = kept(state, plan)
    assert {**found, "report.xlsx": b""} == {**wanted, "report.xlsx": b""}
    assert list(places) == list(USUAL)
    assert "report.html" in places["html"][0]
    assert len(places["csv"]) == sum(name.startswith("csv/") for name in wanted)


def test_what_an_earlier_report_left_is_taken_away_and_nothing_else_is(state: State) -> None:
    plan = publish(state)
    for name in ("summary.md", "deliveries.json", "figures.json"):
        state.put_report(TENANT, plan, name, b"stays")
    put_reports(state, TENANT, plan, document(), USUAL)
    assert "oscal/poam.json" in kept(state, plan)
    # Where nothing is overdue any more there is no plan of action, and the old one would say that something is.
    well = replace(document(), cves=(), exceptions=())
    put_reports(state, TENANT, plan, well, ("oscal", "json"))
    assert set(kept(state, plan)) == {
        *("summary.md", "deliveries.json", "figures.json"),
        *("oscal/assessment-results.json", "report.json"),
    }


def test_a_format_that_cannot_be_made_leaves_everything_as_it_was(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = publish(state)
    put_reports(state, TENANT, plan, document(), ("html", "csv"))
    before = kept(state, plan)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    def full(*_given: Any) -> list[Path]:
        raise FleetError("The disk is full.", kind="report_unwritable")

    monkeypatch.setitem(registry.FORMATS, "oscal", full)
    with pytest.raises(FleetError, match="disk is full"):
        put_reports(state, TENANT, plan, replace(document(), verdict="another"), USUAL)
    assert kept(state, plan) == before
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_controller_without_room_for_temporary_files_says_so(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = publish(state)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(FleetError, match="nowhere") as refused:
        put_reports(state, TENANT, plan, document(), USUAL)
    assert refused.value.kind == "report_unwritable"


def test_the_files_of_every_format_are_known_by_their_names(tmp_path: Path) -> None:
    for name in written(tmp_path):
        assert registry.is_written(name), name
    assert not any(map(registry.is_written, ("summary.md", "figures.json", "deliveries.json", "html")))
