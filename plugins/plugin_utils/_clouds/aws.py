# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS as a source of machines: accounts are entered, their regions found and their instances read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import chain
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_calls import (
    CONFIGURATION,
    Clients,
    Keys,
    ask,
    pages,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_instances import (
    MEMBERS,
    machine_of,
    reached_of,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_options import (
    Account,
    Options,
    Role,
    read_options,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.parallel import side_by_side
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import ScopesError, SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean, show

# The most that each call may return on a page.
INSTANCES_PER_PAGE = 1000
MANAGED_PER_PAGE = 50
ACCOUNTS_PER_PAGE = 20


class AwsSource:
    """The instances of accounts and regions. No library is loaded and nobody is asked before ``scopes``."""

    def __init__(self, name: str, options: Options, *, raw: bool) -> None:
        self.name = name
        self._everything = Scope(name)
        self._options = options
        self._raw = raw
        self._clients = Clients(options.endpoints, {} if raw else MEMBERS)
        self._keys: dict[str, Keys] = {}
        self._partition = ""

    def scopes(self, deadline: Deadline) -> list[Scope]:
        """The regions of every account. Raises SourceError, for an unknown region before any call; ScopesError."""
        if find_spec("botocore") is None:
            what, remedy = "botocore is not installed", "Run pip install -r requirements-aws.txt of this collection."
            raise SourceError(self._everything, "import botocore", what, kind="library_missing", remedy=remedy)
        home = self._home()
        accounts = self._accounts(home, deadline)
        # An account that two profiles lead to is read once.
        scopes: dict[Scope, None] = {}
        problems: list[SourceError] = []
        for outcome in side_by_side(lambda account: self._enter(account, home, deadline), accounts):
            if isinstance(outcome, SourceError):
                problems.append(outcome)
            else:
                scopes.update(dict.fromkeys(outcome))
        if problems:
            raise ScopesError(list(scopes), problems)
        return list(scopes)

    def machines(self, scope: Scope, deadline: Deadline) -> Iterator[Machine]:
        """The instances of one of the ``scopes``, by as few calls as EC2 allows. Raises SourceError.

        In the end those that only Systems Manager knows, which are not ``is_listed``.
        """
        keys = self._keys[scope.account]
        managed = self._managed(scope, keys, deadline) if self._options.ssm else None
        unlisted = dict(managed or {})
        client = self._clients.client("ec2", scope.region, keys, scope, deadline)
        asked = {"MaxResults": INSTANCES_PER_PAGE, "Filters": self._options.filters}

        def read(answer: dict[str, Any]) -> list[Machine]:
            return [
                machine_of(instance, scope, self._partition, managed, raw=self._raw)
                for reservation in answer["Reservations"]
                for instance in reservation["Instances"]
            ]

        for found in pages(client, "describe_instances", read, scope, deadline, asked):
            for machine in found:
                unlisted.pop(machine.instance_id, None)
                yield machine
        yield from (reached_of(identity, system, scope) for identity, system in unlisted.items())

    def _home(self) -> str:
        """The region where accounts are asked about; what stands in ``regions`` is checked before any call."""
        everything, wanted, profile = self._everything, self._options.regions, self._options.profile
        known = self._clients.known_regions(everything, profile)
        if wrong := [region for region in wanted if region not in known]:
            remedy = " ".join(did_you_mean(region, known) for region in wrong).strip()
            what = f"not known as regions of AWS: {', '.join(map(show, wrong))}"
            remedy = remedy or "Correct the names; a region that is newer than the library needs a newer boto3."
            raise SourceError(everything, self._options.regions_at, what, kind="not_found", remedy=remedy)
        if len(partitions := {known[region] for region in wanted}) > 1:
            what = f"regions of {len(partitions)} partitions ({', '.join(sorted(partitions))})"
            remedy = "Make a source of each: they have accounts and credentials of their own."
            raise SourceError(everything, self._options.regions_at, what, kind="not_found", remedy=remedy)
        home = wanted[0] if wanted else self._clients.configured_region(everything, profile)
        if home not in known:
            what, remedy = f"not a region of AWS: {show(home)}", "Correct AWS_DEFAULT_REGION or the profile's region."
            raise SourceError(everything, CONFIGURATION, what, kind="not_found", remedy=remedy)
        self._partition = known[home]
        return home

    def _accounts(self, home: str, deadline: Deadline) -> Sequence[Account]:
        """The accounts that are listed, or that the organization has, or the one that the controller is known in."""
        options, scope = self._options, self._everything
        if options.member_role is None:
            return options.accounts or (Account(profile=options.profile),)
        client = self._clients.client("organizations", home, Keys(options.profile), scope, deadline)

        def read(answer: dict[str, Any]) -> list[Account]:
            # AWS retires Status; State has not come to all partitions.
            active = (each["Id"] for each in answer["Accounts"] if (each.get("State") or each["Status"]) == "ACTIVE")
            return [Account(number, options.member_role) for number in active if number not in options.excluded]

        found = pages(client, "list_accounts", read, scope, deadline, {"MaxResults": ACCOUNTS_PER_PAGE})
        accounts = list(chain.from_iterable(found))
        if not accounts:
            what, remedy = "no account that is active and not excluded", "Compare exclude with the organization."
            raise SourceError(scope, "organizations:ListAccounts", what, kind="not_found", remedy=remedy)
        return accounts

    def _enter(self, account: Account, home: str, deadline: Deadline) -> list[Scope]:
        """The regions of an account, whose keys are kept. Raises SourceError."""
        source, number = self.name, account.number
        if account.role:
            keys = self._assume(account.role, Scope(source, number), home, deadline)
        else:
            scope = Scope(source, f"profile {account.profile}" if account.profile else "")
            number, keys = self._whose(account.profile, scope, home, deadline)
        self._keys[number] = keys
        regions = self._options.regions or self._enabled_regions(keys, Scope(source, number), home, deadline)
        return [Scope(source, number, region) for region in regions]

    def _assume(self, role: Role, scope: Scope, home: str, deadline: Deadline) -> Keys:
        profile = self._options.profile
        client = self._clients.client("sts", home, Keys(profile), scope, deadline)
        asked = {
            "RoleArn": f"arn:{self._partition}:iam::{scope.account}:role/{role.name}",
            "RoleSessionName": role.session_name,
        }
        if role.external_id:
            asked["ExternalId"] = role.external_id

        def read(answer: dict[str, Any]) -> Keys:
            found = answer["Credentials"]
            return Keys(
                profile,
                {
                    "aws_access_key_id": found["AccessKeyId"],
                    "aws_secret_access_key": found["SecretAccessKey"],
                    "aws_session_token": found["SessionToken"],
                },
            )

        return ask(client, "assume_role", read, scope, deadline, asked)

    def _whose(self, profile: str, scope: Scope, home: str, deadline: Deadline) -> tuple[str, Keys]:
        """The account that a profile leads to."""
        keys = Keys(profile)
        client = self._clients.client("sts", home, keys, scope, deadline)
        return ask(client, "get_caller_identity", lambda answer: str(answer["Account"]), scope, deadline), keys

    def _enabled_regions(self, keys: Keys, scope: Scope, home: str, deadline: Deadline) -> list[str]:
        client = self._clients.client("ec2", home, keys, scope, deadline)

        def read(answer: dict[str, Any]) -> list[str]:
            return sorted(region["RegionName"] for region in answer["Regions"])

        return ask(client, "describe_regions", read, scope, deadline)

    def _managed(self, scope: Scope, keys: Keys, deadline: Deadline) -> dict[str, str]:
        """The instances whose agent answers Systems Manager, and the names of their operating systems."""
        client = self._clients.client("ssm", scope.region, keys, scope, deadline)

        def read(answer: dict[str, Any]) -> dict[str, str]:
            found = answer["InstanceInformationList"]
            return {
                each["InstanceId"]: each.get("PlatformName", "") for each in found if each.get("PingStatus") == "Online"
            }

        managed: dict[str, str] = {}
        asked = {"MaxResults": MANAGED_PER_PAGE}
        for found in pages(client, "describe_instance_information", read, scope, deadline, asked):
            managed |= found
        return managed


def read_source(entry: Entry, name: str, *, raw: bool) -> AwsSource:
    """The source that an entry of the inventory file describes; what is wrong with it is noted there."""
    return AwsSource(name, read_options(entry), raw=raw)
