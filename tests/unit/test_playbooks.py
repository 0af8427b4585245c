# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A playbook that has nobody to work on says so and fails; Ansible alone would end well."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY, run_ansible

ON_THE_FLEET = sorted(path.stem for path in (REPOSITORY / "playbooks").glob("patch_*.yml") if "status" not in path.stem)
OTHERS: Mapping[str, Any] = {"all": {"hosts": {"lb1": {}}}}
NOBODY: Mapping[str, Any] = {"all": {}}
FLEET: Mapping[str, Any] = {"all": {"hosts": {"lb1": {}}, "children": {"fleet": {"hosts": {"web1": {}, "web2": {}}}}}}


def run(folder: Path, playbook: str, inventory: Mapping[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "inventory.json").write_text(json.dumps(inventory))
    variables = ("-e", f"fleet_state_dir={folder / 'state'}", "-e", "patch_cycle=2026-11")
    return run_ansible(folder, "playbook", "-i", "inventory.json", f"bankops.fleet.{playbook}", *variables, *arguments)


def said(answer: subprocess.CompletedProcess[str]) -> str:
    return " ".join((answer.stdout + answer.stderr).split())


@pytest.mark.parametrize("playbook", ON_THE_FLEET)
def test_a_playbook_refuses_an_inventory_without_a_fleet(tmp_path: Path, playbook: str) -> None:
    refused = run(tmp_path, playbook, OTHERS)
    assert refused.returncode != 0
    assert "The fleet is empty: no host of the inventory" in said(refused)


@pytest.mark.parametrize(
    ("inventory", "arguments"),
    [
        (NOBODY, ()),
        (NOBODY, ("--limit", "web1")),
        (FLEET, ("--limit", "lb1")),
        (FLEET, ("-e", "fleet_hosts=flete")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_nobody_of_the_fleet_is_left(tmp_path: Path, inventory: Mapping[str, Any], arguments: tuple[str, ...]) -> None:
    refused = run(tmp_path, "patch_apply", inventory, *arguments)
    assert refused.returncode != 0
    assert "The fleet is empty: no host of the inventory" in said(refused)


@pytest.mark.parametrize(
    "arguments", [(), ("--limit", "web1"), ("--limit", "web1,lb1"), ("-e", "fleet_hosts=lb1")], ids=" ".join
)
def test_whoever_is_left_of_the_fleet_is_enough(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert "Cycle 2026-11 has no plan" in said(run(tmp_path, "patch_apply", FLEET, *arguments))


def test_the_status_is_looked_at_whatever_the_inventory_and_not_under_a_limit(tmp_path: Path) -> None:
    assert "Cycle 2026-11 has no plan" in said(run(tmp_path, "patch_status", NOBODY))
    limited = run(tmp_path, "patch_status", FLEET, "--limit", "web1")
    assert limited.returncode != 0
    assert "leave --limit out" in said(limited)
