# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that is AWS, Azure, Google Cloud and Falcon to a lab: the fakes of the tests, with the lab's hosts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from moto.moto_api._internal import mock_random

from ansible_collections.bankops.fleet.lab import background
from ansible_collections.bankops.fleet.lab.clouds import ENDPOINTS
from ansible_collections.bankops.fleet.lab.instances import (
    AWS_ACCOUNT,
    AWS_OLD_ACCOUNT,
    AZURE_SUBSCRIPTION,
    GCP_NUMBER,
    GCP_PROJECT,
    Instance,
)
from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.moto_cloud import (
    MANAGEMENT,
    MotoCloud,
    Server,
    moto_cloud,
)
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure import server as azure_server
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import (
    TENANT,
    Azure,
    Interface,
    Subscription,
    VirtualMachine,
)
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon import server as falcon_server
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.console import Console
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp import server as google_server
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.google import FakeGoogle
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.state import Instance as GoogleInstance

ROLE = "fleet-inventory"
_DEBIAN = {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "latest"}


def serve(order: dict[str, Any]) -> None:
    """Be the clouds, until told to stop: ``{"folder", "prefix", "machines": [an Instance, ...]}``.

    ``endpoints.json`` in the folder says when they answer, where, and who may ask:
    ``{"urls": {"aws": ...}, "environment": {"AWS_ACCESS_KEY_ID": ...}}``.
    """
    folder = Path(order["folder"])
    machines = [Instance(**machine) for machine in order["machines"]]
    with background.alive(folder) as ended, ExitStack() as stack:
        aws = stack.enter_context(moto_cloud())
        machines = _launched(aws, order["prefix"], machines)
        authority = make_authority(folder, "azure")
        azure, console = _azure(machines), _console(machines)
        google = stack.enter_context(google_server.serving(_google(machines)))
        google.tokens.uri = f"{google.url}/token"
        urls = {
            "aws": aws.front.url,
            "azure": stack.enter_context(azure_server.serving(azure, authority.context)),
            "gcp": google.url,
            "falcon": stack.enter_context(falcon_server.serving(console)),
        }
        environment = {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "fake",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": azure.principal.client_id,
            "AZURE_CLIENT_SECRET": azure.principal.secret,
            "REQUESTS_CA_BUNDLE": str(authority.ca_file),
            "GOOGLE_APPLICATION_CREDENTIALS": str(google.tokens.key_file(folder)),
            "FALCON_CLIENT_ID": console.client.client_id,
            "FALCON_CLIENT_SECRET": console.client.secret,
        }
        partial = folder / f"{ENDPOINTS}.partial"
        partial.write_text(json.dumps({"urls": urls, "environment": environment}))
        partial.rename(folder / ENDPOINTS)
        ended.wait()


def _launched(cloud: MotoCloud, seed: str, machines: Sequence[Instance]) -> list[Instance]:
    """All machines, those of AWS with the ids that they got there."""
    # Else moto would give them other ones each time.
    mock_random.seed(seed)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{MANAGEMENT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["ec2:DescribeInstances"], "Resource": "*"}],
    }
    for account in (AWS_ACCOUNT, AWS_OLD_ACCOUNT):
        cloud.add_role(account, ROLE, trust, policy)
    servers = {
        machine.name: Server(
            machine.account,
            machine.place,
            {"Name": machine.name, **machine.tags},
            "running" if machine.running else "stopped",
            machine.private_ip,
        )
        for machine in machines
        if machine.cloud == "aws"
    }
    cloud.launch(list(servers.values()))
    return [replace(each, id=servers[each.name].id) if each.name in servers else each for each in machines]


def _azure(machines: Sequence[Instance]) -> Azure:
    found = [
        VirtualMachine(
            machine.name,
            [Interface(f"{machine.name}-nic", machine.private_ip)],
            machine.id,
            zones=(machine.place,),
            power="running" if machine.running else "deallocated",
            tags=machine.tags,
            image=_DEBIAN,
        )
        for machine in machines
        if machine.cloud == "azure"
    ]
    return Azure(subscriptions=[Subscription(AZURE_SUBSCRIPTION, machines=found)])


def _google(machines: Sequence[Instance]) -> FakeGoogle:
    google = FakeGoogle()
    found = [
        GoogleInstance(
            machine.name,
            machine.place,
            "RUNNING" if machine.running else "TERMINATED",
            machine.tags,
            private_ip=machine.private_ip,
            id=machine.id,
        )
        for machine in machines
        if machine.cloud == "gcp"
    ]
    google.cloud.project(GCP_PROJECT, *found, number=GCP_NUMBER)
    return google


def _console(machines: Sequence[Instance]) -> Console:
    """A Falcon that has a sensor on every machine that is protected."""
    console = Console()
    providers = {"aws": "AWS_EC2_V2", "azure": "AZURE", "gcp": "GCP"}
    for number, machine in enumerate(machines, 1):
        if machine.protected:
            console.add(
                f"{number:032x}",
                hostname=machine.name,
                service_provider=providers[machine.cloud],
                service_provider_account_id=GCP_NUMBER if machine.cloud == "gcp" else machine.account,
                instance_id=machine.id,
            )
    return console
