# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure as a source of machines: the virtual machines and scale sets of subscriptions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.azure_subscription import Subscription, for_each
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry

if TYPE_CHECKING:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.azure_calls import ResourceManager

ALL = "all"
REPORTED, PROVISIONED = "reported", "provisioned"
# The version of the API.
SUBSCRIPTIONS = "2022-12-01"

_CREDENTIALS = {
    *("secret", "client_secret", "password", "ad_user", "username", "client_certificate_path", "x509_certificate_path"),
    *("x509_private_key_path", "thumbprint", "token", "access_token"),
}
_ID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_EXAMPLE = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
_AUTHORITY = "https://login.example.com"
_HOST = r"https://[A-Za-z0-9.-]+(:\d{1,5})?"


@dataclass(frozen=True)
class Place:
    """A cloud: where its resource manager is, what tokens are for there, and who issues them.

    An empty ``authority`` is that of the environment, or else of the public cloud.
    """

    endpoint: str
    audience: str
    authority: str = ""


# As azure.mgmt.core.tools.get_arm_endpoints and azure.identity.AzureAuthorityHosts have them.
CLOUDS = {
    "AzureCloud": Place("https://management.azure.com", "https://management.azure.com"),
    "AzureUSGovernment": Place(
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net",
        "https://login.microsoftonline.us",
    ),
    "AzureChinaCloud": Place(
        "https://management.chinacloudapi.cn",
        "https://management.chinacloudapi.cn",
        "https://login.chinacloudapi.cn",
    ),
}


@dataclass(frozen=True)
class Options:
    """What the inventory file says of a source."""

    subscriptions: tuple[str, ...]
    """Ids in lower case, or ``all`` alone."""
    tenant: str
    client_id: str
    """Which identity, of a workload or of a machine that has several; empty for the environment's."""
    place: Place
    believe_model: bool
    """Whether a machine that was made with the agent is taken for one that is reached by it."""


class AzureSource:
    """The machines of subscriptions. Nothing is loaded and nobody asked before ``scopes``."""

    def __init__(self, name: str, options: Options, *, raw: bool) -> None:
        self.name = name
        self._options = options
        self._raw = raw
        self._manager: ResourceManager

    def scopes(self, deadline: Deadline) -> Sequence[Scope]:
        """The subscriptions. Raises SourceError."""
        everything = Scope(self.name)
        self._manager = _load(self._options, everything)
        self._manager.authenticate(everything)
        subscriptions = self._options.subscriptions
        if subscriptions == (ALL,):
            subscriptions = self._subscriptions(everything, deadline)
        return [Scope(self.name, account=subscription) for subscription in subscriptions]

    def machines(self, scope: Scope, deadline: Deadline) -> Iterator[Machine]:
        """The machines of a subscription. Raises SourceError."""
        options = self._options
        subscription = Subscription(self._manager, scope, deadline, believe_model=options.believe_model, raw=self._raw)
        yield from subscription.machines()

    def _subscriptions(self, scope: Scope, deadline: Deadline) -> tuple[str, ...]:
        """The ids of all subscriptions that the credentials see; one that is switched off still has machines."""
        call = "Microsoft.Resources/subscriptions/read"
        found: list[str] = []

        def keep(resource: dict[str, Any]) -> None:
            if resource["state"] != "Deleted":
                found.append(resource["subscriptionId"].lower())

        for_each(self._manager.listing("/subscriptions", SUBSCRIPTIONS, call, scope, deadline), keep, scope, call)
        if not found:
            what, remedy = "no subscription is visible", "Assign a role to who asks, or name the tenant or the ids."
            raise SourceError(scope, call, what, kind="not_found", remedy=remedy)
        return tuple(sorted(found))


def read_source(entry: Entry, name: str, *, raw: bool) -> AzureSource:
    """The source that an entry of the inventory file describes; its faults are noted in ``entry``."""
    remedy = "Let azure-identity find it: in the environment, a workload or managed identity, or a login of az."
    entry.refuse_credentials(_CREDENTIALS, remedy)
    place = CLOUDS[entry.text("cloud", "AzureCloud", choices=tuple(CLOUDS))]
    endpoint = entry.text("endpoint", place.endpoint, pattern=f"{_HOST}/?", example=place.endpoint)
    options = Options(
        subscriptions=_read_subscriptions(entry),
        tenant=entry.text("tenant", pattern=r"[A-Za-z0-9.-]{1,253}", example=_EXAMPLE),
        client_id=entry.text("client_id", pattern=_ID, example=_EXAMPLE),
        place=Place(
            endpoint.rstrip("/"),
            entry.text("audience", place.audience, pattern=r"https://[^\s@?#]+", example=place.audience),
            entry.text("authority", place.authority, pattern=rf"{_HOST}(/[\w.-]+)*/?", example=_AUTHORITY),
        ),
        believe_model=entry.text("agent", REPORTED, choices=(REPORTED, PROVISIONED)) == PROVISIONED,
    )
    return AzureSource(name, options, raw=raw)


def _read_subscriptions(entry: Entry) -> tuple[str, ...]:
    known = len(entry.faults.lines)
    found = entry.texts("subscriptions", (ALL,), pattern=f"{ALL}|{_ID}", example=_EXAMPLE)
    if not found and len(entry.faults.lines) == known:
        entry.fault("subscriptions", "names none", f"Write a list of ids, or {ALL} for every one that is visible.")
    elif ALL in found and found != (ALL,):
        entry.fault("subscriptions", f"has {ALL} beside others", f"Write {ALL} alone, or ids alone.")
    return tuple(dict.fromkeys(each.lower() for each in found))


def _load(options: Options, scope: Scope) -> ResourceManager:
    try:
        for library in ("azure.core", "azure.identity", "azure.mgmt.core"):
            import_module(library)
    except ImportError as problem:
        raise SourceError(
            scope,
            "the library of Azure",
            said(problem),
            kind="library_missing",
            remedy="Run pip install -r requirements-azure.txt of this collection.",
        ) from None
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.azure_calls import ResourceManager, Who

    place = options.place
    who = Who(options.tenant, options.client_id, place.authority)
    return ResourceManager(place.endpoint, place.audience, who)
