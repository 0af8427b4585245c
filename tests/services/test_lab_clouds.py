# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clouds of a lab whose containers nobody started: the inventory has its hosts, and nothing is left running."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.lab import background, clouds, inventory
from ansible_collections.bankops.fleet.lab.lifecycle import Lab
from ansible_collections.bankops.fleet.lab.topology import Place
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY

PLACED = ("tenant", "environment", "cluster", "wave", "criticality", "os", "transport")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of all hosts, as ``lab/fleet up`` describes it."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    made = Lab(tmp_path, "default", print)
    made.run.mkdir(parents=True)
    place = Place(first_port=20000, subnet="10.100.0.0/22")
    made.run.joinpath("lab.json").write_text(
        json.dumps({"profile": "test", "web": 3, "only": [], "place": vars(place)})
    )
    everything = inventory.inventory(made.hosts(), made.prefix, Path("/lab/key"), Path("/lab/known_hosts"))
    made.run.joinpath("inventory.json").write_text(json.dumps(everything))
    clouds.start(made)
    yield made
    clouds.stop(made)


def listed(lab: Lab) -> dict[str, Any]:
    """What ``ansible-inventory --list`` prints, after what a user types before it."""
    command = f". {lab.clouds}/.environment && exec {sys.executable} -m ansible inventory -i {lab.clouds} --list"
    ran = subprocess.run(
        ["sh", "-c", command],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        },
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout, object_hook=lambda value: value.get("__ansible_unsafe", value))
    return found


def members(listing: dict[str, Any], group: str) -> list[str]:
    return sorted(listing.get(group, {}).get("hosts", []))


def is_alive(process: int) -> bool:
    try:
        # It is a child of this process, which nobody waits for.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_three_clouds_have_the_hosts_of_the_lab_and_others_and_go_with_it(lab: Lab) -> None:
    plain = inventory.as_script_output(json.loads((lab.run / "inventory.json").read_text()))
    found = listed(lab)
    for group in set(plain) - {"all", "_meta"}:
        besides = {"tenant_alpha": ["old1"]}.get(group, [])
        assert members(found, group) == sorted([*members(plain, group), *besides]), group
    for name in members(plain, "fleet"):
        known, said = plain["_meta"]["hostvars"][name], found["_meta"]["hostvars"][name]
        assert {key: said[f"fleet_{key}"] for key in PLACED} == {key: known[f"fleet_{key}"] for key in PLACED}
        assert (said["ansible_host"], said["ansible_port"]) == ("127.0.0.1", known["ansible_port"])
    assert {cloud: len(members(found, f"cloud_{cloud}")) for cloud in ("aws", "azure", "gcp")} == {
        "aws": 4,
        "azure": 4,
        "gcp": 3,
    }
    left_out = {group: members(found, f"fleet_{group}") for group in ("stopped", "unassigned", "unprotected")}
    assert left_out == {"stopped": ["old1"], "unassigned": ["stray1"], "unprotected": ["web3"]}

    # A plan is bound to the ids of its hosts, so they outlive a restart.
    before = {name: said["fleet_instance_id"] for name, said in found["_meta"]["hostvars"].items()}
    clouds.start(lab)
    again = listed(lab)["_meta"]["hostvars"]
    assert {name: said["fleet_instance_id"] for name, said in again.items()} == before

    process = background.running(lab.clouds / ".run")
    clouds.stop(lab)
    assert process is not None
    assert not lab.clouds.exists()
    assert not is_alive(process)


def test_clouds_whose_lab_was_removed_by_hand_end_by_themselves(lab: Lab) -> None:
    process = background.running(lab.clouds / ".run")
    assert process is not None
    shutil.rmtree(lab.folder)
    deadline = time.monotonic() + 30
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(process)
