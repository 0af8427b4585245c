# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input is named with its file, key, value and remedy before any host is touched. No host is needed to find it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import RunningLab, said

GOOD = {"fleet_tenant": "alpha", "fleet_cluster": "web", "fleet_wave": "canary"}
# Whoever connects to this host fails the test: nobody listens there.
UNTOUCHABLE = {"ansible_host": "127.0.0.1", "ansible_port": 9}


class Inventory(RunningLab):
    """An inventory file in the place of a lab."""

    @property
    def inventory(self) -> Path:
        return self.state / "inventory.yml"


def plan(folder: Path, hosts: Mapping[str, Mapping[str, Any]], **extra: Any) -> str:
    """What ``patch_plan.yml`` says about an inventory that it must refuse."""
    given = Inventory("", folder)
    members = {name: {**UNTOUCHABLE, **variables} for name, variables in hosts.items()}
    given.inventory.write_text(yaml.safe_dump({"fleet": {"hosts": members}}))
    done = given.play("patch_plan.yml", **{"patch_cycle": "2026-11", **extra})
    assert done.returncode != 0
    assert "Read the host's state" not in done.stdout
    assert not (folder / "tenants").exists()
    return said(done)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({**GOOD, "patch_clases": "all"}, ["patch_clases: all: is not known", "Did you mean patch_classes?"]),
        ({**GOOD, "patch_classes": "some"}, ["patch_classes: some: must be one of security, all"]),
        ({**GOOD, "patch_max_failed": -1}, ["patch_max_failed: -1: must be at least 0"]),
        ({**GOOD, "fleet_wave": "canari"}, ["fleet_wave: canari: is no wave of patch_waves", "Did you mean canary?"]),
        ({"fleet_tenant": "alpha", "fleet_wave": "canary"}, ["fleet_cluster: is missing", "Set fleet_cluster"]),
        (
            {**GOOD, "patch_holds": [{"package": "openssl", "owner": "ops", "reason": "r", "expires": "soon"}]},
            ["patch_holds[0].expires: soon: is no date", "2026-12-31"],
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path: Path, variables: Mapping[str, Any], said: list[str]) -> None:
    answer = plan(tmp_path, {"web1": variables})
    assert "inventory.yml" in answer
    for words in said:
        assert words in answer


def test_the_same_mistake_of_many_hosts_is_said_once(tmp_path: Path) -> None:
    answer = plan(tmp_path, {f"web{n}": {**GOOD, "fleet_cluster": f"c{n}"} for n in range(9)}, patch_clases="all")
    assert answer.count("patch_clases: all: is not known") <= 3  # Ansible repeats a message
    assert "and 6 more" in answer


def test_an_empty_fleet_is_refused(tmp_path: Path) -> None:
    answer = plan(tmp_path, {})
    assert "The fleet is empty" in answer
    assert "inventory.yml" in answer
    assert "fleet_hosts" in answer


def test_two_names_of_one_machine_are_refused(tmp_path: Path) -> None:
    hosts = {name: {**GOOD, "fleet_instance_id": "i-0a1b"} for name in ("web1", "web2")}
    answer = plan(tmp_path, hosts)
    assert "web1" in answer
    assert "web2" in answer
    assert "i-0a1b" in answer


def test_a_missing_cycle_and_a_malformed_one_are_refused(tmp_path: Path) -> None:
    assert "2026-11" in plan(tmp_path, {"web1": GOOD}, patch_cycle="")
    assert "november" in plan(tmp_path, {"web1": GOOD}, patch_cycle="november")


def test_a_plan_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    newer = {"format": 2, "tenant": "alpha"}
    content = json.dumps(newer, separators=(",", ":"), sort_keys=True).encode()
    digest = hashlib.sha256(content).hexdigest()
    folder = tmp_path / "tenants" / "alpha" / "plans" / digest
    folder.mkdir(parents=True)
    (folder / "plan.json").write_bytes(content)
    given = Inventory("", tmp_path)
    given.inventory.write_text(yaml.safe_dump({"fleet": {"hosts": {"web1": {**UNTOUCHABLE, **GOOD}}}}))
    done = given.play("patch_apply.yml", patch_plans=[{"tenant": "alpha", "plan": digest}])
    answer = said(done)
    assert done.returncode != 0
    assert "format" in answer
    assert "reads plans of format 1" in answer
    assert "Use the version" in answer
