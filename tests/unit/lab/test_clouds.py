# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files by which a lab's clouds are asked. That they answer is tested with the services."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.bankops.fleet.lab import clouds, inventory
from ansible_collections.bankops.fleet.lab.lifecycle import Lab
from ansible_collections.bankops.fleet.lab.topology import Place, topology

URLS = {name: f"http://127.0.0.1:{port}" for port, name in enumerate(("aws", "azure", "gcp", "falcon"), 1)}
PRIVATE = "not in the inventory's"
EVERYTHING = inventory.inventory(
    topology(Place(first_port=20000, subnet="10.100.0.0/22")), "fleet-1", Path("/lab/key"), Path("/lab/known_hosts")
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clouds.write_files(tmp_path, URLS, {"FALCON_CLIENT_SECRET": PRIVATE}, EVERYTHING)
    return tmp_path


def test_every_source_is_asked_at_its_address(folder: Path) -> None:
    content = yaml.safe_load((folder / "lab.multicloud.yml").read_text())
    aws, azure, gcp, falcon = content["sources"]
    assert [source["type"] for source in content["sources"]] == ["aws", "azure", "gcp", "falcon"]
    assert aws["endpoints"] == {"sts": URLS["aws"], "ec2": URLS["aws"]}
    assert azure["endpoint"] == azure["authority"] == URLS["azure"]
    assert (gcp["endpoint"], falcon["base_url"]) == (URLS["gcp"], URLS["falcon"])
    assert falcon["project_numbers"].keys() == set(gcp["projects"])


def test_secrets_are_in_the_environment_alone(folder: Path) -> None:
    assert not [path for path in folder.glob("*.yml") if PRIVATE in path.read_text()]
    script = f'. {folder}/.environment && echo "$FALCON_CLIENT_SECRET,$NO_PROXY,${{AWS_PROFILE-none}}"'
    told = {"FALCON_CLIENT_SECRET": "the user's", "AWS_PROFILE": "production", "NO_PROXY": "example.org"}
    said = subprocess.run(["sh", "-c", script], env=told, capture_output=True, text=True, check=True).stdout
    assert said == f"{PRIVATE},127.0.0.1,example.org,none\n"


def test_infrastructure_is_in_no_cloud_and_the_way_to_all_hosts_is_said_once(folder: Path) -> None:
    found = yaml.safe_load((folder / "infrastructure.yml").read_text())["all"]
    assert found["children"] == {"fleet_infrastructure": {"hosts": {"lb1": {}}}}
    assert found["hosts"]["lb1"]["ansible_host"] == "127.0.0.1"
    assert found["vars"] == {key: value for key, value in EVERYTHING["all"]["vars"].items() if key != "ansible_host"}


def test_a_lab_without_clouds_has_none_to_be_stopped(tmp_path: Path) -> None:
    clouds.stop(Lab(tmp_path, "default", print))
    assert not list(tmp_path.iterdir())
