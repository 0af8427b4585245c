# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory of 3,000 instances of EC2 costs: ours, amazon.aws.aws_ec2, and the least there is.

All ask the same recorded pages, which are answered without delay. The peer makes the hosts, four of the groups that
every host of ours is in, and two of the variables; ours makes all that it always makes. The least there is are boto3's
own calls, and a plugin that adds what ours has found from memory. CPU and memory are those of the whole process of
``ansible-inventory --list``; the last line is JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.bankops.fleet.tests.bench._inventory import compared, refuse_missed  # noqa: E402

INSTANCES = 3000
REGION = "eu-central-1"
SERVICES = ("ec2", "organizations", "ssm", "sts")
LEAST = {"ratio": 6.0, "memory_ratio": 2.0}
MOST = {"over_floor": 1.15}
PEER = f"""
plugin: amazon.aws.aws_ec2
regions: [{REGION}]
hostnames: [tag:Name]
compose:
  ansible_host: private_ip_address
  fleet_tenant: tags.tenant
keyed_groups:
  - {{prefix: tenant, key: tags.tenant}}
  - {{prefix: environment, key: tags.environment}}
  - {{prefix: wave, key: tags.wave}}
  - {{prefix: region, key: placement.region}}
"""


def read_bare(settings: dict[str, Any]) -> None:
    """What the library alone takes to get the instances."""
    import boto3

    client = boto3.client("ec2", region_name=REGION, endpoint_url=settings["endpoint"])
    states = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    pages = client.get_paginator("describe_instances").paginate(Filters=states, PaginationConfig={"PageSize": 1000})
    found = sum(len(reservation["Instances"]) for page in pages for reservation in page["Reservations"])
    if found != settings.get("count", INSTANCES):
        raise SystemExit(f"The library has read {found} instances.")


def main() -> None:
    from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.front import Front, serving
    from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.recorded import OWN, Recorded, fleet

    recorded = Recorded(instances={(OWN, REGION): list(fleet(INSTANCES))})
    with tempfile.TemporaryDirectory() as temporary, serving(Front(recorded)) as front:
        environment = {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": front.url,
        }
        endpoints = dict.fromkeys(SERVICES, front.url)
        ours = {
            "plugin": "bankops.fleet.multicloud",
            "sources": [{"type": "aws", "regions": [REGION], "endpoints": endpoints}],
        }
        figures = compared(
            Path(temporary),
            environment,
            ours=json.dumps(ours),
            peer=PEER,
            floor={"read": "inventory_aws:read_bare", "endpoint": front.url},
            peer_suffix="fleet.aws_ec2.yml",
            of_peer={"ansible_host", "fleet_tenant"},
            peer_runs=1,
        )
    print(json.dumps({"bench": "inventory_aws", "hosts": INSTANCES, **figures}))
    refuse_missed(figures, LEAST, MOST)


if __name__ == "__main__":
    main()
