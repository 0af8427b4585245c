# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AWS that remembers: moto with accounts, regions, an organization and IAM, and what moto lacks of it.

moto runs in this process. It lets anybody assume any role of another account, so roles and their trust policies are
looked at here; and Systems Manager's list of its nodes is that of the recorded AWS, asked for as IAM allows.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import boto3
from botocore.config import Config
from moto.core.authorization import enable_iam_authentication
from moto.core.base_backend import BackendDict
from moto.core.exceptions import (
    AccessDeniedError,
    AuthFailureError,
    InvalidClientTokenIdError,
    SignatureDoesNotMatchError,
)
from moto.core.model_instances import reset_model_data
from moto.iam.access_control import (
    CreateAccessKeyFailure,
    IAMPolicy,
    IAMRequest,
    PermissionResult,
    create_access_key,
)
from moto.iam.exceptions import NotFoundException
from moto.iam.models import get_account_id_from, iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.organizations.models import organizations_backends
from werkzeug.datastructures import EnvironHeaders

from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.front import (
    FURNISHER,
    Call,
    Environ,
    Front,
    Start,
    refusal,
    serving,
    understood,
)
from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.recorded import Node, Recorded

MANAGEMENT = "123456789012"
"""The account of credentials that moto does not know."""


@dataclass
class Server:
    """An instance as a test wants it; its id is known when it is launched."""

    account: str
    region: str
    tags: Mapping[str, str]
    state: str = "running"
    private_ip: str = ""
    """Empty for any of its subnet."""
    id: str = ""


@dataclass
class MotoCloud:
    """The WSGI application, and what fills it."""

    servers: list[Server] = field(default_factory=list)
    front: Front = field(init=False)
    _moto: Any = field(default_factory=lambda: DomainDispatcherApplication(create_backend_app))
    _nodes: Recorded = field(default_factory=Recorded)
    _enforced: bool = False

    def __post_init__(self) -> None:
        self.front = Front(self)

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        call = understood(environ, body)
        account = get_account_id_from(call.access_key)
        if call.name == "sts:AssumeRole" and not self._trusts(call, account):
            return refusal("sts", "AccessDenied", f"not authorized to perform: {call.name}", start, status=403)
        if call.name == "ssm:DescribeInstanceInformation":
            if not self._allows(call, account, environ, body):
                return refusal("ssm", "AccessDeniedException", f"not authorized to perform: {call.name}", start)
            return self._nodes.answer(call, account, start)
        return cast("Iterable[bytes]", self._moto(environ, start))

    def client(self, service: str, account: str = MANAGEMENT, region: str = "us-east-1") -> Any:
        """A client that may do everything in an account, while rights are not enforced, and is not noted."""
        key = iam_backends[account]["aws"].create_temp_access_key()
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.front.url,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            config=Config(user_agent_extra=FURNISHER),
        )

    def launch(self, servers: Sequence[Server]) -> None:
        """Run instances, and bring them into their states."""
        for server in servers:
            ec2 = self.client("ec2", server.account, server.region)
            tags = [{"Key": key, "Value": value} for key, value in server.tags.items()]
            ran = ec2.run_instances(
                ImageId="ami-12c6146b",
                MinCount=1,
                MaxCount=1,
                TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
                **({"PrivateIpAddress": server.private_ip} if server.private_ip else {}),
            )
            server.id = ran["Instances"][0]["InstanceId"]
            if server.state == "stopped":
                ec2.stop_instances(InstanceIds=[server.id])
            if server.state == "terminated":
                ec2.terminate_instances(InstanceIds=[server.id])
            self.servers.append(server)

    def manage(self, server: Server, platform: str = "Ubuntu", ping: str = "Online") -> None:
        """Let Systems Manager know an instance."""
        self._nodes.nodes.setdefault((server.account, server.region), []).append(Node(server.id, platform, ping))

    def organize(self, count: int, suspended: int = 0) -> list[str]:
        """An organization of so many member accounts, of which the last ones are suspended; their numbers."""
        organizations = self.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        for number in range(count):
            organizations.create_account(AccountName=f"member {number}", Email=f"{number}@example.org")
        members = [member for member in organizations_backends[MANAGEMENT]["aws"].accounts if member.id != MANAGEMENT]
        for member in members[count - suspended :]:
            member.state = member.status = "SUSPENDED"
        return [member.id for member in members]

    def add_role(self, account: str, name: str, trust: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
        """A role with its trust policy and an inline policy."""
        iam = self.client("iam", account)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName=name, PolicyName="inventory", PolicyDocument=json.dumps(policy))

    def add_user(self, name: str, policy: Mapping[str, Any]) -> dict[str, str]:
        """A user of the management account with an inline policy, as environment variables."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="inventory", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    @contextmanager
    def rights_enforced(self) -> Iterator[None]:
        """Signatures and policies are checked meanwhile."""
        self._enforced = True
        try:
            with enable_iam_authentication():
                yield
        finally:
            self._enforced = False

    def _trusts(self, call: Call, account: str) -> bool:
        """Whether the role is there, and its trust policy lets who asks assume it."""
        arn = call.parameters["RoleArn"]
        try:
            role = iam_backends[arn.split(":")[4]]["aws"].get_role_by_arn(arn)
        except NotFoundException:
            return False
        try:
            caller = create_access_key(account, "aws", call.access_key, {}).arn
        except CreateAccessKeyFailure:
            caller = f"arn:aws:iam::{account}:root"
        given = {"sts:ExternalId": call.parameters.get("ExternalId", "")}
        policy = IAMPolicy(role.assume_role_policy_document)
        return policy.is_action_permitted(call.name, arn, caller, given) is PermissionResult.PERMITTED

    def _allows(self, call: Call, account: str, environ: Environ, body: bytes) -> bool:
        """What moto does before each call that it knows."""
        if not self._enforced:
            return True
        try:
            request = IAMRequest(
                account_id=account,
                method=environ["REQUEST_METHOD"],
                path=environ["PATH_INFO"],
                data={},
                body=body,
                headers=cast("dict[str, str]", EnvironHeaders(environ)),
                action=call.name.partition(":")[2],
            )
            request.check_signature()
            request.check_action_permitted("*")
        except (AccessDeniedError, AuthFailureError, InvalidClientTokenIdError, SignatureDoesNotMatchError):
            return False
        return True


@contextmanager
def moto_cloud() -> Iterator[MotoCloud]:
    """An empty AWS on loopback; in the end it was asked nothing improper."""
    cloud = MotoCloud()
    with serving(cloud.front):
        _forget()
        yield cloud
        _forget()
    assert not cloud.front.violations


def _forget() -> None:
    """moto has one memory for each process, where other tests leave something."""
    BackendDict.reset()
    reset_model_data()
