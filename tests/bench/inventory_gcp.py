# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory of 3,000 instances of Google Cloud costs: ours, google.cloud.gcp_compute, and the least there is.

All ask the same recorded pages, which are answered without delay; ours and the peer through a proxy under Google's own
names, because the peer knows no others. The peer makes the hosts, two of the variables and four of the groups; ours
makes all that it always makes. The least there is are the library's own calls for what we read, and a plugin that adds
what ours has found from memory. CPU and memory are those of the whole process of ``ansible-inventory --list``; the last
line is JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.bankops.fleet.tests.bench._inventory import compared, refuse_missed  # noqa: E402

PROJECT = "payments-prod"
INSTANCES = 3000
LEAST, MOST = {"ratio": 5.0}, {"over_floor": 1.15}
TENANTS, ENVIRONMENTS, WAVES = ("alpha", "beta", "gamma"), ("production", "staging"), ("canary", "early", "broad")

OURS = f"""
plugin: bankops.fleet.multicloud
sources: [{{type: gcp, projects: [{PROJECT}]}}]
"""
PEER = f"""
plugin: google.cloud.gcp_compute
auth_kind: application
projects: [{PROJECT}]
scopes: [https://www.googleapis.com/auth/compute.readonly]
hostnames: [name]
compose:
  ansible_host: networkInterfaces[0].networkIP
  fleet_tenant: labels.tenant
keyed_groups:
  - {{prefix: tenant, key: labels.tenant}}
  - {{prefix: environment, key: labels.environment}}
  - {{prefix: wave, key: labels.wave}}
  - {{prefix: region, key: 'zone[:-2]'}}
"""


def read_bare(settings: dict[str, Any]) -> None:
    """What the library alone takes to get what we read."""
    from googleapiclient.discovery import build

    service = build("compute", "v1", cache_discovery=False, client_options={"api_endpoint": settings["endpoint"]})
    instances = service.instances()
    request = instances.aggregatedList(project=PROJECT, maxResults=500, fields=settings["fields"])
    found = 0
    while request is not None:
        page = request.execute()
        found += sum(len(zone.get("instances", ())) for zone in page["items"].values())
        request = instances.aggregatedList_next(request, page)
    if found != settings.get("count", INSTANCES):
        raise SystemExit(f"The library has read {found} instances.")


@dataclass
class Recorded:
    """The pages of a fake, answered as they were recorded."""

    google: Any
    url: str = ""
    pages: dict[tuple[str, str], Any] = field(default_factory=dict)

    def reply(self, request: Any) -> Any:
        """The page of a request: the first time it is played, then it is repeated."""
        query = parse_qs(request.query)
        kind = (request.path, f"{query.get('fields')} {query.get('pageToken')}")
        if kind not in self.pages:
            reply = self.google.reply(request)
            if reply.status != 200:
                return reply
            self.pages[kind] = type(reply)(200, json.dumps(reply.body))
        return self.pages[kind]


def fleet(count: int = INSTANCES) -> Any:
    """A Google Cloud with so many instances."""
    from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.google import FakeGoogle
    from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.state import ZONES, Instance

    google = FakeGoogle()
    google.cloud.project(
        PROJECT,
        *(
            Instance(
                f"host-{number:04}",
                ZONES[number % len(ZONES)],
                labels={
                    "tenant": TENANTS[number % 3],
                    "environment": ENVIRONMENTS[number % 2],
                    "wave": WAVES[number // 7 % 3],
                    "cluster": f"cluster-{number // 12}",
                    "criticality": "high",
                    "owner": "payments",
                },
                metadata={"startup-script": "#!/bin/sh\napt-get -y install nginx\n" * 8},
                private_ip=f"10.{number >> 8}.{number & 255}.2",
            )
            for number in range(count)
        ),
    )
    return google


def main() -> None:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_instances import FIELDS
    from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
    from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.server import serving

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        authority = make_authority(folder, "google", ["*.googleapis.com"])
        google = fleet()
        with serving(Recorded(google), authority.context) as recorded:
            # By itself the library leaves the proxy aside.
            google.tokens.uri = f"{recorded.url}/token"
            environment = {
                "GOOGLE_APPLICATION_CREDENTIALS": str(google.tokens.key_file(folder)),
                "HTTPS_PROXY": recorded.url,
                "REQUESTS_CA_BUNDLE": str(authority.ca_file),
            }
            floor = {"read": "inventory_gcp:read_bare", "endpoint": f"{recorded.url}/compute/v1/", "fields": FIELDS}
            figures = compared(
                folder,
                environment,
                ours=OURS,
                peer=PEER,
                floor=floor,
                peer_suffix="gcp.yml",
                of_peer={"ansible_host", "fleet_tenant"},
                peer_runs=1,
            )
    print(json.dumps({"bench": "inventory_gcp", "hosts": INSTANCES, **figures}))
    refuse_missed(figures, LEAST, MOST)


if __name__ == "__main__":
    main()
