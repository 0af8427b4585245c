# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts, regions and instances, read by the real library from recorded answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("botocore")
pytest.importorskip("werkzeug")

import botocore.session
from botocore.parsers import EC2QueryParser

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_calls import Clients, Keys
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_instances import MEMBERS
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Power, Scope, Transport
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import ScopesError, SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.front import Fault, Front
from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.recorded import OWN, Instance, Node, Recorded, fleet
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._clouds.aws_sources import (
    FILE,
    aws_before,
    read,
    source,
)

DEV, PROD, OLD = "222222222222", "333333333333", "444444444444"
ROLE = "fleet-inventory"


@pytest.fixture
def recorded() -> Recorded:
    """An AWS with a few instances in two accounts."""
    return Recorded(
        instances={
            (OWN, "eu-central-1"): list(fleet(3)),
            (DEV, "eu-central-1"): [Instance(100), Instance(101, state="stopped"), Instance(102, state="terminated")],
            (DEV, "us-east-1"): [Instance(200, platform="Windows")],
        }
    )


@pytest.fixture
def aws(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """It, behind its front."""
    with aws_before(recorded, monkeypatch) as front:
        yield front


def where(machines: list[Any]) -> dict[str, int]:
    """How many machines there are in each account and region."""
    places = [f"{machine.account} {machine.region}" for machine in machines]
    return {place: places.count(place) for place in places}


def test_without_accounts_it_is_the_one_that_the_controller_is_known_in(aws: Front) -> None:
    machines = read(source(aws, regions=["eu-central-1"]))

    assert where(machines) == {f"{OWN} eu-central-1": 3}
    assert machines[0].name == "app-00001"
    assert machines[0].resource == f"arn:aws:ec2:eu-central-1:{OWN}:instance/i-00000000000000001"
    assert [call.name for call in aws.calls] == ["sts:GetCallerIdentity", "ec2:DescribeInstances"]


def test_an_account_is_read_in_the_role_that_is_assumed_in_it(aws: Front, recorded: Recorded) -> None:
    recorded.external_ids = {DEV: "fleet-7f3a"}
    account = {"id": DEV, "role": f"path/{ROLE}", "external_id": "fleet-7f3a", "session_name": "inventory"}

    machines = read(source(aws, accounts=[account], regions=["us-east-1", "eu-central-1"]))

    assert where(machines) == {f"{DEV} us-east-1": 1, f"{DEV} eu-central-1": 2}
    assert [machine.power for machine in machines] == [Power.RUNNING, Power.RUNNING, Power.STOPPED]
    assumed, *others = aws.calls
    assert assumed.name == "sts:AssumeRole"
    assert assumed.parameters["RoleArn"] == f"arn:aws:iam::{DEV}:role/path/{ROLE}"
    assert assumed.parameters["RoleSessionName"] == "inventory"
    assert {call.access_key for call in others} == {f"ASIA{DEV}AAAA"}


def test_all_regions_are_those_that_are_enabled_in_the_account(aws: Front, recorded: Recorded) -> None:
    machines = read(source(aws, accounts=[{"id": DEV, "role": ROLE}]))

    assert where(machines) == {f"{DEV} eu-central-1": 2, f"{DEV} us-east-1": 1}
    assert aws.count("ec2:DescribeRegions") == 1
    assert aws.count("ec2:DescribeInstances") == len(recorded.regions)


def test_all_regions_are_asked_for_in_the_configured_one(aws: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-gov-west-1")

    machines = read(source(aws, accounts=[{"id": DEV, "role": ROLE}]))

    assert {call.region for call in aws.calls if call.name == "ec2:DescribeRegions"} == {"us-gov-west-1"}
    assert machines[0].resource.startswith("arn:aws-us-gov:ec2:")
    assert aws.calls[0].parameters["RoleArn"].startswith("arn:aws-us-gov:iam::")


def test_the_active_members_of_an_organization_are_read(aws: Front, recorded: Recorded) -> None:
    recorded.members = [(OWN, "ACTIVE"), (DEV, "ACTIVE"), (OLD, "SUSPENDED")]
    recorded.members += [(f"{number:012}", "CLOSED") for number in range(30)]

    machines = read(source(aws, organization={"role": ROLE, "exclude": [OWN]}, regions=["eu-central-1"]))

    assert where(machines) == {f"{DEV} eu-central-1": 2}
    assert [call.parameters["MaxResults"] for call in aws.calls if call.name == "organizations:ListAccounts"] == [
        20,
        20,
    ]


def test_an_organization_without_an_account_to_read_is_no_empty_fleet(aws: Front, recorded: Recorded) -> None:
    recorded.members = [(OWN, "ACTIVE"), (OLD, "SUSPENDED")]

    with pytest.raises(SourceError, match="no account that is active and not excluded"):
        read(source(aws, organization={"role": ROLE, "exclude": [OWN]}))


def test_accounts_are_read_by_profiles(aws: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = tmp_path / "config"
    configuration.write_text(
        f"[profile dev]\naws_access_key_id = ASIA{DEV}AAAA\naws_secret_access_key = s\n"
        f"[profile again]\naws_access_key_id = ASIA{DEV}BBBB\naws_secret_access_key = s\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(configuration))

    machines = read(source(aws, accounts=[{"profile": "dev"}, {"profile": "again"}], regions=["eu-central-1"]))

    assert where(machines) == {f"{DEV} eu-central-1": 2}


def test_who_assumes_roles_may_be_a_profile(aws: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = tmp_path / "config"
    configuration.write_text("[profile hub]\naws_access_key_id = AKIAHUB\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(configuration))

    read(source(aws, profile="hub", accounts=[{"id": DEV, "role": ROLE}], regions=["eu-central-1"]))

    assert aws.calls[0].access_key == "AKIAHUB"


def test_pages_are_as_large_as_they_may_be(aws: Front, recorded: Recorded) -> None:
    recorded.instances[OWN, "eu-central-1"] = list(fleet(2001))
    recorded.nodes[OWN, "eu-central-1"] = [Node(f"i-{number:017x}") for number in range(1, 120)]

    machines = read(source(aws, regions=["eu-central-1"], ssm=True))

    assert len({machine.instance_id for machine in machines}) == 2001
    assert {name: aws.count(name) for name in dict.fromkeys(call.name for call in aws.calls)} == {
        "sts:GetCallerIdentity": 1,
        "ssm:DescribeInstanceInformation": 3,
        "ec2:DescribeInstances": 3,
    }


def test_systems_manager_says_whom_it_reaches_and_what_they_are(aws: Front, recorded: Recorded) -> None:
    one, two, three = (instance.id for instance in recorded.instances[OWN, "eu-central-1"])
    recorded.nodes[OWN, "eu-central-1"] = [Node(one, "Amazon Linux"), Node(two, ping="ConnectionLost"), Node("mi-1")]

    machines = read(source(aws, regions=["eu-central-1"], ssm=True))

    assert [(each.instance_id, each.managed_by, each.not_managed_by, each.os) for each in machines[:3]] == [
        (one, (Transport.SSM,), (), "amazon"),
        (two, (), (Transport.SSM,), "linux"),
        (three, (), (Transport.SSM,), "linux"),
    ]


def test_whom_only_systems_manager_knows_is_told_as_not_listed(aws: Front, recorded: Recorded) -> None:
    listed, *_others = recorded.instances[OWN, "eu-central-1"]
    nodes = [Node(listed.id), Node("mi-1", "Ubuntu"), Node("i-0ff", "Red Hat"), Node("mi-2", ping="ConnectionLost")]
    recorded.nodes[OWN, "eu-central-1"] = nodes

    machines = read(source(aws, regions=["eu-central-1"], ssm=True))

    assert [
        (each.instance_id, each.account, each.region, each.os, each.managed_by)
        for each in machines
        if not each.is_listed
    ] == [
        ("mi-1", OWN, "eu-central-1", "ubuntu", (Transport.SSM,)),
        ("i-0ff", OWN, "eu-central-1", "rhel", (Transport.SSM,)),
    ]


def test_whom_nobody_asked_about_is_neither_managed_nor_not(aws: Front) -> None:
    machines = read(source(aws, regions=["eu-central-1"]))

    assert {(each.managed_by, each.not_managed_by, each.is_listed) for each in machines} == {((), (), True)}


def test_filters_are_the_service_s_own(aws: Front) -> None:
    read(source(aws, regions=["eu-central-1"], filters={"tag:environment": ["production", "staging"]}))

    filters = {name: text for name, text in aws.calls[-1].parameters.items() if name.startswith("Filter")}
    assert filters["Filter.1.Name"] == "tag:environment"
    assert filters["Filter.1.Value.2"] == "staging"
    assert filters["Filter.2.Name"] == "instance-state-name"


@pytest.mark.parametrize("raw", [True, False])
def test_raw_data_is_plain(aws: Front, raw: bool) -> None:
    machine = read(source(aws, raw=raw, regions=["eu-central-1"]))[0]

    if raw:
        assert machine.raw["LaunchTime"] == "2026-10-01T06:00:00.000Z"
        assert machine.raw["NetworkInterfaces"][0]["MacAddress"] == "0a:00:00:00:01:01"
    else:
        assert machine.raw is None


def test_what_is_not_read_is_left_out_for_nobody_else(aws: Front) -> None:
    scope, deadline = Scope("production", OWN, "eu-central-1"), Deadline.after(30)
    endpoints = {"ec2": aws.url}

    def first(client: Any) -> dict[str, Any]:
        filters = [{"Name": "instance-state-name", "Values": ["running"]}]
        found: dict[str, Any] = client.describe_instances(Filters=filters)["Reservations"][0]["Instances"][0]
        return found

    narrow = first(Clients(endpoints, MEMBERS).client("ec2", scope.region, Keys(), scope, deadline))
    whole = first(Clients(endpoints, {}).client("ec2", scope.region, Keys(), scope, deadline))
    others = botocore.session.Session().create_client("ec2", region_name="eu-central-1", endpoint_url=aws.url)

    assert set(narrow) < set(whole) == set(first(others))
    assert len(whole) > 40
    assert narrow["Placement"] == {"AvailabilityZone": "eu-central-1b"}
    assert narrow["Tags"] == whole["Tags"]


def test_what_is_read_is_what_the_library_calls_so() -> None:
    shapes = botocore.session.Session().get_component("data_loader").load_service_model("ec2", "service-2")["shapes"]

    for name, members in MEMBERS.items():
        assert members <= shapes[name]["members"].keys()


@pytest.mark.parametrize(
    ("service", "method"), [("sts", "assume_role_with_web_identity"), ("sso", "get_role_credentials")]
)
def test_the_library_can_still_get_credentials_by_itself(aws: Front, service: str, method: str) -> None:
    client = Clients({}, MEMBERS).client(service, "eu-central-1", Keys(), Scope("s"), Deadline.after(5))

    assert method in client.meta.method_to_api_mapping


def test_an_account_that_cannot_be_entered_leaves_the_others(aws: Front, recorded: Recorded) -> None:
    recorded.external_ids = {PROD: "not told"}
    accounts = [{"id": DEV, "role": ROLE}, {"id": PROD, "role": ROLE}]

    with pytest.raises(ScopesError) as caught:
        source(aws, accounts=accounts, regions=["eu-central-1"]).scopes(Deadline.after(30))

    assert caught.value.scopes == [Scope("production", DEV, "eu-central-1")]
    (problem,) = caught.value.problems
    assert problem.kind == "access_denied"
    assert problem.message.startswith(f"source production, {PROD}: sts:AssumeRole: AccessDenied: User: arn:aws:iam::")
    assert "trust policy" in problem.remedy


def test_a_profile_that_cannot_be_used_is_named(aws: Front) -> None:
    with pytest.raises(ScopesError) as caught:
        source(aws, accounts=[{"profile": "nowhere"}], regions=["eu-central-1"]).scopes(Deadline.after(30))

    (problem,) = caught.value.problems
    assert problem.message.startswith("source production, profile nowhere: ")
    assert problem.kind == "credentials_missing"


def test_accounts_are_entered_side_by_side(aws: Front) -> None:
    numbers = [f"{number:012}" for number in range(8)]
    aws.faults.append(Fault("sts:AssumeRole", hangs=True, times=8))
    accounts = [{"id": number, "role": ROLE} for number in numbers]

    found = source(aws, accounts=accounts, regions=["eu-central-1"])
    thread = Thread(target=found.scopes, args=[Deadline.after(20)])
    thread.start()
    for _ in range(200):
        if aws.count("sts:AssumeRole") == len(numbers):
            break
        time.sleep(0.02)

    assert aws.count("sts:AssumeRole") == len(numbers), "they waited for each other"
    aws.released.set()
    thread.join()


def test_answers_are_parsed_one_after_the_other(aws: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes ten times its length in memory while it is parsed."""
    real = EC2QueryParser.parse
    at_once: list[int] = []
    parsing: list[object] = []

    def slow(self: EC2QueryParser, *args: Any) -> Any:
        parsing.append(self)
        at_once.append(len(parsing))
        time.sleep(0.05)
        parsing.remove(self)
        return real(self, *args)

    monkeypatch.setattr(EC2QueryParser, "parse", slow)
    regions = ["eu-central-1", "us-east-1", "eu-west-1", "eu-west-2"]
    found, deadline = source(aws, regions=regions), Deadline.after(20)
    with ThreadPoolExecutor() as pool:
        machines = list(pool.map(lambda scope: list(found.machines(scope, deadline)), found.scopes(deadline)))

    assert [len(each) for each in machines] == [3, 0, 0, 0]
    assert at_once == [1] * len(regions)


@pytest.mark.parametrize(
    ("regions", "what", "remedy"),
    [
        (["eu-cental-1"], "not known as regions of AWS: eu-cental-1", "Did you mean eu-central-1?"),
        (["eu-central-1", "moon"], "not known as regions of AWS: moon", "needs a newer boto3"),
        (["eu-central-1", "cn-north-1"], "regions of 2 partitions (aws, aws-cn)", "Make a source of each"),
    ],
)
def test_an_unknown_region_is_refused_before_any_call(aws: Front, regions: list[str], what: str, remedy: str) -> None:
    with pytest.raises(SourceError) as caught:
        source(aws, regions=regions).scopes(Deadline.after(30))

    assert caught.value.message == f"source production: {FILE}: sources[0].regions: {what}"
    assert remedy in caught.value.remedy
    assert not aws.calls


def test_a_configured_region_that_is_none_is_refused(aws: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "moon-1")

    with pytest.raises(SourceError, match=r"not a region of AWS: moon-1") as caught:
        source(aws).scopes(Deadline.after(30))

    assert "AWS_DEFAULT_REGION" in caught.value.remedy
    assert not aws.calls


def test_private_endpoints_may_name_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    clients = Clients({"ec2": "https://ec2.{region}.example.org/{region}"}, {})

    client = clients.client("ec2", "eu-west-3", Keys(), Scope("s"), Deadline.after(5))

    assert client.meta.endpoint_url == "https://ec2.eu-west-3.example.org/eu-west-3"
