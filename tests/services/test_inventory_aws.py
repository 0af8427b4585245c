# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory of an AWS that remembers: accounts, regions, an organization, rights, and the peer's opinion of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.front import Fault, throttled
from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.moto_cloud import (
    MANAGEMENT,
    MotoCloud,
    Server,
    moto_cloud,
)
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY, run_ansible

ROLE, EXTERNAL_ID = "fleet-inventory", "fleet-7f3a"
REGIONS = ["eu-central-1", "us-east-1"]
SERVICES = ("ec2", "organizations", "ssm", "sts")
PAGE = (REPOSITORY / "docs/inventory/aws.md").read_text(encoding="utf-8")
BASE = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "environments-secret",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


@pytest.fixture
def cloud() -> Iterator[MotoCloud]:
    """An empty AWS."""
    with moto_cloud() as found:
        yield found


@pytest.fixture
def members(cloud: MotoCloud) -> list[str]:
    """Two active members of an organization, whose roles are those of the documentation; a third one is suspended."""
    found = cloud.organize(3, suspended=1)
    for account in found:
        cloud.add_role(
            account, ROLE, documented("trust", {":role/fleet-controller": ":user/fleet"}), documented("reader")
        )
    return found


def documented(name: str, changes: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A policy of the documentation."""
    found = re.search(rf"^```json {name}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, name
    text = found.group(1)
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    policy: dict[str, Any] = json.loads(text)
    return policy


def tags(name: str, **more: str) -> dict[str, str]:
    """What places a server."""
    return {"Name": name, "tenant": "alpha", "environment": "production", "cluster": "web", "wave": "early", **more}


def inventory(
    folder: Path, cloud: MotoCloud, source: dict[str, Any], environment: Mapping[str, str] = BASE, **more: Any
) -> tuple[dict[str, Any], str]:
    """What ``ansible-inventory --list`` prints, and says."""
    endpoints = dict.fromkeys(SERVICES, cloud.front.url)
    content = {
        "plugin": "bankops.fleet.multicloud",
        "sources": [{"name": "production", "type": "aws", "regions": REGIONS, "endpoints": endpoints, **source}],
        **more,
    }
    return listed(folder, "fleet.multicloud.yml", content, environment)


def listed(
    folder: Path, name: str, content: dict[str, Any], environment: Mapping[str, str]
) -> tuple[dict[str, Any], str]:
    """The same for any inventory file."""
    (folder / name).write_text(yaml.safe_dump(content))
    ran = run_ansible(folder, "inventory", "-i", name, "--list", environment={**BASE, **environment})
    return json.loads(ran.stdout or "{}", object_hook=_unmarked), ran.stderr


def _unmarked(value: dict[str, Any]) -> Any:
    """A text without the mark that ansible-inventory puts on what is no template."""
    return value.get("__ansible_unsafe", value)


def hosts(inventory: dict[str, Any], group: str) -> list[str]:
    """The hosts of a group itself."""
    return sorted(inventory.get(group, {}).get("hosts", []))


def test_an_organization_is_one_inventory(cloud: MotoCloud, members: list[str], tmp_path: Path) -> None:
    one, two, suspended = members
    fleet = [
        Server(one, "eu-central-1", tags("web-1")),
        Server(one, "eu-central-1", tags("web-1", tenant="beta")),
        Server(one, "us-east-1", tags("old"), state="terminated"),
        Server(two, "us-east-1", tags("db-1"), state="stopped"),
        Server(two, "us-east-1", {"Name": "{{ lookup('pipe', 'id') }}"}),
        Server(suspended, "us-east-1", tags("left behind")),
        Server(MANAGEMENT, "us-east-1", tags("not asked for")),
    ]
    cloud.launch(fleet)
    cloud.manage(fleet[0])
    cloud.manage(Server(two, "us-east-1", {}, id="mi-0a1b2c3d4e5f60718"))
    user = cloud.add_user("fleet", documented("controller"))
    organization = {"role": ROLE, "external_id": EXTERNAL_ID, "exclude": [MANAGEMENT]}

    with cloud.rights_enforced():
        found, said = inventory(
            tmp_path, cloud, {"organization": organization, "ssm": True}, user, transports=["ssm", "ssh"]
        )

    variables = found["_meta"]["hostvars"]
    by_id = {host["fleet_instance_id"]: name for name, host in variables.items()}
    assert by_id.keys() == {fleet[number].id for number in (0, 1, 3, 4)}, said
    assert by_id[fleet[0].id] == f"web-1_{fleet[0].id}"
    first = variables[by_id[fleet[0].id]]
    assert first["fleet_account"] == one
    assert (first["fleet_transport"], first["fleet_os"]) == ("ssm", "ubuntu")
    assert "fleet_not_managed_by" not in first
    second = variables[by_id[fleet[1].id]]
    assert (second["fleet_transport"], second["fleet_not_managed_by"]) == ("ssh", ["ssm"])
    [population] = first["fleet_population"]
    assert population["only_managed"] == {
        "count": 1,
        "machines": [
            {
                "cloud": "aws",
                "account": two,
                "region": "us-east-1",
                "instance_id": "mi-0a1b2c3d4e5f60718",
                "tenant": "unknown",
            }
        ],
    }
    assert first["fleet_resource"] == f"arn:aws:ec2:eu-central-1:{one}:instance/{fleet[0].id}"
    assert hosts(found, "fleet_stopped") == [by_id[fleet[3].id]]
    assert hosts(found, "fleet_unassigned") == [by_id[fleet[4].id]]
    assert hosts(found, "tenant_beta") == [by_id[fleet[1].id]]
    assert "uid=0" not in json.dumps(found)
    calls = [call.name for call in cloud.front.calls]
    assert {name: calls.count(name) for name in calls} == {
        "organizations:ListAccounts": 1,
        "sts:AssumeRole": 2,
        "ec2:DescribeInstances": 4,
        "ssm:DescribeInstanceInformation": 4,
    }


def test_all_regions_of_the_controllers_own_account(cloud: MotoCloud, tmp_path: Path) -> None:
    cloud.launch([Server(MANAGEMENT, region, tags(f"web-{region}")) for region in ("sa-east-1", "eu-north-1")])

    found, _ = inventory(tmp_path, cloud, {"regions": "all"})

    assert hosts(found, "fleet") == ["web-eu-north-1", "web-sa-east-1"]
    assert cloud.front.count("ec2:DescribeRegions") == 1


def test_filters_are_answered_by_the_service(cloud: MotoCloud, tmp_path: Path) -> None:
    cloud.launch(
        [
            Server(MANAGEMENT, "us-east-1", tags("web-1")),
            Server(MANAGEMENT, "us-east-1", tags("web-2", environment="test")),
            Server(MANAGEMENT, "us-east-1", tags("web-3"), state="stopped"),
        ]
    )

    found, _ = inventory(
        tmp_path, cloud, {"filters": {"tag:environment": "production", "instance-state-name": "running"}}
    )

    assert list(found["_meta"]["hostvars"]) == ["web-1"]


@pytest.mark.parametrize(
    "missing",
    [
        "ec2:DescribeInstances",
        "ec2:DescribeRegions",
        "ssm:DescribeInstanceInformation",
        "sts:AssumeRole",
        "organizations:ListAccounts",
    ],
)
def test_each_right_of_the_documentation_is_needed(cloud: MotoCloud, tmp_path: Path, missing: str) -> None:
    (account,) = cloud.organize(1)
    trust = documented("trust", {":role/fleet-controller": ":user/fleet"})
    cloud.add_role(account, ROLE, trust, _without(documented("reader"), missing))
    user = cloud.add_user("fleet", _without(documented("controller"), missing))
    organization = {"role": ROLE, "external_id": EXTERNAL_ID, "exclude": [MANAGEMENT]}

    with cloud.rights_enforced():
        found, said = inventory(tmp_path, cloud, {"organization": organization, "regions": "all", "ssm": True}, user)

    text = " ".join(said.split())
    assert f": {missing}: " in text
    assert f"Allow {missing} in the policies of who asks" in text
    assert not found["_meta"]["hostvars"]


def _without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    for statement in policy["Statement"]:
        actions = statement["Action"]
        kept = [each for each in ([actions] if isinstance(actions, str) else actions) if each != action]
        statement["Action"] = kept or "none:Nothing"
    return policy


@pytest.mark.parametrize("external_id", ["", "fleet-0000"])
def test_without_the_external_id_no_role_is_assumed(
    cloud: MotoCloud, members: list[str], tmp_path: Path, external_id: str
) -> None:
    user = cloud.add_user("fleet", documented("controller"))
    role = {"role": ROLE, **({"external_id": external_id} if external_id else {})}

    with cloud.rights_enforced():
        _, said = inventory(tmp_path, cloud, {"accounts": [{"id": members[0], **role}]}, user)

    text = " ".join(said.split())
    assert f"source production, {members[0]}: sts:AssumeRole: AccessDenied" in text
    assert "its trust policy must name who asks, and the external_id" in text


def test_one_bad_region_fails_all_or_is_marked(cloud: MotoCloud, tmp_path: Path) -> None:
    cloud.launch([Server(MANAGEMENT, region, tags(f"web-{region}")) for region in REGIONS])
    cloud.front.faults += [
        throttled(2, region="eu-central-1"),
        Fault("ec2:DescribeInstances", "us-east-1", code="UnauthorizedOperation", status=403, times=2),
    ]

    failed, said = inventory(tmp_path, cloud, {})
    marked, _ = inventory(tmp_path, cloud, {}, on_error="mark")

    here = f"source production, {MANAGEMENT}, us-east-1"
    assert not failed["_meta"]["hostvars"]
    assert f"{here}: ec2:DescribeInstances: UnauthorizedOperation" in " ".join(said.split())
    host = marked["_meta"]["hostvars"]["web-eu-central-1"]
    assert list(marked["_meta"]["hostvars"]) == ["web-eu-central-1"]
    assert host["fleet_incomplete"][here].startswith("ec2:DescribeInstances: UnauthorizedOperation")


def test_the_peer_finds_the_same(cloud: MotoCloud, tmp_path: Path) -> None:
    """amazon.aws.aws_ec2 and ours read one fleet: hosts by their ids, addresses, and groups made of tags."""
    fleet = [
        Server(MANAGEMENT, REGIONS[number % 2], tags(f"web-{number}", tenant=f"t{number % 3}", wave=f"w{number % 4}"))
        for number in range(24)
    ]
    fleet += [Server(MANAGEMENT, "us-east-1", {"Name": "bare"}), Server(MANAGEMENT, "us-east-1", tags("x"), "stopped")]
    cloud.launch(fleet)
    placed = ("tenant", "environment", "cluster", "wave")
    peer, said = listed(
        tmp_path,
        "fleet.aws_ec2.yml",
        {
            "plugin": "amazon.aws.aws_ec2",
            "regions": REGIONS,
            "hostnames": ["instance-id"],
            "keyed_groups": [
                *({"key": f"tags.{tag}", "prefix": tag} for tag in placed),
                {"key": "placement.region", "prefix": "region"},
            ],
        },
        {"AWS_ENDPOINT_URL": cloud.front.url, "AWS_DEFAULT_REGION": "us-east-1"},
    )
    assert peer["_meta"]["hostvars"], said

    ours, said = inventory(tmp_path, cloud, {}, hostnames=["instance_id"])

    mine, theirs = ours["_meta"]["hostvars"], peer["_meta"]["hostvars"]
    assert mine.keys() == theirs.keys() == {server.id for server in fleet}, said
    for name, host in mine.items():
        assert host["ansible_host"] == theirs[name]["private_ip_address"]
        assert host["fleet_tags"] == theirs[name]["tags"]
        assert host["fleet_zone"] == theirs[name]["placement"]["availability_zone"]
        assert host["fleet_power"] == theirs[name]["state"]["name"]
    groups = {group for group in peer if group.split("_")[0] in (*placed, "region")}
    assert len(groups) == 4 + 1 + 1 + 5 + 2
    running = {server.id for server in fleet if server.state == "running"}
    assert {group: hosts(ours, group) for group in groups} == {group: hosts(peer, group) for group in groups}
    assert running - {fleet[24].id} == set(hosts(ours, "fleet"))
