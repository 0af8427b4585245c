# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Staging: verified packages, kept versions, and nothing half-done."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages import apt_stage
from ansible_collections.bankops.fleet.plugins.module_utils._packages.stage import stage

PLAN = "cd" * 32
Stage = Callable[..., "dict[str, Any]"]


@pytest.fixture
def run(host: Any, time: Any, transaction: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(apt_stage, "closed_cves", lambda *_changelog: ["CVE-2026-0001"])

    def run_stage(**options: Any) -> dict[str, Any]:
        arguments = {"plan": PLAN, "transaction": transaction, "minimum_free": 0, **options}
        return stage(host, root=host.root, clock=time.clock, **arguments)

    return run_stage


@pytest.fixture
def folder(host: Any) -> Path:
    path: Path = host.root / "var/lib/bankops-fleet" / PLAN[:16]
    return path


def kind_of(run: Stage, **options: Any) -> str:
    with pytest.raises(FleetError) as caught:
        run(**options)
    return caught.value.kind


def test_candidates_are_downloaded_and_installed_versions_kept(run: Stage, folder: Path) -> None:
    result = run()
    assert result["changed"] is True
    assert [(entry["name"], entry["version"]) for entry in result["staged"]] == [
        ("app", "2.0"),
        ("extra", "2.0"),
        ("hello", "2.0"),
    ]
    assert [(entry["name"], entry["version"], entry["how"]) for entry in result["kept"]] == [
        ("app", "1.0", "repository"),
        ("hello", "1.0", "repository"),
    ]
    assert result["rollback"]["possible"] is True
    assert result["rollback"]["notes"], "what no rollback undoes is said"
    assert sorted(path.name for path in (folder / "staged").iterdir()) == [
        "app_2.0_all.deb",
        "extra_2.0_all.deb",
        "hello_2.0_all.deb",
    ]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert json.loads((folder / "manifest.json").read_text())["plan"] == PLAN


def test_cves_are_unknown_for_a_package_with_nothing_to_compare_with(run: Stage) -> None:
    assert run()["cves"] == {"app": ["CVE-2026-0001"], "extra": "unknown", "hello": ["CVE-2026-0001"]}


def test_a_second_run_fetches_nothing(run: Stage, host: Any) -> None:
    run()
    fetched = host.downloads
    again = run()
    assert again["changed"] is False
    assert again["bytes"] == 0
    assert again["cves"]["app"] == ["CVE-2026-0001"]
    assert host.downloads == fetched


def test_a_second_run_replaces_only_what_was_damaged(run: Stage, host: Any, folder: Path) -> None:
    run()
    fetched = host.downloads
    (folder / "staged" / "app_2.0_all.deb").write_bytes(b"")
    assert run()["changed"] is True
    assert host.downloads == fetched + 1


def test_leftovers_of_a_killed_staging_are_swept(run: Stage, folder: Path) -> None:
    (folder / "staged" / ".download-abc").mkdir(parents=True)
    run()
    assert [path for path in (folder / "staged").iterdir() if path.name.startswith(".")] == []


def test_a_candidate_that_no_repository_has_any_more_stops_before_any_download(run: Stage, host: Any) -> None:
    host.offer("app", "1.0", "3.0")
    assert kind_of(run) == "candidate_gone"
    assert host.downloads == 0


def test_a_file_that_is_not_what_the_metadata_say_is_not_staged(
    run: Stage, host: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = host._download

    def tampered(target: Path, wanted: list[str]) -> Any:
        answer = original(target, wanted)
        for file in target.glob("app_*"):
            file.write_bytes(b"tampered")
        return answer

    monkeypatch.setattr(host, "_download", tampered)
    assert kind_of(run) == "checksum_mismatch"
    assert list((folder / "staged").iterdir()) == []


def test_a_full_disk_stops_before_any_download_and_says_the_numbers(run: Stage, host: Any) -> None:
    with pytest.raises(FleetError) as caught:
        run(minimum_free=1 << 30)
    assert caught.value.kind == "disk_full"
    assert caught.value.data["free_bytes"] < caught.value.data["minimum_free_bytes"]
    assert host.downloads == 0


def test_check_mode_says_what_would_be_downloaded(run: Stage, folder: Path) -> None:
    result = run(check_mode=True)
    assert result["changed"] is True
    assert [entry["name"] for entry in result["would_download"]] == ["app", "extra", "hello"]
    assert not folder.exists()


def test_the_cache_is_used_before_the_repository(run: Stage, host: Any) -> None:
    cached = host.root / "var/cache/apt/archives/app_1.0_all.deb"
    cached.write_bytes(host._content("app", "1.0"))
    assert [entry["how"] for entry in run()["kept"]] == ["cache", "repository"]


def test_what_no_repository_has_is_repacked(run: Stage, host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host.offer("app", "2.0")

    def repacked(_commands: Any, _name: str, _arch: str, target: Path, _root: Path) -> Path:
        target.write_bytes(b"repacked")
        return target

    monkeypatch.setattr(apt_stage, "repack", repacked)
    assert [entry["how"] for entry in run()["kept"]] == ["repacked", "repository"]


def test_what_cannot_be_kept_makes_the_rollback_impossible_and_is_named(
    run: Stage, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.offer("app", "2.0")

    def refused(*_arguments: Any) -> Path:
        raise FleetError("A device node cannot be repacked.", kind="repack_failed")

    monkeypatch.setattr(apt_stage, "repack", refused)
    rollback = run()["rollback"]
    assert rollback["possible"] is False
    assert rollback["cannot"] == [{"name": "app", "why": "A device node cannot be repacked."}]


def test_versions_are_not_kept_when_that_is_not_asked_for(run: Stage) -> None:
    result = run(keep=False)
    assert result["kept"] == []
    assert result["rollback"]["possible"] is False


def test_packages_of_old_plans_are_removed_and_their_runs_stay(run: Stage, folder: Path) -> None:
    for name, age in (("old", 91), ("recent", 89)):
        other = folder.parent / name
        (other / "staged").mkdir(parents=True)
        (other / "apply").mkdir()
        (other / "manifest.json").write_text("{}")
        moment = time.time() - age * 86400
        os.utime(other / "manifest.json", (moment, moment))
    run()
    assert sorted(path.name for path in (folder.parent / "old").iterdir()) == ["apply"]
    assert (folder.parent / "recent/staged").is_dir()


@pytest.mark.parametrize("plan", ["", "../../etc", "AB" * 32, "ab" * 31])
def test_what_is_no_digest_is_refused(run: Stage, plan: str) -> None:
    assert kind_of(run, plan=plan) == "bad_plan"
