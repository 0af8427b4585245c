# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory of three clouds with 10,000 hosts costs, against the least there is, and how it grows.

The clouds are those of the benchmarks of each alone: recorded pages, answered without delay. The least there are the
libraries' own calls, and a plugin that adds everything from memory. How it grows is told without what the start costs,
which is that of an inventory of one host in each cloud: 10 times as many may take 11 times as much.

Then every answer comes late, as over a network, so much that all three clouds take the same time: one after the other
would take three times that of one. What is timed there is the reading of the sources, by the clock, in a process of its
own, without what Ansible does before and after. The last line is JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.bankops.fleet.tests.bench import inventory_aws, inventory_azure, inventory_gcp  # noqa: E402
from ansible_collections.bankops.fleet.tests.bench._inventory import compared, refuse_missed  # noqa: E402

HOSTS = {"aws": 4000, "azure": 3000, "gcp": 3000}
SECONDS_A_PAGE = 0.2
"""Of the cloud with the most pages, and more of the others."""
LIMITS = {"over_floor": 1.15, "peak_mb": 400, "wall_over_slowest": 1.25, "cpu_ratio_10000_to_1000": 11.0}


def read_bare(settings: dict[str, Any]) -> None:
    """What the libraries of all three take."""
    for module, name in ((inventory_aws, "aws"), (inventory_azure, "azure"), (inventory_gcp, "gcp")):
        module.read_bare(settings[name])


@dataclass
class Pace:
    """How long every answer of a cloud takes, and how many there were."""

    seconds: float = 0.0
    answers: int = 0

    def wait(self) -> None:
        """Take that long."""
        self.answers += 1
        time.sleep(self.seconds)


@dataclass
class Clouds:
    """Three clouds: the sources that name them, what a process needs to reach them, and how fast each answers."""

    sources: list[dict[str, Any]]
    environment: dict[str, str]
    floor: dict[str, Any]
    paces: dict[str, Pace]


@contextmanager
def clouds(folder: Path, counts: dict[str, int]) -> Iterator[Clouds]:
    """The clouds, as long as the context lasts."""
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_instances import FIELDS
    from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
    from ansible_collections.bankops.fleet.tests.fakes.clouds.aws import front as aws
    from ansible_collections.bankops.fleet.tests.fakes.clouds.aws import recorded as of_aws
    from ansible_collections.bankops.fleet.tests.fakes.clouds.azure import server as azure
    from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import SUBSCRIPTION, TENANT
    from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp import server as gcp

    paces = {name: Pace() for name in counts}
    authority = make_authority(folder, "azure", inventory_azure.HOSTS)
    microsoft, google = inventory_azure.fleet(counts["azure"]), inventory_gcp.fleet(counts["gcp"])
    instances = {(of_aws.OWN, inventory_aws.REGION): list(of_aws.fleet(counts["aws"]))}
    pages = inventory_azure.Recorded(inventory_azure.pieces_of(microsoft.subscriptions[0]))

    class Amazon(of_aws.Recorded):
        def __call__(self, environ: Any, start: Any) -> Any:
            paces["aws"].wait()
            return super().__call__(environ, start)

    class Google(inventory_gcp.Recorded):
        def reply(self, request: Any) -> Any:
            paces["gcp"].wait()
            return super().reply(request)

    def of_azure(*request: Any) -> Any:
        paces["azure"].wait()
        return pages(*request)

    with (
        aws.serving(aws.Front(Amazon(instances=instances))) as amazon,
        azure.serving(microsoft, None, tunnel=authority.context, answering=of_azure) as proxy,
        gcp.serving(Google(google)) as recorded,
    ):
        google.tokens.uri = f"{recorded.url}/token"
        yield Clouds(
            [
                {
                    "type": "aws",
                    "regions": [inventory_aws.REGION],
                    "endpoints": dict.fromkeys(inventory_aws.SERVICES, amazon.url),
                },
                {"type": "azure", "subscriptions": [SUBSCRIPTION]},
                {"type": "gcp", "projects": [inventory_gcp.PROJECT], "endpoint": recorded.url},
            ],
            {
                "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_DEFAULT_REGION": inventory_aws.REGION,
                "AWS_ENDPOINT_URL": amazon.url,
                "AZURE_CLIENT_ID": microsoft.principal.client_id,
                "AZURE_CLIENT_SECRET": microsoft.principal.secret,
                "AZURE_TENANT_ID": TENANT,
                "GOOGLE_APPLICATION_CREDENTIALS": str(google.tokens.key_file(folder)),
                # Azure alone is asked by its own name.
                "HTTPS_PROXY": proxy,
                "NO_PROXY": "127.0.0.1",
                "REQUESTS_CA_BUNDLE": str(authority.ca_file),
            },
            {
                "aws": {"endpoint": amazon.url, "count": counts["aws"]},
                "azure": {"subscription": SUBSCRIPTION, "count": counts["azure"]},
                "gcp": {"endpoint": f"{recorded.url}/compute/v1/", "fields": FIELDS, "count": counts["gcp"]},
            },
            paces,
        )


def cost(folder: Path, counts: dict[str, int]) -> dict[str, float]:
    """What listing the three clouds costs, and the least there is."""
    folder.mkdir()
    with clouds(folder, counts) as found:
        return compared(
            folder,
            found.environment,
            ours=json.dumps({"plugin": "bankops.fleet.multicloud", "sources": found.sources}),
            peer="plugin: none",
            peer_suffix="",
            peer_programs=None,
            floor={"read": "inventory_fleet:read_bare", **found.floor},
        )


def read_seconds(folder: Path, sources: list[dict[str, Any]], environment: dict[str, str]) -> float:
    """How long it takes to read sources, by the clock, in a process of its own."""
    file = folder / "reading.json"
    file.write_text(json.dumps({"plugin": "bankops.fleet.multicloud", "sources": sources}))
    found = subprocess.run(
        [sys.executable, __file__, "--read", str(file)],
        env={**os.environ, **environment},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    return float(found.stdout)


def read(file: str) -> None:
    """Read the sources of a file and print how long it took."""
    from ansible_collections.bankops.fleet.plugins.plugin_utils._collector import collector_paused
    from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.configuration import read_configuration
    from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.engine import read_sources

    configuration = read_configuration(json.loads(Path(file).read_text()), file, None)
    began = time.monotonic()
    with collector_paused():
        read_sources(configuration)
    print(time.monotonic() - began)


def wall_over_slowest(folder: Path) -> float:
    """The time for all three, over the time for the slowest of them, when every answer is late and all are as slow."""
    folder.mkdir()
    with clouds(folder, HOSTS) as found:
        # The first time the pages are made.
        read_seconds(folder, found.sources, found.environment)
        most = max(pace.answers for pace in found.paces.values())
        for pace in found.paces.values():
            pace.seconds = SECONDS_A_PAGE * most / pace.answers
        alone = {each["type"]: read_seconds(folder, [each], found.environment) for each in found.sources}
        together = read_seconds(folder, found.sources, found.environment)
    said = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in alone.items())
    print(f"{most * SECONDS_A_PAGE:.1f} s of waiting for each: {said};")
    print(f"{sum(alone.values()):.2f} s one after the other, {together:.2f} s together")
    return together / max(alone.values())


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        start = cost(folder / "start", dict.fromkeys(HOSTS, 1))
        small = cost(folder / "small", {name: count // 10 for name, count in HOSTS.items()})
        large = cost(folder / "large", HOSTS)
        growth = (large["cpu_seconds"] - start["cpu_seconds"]) / (small["cpu_seconds"] - start["cpu_seconds"])
        figures = {
            **large,
            "wall_over_slowest": round(wall_over_slowest(folder / "slow"), 2),
            "cpu_ratio_10000_to_1000": round(growth, 1),
        }
    print(json.dumps({"bench": "inventory_fleet", "hosts": sum(HOSTS.values()), **figures}))
    refuse_missed(figures, {}, LIMITS)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(sys.argv[2])
    else:
        main()
