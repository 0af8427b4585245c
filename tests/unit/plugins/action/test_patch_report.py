# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module patch_report in real runs of Ansible: what it keeps beside each plan, and that it keeps nothing more."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, open_book
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible
from ansible_collections.bankops.fleet.tests.fakes.report_states import put_cycle
from ansible_collections.bankops.fleet.tests.fakes.sealing import put_seal

CYCLE = "2026-11"
AS_SEALED = "the plan is sealed, and its reports stay as they were sealed"


def play(
    folder: Path, *tasks: dict[str, Any], arguments: tuple[str, ...] = ()
) -> tuple[list[dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Run the module with each of these arguments; its results, and what was shown."""
    registered = [
        {"bankops.fleet.patch_report": {"cycle": CYCLE, **task}, "register": f"out{n}"} for n, task in enumerate(tasks)
    ]
    results = "{{ [" + ", ".join(f"out{n}" for n in range(len(tasks))) + "] | to_json }}"
    write = {"ansible.builtin.copy": {"content": results, "dest": f"{folder}/results.json"}, "check_mode": False}
    content = {
        "hosts": "localhost",
        "gather_facts": False,
        "ignore_errors": True,
        "vars": {"fleet_state_dir": f"{folder}/state"},
        "tasks": [*registered, write],
    }
    (folder / "play.json").write_text(json.dumps([content]))
    done = run_ansible(folder, "playbook", "play.json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "results.json").read_text()), done


def planned(folder: Path, tenant: str) -> Book:
    return open_book(FolderState(folder / "state"), tenant, put_cycle(folder / "state", tenant, CYCLE, hosts=15))


def beside(book: Book) -> dict[str, bytes]:
    """Everything that stands beside a plan."""
    own = (book.tenant, book.plan)
    return {name: book.state.get_report(*own, name) for name in book.state.reports(*own)}


def test_the_report_is_kept_in_every_format_and_by_name_in_others(tmp_path: Path) -> None:
    alpha, beta = planned(tmp_path, "alpha"), planned(tmp_path, "beta")
    plans = tmp_path / "state/tenants/alpha/plans" / alpha.plan
    (every, some), done = play(tmp_path, {}, {"tenants": ["beta"], "formats": ["json", "oscal"]})
    assert every["reports"]["alpha"] == f"{plans}/report.html"
    assert f"report: {plans}/report.html" in done.stdout
    assert every["files"]["alpha"] == {
        "html": [f"{plans}/report.html"],
        "json": [f"{plans}/report.json"],
        "csv": [f"{plans}/csv/{path.name}" for path in map(Path, every["files"]["alpha"]["csv"])],
        "xlsx": [f"{plans}/report.xlsx"],
        "oscal": [f"{plans}/oscal/assessment-results.json", f"{plans}/oscal/poam.json"],
    }
    files = [path for paths in every["files"]["alpha"].values() for path in paths]
    assert {Path(path).read_bytes() for path in files} < set(beside(alpha).values())
    assert set(beside(beta)) == {
        *("figures.json", "oscal/assessment-results.json", "oscal/poam.json", "report.json"),
    }
    # Without the page people are told of the first file.
    assert some["reports"]["beta"].endswith("/report.json")


@pytest.mark.parametrize("formats", [["html", "history"], ["htm"], []], ids=str)
def test_formats_that_there_are_not_for_a_plan_are_refused_before_anything_is_kept(
    tmp_path: Path, formats: list[str]
) -> None:
    book = planned(tmp_path, "alpha")
    ((refused,), _done) = play(tmp_path, {"formats": formats})
    assert refused["failed"]
    assert refused["fleet_failure"]["kind"] == "bad_format"
    assert "html" in refused["fleet_failure"]["remedy"]
    assert beside(book) == {}


def test_a_sealed_plan_is_shown_and_its_reports_stay_as_they_were_sealed(tmp_path: Path) -> None:
    book, other = planned(tmp_path, "alpha"), planned(tmp_path, "beta")
    play(tmp_path, {"tenants": ["alpha"], "formats": ["html"]}, {"tenants": ["alpha"], "stage": "plan"})
    put_seal(book)
    before = beside(book)
    assert sorted(before) == ["figures.json", "report.html", "summary.md"]
    (result, summary), done = play(tmp_path, {}, {"stage": "plan"})
    assert beside(book) == before
    # Of the other tenant it is all as ever.
    assert list(result["reports"]) == list(result["files"]) == list(summary["reports"]) == ["beta"]
    assert {"report.html", "report.xlsx", "summary.md"} <= beside(other).keys()
    assert f"report: {AS_SEALED}" in done.stdout
    assert f"details: {AS_SEALED}" in done.stdout
    assert "alpha-host00005" in done.stdout


def test_a_sealed_plan_without_any_report_gets_none(tmp_path: Path) -> None:
    book = planned(tmp_path, "alpha")
    put_seal(book)
    (result, summary), done = play(tmp_path, {}, {"stage": "plan"})
    assert beside(book) == result["reports"] == summary["reports"] == {}
    assert done.stdout.count(AS_SEALED) == 2


def test_check_mode_keeps_nothing(tmp_path: Path) -> None:
    book = planned(tmp_path, "alpha")
    ((result,), _done) = play(tmp_path, {}, arguments=("--check",))
    assert (result["reports"], result["files"], beside(book)) == ({}, {}, {})
