# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory of an Azure of our own, as ansible-inventory lists it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.tests.fakes.authority import Authority, make_authority
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.faults import MACHINES, fault, late, throttled
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.server import serving
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import (
    SUBSCRIPTION,
    TENANT,
    Azure,
    Interface,
    ScaleSet,
    Subscription,
    VirtualMachine,
)
from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible

OTHER = "72ac930a-f34e-42d8-b06d-dc2a9e12ed71"
PLACED = {"tenant": "alpha", "environment": "production", "cluster": "web", "wave": "early"}


@pytest.fixture
def azure() -> Azure:
    """Two subscriptions with machines of all kinds."""
    first = Subscription(
        SUBSCRIPTION,
        machines=[
            VirtualMachine("web-1", [Interface("a", "10.0.0.4")], tags=PLACED),
            VirtualMachine("web-1", [Interface("b", "10.0.1.4")], tags={**PLACED, "tenant": "beta"}, group="other-rg"),
            VirtualMachine("db-1", [Interface("c", "10.0.0.5")], tags=PLACED, power="deallocated", agent=""),
            VirtualMachine("odd", [Interface("d", "10.0.0.6")], tags={"tenant": "{{ lookup('pipe', 'id') }}"}),
        ],
        scale_sets=[ScaleSet("pool", [VirtualMachine("pool_0", [Interface("e", "10.0.2.4")], tags=PLACED)])],
    )
    second = Subscription(OTHER, machines=[VirtualMachine("far", [Interface("f", "10.9.0.4")], tags=PLACED)])
    return Azure(subscriptions=[first, second])


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    return make_authority(tmp_path, "azure")


@pytest.fixture
def url(azure: Azure, trusted: Authority) -> Iterator[str]:
    with serving(azure, trusted.context) as found:
        yield found


def listed(azure: Azure, trusted: Authority, url: str, folder: Path, **options: Any) -> tuple[dict[str, Any], str]:
    """What ``ansible-inventory --list`` prints, and says."""
    content = {
        "plugin": "bankops.fleet.multicloud",
        "transports": ["azure", "ssh"],
        "sources": [{"name": "production", "type": "azure", "endpoint": url, "authority": url}],
        **options,
    }
    (folder / "fleet.multicloud.yml").write_text(yaml.safe_dump(content))
    environment = {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": azure.principal.client_id,
        "AZURE_CLIENT_SECRET": azure.principal.secret,
        "REQUESTS_CA_BUNDLE": str(trusted.ca_file),
    }
    ran = run_ansible(folder, "inventory", "-i", "fleet.multicloud.yml", "--list", environment=environment)
    assert azure.principal.secret not in ran.stdout + ran.stderr
    found = json.loads(ran.stdout or "{}", object_hook=lambda value: value.get("__ansible_unsafe", value))
    return found, ran.stderr


def test_subscriptions_are_one_inventory(azure: Azure, trusted: Authority, url: str, tmp_path: Path) -> None:
    found, said = listed(azure, trusted, url, tmp_path)
    variables = found["_meta"]["hostvars"]
    one, two = (machine.vm_id for machine in azure.subscriptions[0].machines[:2])
    assert variables.keys() == {f"web-1_{one}", f"web-1_{two}", "db-1", "odd", "pool_0", "far"}, said
    first = variables[f"web-1_{one}"]
    assert (first["ansible_host"], first["fleet_transport"], first["fleet_os"]) == ("10.0.0.4", "azure", "ubuntu")
    assert (first["fleet_account"], first["fleet_region"]) == (SUBSCRIPTION, "westeurope")
    assert variables["pool_0"]["fleet_scaling_group"] == "pool"
    assert found["fleet_stopped"]["hosts"] == ["db-1"]
    assert found["tenant_beta"]["hosts"] == [f"web-1_{two}"]
    assert variables["odd"]["fleet_tags"] == {"tenant": "{{ lookup('pipe', 'id') }}"}
    assert "uid=" not in json.dumps(found)
    # One token for both subscriptions, which are read side by side.
    assert azure.issued == {"secret": 1}


def test_a_subscription_that_fails_is_missing_by_name(
    azure: Azure, trusted: Authority, url: str, tmp_path: Path
) -> None:
    azure.subscriptions[1].actions.discard("Microsoft.Network/networkInterfaces/read")
    fault(azure, f"{SUBSCRIPTION}{MACHINES}", throttled("1"))
    _found, said = listed(azure, trusted, url, tmp_path)
    words = " ".join(said.split())
    assert f"source production, {OTHER}: Microsoft.Network/networkInterfaces/read: not allowed on the whole" in words
    assert "Assign a role with Microsoft.Network/networkInterfaces/read to who asks" in words
    found, _said = listed(azure, trusted, url, tmp_path, on_error="mark")
    variables = found["_meta"]["hostvars"]
    assert len(variables) == 5
    assert list(variables["db-1"]["fleet_incomplete"]) == [f"source production, {OTHER}"]


def test_a_subscription_that_is_late_is_not_waited_for(
    azure: Azure, trusted: Authority, url: str, tmp_path: Path
) -> None:
    fault(azure, f"{OTHER}{MACHINES}", late(20), times=9)
    found, _said = listed(azure, trusted, url, tmp_path, on_error="mark", timeout=4)
    (reason,) = found["_meta"]["hostvars"]["odd"]["fleet_incomplete"].values()
    assert "no answer in time" in reason
