# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory of 3,000 virtual machines costs: ours, azure.azcollection.azure_rm, and the least there is.

All ask one cloud for the same machines, through a proxy under Azure's own names, because the peer knows no others. Its
answers are recorded and come without delay. The peer makes the hosts, two of the variables and four of the groups; ours
makes all that it always makes. The least there is are the calls of azure-mgmt-compute and azure-mgmt-network for what
we read, and a plugin that adds what ours has found from memory. CPU and memory are those of the whole process of
``ansible-inventory --list``; the last line is JSON.

The peer has an environment of its own, of more than a gigabyte. Where it cannot be made, only ours and the least are
compared, and the last line says of ``ratio`` that it was not measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.bankops.fleet.tests.bench._inventory import compared, refuse_missed  # noqa: E402

MACHINES = 3000
# What somebody of Microsoft tells in github.com/Azure/azure-sdk-for-java/issues/31382.
PER_PAGE = 200
LEAST, MOST = {"ratio": 5.0}, {"over_floor": 1.15}
HOSTS = ("management.azure.com", "login.microsoftonline.com")
TENANTS, ENVIRONMENTS, WAVES = ("alpha", "beta", "gamma"), ("production", "staging"), ("canary", "early", "broad")
OURS = """
plugin: bankops.fleet.multicloud
sources: [{type: azure, subscriptions: [%s]}]
"""
PEER = """
plugin: azure.azcollection.azure_rm
auth_source: env
plain_host_names: true
default_host_filters: []
hostvar_expressions:
  ansible_host: private_ipv4_addresses | first
  fleet_tenant: tags.tenant
keyed_groups:
  - {prefix: tenant, key: tags.tenant}
  - {prefix: environment, key: tags.environment}
  - {prefix: wave, key: tags.wave}
  - {prefix: region, key: location}
"""


def read_bare(settings: dict[str, Any]) -> None:
    """What the libraries alone take to get what we read."""
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.network import NetworkManagementClient

    credential = DefaultAzureCredential()
    compute = ComputeManagementClient(credential, settings["subscription"])
    network = NetworkManagementClient(credential, settings["subscription"])
    found = sum(1 for _machine in compute.virtual_machines.list_all())
    found += sum(1 for _machine in compute.virtual_machines.list_all(status_only="true"))
    found += sum(1 for _interface in network.network_interfaces.list_all())
    found += sum(1 for _address in network.public_ip_addresses.list_all())
    found += sum(1 for _scale_set in compute.virtual_machine_scale_sets.list_all())
    if found < 3 * settings.get("count", MACHINES):
        raise SystemExit(f"The libraries have read {found} resources.")


@dataclass
class Recorded:
    """What the cloud has answered is answered again, and what the peer asks for by the piece is taken out of it."""

    pieces: dict[str, Any]
    pages: dict[str, Any] = field(default_factory=dict)

    def __call__(self, azure: Any, request: BaseHTTPRequestHandler, base: str, content: bytes) -> Any:
        from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.server import answer_to
        from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import Answer

        path = urlsplit(request.path).path.lower()
        if path == "/batch":
            asked = json.loads(content)["requests"]
            return Answer(200, {"responses": [self._part(azure, request, base, each) for each in asked]})
        if path in self.pieces:
            return Answer(200, self.pieces[path])
        if request.path not in self.pages:
            answer = answer_to(azure, request, base, content)
            if answer.status != 200 or request.command != "GET":
                return answer
            self.pages[request.path] = Answer(200, json.dumps(answer.body).encode())
        return self.pages[request.path]

    def _part(self, azure: Any, request: BaseHTTPRequestHandler, base: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request that is one of many in another."""
        request.command, request.path = asked["httpMethod"], asked["url"].removeprefix(base)
        answer = self(azure, request, base, b"")
        body = json.loads(answer.body) if isinstance(answer.body, bytes) else answer.body
        return {"name": asked["name"], "httpStatusCode": answer.status, "content": body}


def fleet(count: int = MACHINES) -> Any:
    """An Azure with so many machines, a tenth of them with a public address."""
    from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import (
        Azure,
        Interface,
        PublicAddress,
        VirtualMachine,
    )

    azure = Azure(page=PER_PAGE)
    azure.subscriptions[0].machines = [
        VirtualMachine(
            f"host-{number:04}",
            [
                Interface(
                    f"nic-{number:04}",
                    f"10.{number >> 8}.{number & 255}.4",
                    public=None if number % 10 else PublicAddress(f"ip-{number}", f"20.{number >> 8}.{number & 255}.4"),
                )
            ],
            vm_id=f"00000000-0000-4000-8000-{number:012}",
            zones=(str(number % 3 + 1),),
            tags={
                "tenant": TENANTS[number % 3],
                "environment": ENVIRONMENTS[number % 2],
                "wave": WAVES[number // 7 % 3],
                "cluster": f"cluster-{number // 12}",
                "criticality": "high",
                "owner": "payments",
            },
        )
        for number in range(count)
    ]
    return azure


def pieces_of(subscription: Any) -> dict[str, Any]:
    """Each resource by its path."""
    from ansible_collections.bankops.fleet.tests.fakes.clouds.azure import documents

    found = {each["id"].lower(): each for each in documents.interfaces(subscription)}
    found |= {each["id"].lower(): each for each in documents.public_addresses(subscription)}
    views = documents.statuses(subscription, with_agents=True)
    return found | {f"{each['id'].lower()}/instanceview": each["properties"]["instanceView"] for each in views}


def programs_of_peer() -> Path | None:
    """Where the programs of an environment are in which the peer can be run; None where there can be none."""
    wanted = ["tests/bench/requirements-azure.txt", "requirements.txt"]
    made = subprocess.run(
        ["tests/tools/environment", ".venv-azure", *wanted], cwd=ROOT, stdin=subprocess.DEVNULL, check=False
    )
    if made.returncode:
        print("azure.azcollection.azure_rm cannot be run: its libraries cannot be installed, see above.")
        return None
    return ROOT / ".venv-azure/bin"


def main() -> None:
    from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
    from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.server import serving
    from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import SUBSCRIPTION, TENANT

    azure, programs = fleet(), programs_of_peer()
    recorded = Recorded(pieces_of(azure.subscriptions[0]))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        authority = make_authority(folder, "azure", HOSTS)
        with serving(azure, None, tunnel=authority.context, answering=recorded) as proxy:
            who, secret = azure.principal.client_id, azure.principal.secret
            environment = {
                "HTTPS_PROXY": proxy,
                "REQUESTS_CA_BUNDLE": str(authority.ca_file),
                "AZURE_CLIENT_ID": who,
                "AZURE_CLIENT_SECRET": secret,
                "AZURE_TENANT_ID": TENANT,
                # By these names the peer knows them.
                "AZURE_SECRET": secret,
                "AZURE_TENANT": TENANT,
                "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
                # The collections that pip has installed beside ours.
                "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / '.collections'}:{_site_packages()}",
                "HOME": temporary,
            }
            figures = compared(
                folder,
                environment,
                ours=OURS % SUBSCRIPTION,
                peer=PEER,
                floor={"read": "inventory_azure:read_bare", "subscription": SUBSCRIPTION},
                peer_suffix="fleet.azure_rm.yml",
                of_peer={"ansible_host", "fleet_tenant"},
                peer_programs=programs,
                peer_runs=1,
            )
    wanted = LEAST if programs else {}
    unknown = dict.fromkeys(LEAST.keys() - figures.keys(), "not measured")
    print(json.dumps({"bench": "inventory_azure", "hosts": MACHINES, **figures, **unknown}))
    refuse_missed(figures, wanted, MOST)


def _site_packages() -> Path:
    import ansible_collections

    return next(Path(path).parent for path in ansible_collections.__path__ if "site-packages" in path)


if __name__ == "__main__":
    main()
