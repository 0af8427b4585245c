# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory of a Google Cloud under its own names: an organisation, rights, and the peer's opinion of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.google import FakeGoogle
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.server import serving
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.state import Instance
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY, run_ansible

PAGE = (REPOSITORY / "docs/inventory/gcp.md").read_text(encoding="utf-8")
FOLDER = "folders/123456789012"
HOSTILE = "{{ lookup('pipe', 'id') }}"


class Controller:
    """A controller whose proxy leads to Google."""

    def __init__(self, google: FakeGoogle, folder: Path, authority: Path) -> None:
        self.google = google
        self._folder = folder
        self._environment = {
            "HTTPS_PROXY": google.url,
            "REQUESTS_CA_BUNDLE": str(authority),
            "GOOGLE_APPLICATION_CREDENTIALS": str(google.tokens.key_file(folder)),
            "CLOUDSDK_CONFIG": "/nonexistent",
        }

    def list(self, name: str, content: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """What ``ansible-inventory --list`` prints of an inventory file, and says."""
        (self._folder / name).write_text(yaml.safe_dump(content))
        ran = run_ansible(self._folder, "inventory", "-i", name, "--list", environment=self._environment)
        return json.loads(ran.stdout, object_hook=lambda value: value.get("__ansible_unsafe", value)), ran.stderr


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    authority = make_authority(tmp_path, "google", ["*.googleapis.com"])
    with serving(FakeGoogle(), authority.context) as google:
        yield Controller(google, tmp_path, authority.ca_file)
        assert google.violations == []


def documented(kind: str, begin: str) -> Any:
    """A block of the documentation."""
    found = re.search(rf"^```{kind}\n({begin}.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, begin
    return yaml.safe_load(found.group(1))


def labels(**more: str) -> dict[str, str]:
    """What places an instance."""
    return {"tenant": "alpha", "environment": "production", "cluster": "web", "wave": "early", **more}


def test_the_documented_inventory_needs_no_more_than_the_documented_role(controller: Controller) -> None:
    cloud = controller.google.cloud
    cloud.folders.update({FOLDER: "organizations/2000", "folders/2": FOLDER})
    cloud.project("payments-prod", Instance("web-1", labels=labels()), parent=FOLDER)
    beta = Instance("web-1", labels=labels(tenant="beta"), private_ip="10.156.0.3")
    cloud.project("cards-prod", beta, parent="folders/2")
    cloud.project("analytics", parent="folders/2", compute=False)
    managed = Instance("db-1", labels={"managed-by": "fleet"}, status="TERMINATED", private_ip="10.156.0.4")
    cloud.project("acquired-web-prod", managed, Instance("own-1"))
    hostile = Instance("db-2", labels={"managed-by": "fleet", "wave": HOSTILE}, private_ip="10.156.0.5")
    cloud.project("acquired-db-prod", hostile)
    role = frozenset(documented("yaml role", "title")["includedPermissions"])
    inventory = documented("yaml", "# production")

    cloud.granted = role | {"iam.serviceAccounts.getAccessToken"}
    found, said = controller.list("production.multicloud.yml", inventory)
    hosts = found["_meta"]["hostvars"]
    assert said == ""
    assert {host["fleet_account"] for host in hosts.values()} == {
        "payments-prod",
        "cards-prod",
        "acquired-web-prod",
        "acquired-db-prod",
    }
    # Two machines of one name are two hosts.
    assert len(hosts) == 4
    assert sorted(name.partition("_")[0] for name in hosts) == ["db-1", "db-2", "web-1", "web-1"]
    assert found["tenant_acquired"]["hosts"] == ["db-1", "db-2"]
    assert found["fleet_stopped"]["hosts"] == ["db-1"]
    assert hosts["db-2"]["fleet_wave"] == HOSTILE
    assert "uid=" not in json.dumps(found)

    for permission in sorted(role):
        cloud.granted = (role - {permission}) | {"iam.serviceAccounts.getAccessToken"}
        found, said = controller.list("production.multicloud.yml", {**inventory, "on_error": "mark"})
        assert "The inventory is incomplete" in said, permission
        assert len(found["_meta"].get("hostvars", {})) < 4


def test_the_peer_finds_the_same(controller: Controller) -> None:
    controller.google.cloud.project(
        "payments-prod",
        Instance("web-1", labels=labels(), public_ip="34.159.0.1"),
        Instance("web-2", "us-east1-b", labels=labels(tenant="beta"), private_ip="10.142.0.9"),
        Instance("web-x7k2", labels=labels(wave="broad"), group="web"),
        Instance("db-1", labels=labels(), status="TERMINATED"),
        Instance("bare"),
    )
    keys = ("tenant", "environment", "cluster", "wave")
    ours, _said = controller.list(
        "ours.multicloud.yml",
        {"plugin": "bankops.fleet.multicloud", "sources": [{"type": "gcp", "projects": ["payments-prod"]}]},
    )
    peer, said = controller.list(
        "peer.gcp.yml",
        {
            "plugin": "google.cloud.gcp_compute",
            "auth_kind": "application",
            "projects": ["payments-prod"],
            "hostnames": ["name"],
            "compose": {"ansible_host": "networkInterfaces[0].networkIP"},
            "keyed_groups": [{"prefix": key, "key": f"labels.{key}"} for key in keys],
        },
    )
    assert addresses(ours) == addresses(peer), said
    assert groups(ours, keys) == groups(peer, keys)
    assert len(addresses(ours)) == 5
    assert len(groups(ours, keys)) == 6


def addresses(inventory: dict[str, Any]) -> dict[str, str]:
    return {name: host["ansible_host"] for name, host in inventory["_meta"]["hostvars"].items()}


def groups(inventory: dict[str, Any], keys: tuple[str, ...]) -> dict[str, list[str]]:
    """The groups that are made of labels."""
    of_labels = tuple(f"{key}_" for key in keys)
    return {name: sorted(group["hosts"]) for name, group in inventory.items() if name.startswith(of_labels)}
