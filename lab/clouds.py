# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clouds of a lab: started, stopped, and the inventory that asks them.

Everything is in ``.lab/NAME/.clouds``, which is an inventory folder of its own, hidden from the one around it.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from string import Template
from typing import Any

from ansible_collections.bankops.fleet.lab import background, host_files, inventory
from ansible_collections.bankops.fleet.lab.instances import (
    AWS_ACCOUNT,
    AWS_OLD_ACCOUNT,
    GCP_NUMBER,
    GCP_PROJECT,
    instances,
)
from ansible_collections.bankops.fleet.lab.lifecycle import Lab
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

ENDPOINTS = "endpoints.json"
SECONDS_TO_START = 120
SECONDS_TO_STOP = 30
# What would lead the libraries elsewhere, or show the fakes a real secret.
_FORGOTTEN = (
    *("AWS_PROFILE", "AWS_SESSION_TOKEN", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"),
    *("FALCON_CLOUD", "FALCON_MEMBER_CID"),
)


def start(lab: Lab) -> None:
    """Start the clouds with the hosts that the lab has now, and write the inventory. Raises FleetError."""
    with lab.locked():
        _stop(lab)
        python = lab.checkout / ".venv/bin/python"
        if not python.exists():
            raise FleetError("The clouds need the libraries of the tests.", kind="no_venv", remedy="Run make venv.")
        run = lab.clouds / ".run"
        run.mkdir(parents=True)
        machines = [asdict(instance) for instance in instances(lab.hosts(), lab.prefix)]
        order = {"folder": str(run), "prefix": lab.prefix, "machines": machines}
        endpoints = run / ENDPOINTS
        lab.say("starting AWS, Azure, Google Cloud and Falcon")
        background.start(run, "cloud_servers.serve", order, endpoints.exists, SECONDS_TO_START, str(python))
        found = json.loads(endpoints.read_text())
        everything = json.loads((lab.run / "inventory.json").read_text())
        write_files(lab.clouds, found["urls"], found["environment"], everything)


def stop(lab: Lab) -> None:
    """Stop the clouds where they run, and remove what is left of them."""
    if lab.clouds.exists():
        with lab.locked():
            _stop(lab)


def _stop(lab: Lab) -> None:
    background.stop(lab.clouds / ".run", SECONDS_TO_STOP)
    shutil.rmtree(lab.clouds, ignore_errors=True)


def write_files(
    folder: Path, urls: Mapping[str, str], environment: Mapping[str, str], everything: Mapping[str, Any]
) -> None:
    """Write the inventory of the clouds, and of what is in none, and the environment that the libraries want.

    ``everything`` is the inventory of the lab as it is without clouds.
    """
    names = {
        "aws_account": AWS_ACCOUNT,
        "aws_old_account": AWS_OLD_ACCOUNT,
        "gcp_project": GCP_PROJECT,
        "gcp_number": GCP_NUMBER,
    }
    template = Template((host_files.FILES / "lab.multicloud.yml").read_text())
    (folder / "lab.multicloud.yml").write_text(template.substitute(names, **urls))
    (folder / "infrastructure.yml").write_text("---\n" + inventory.as_yaml(_infrastructure(everything["all"])))
    lines = [f"unset {' '.join(_FORGOTTEN)}", *(f"export {key}={shlex.quote(environment[key])}" for key in environment)]
    # Of these the libraries do not agree which one counts.
    lines += [f'export {name}="127.0.0.1${{{name}:+,${name}}}"' for name in ("no_proxy", "NO_PROXY")]
    (folder / ".environment").write_text("\n".join(lines) + "\n")
    policy = folder / "group_vars"
    if not policy.is_symlink():
        policy.symlink_to("../../../inventories/lab/group_vars")


def _infrastructure(everything: Mapping[str, Any]) -> dict[str, Any]:
    """What holds of all hosts, wherever they are listed; and the hosts that no plan is made for."""
    members = everything["children"]["fleet_infrastructure"]["hosts"]
    # Each cloud says where its own machines are.
    common = {name: value for name, value in everything["vars"].items() if name != "ansible_host"}
    hosts = {name: {"ansible_host": "127.0.0.1", **everything["hosts"][name]} for name in members}
    return {"all": {"vars": common, "hosts": hosts, "children": {"fleet_infrastructure": {"hosts": members}}}}
