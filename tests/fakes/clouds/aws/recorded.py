# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of AWS as they come over the wire, for a store of instances: quick to make, and with nothing behind them.

Of filters only one of states is understood.

What an answer holds is what EC2 says of an instance today (docs.aws.amazon.com/AWSEC2/latest/APIReference).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.front import Call, Environ, Start, refusal, understood

OWN = "111111111111"
"""The account of credentials that are nobody's else."""
_EC2 = 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'
_STS = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
_REQUEST = "<requestId>00000000-0000-4000-8000-000000000000</requestId>"


@dataclass
class Instance:
    """An instance, as much of it as differs."""

    number: int
    tags: Mapping[str, str] = field(default_factory=dict)
    state: str = "running"
    platform: str = "Linux/UNIX"
    public: bool = True

    @property
    def id(self) -> str:
        """The instance's id."""
        return f"i-{self.number:017x}"

    @property
    def private_ip(self) -> str:
        """An address of its own."""
        return f"10.{self.number >> 16 & 255}.{self.number >> 8 & 255}.{self.number & 255}"

    @property
    def public_ip(self) -> str:
        """Another one, of the block for examples of benchmarks."""
        return f"198.18.{self.number >> 8 & 255}.{self.number & 255}"


@dataclass
class Node:
    """What Systems Manager knows of an instance."""

    instance_id: str
    platform: str = "Ubuntu"
    ping: str = "Online"


@dataclass
class Recorded:
    """An AWS that is nothing but its answers. A role can be assumed in every account by who gives its external id."""

    instances: dict[tuple[str, str], list[Instance]] = field(default_factory=dict)
    """By account and region."""
    nodes: dict[tuple[str, str], list[Node]] = field(default_factory=dict)
    regions: tuple[str, ...] = ("eu-central-1", "us-east-1")
    members: list[tuple[str, str]] = field(default_factory=list)
    """Numbers and states of the accounts of the organization."""
    external_ids: dict[str, str] = field(default_factory=dict)
    """By account; the others want none."""
    most: int = 1000
    """Instances on a page, even when more are asked for."""
    _kept: dict[tuple[str, ...], bytes] = field(default_factory=dict)

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        call = understood(environ, environ["wsgi.input"].read())
        account = call.access_key[4:16] if call.access_key.startswith("ASIA") else OWN
        return self.answer(call, account, start)

    def answer(self, call: Call, account: str, start: Start) -> Iterable[bytes]:
        """The answer to a call from an account."""
        if call.name == "sts:AssumeRole":
            number = call.parameters["RoleArn"].split(":")[4]
            if self.external_ids.get(number, "") != call.parameters.get("ExternalId", ""):
                message = f"User: arn:aws:iam::{account}:user/fleet is not authorized to perform: sts:AssumeRole"
                return refusal("sts", "AccessDenied", message, start, status=403)
        body, kind = {
            "ec2:DescribeInstances": self._instances,
            "ec2:DescribeRegions": self._regions,
            "organizations:ListAccounts": self._members,
            "ssm:DescribeInstanceInformation": self._nodes,
            "sts:AssumeRole": self._role,
            "sts:GetCallerIdentity": self._identity,
        }[call.name](call, account)
        start("200 OK", [("Content-Type", kind)])
        return [body]

    def _role(self, call: Call, _account: str) -> tuple[bytes, str]:
        _, _, _, _, number, role = call.parameters["RoleArn"].split(":")
        name, session = role.rpartition("/")[2], call.parameters["RoleSessionName"]
        arn = f"arn:aws:sts::{number}:assumed-role/{name}/{session}"
        text = (
            f"<AssumeRoleResponse {_STS}><AssumeRoleResult><AssumedRoleUser><Arn>{arn}</Arn>"
            f"<AssumedRoleId>AROA:{session}</AssumedRoleId></AssumedRoleUser><Credentials>"
            f"<AccessKeyId>ASIA{number}AAAA</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
            "<SessionToken>token</SessionToken><Expiration>2031-01-01T00:00:00Z</Expiration></Credentials>"
            "</AssumeRoleResult></AssumeRoleResponse>"
        )
        return text.encode(), "text/xml"

    def _identity(self, _call: Call, account: str) -> tuple[bytes, str]:
        text = (
            f"<GetCallerIdentityResponse {_STS}><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/fleet</Arn>"
            f"<UserId>AIDA</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
        )
        return text.encode(), "text/xml"

    def _regions(self, _call: Call, _account: str) -> tuple[bytes, str]:
        items = "".join(
            f"<item><regionName>{region}</regionName><regionEndpoint>ec2.{region}.amazonaws.com</regionEndpoint>"
            "<optInStatus>opt-in-not-required</optInStatus></item>"
            for region in self.regions
        )
        text = f"<DescribeRegionsResponse {_EC2}>{_REQUEST}<regionInfo>{items}</regionInfo></DescribeRegionsResponse>"
        return text.encode(), "text/xml"

    def _members(self, call: Call, _account: str) -> tuple[bytes, str]:
        first, after = _page(call, len(self.members))
        accounts = [{"Id": number, "State": state} for number, state in self.members[first:after]]
        return _listing("Accounts", accounts, after, len(self.members))

    def _nodes(self, call: Call, account: str) -> tuple[bytes, str]:
        nodes = self.nodes.get((account, call.region), [])
        first, after = _page(call, len(nodes))
        found = [
            {"InstanceId": node.instance_id, "PingStatus": node.ping, "PlatformName": node.platform}
            for node in nodes[first:after]
        ]
        return _listing("InstanceInformationList", found, after, len(nodes))

    def _instances(self, call: Call, account: str) -> tuple[bytes, str]:
        states = [text for name, text in call.parameters.items() if name.startswith("Filter.1.Value.")]
        key = (account, call.region, call.parameters.get("NextToken", ""), *states)
        if key not in self._kept:
            instances = [each for each in self.instances.get((account, call.region), []) if each.state in states]
            first, after = _page(call, len(instances), self.most)
            token = f"<nextToken>{after}</nextToken>" if after < len(instances) else ""
            found = "".join(_described(instance, account, call.region) for instance in instances[first:after])
            self._kept[key] = (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<DescribeInstancesResponse {_EC2}>{_REQUEST}'
                f"<reservationSet>{found}</reservationSet>{token}</DescribeInstancesResponse>"
            ).encode()
        return self._kept[key], "text/xml"


def fleet(count: int) -> Iterator[Instance]:
    """Instances with the tags that place them."""
    for number in range(1, count + 1):
        tags = {
            "Name": f"app-{number:05}",
            "tenant": f"cu{number % 40:02}",
            "environment": ("production", "staging", "test")[number % 3],
            "cluster": f"cluster-{number % 300:03}",
            "wave": ("canary", "early", "broad")[number % 3],
            "criticality": ("high", "medium")[number % 2],
            "os": ("ubuntu", "rhel")[number % 2],
        }
        yield Instance(number, tags)


def _page(call: Call, count: int, most: int = 1000) -> tuple[int, int]:
    """The first that a page has, and the one after its last."""
    first = int(call.parameters.get("NextToken") or 0)
    return first, min(count, first + most, first + int(call.parameters.get("MaxResults") or most))


def _listing(name: str, items: list[dict[str, str]], after: int, count: int) -> tuple[bytes, str]:
    more = {"NextToken": str(after)} if after < count else {}
    return json.dumps({name: items, **more}).encode(), "application/x-amz-json-1.1"


def _described(instance: Instance, account: str, region: str) -> str:
    """An instance within its reservation."""
    number, key = instance.number, f"{instance.number:017x}"
    dashed = instance.private_ip.replace(".", "-")
    code = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
    is_public = instance.public and instance.state == "running"
    public_dns = f"ec2-{instance.public_ip.replace('.', '-')}.{region}.compute.amazonaws.com" if is_public else ""
    association = (
        f"<association><publicIp>{instance.public_ip}</publicIp><publicDnsName>{public_dns}</publicDnsName>"
        "<ipOwnerId>amazon</ipOwnerId></association>"
        if is_public
        else ""
    )
    group = f"<item><groupId>sg-{number % 7:017x}</groupId><groupName>servers-{number % 7}</groupName></item>"
    launched = "2026-10-01T06:00:00.000Z"
    tags = "".join(
        f"<item><key>{escape(name)}</key><value>{escape(value)}</value></item>" for name, value in instance.tags.items()
    )
    disks = "".join(
        f"<item><deviceName>{device}</deviceName><ebs><volumeId>vol-{index}{key[1:]}</volumeId><status>attached</status>"
        f"<attachTime>{launched}</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item>"
        for index, device in enumerate(("/dev/sda1", "/dev/sdf"))
    )
    interface = (
        f"<item><networkInterfaceId>eni-{key}</networkInterfaceId><subnetId>subnet-{number % 3:017x}</subnetId>"
        f"<vpcId>vpc-{0:017x}</vpcId><description/><ownerId>{account}</ownerId><status>in-use</status>"
        f"<macAddress>0a:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:"
        f"{number & 255:02x}:01</macAddress><privateIpAddress>{instance.private_ip}</privateIpAddress>"
        f"<privateDnsName>ip-{dashed}.{region}.compute.internal</privateDnsName><sourceDestCheck>true</sourceDestCheck>"
        f"<groupSet>{group}</groupSet><attachment><attachmentId>eni-attach-{key}</attachmentId>"
        f"<deviceIndex>0</deviceIndex><networkCardIndex>0</networkCardIndex><status>attached</status>"
        f"<attachTime>{launched}</attachTime><deleteOnTermination>true</deleteOnTermination></attachment>{association}"
        f"<privateIpAddressesSet><item><privateIpAddress>{instance.private_ip}</privateIpAddress>"
        f"<privateDnsName>ip-{dashed}.{region}.compute.internal</privateDnsName><primary>true</primary>{association}"
        "</item></privateIpAddressesSet><ipv6AddressesSet/><interfaceType>interface</interfaceType></item>"
    )
    public = f"<ipAddress>{instance.public_ip}</ipAddress>" if is_public else ""
    platform = "<platform>windows</platform>" if instance.platform.startswith("Windows") else ""
    return (
        f"<item><reservationId>r-{key}</reservationId><ownerId>{account}</ownerId><groupSet/><instancesSet><item>"
        f"<instanceId>{instance.id}</instanceId><imageId>ami-{number % 5:017x}</imageId>"
        f"<instanceState><code>{code[instance.state]}</code><name>{instance.state}</name></instanceState>"
        f"<privateDnsName>ip-{dashed}.{region}.compute.internal</privateDnsName><dnsName>{public_dns}</dnsName>"
        "<reason/><keyName>operations</keyName><amiLaunchIndex>0</amiLaunchIndex><productCodes/>"
        f"<instanceType>m7i.large</instanceType><launchTime>{launched}</launchTime>"
        f"<placement><availabilityZone>{region}{'abc'[number % 3]}</availabilityZone>"
        f"<availabilityZoneId>euc1-az{number % 3 + 1}</availabilityZoneId><groupName/><tenancy>default</tenancy>"
        f"</placement>{platform}<monitoring><state>disabled</state></monitoring>"
        f"<subnetId>subnet-{number % 3:017x}</subnetId><vpcId>vpc-{0:017x}</vpcId>"
        f"<privateIpAddress>{instance.private_ip}</privateIpAddress>{public}<sourceDestCheck>true</sourceDestCheck>"
        f"<groupSet>{group}</groupSet><architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType>"
        f"<rootDeviceName>/dev/sda1</rootDeviceName><blockDeviceMapping>{disks}</blockDeviceMapping>"
        f"<virtualizationType>hvm</virtualizationType><clientToken>{key}</clientToken><tagSet>{tags}</tagSet>"
        f"<hypervisor>xen</hypervisor><networkInterfaceSet>{interface}</networkInterfaceSet>"
        f"<iamInstanceProfile><arn>arn:aws:iam::{account}:instance-profile/server</arn><id>AIPA{key.upper()}</id>"
        "</iamInstanceProfile><ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport>"
        "<cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>"
        "<capacityReservationSpecification><capacityReservationPreference>open</capacityReservationPreference>"
        "</capacityReservationSpecification><hibernationOptions><configured>false</configured></hibernationOptions>"
        "<metadataOptions><state>applied</state><httpTokens>required</httpTokens>"
        "<httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>"
        "<httpProtocolIpv6>disabled</httpProtocolIpv6><instanceMetadataTags>disabled</instanceMetadataTags>"
        "</metadataOptions><enclaveOptions><enabled>false</enabled></enclaveOptions><bootMode>uefi-preferred</bootMode>"
        "<currentInstanceBootMode>uefi</currentInstanceBootMode>"
        f"<platformDetails>{instance.platform}</platformDetails><usageOperation>RunInstances</usageOperation>"
        f"<usageOperationUpdateTime>{launched}</usageOperationUpdateTime><privateDnsNameOptions>"
        "<hostnameType>ip-name</hostnameType><enableResourceNameDnsARecord>false</enableResourceNameDnsARecord>"
        "<enableResourceNameDnsAAAARecord>false</enableResourceNameDnsAAAARecord></privateDnsNameOptions>"
        "<maintenanceOptions><autoRecovery>default</autoRecovery></maintenanceOptions>"
        "</item></instancesSet></item>"
    )
