# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CrowdStrike Falcon as a source: not of machines to be managed, but of what the sensor's console knows of them.

How it names a machine (``service_provider``, ``service_provider_account_id``, ``instance_id``): ``AWS_EC2_V2``, the
account's number and ``i-…``; ``AZURE``, the subscription and the ``vmId``; ``GCP``, the *number* of the project and the
number of the instance. Google's own inventory knows projects by their ids, so ``project_numbers`` must say which is
which. Whatever is missing stays unknown: a sensor is never taken for one of a machine by its name or its address.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon_api import (
    CLIENT_ID,
    CLIENT_SECRET,
    CLOUD,
    CLOUDS,
    MEMBER_CID,
    FalconApi,
    Reach,
    credentials_from_environment,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN, Cloud, Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean, show

PAGE = 10_000
"""The most that the API gives at once."""

CALL = "hosts:CombinedDevicesByFilter"
NEEDS = "Hosts: Read"

FIELDS = (
    "device_id",
    "cid",
    "hostname",
    "service_provider",
    "service_provider_account_id",
    "instance_id",
    "agent_version",
    "last_seen",
    "status",
    "reduced_functionality_mode",
    "platform_name",
)

_CID = r"[0-9A-Fa-f]{32}(-[0-9A-Fa-f]{2})?"
_CID_EXAMPLE = "0123456789abcdef0123456789abcdef"
# Plain HTTP only to this machine itself, and never a password in a file.
_ADDRESS = r"https://[^\s/@?#]+(/[^\s@?#]*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?"
_PROXY = r"https?://[^\s/@?#]+/?"
_CREDENTIALS = ("client_id", "client_secret", "falcon_client_id", "falcon_client_secret", "access_token")
_PROVIDERS = {"AWS_EC2_V2": Cloud.AWS, "AWS_EC2": Cloud.AWS, "AZURE": Cloud.AZURE, "GCP": Cloud.GCP}
_RFM = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class SensorHost:
    """A sensor as the console knows it. Texts are as they came, so hostile, and ``unknown`` is what was not said.

    With ``cloud``, ``account`` and ``instance_id`` it can be joined to a machine: they have the form that a Machine
    has them in, but that ``account`` is the number of a Google project of which no id is known.
    """

    cid: str
    aid: str
    hostname: str
    cloud: str
    """A value of Cloud, or ``unknown``."""
    account: str
    instance_id: str
    agent_version: str
    last_seen: datetime | None
    status: str
    """Of its containment: ``normal``, ``containment_pending``, ``contained`` or ``lift_containment_pending``."""
    rfm: bool | None
    """Whether it is in reduced functionality mode; None where that is not known."""
    platform: str
    account_is_known: bool = True
    """False for a Google project that is known by its number alone."""

    @property
    def identity(self) -> tuple[str, str, str]:
        """What a machine's identity must be for it to be the same one."""
        return self.cloud, self.account, self.instance_id


@dataclass(frozen=True)
class FalconSource:
    """The sensors of one CID, or of several child CIDs of one parent. Each CID is a scope."""

    name: str
    reach: Reach
    member_cids: tuple[str, ...] = ()
    filter: str = ""
    project_ids: Mapping[str, str] = field(default_factory=dict)
    """The ids of Google projects by their numbers."""
    tenants: Mapping[str, str] = field(default_factory=dict)
    """The tenant of a CID, for sensors of machines that no inventory has."""
    sleep: Callable[[float], None] = time.sleep

    def scopes(self, _deadline: Deadline) -> Sequence[Scope]:
        """The CIDs. Connects to nothing. Raises SourceError when there are no credentials, or a setting is bad."""
        member = os.environ.get(MEMBER_CID, "")
        whole = Scope(self.name)
        if member and not self.member_cids and not re.fullmatch(_CID, member):
            raise _bad_environment(whole, MEMBER_CID, member, f"Write it like {_CID_EXAMPLE}.")
        reach = self._reach(whole)
        if reach.ca_file and not os.path.isfile(reach.ca_file):
            raise SourceError(
                whole,
                "ca_file",
                f"{show(reach.ca_file)} is no file",
                kind="certificate_bad",
                remedy="Name a file with the certificates (PEM).",
            )
        credentials_from_environment(whole, "")
        members = self.member_cids or ((_plain_cid(member),) if member else ("",))
        return [Scope(self.name, account=cid, region=reach.cloud) for cid in members]

    def sensors(self, scope: Scope, deadline: Deadline) -> Iterator[SensorHost]:
        """The sensors of a CID, page by page. Raises SourceError, after some sensors perhaps."""
        credentials = credentials_from_environment(scope, scope.account)
        api = FalconApi(scope, self._reach(scope), credentials, deadline, sleep=self.sleep)
        list_hosts = api.service("Hosts").query_devices_by_filter_combined
        parameters: dict[str, Any] = {"limit": PAGE, "fields": ",".join(FIELDS)}
        if self.filter:
            parameters["filter"] = self.filter
        seen: set[str] = set()
        total = None
        while True:
            body = api.ask(CALL, partial(list_hosts, parameters=parameters), needs=NEEDS)
            paging, records = _page_of(api, body)
            # The first page's: what comes and goes while the others are read is not what is missing.
            total = paging["total"] if total is None else total
            before = len(seen)
            for record in records:
                sensor = self._sensor(api, record)
                if sensor.aid not in seen:
                    seen.add(sensor.aid)
                    yield sensor
            parameters = {**parameters, "offset": paging.get("next")}
            if not parameters["offset"] or len(seen) >= total or len(seen) == before:
                break
        if len(seen) < total:
            api.refuse(
                CALL,
                f"{len(seen)} sensors came, and there are {total}",
                kind="answer_partial",
                remedy="Run this again. When it stays so, ask CrowdStrike; what is missing cannot be known.",
            )

    def _reach(self, scope: Scope) -> Reach:
        """How to get there, with what the environment says where the file says nothing."""
        cloud = os.environ.get(CLOUD, "").lower()
        if self.reach.cloud or self.reach.base_url or not cloud:
            return self.reach
        if cloud not in CLOUDS:
            remedy = did_you_mean(cloud, CLOUDS) or f"The clouds are {', '.join(CLOUDS)}."
            raise _bad_environment(scope, CLOUD, cloud, remedy)
        return Reach(
            cloud,
            proxy=self.reach.proxy,
            ca_file=self.reach.ca_file,
            connect_timeout=self.reach.connect_timeout,
            read_timeout=self.reach.read_timeout,
        )

    def _sensor(self, api: FalconApi, record: Any) -> SensorHost:
        if not isinstance(record, Mapping) or not _text(record, "device_id", ""):
            api.refuse(
                CALL,
                f"a record has no device_id: {show(record)}",
                kind="answer_malformed",
                remedy="Look at base_url and at proxies on the way.",
            )
        cloud = _PROVIDERS.get(_text(record, "service_provider").upper(), UNKNOWN)
        account, known = _text(record, "service_provider_account_id").lower(), True
        if cloud is Cloud.GCP:
            known = account in self.project_ids
            account = self.project_ids.get(account, account)
        return SensorHost(
            cid=_plain_cid(_text(record, "cid")),
            aid=_text(record, "device_id"),
            hostname=_text(record, "hostname"),
            cloud=str(cloud),
            account=account,
            instance_id=_text(record, "instance_id").lower(),
            agent_version=_text(record, "agent_version"),
            last_seen=_moment(record.get("last_seen")),
            status=_text(record, "status"),
            rfm=_RFM.get(_text(record, "reduced_functionality_mode").lower()),
            platform=_text(record, "platform_name"),
            account_is_known=known,
        )


def read_source(entry: Entry, name: str) -> FalconSource:
    """The source that an entry of type ``falcon`` describes. What is wrong with it is noted in the entry."""
    entry.refuse_credentials(_CREDENTIALS, f"Set {CLIENT_ID} and {CLIENT_SECRET} in the environment.")
    base_url = entry.text("base_url", pattern=_ADDRESS, example="https://falcon.example.com").rstrip("/")
    cloud = entry.text("cloud", choices=CLOUDS)
    if base_url and cloud:
        entry.fault("base_url", "stands beside cloud", "Leave one of the two out.")
    members = entry.texts("member_cid", pattern=_CID, example=_CID_EXAMPLE)
    return FalconSource(
        name=name,
        reach=Reach(
            cloud=cloud,
            base_url=base_url,
            proxy=entry.text("proxy", pattern=_PROXY, example="http://proxy.example.com:3128"),
            ca_file=os.path.expanduser(entry.text("ca_file")),
            connect_timeout=entry.number("connect_timeout", Reach.connect_timeout, least=1, most=300),
            read_timeout=entry.number("read_timeout", Reach.read_timeout, least=1, most=300),
        ),
        member_cids=tuple(dict.fromkeys(map(_plain_cid, members))),
        filter=entry.text("filter"),
        project_ids=_project_ids(entry),
        tenants=_tenants(entry),
    )


def _project_ids(entry: Entry) -> dict[str, str]:
    """The ids of Google projects by their numbers."""
    numbers = entry.entry("project_numbers")
    found: dict[str, str] = {}
    if numbers is None:
        return found
    for project, number in numbers.items():
        # Without quotes YAML reads it as a number, which is what it is.
        text = str(number) if isinstance(number, int) and not isinstance(number, bool) else number
        if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,20}", text):
            numbers.fault(project, "is no number of a project", "Write it like {my-project: 123456789012}.")
        elif text in found:
            numbers.fault(project, "is the number of another project too", "Correct one of them.")
        else:
            found[text] = project.lower()
    return found


def _tenants(entry: Entry) -> dict[str, str]:
    """The tenants by their CIDs."""
    tenants = entry.entry("tenants")
    found: dict[str, str] = {}
    if tenants is None:
        return found
    for cid, tenant in tenants.items():
        if not re.fullmatch(_CID, cid) or not isinstance(tenant, str) or not tenant:
            tenants.fault(cid, "is no CID with its tenant", f"Write it like {{{_CID_EXAMPLE}: alpha}}.")
        else:
            found[_plain_cid(cid)] = str(tenant)
    return found


def _page_of(api: FalconApi, body: Mapping[str, Any]) -> tuple[Mapping[str, Any], Sequence[Any]]:
    """The paging of an answer and its records, which may be null where there are none."""
    meta = body.get("meta")
    paging = meta.get("pagination") if isinstance(meta, Mapping) else None
    records = body.get("resources") or ()
    if (
        not isinstance(paging, Mapping)
        or not isinstance(paging.get("total"), int)
        or not isinstance(records, list | tuple)
    ):
        api.refuse(
            CALL,
            "not understood: it has no list of resources with meta.pagination.total",
            kind="answer_malformed",
            remedy="Look at base_url and at proxies on the way.",
        )
    return paging, records


def _plain_cid(cid: str) -> str:
    """A CID without the checksum that the console shows behind it."""
    return cid.partition("-")[0].lower()


def _text(record: Mapping[str, Any], key: str, default: str = UNKNOWN) -> str:
    value = record.get(key)
    return value if isinstance(value, str) and value else default


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _bad_environment(scope: Scope, name: str, value: str, remedy: str) -> SourceError:
    return SourceError(scope, name, f"{show(value)} is not known", kind="not_found", remedy=remedy)
