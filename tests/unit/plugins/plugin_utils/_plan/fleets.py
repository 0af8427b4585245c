# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets to plan for: policies from the real argument specification, and scanned hosts that have them."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import ScannedHost
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import HostVariables, Policy, read_policies
from ansible_collections.bankops.fleet.tests.fakes.scans import scan

ROOT = Path(__file__).resolve().parents[5]
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=timezone.utc)
SOURCE = "inventories/example"
PLACE = {"fleet_tenant": "tenant1", "fleet_cluster": "none", "fleet_wave": "broad"}
WAVES = [
    {"name": "canary", "batches": [1], "soak_minutes": 30},
    {"name": "broad", "batches": [2, "50%"], "soak_minutes": 0},
]


def options() -> dict[str, Any]:
    """The options of the role's argument specification."""
    content = yaml.safe_load((ROOT / "roles/patch/meta/argument_specs.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = content["argument_specs"]["main"]["options"]
    return found


def given(host: str, variables: dict[str, Any]) -> HostVariables:
    """The variables of a host, all from one file; the line says nothing."""
    return HostVariables(host, {**PLACE, **variables}, lambda key: f"group_vars/all.yml:{len(key)}")


def policies(**hosts: dict[str, Any]) -> dict[str, Policy]:
    """The policies of hosts (their variables by name) that have a load balancer lb1 beside them."""
    return policies_of(hosts)


def policies_of(hosts: dict[str, dict[str, Any]], *, emergency: bool = False) -> dict[str, Policy]:
    """The same for hosts in a dictionary, in an ordinary cycle or an emergency one."""
    return read_policies(
        options(),
        [given(host, variables) for host, variables in hosts.items()],
        emergency=emergency,
        source=SOURCE,
        inventory=[*hosts, "lb1"],
    )


def policy(**variables: Any) -> Policy:
    """The policy of one host, web1."""
    return policies(web1=variables)["web1"]


def scanned(found: dict[str, Policy]) -> list[ScannedHost]:
    """Every host, healthy, each a machine of its own."""
    return [ScannedHost(host, its, scan(f"machine-of-{host}")) for host, its in found.items()]
