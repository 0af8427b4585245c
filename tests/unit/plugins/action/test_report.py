# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module report in a real run of Ansible: what it writes where, and what it refuses before it writes anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats import pdf, registry
from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible
from ansible_collections.bankops.fleet.tests.fakes.report_states import put_cycle

REFUSED: dict[str, dict[str, Any]] = {
    "bad_format": {"cycle": "2026-11", "formats": ["json", "pdff"]},
    "cycle_missing": {"cycle": "2026-12"},
    "no_plan": {"cycle": "2026-11", "tenants": ["nobody"]},
    "plan_missing": {"plans": [{"tenant": "alpha", "plan": "a" * 64}]},
    "bad_name": {"plans": [{"tenant": "../alpha", "plan": "a" * 64}]},
    "bad_scope": {"scope": "cycle"},
    "bad_scope plan": {"plans": [{"tenant": "alpha"}]},
    "bad_scope history": {"cycle": "2026-11", "formats": ["history"]},
    "bad_scope sample": {"cycle": "2026-11", "sample": {"seed": "x", "size": 0}},
}


def play(folder: Path, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the module with each of these arguments; return its results."""
    registered = [{"bankops.fleet.report": task, "register": f"out{n}"} for n, task in enumerate(tasks)]
    results = "{{ [" + ", ".join(f"out{n}" for n in range(len(tasks))) + "] | to_json }}"
    write = {"ansible.builtin.copy": {"content": results, "dest": str(folder / "results.json")}}
    content = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "ignore_errors": True,
            "vars": {"fleet_state_dir": str(folder / "state")},
            "tasks": [*registered, write],
        }
    ]
    (folder / "play.json").write_text(json.dumps(content))
    done = run_ansible(folder, "playbook", "play.json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())
    return found


def test_each_tenant_has_its_own_folder_and_the_fleet_one_report(tmp_path: Path) -> None:
    plan = put_cycle(tmp_path / "state", "alpha", "2026-11", hosts=15)
    put_cycle(tmp_path / "state", "beta", "2026-11", hosts=15)
    (tmp_path / "state" / "bundles" / "alpha" / f"0001-2026-11-{plan[:16]}").mkdir(parents=True)
    out = tmp_path / "out"
    cycle, tenants, fleet, single = play(
        tmp_path,
        {"cycle": "2026-11", "formats": ["html", "json", "csv"], "dest": f"{out}/cycle"},
        {"scope": "tenant", "formats": ["history"], "dest": f"{out}/tenants"},
        {"scope": "fleet", "formats": ["json"], "dest": f"{out}/fleet"},
        {"plans": [{"tenant": "alpha", "plan": plan}], "formats": ["json"], "dest": f"{out}/plan"},
    )
    assert set(cycle["reports"]) == set(cycle["briefs"]) == {"alpha", "beta"}
    for tenant, other in (("alpha", "beta"), ("beta", "alpha")):
        own = out / "cycle" / tenant
        assert cycle["reports"][tenant]["json"] == [str(own / "report.json")]
        assert sorted(path.name for path in own.iterdir()) == ["csv", "report.html", "report.json"]
        assert not [path for path in own.rglob("*") if path.is_file() and other in path.read_text(encoding="utf-8")]
    history = (out / "tenants" / "alpha" / "history.html").read_text(encoding="utf-8")
    assert f"../../../state/bundles/alpha/0001-2026-11-{plan[:16]}" in history
    assert set(tenants["reports"]) == {"alpha", "beta"}
    assert fleet["reports"] == {"fleet": {"json": [str(out / "fleet" / "report.json")]}}
    assert json.loads((out / "fleet" / "report.json").read_bytes())["scope"]["tenants"] == ["alpha", "beta"]
    assert single["reports"] == {"alpha": {"json": [str(out / "plan" / "alpha" / "report.json")]}}
    assert json.loads((out / "plan" / "alpha" / "report.json").read_bytes())["scope"]["kind"] == "plan"


def test_what_cannot_be_made_is_refused_with_the_remedy_and_nothing_is_written(tmp_path: Path) -> None:
    put_cycle(tmp_path / "state", "alpha", "2026-11", hosts=3)
    out = tmp_path / "out"
    found = play(tmp_path, *({**arguments, "dest": str(out)} for arguments in REFUSED.values()), {"cycle": "2026-11"})
    for expected, result in zip((*REFUSED, "bad_scope"), found, strict=True):
        assert result["failed"], expected
        assert result["fleet_failure"]["kind"] == expected.split()[0], result["msg"]
        assert result["fleet_failure"]["remedy"]
    assert not out.exists()


def test_when_the_report_of_one_tenant_cannot_be_written_no_other_takes_its_place(tmp_path: Path) -> None:
    for tenant in ("alpha", "beta"):
        put_cycle(tmp_path / "state", tenant, "2026-11", hosts=3)
    out = tmp_path / "out"
    task: dict[str, Any] = {"cycle": "2026-11", "formats": ["html", "json", "csv", "oscal"], "dest": str(out)}
    (alone,) = play(tmp_path, {**task, "tenants": ["alpha"]})
    assert not alone.get("failed"), alone
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (out / "beta").write_text("in the way")
    (both,) = play(tmp_path, task)
    assert both["fleet_failure"]["kind"] == "report_unwritable"
    assert f"The reports in {out}/beta cannot be written" in both["msg"]
    (out / "beta").unlink()
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_pdf_without_its_library_is_refused_before_any_other_format_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> None:
        raise FleetError("no WeasyPrint", kind="format_unavailable")

    monkeypatch.setattr(pdf, "require_weasyprint", missing)
    registry.check_formats(["html", "xlsx", "history"])
    with pytest.raises(FleetError, match="no WeasyPrint"):
        registry.check_formats(["html", "pdf"])


def test_the_registry_has_every_format() -> None:
    assert set(registry.FORMATS) == {"html", "json", "csv", "xlsx", "oscal", "pdf"}
