# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applying exactly the planned transaction, and the way back."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.change import Order, apply, roll_back
from ansible_collections.bankops.fleet.plugins.module_utils._packages.restart import Restart
from ansible_collections.bankops.fleet.plugins.module_utils._packages.stage import stage

PLAN = "ab" * 32
APPLY = f"bankops-fleet-{PLAN[:16]}-apply.service"


class Patching:
    """One plan on one host."""

    def __init__(self, host: Any, time: Any, transaction: list[dict[str, Any]]) -> None:
        self.host, self.time, self.transaction = host, time, transaction

    @property
    def folder(self) -> Path:
        folder: Path = self.host.root / "var/lib/bankops-fleet" / PLAN[:16]
        return folder

    def stage(self, **options: Any) -> dict[str, Any]:
        return stage(
            self.host,
            plan=PLAN,
            transaction=self.transaction,
            minimum_free=0,
            root=self.host.root,
            clock=self.time.clock,
            **options,
        )

    def apply(self, **order: Any) -> dict[str, Any]:
        return apply(self.host, Order(PLAN, self.transaction, **order), self.host.root, self.time.clock)

    def roll_back(self, **order: Any) -> dict[str, Any]:
        return roll_back(self.host, Order(PLAN, self.transaction, **order), self.host.root, self.time.clock)

    def refusal(self, verb: str = "apply", **order: Any) -> FleetError:
        with pytest.raises(FleetError) as caught:
            getattr(self, verb)(**order)
        return caught.value


@pytest.fixture
def patching(host: Any, time: Any, transaction: list[dict[str, Any]]) -> Patching:
    return Patching(host, time, transaction)


@pytest.fixture
def staged(patching: Patching, monkeypatch: pytest.MonkeyPatch) -> Patching:
    monkeypatch.setattr(
        "ansible_collections.bankops.fleet.plugins.module_utils._packages.apt_stage.closed_cves",
        lambda *_changelog: ["CVE-2026-0001"],
    )
    patching.stage()
    return patching


def test_the_planned_versions_are_installed_from_the_staged_files(staged: Patching) -> None:
    result = staged.apply()
    assert result["changed"] is True
    assert result["before"] == {"app:all": "1.0", "extra:all": None, "hello:all": "1.0"}
    assert result["after"] == {"app:all": "2.0", "extra:all": "2.0", "hello:all": "2.0"}
    assert result["transaction"] == staged.transaction
    assert result["log"] == "what apt said\n"
    assert result["diff"] == {
        "before": "app:all 1.0\nhello:all 1.0\n",
        "after": "app:all 2.0\nextra:all 2.0\nhello:all 2.0\n",
    }
    command = staged.host.started[-1]
    assert str(staged.folder / "staged" / "app_2.0_all.deb") in command
    assert "Dir::Etc::SourceList=/dev/null" in command, "no repository may change what happens"
    assert "--no-remove" in command
    assert "Dpkg::Options::=--force-confold" in command


def test_automatic_marks_are_as_before_and_new_dependencies_are_automatic(staged: Patching) -> None:
    staged.apply()
    marks = {name: package.automatic for name, package in staged.host.packages.items()}
    assert marks == {"app": False, "extra": True, "hello": True}


def test_a_second_run_changes_nothing_and_still_tells_the_versions_from_before(staged: Patching) -> None:
    staged.apply()
    again = staged.apply()
    assert again["changed"] is False
    assert again["reattached"] is True
    assert again["before"]["app:all"] == "1.0"
    assert len(staged.host.started) == 1


@pytest.mark.parametrize("names", [["hello"], ["app", "extra", "hello"]], ids=["some", "all"])
def test_what_the_holder_of_the_lock_has_installed_meanwhile_is_left_out(
    staged: Patching, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    def wait(*_waiting: Any) -> None:
        for name in names:
            staged.host.install(name, "2.0")

    monkeypatch.setattr("ansible_collections.bankops.fleet.plugins.module_utils._packages.change.wait_for_locks", wait)
    result = staged.apply()
    assert result["changed"] is (len(names) == 1)
    assert result["after"] == {"app:all": "2.0", "extra:all": "2.0", "hello:all": "2.0"}
    installed = [word for command in staged.host.started for word in command if word.endswith(".deb")]
    assert len(installed) == 3 - len(names)


def test_check_mode_tells_what_would_change_and_changes_nothing(staged: Patching) -> None:
    result = staged.apply(check_mode=True)
    assert result["changed"] is True
    assert result["after"]["extra:all"] == "2.0"
    assert staged.host.version("app") == "1.0"
    assert staged.host.started == []


def test_check_mode_asks_the_repositories_where_nothing_was_staged(patching: Patching) -> None:
    assert patching.apply(check_mode=True)["changed"] is True
    assert not patching.folder.exists()


def test_without_staging_nothing_starts(patching: Patching) -> None:
    refusal = patching.refusal()
    assert refusal.kind == "not_staged"
    assert "app:all 2.0" in refusal.message
    assert "stage" in refusal.remedy


def test_a_transaction_other_than_the_planned_one_is_refused_with_the_differences(staged: Patching) -> None:
    staged.host.depends["hello"] = ["surprise"]
    staged.host.offer("surprise", "1.0")
    refusal = staged.refusal()
    assert refusal.kind == "transaction_mismatch"
    assert refusal.data["differences"] == ["install surprise:all (none) -> 1.0 is not planned"]
    assert staged.host.started == []


def test_a_host_whose_installed_version_is_another_one_is_refused(staged: Patching) -> None:
    staged.host.install("hello", "1.5")
    refusal = staged.refusal()
    assert refusal.kind == "transaction_mismatch"
    assert "1.5" in refusal.data["differences"][0]


def test_what_somebody_else_upgraded_already_is_left_alone(staged: Patching) -> None:
    staged.host.install("hello", "2.0")
    result = staged.apply()
    assert [entry["name"] for entry in result["transaction"]] == ["app", "extra"]


def test_a_staged_file_that_was_altered_is_never_installed(staged: Patching) -> None:
    (staged.folder / "staged" / "app_2.0_all.deb").write_bytes(b"something else")
    assert staged.refusal().kind == "checksum_mismatch"
    assert staged.host.started == []


def test_another_plans_folder_is_not_taken_for_ours(staged: Patching) -> None:
    manifest = staged.folder / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "plan": "cd" * 32}))
    assert staged.refusal().kind == "bad_plan"


def test_what_cannot_finish_in_the_window_is_not_started(staged: Patching) -> None:
    refusal = staged.refusal(not_after="60", estimated_seconds=61)
    assert refusal.kind == "no_time"
    assert staged.host.started == []


def test_without_systemd_nothing_starts(staged: Patching) -> None:
    (staged.host.root / "run/systemd/system").rmdir()
    assert staged.refusal().kind == "no_systemd"


def test_a_change_that_takes_longer_is_left_running_and_found_again(staged: Patching) -> None:
    staged.host.slow = True
    refusal = staged.refusal(timeout=30)
    assert refusal.kind == "still_running"
    assert APPLY in staged.host.units, "nothing was killed"
    assert staged.refusal("roll_back").kind == "still_running"
    staged.host.finish(APPLY)
    result = staged.apply()
    assert result["reattached"] is True
    assert result["changed"] is True
    assert result["before"]["app:all"] == "1.0"
    assert len(staged.host.started) == 1
    assert staged.apply()["changed"] is False


def test_a_killed_change_is_carried_on_with_what_is_left(staged: Patching) -> None:
    staged.host.killed = True
    refusal = staged.refusal(timeout=30)
    assert refusal.kind == "change_failed"
    assert "was killed" in refusal.message
    staged.host.install("hello", "2.0")
    result = staged.apply()
    assert result["reattached"] is True
    assert result["before"] == {"app:all": "1.0", "extra:all": None, "hello:all": "1.0"}
    assert result["after"] == {"app:all": "2.0", "extra:all": "2.0", "hello:all": "2.0"}
    assert staged.host.packages["hello"].automatic is True, "marks from before the first run count"


def test_marks_are_given_back_when_only_they_were_missing(staged: Patching) -> None:
    staged.host.killed = True
    staged.refusal(timeout=30)
    for name in ("app", "extra", "hello"):
        staged.host.install(name, "2.0")
    result = staged.apply()
    assert (result["changed"], result["reattached"]) == (True, True)
    marks = {name: package.automatic for name, package in staged.host.packages.items()}
    assert marks == {"app": False, "extra": True, "hello": True}


def test_an_interrupted_dpkg_is_finished_first(staged: Patching) -> None:
    staged.host.packages["other"] = type(staged.host.packages["app"])("3.0", "half-configured")
    staged.apply()
    assert staged.host.started[0][-2:] == ["--configure", "-a"]
    assert staged.host.packages["other"].status == "installed"


def test_a_dpkg_that_cannot_be_finished_stops_the_change(staged: Patching) -> None:
    staged.host.packages["other"] = type(staged.host.packages["app"])("3.0", "half-configured")
    staged.host.broken_scripts.add("other=3.0")
    refusal = staged.refusal()
    assert refusal.kind == "interrupted"
    assert staged.host.version("app") == "1.0"


def test_stale_units_are_restarted_only_when_asked_for(staged: Patching) -> None:
    assert staged.apply()["restarted"] == []
    again = staged.apply(restart=Restart.STALE)
    assert again["restarted"] == ["app.service"]
    assert again["stale"]["units"] == []


def test_listed_units_are_restarted_once(staged: Patching) -> None:
    order = {"restart": Restart.LISTED, "restart_units": ["web.service"]}
    assert staged.apply(**order)["restarted"] == ["web.service"]
    assert staged.apply(**order)["restarted"] == []


def test_a_unit_that_does_not_come_back_is_a_failure_that_keeps_the_versions(staged: Patching) -> None:
    staged.host.failing_units.add("app.service")
    refusal = staged.refusal(restart=Restart.STALE)
    assert refusal.kind == "restart_failed"
    assert refusal.data["failures"] == [{"unit": "app.service", "why": "Job failed"}]
    assert refusal.data["after"]["app:all"] == "2.0"


def test_rollback_brings_back_the_exact_versions_and_marks(staged: Patching) -> None:
    staged.apply()
    result = staged.roll_back()
    assert result["changed"] is True
    assert result["after"] == {"app:all": "1.0", "extra:all": None, "hello:all": "1.0"}
    marks = {name: package.automatic for name, package in staged.host.packages.items()}
    assert marks == {"app": False, "hello": True}
    assert staged.roll_back()["changed"] is False


def test_a_plan_can_be_applied_again_after_its_rollback(staged: Patching) -> None:
    staged.apply()
    staged.roll_back()
    assert staged.apply()["changed"] is True
    assert staged.host.version("app") == "2.0"


def test_rollback_works_where_the_new_version_cannot_be_configured(staged: Patching) -> None:
    staged.host.broken_scripts.add("hello=2.0")
    refusal = staged.refusal()
    assert refusal.kind == "change_failed"
    assert refusal.data["broken"] == ["hello:all"]
    assert refusal.data["before"]["hello:all"] == "1.0"
    assert staged.roll_back()["after"] == {"app:all": "1.0", "extra:all": None, "hello:all": "1.0"}


def test_rollback_goes_on_with_dpkg_where_apt_refuses(staged: Patching) -> None:
    staged.apply()
    staged.host.apt_refuses = True
    result = staged.roll_back()
    assert result["after"] == {"app:all": "1.0", "extra:all": None, "hello:all": "1.0"}
    assert [command[0] for command in staged.host.started] == ["apt-get", "apt-get", "dpkg", "dpkg"]


def test_rollback_that_does_not_reach_the_old_versions_is_a_failure(staged: Patching) -> None:
    staged.apply()
    staged.host.broken_scripts.add("app=1.0")
    refusal = staged.refusal("roll_back")
    assert refusal.kind == "rollback_failed"
    assert refusal.data["broken"] == ["app:all"]


def test_rollback_without_the_old_version_is_refused_before_any_change(
    patching: Patching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ansible_collections.bankops.fleet.plugins.module_utils._packages.apt_stage.closed_cves",
        lambda *_changelog: None,
    )
    patching.stage(keep=False)
    patching.apply()
    refusal = patching.refusal("roll_back")
    assert refusal.kind == "cannot_roll_back"
    assert patching.host.version("app") == "2.0"


def test_rollback_of_what_never_happened_changes_nothing(staged: Patching) -> None:
    assert staged.roll_back()["changed"] is False
    assert staged.host.started == []


@pytest.mark.parametrize("verb", ["apply", "roll_back"])
def test_a_full_disk_under_the_record_of_the_change_is_named(
    staged: Patching, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    staged.apply()
    staged.host.packages["app"].version = "1.0" if verb == "apply" else "2.0"

    def full(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "command.json")

    monkeypatch.setattr("ansible_collections.bankops.fleet.plugins.module_utils._packages.unit.write_json", full)
    problem = staged.refusal(verb)
    assert problem.kind == "store_unusable"
    assert "No space left on device: 'command.json'" in problem.message
    assert staged.host.started[1:] == []
