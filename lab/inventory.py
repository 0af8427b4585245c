# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory of a running lab, as Ansible reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.lab.topology import TENANTS, Host


def inventory(hosts: Sequence[Host], prefix: str, key: Path, known_hosts: Path) -> dict[str, Any]:
    """The inventory as plain data, in the shape of Ansible's YAML inventories; one ``all`` with groups as children."""
    members = {host.name: _host_variables(host, prefix) for host in hosts}
    groups: dict[str, list[str]] = {name: [] for name in ("fleet", "fleet_infrastructure", "web", "kv", "app", "rpm")}
    groups |= {f"tenant_{tenant}": [] for tenant in TENANTS}
    for host in hosts:
        if host.patched:
            groups["fleet"].append(host.name)
            groups[host.role].append(host.name)
            groups[f"tenant_{host.tenant}"].append(host.name)
        else:
            groups["fleet_infrastructure"].append(host.name)
    return {
        "all": {
            "vars": {
                "ansible_host": "127.0.0.1",
                "ansible_user": "root",
                "ansible_python_interpreter": "/usr/bin/python3",
                "ansible_ssh_private_key_file": str(key),
                "ansible_ssh_common_args": ssh_options(known_hosts),
                "ansible_ssh_pipelining": True,
            },
            "hosts": members,
            "children": {group: {"hosts": {name: {} for name in names}} for group, names in groups.items()},
        }
    }


def ssh_options(known_hosts: Path) -> str:
    """Host keys are known beforehand and checked. Keeping connections open is left to ansible.cfg."""
    return (
        f'-o UserKnownHostsFile="{known_hosts}" -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes '
        "-o IdentitiesOnly=yes -o ConnectTimeout=10"
    )


def known_hosts_line(host: Host, public_key: str) -> str:
    """How ssh looks up a host on a port of its own."""
    kind, key = public_key.split()[:2]
    return f"[127.0.0.1]:{host.ssh_port} {kind} {key}\n"


def _host_variables(host: Host, prefix: str) -> dict[str, Any]:
    return {
        "ansible_port": host.ssh_port,
        "lab_address": host.address,
        "fleet_cloud": "onprem",
        "fleet_account": "lab",
        "fleet_region": "lab",
        "fleet_zone": "lab",
        "fleet_instance_id": f"{prefix}-{host.name}",
        "fleet_os": "debian12",
        "fleet_tenant": host.tenant if host.patched else "unknown",
        "fleet_environment": "lab",
        "fleet_cluster": host.cluster or "unknown",
        "fleet_wave": host.wave or "unknown",
        "fleet_criticality": "medium",
        "fleet_transport": "ssh",
    }


def as_yaml(data: dict[str, Any], indent: int = 0) -> str:
    """Nested dictionaries of scalars as YAML; every scalar is written as JSON, which is YAML too."""
    lines = []
    for key, value in data.items():
        if isinstance(value, dict) and value:
            lines.append(f"{' ' * indent}{key}:\n{as_yaml(value, indent + 2)}")
        else:
            lines.append(f"{' ' * indent}{key}: {json.dumps(value)}\n")
    return "".join(lines)


def as_script_output(data: dict[str, Any]) -> dict[str, Any]:
    """The same inventory in the shape that Ansible asks of an inventory script."""
    root = data["all"]
    result: dict[str, Any] = {name: {"hosts": list(group["hosts"])} for name, group in root["children"].items()}
    result["all"] = {"vars": root["vars"], "children": list(root["children"])}
    result["_meta"] = {"hostvars": root["hosts"]}
    return result
