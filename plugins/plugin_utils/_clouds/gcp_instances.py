# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances of Compute Engine as machines of the fleet, by the shapes of the v1 API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    UNKNOWN,
    Cloud,
    Machine,
    Power,
    Transport,
)

_INSTANCE = (
    "id,name,zone,status,selfLink,labels,disks(boot,licenses),metadata/items,"
    "networkInterfaces(networkIP,ipv6Address,accessConfigs/natIP,ipv6AccessConfigs/externalIpv6),"
    "resourceStatus/effectiveInstanceMetadata(enableOsconfigMetadataValue,vmDnsSettingMetadataValue)"
)
_PAGE = "nextPageToken,unreachables,warning(code,data),items/*(warning(code),{instances})"
FIELDS = _PAGE.format(instances=f"instances({_INSTANCE})")
"""What ``read_page`` reads of an ``InstanceAggregatedList``, as the parameter ``fields``."""
ALL_FIELDS = _PAGE.format(instances="instances")
"""The same with all there is of the instances."""

_POWER = {
    "RUNNING": Power.RUNNING,
    "STOPPED": Power.STOPPED,
    "SUSPENDED": Power.STOPPED,
    "TERMINATED": Power.STOPPED,
}
# Google's own images carry a licence that begins with their system: debian-12-bookworm, ubuntu-2204-lts, rhel-9-server,
# sles-sap-15, windows-server-2022-dc. Others, of databases and options, stand beside it.
_LICENCE = re.compile(
    r".*projects/[a-z-]+-cloud/global/licenses/"
    r"(almalinux|centos|debian|oracle|rhel|rocky|sles|ubuntu|windows)(?:-.*)?"
)


class MalformedError(Exception):
    """An answer that has not the documented shape."""


def read_page(page: Mapping[str, Any], project: str, *, raw: bool) -> tuple[list[Machine], dict[str, str]]:
    """The machines of a page, and what it says that it lacks: ``{"us-east1-b": "UNREACHABLE"}``. Raises MalformedError.

    With ``raw`` the machines carry their instances as the API described them, without the values of the metadata: those
    are start-up scripts, keys and what else must not come into variables and caches.
    """
    machines: list[Machine] = []
    try:
        lacking = {_last(place): "unreachable" for place in page.get("unreachables", ())}
        for place, found in page.get("items", {}).items():
            machines += [_machine(instance, project, raw) for instance in found.get("instances", ())]
            if _lacks(found.get("warning", {})):
                lacking[_last(place)] = found["warning"]["code"]
        warning = page.get("warning", {})
        if _lacks(warning):
            places = [_last(entry["value"]) for entry in warning.get("data", ()) if entry["key"] == "scope"]
            lacking.update(dict.fromkeys(places or [project], warning["code"]))
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise MalformedError(f"no InstanceAggregatedList ({type(problem).__name__})") from problem
    return machines, lacking


def _lacks(warning: Mapping[str, Any]) -> bool:
    """Whether a warning is more than that there is nothing to be listed."""
    return bool(warning) and warning["code"] != "NO_RESULTS_ON_PAGE"


def _machine(instance: Mapping[str, Any], project: str, raw: bool) -> Machine:
    name, zone = _text(instance["name"]), _last(instance["zone"])
    metadata = {item["key"]: item.get("value", "") for item in instance.get("metadata", {}).get("items", ())}
    effective = instance.get("resourceStatus", {}).get("effectiveInstanceMetadata", {})
    interfaces = instance.get("networkInterfaces", ())
    labels = instance.get("labels", {})
    return Machine(
        cloud=Cloud.GCP,
        account=project,
        region=zone.rpartition("-")[0],
        zone=zone,
        instance_id=_text(instance["id"]),
        name=name,
        power=_POWER.get(instance["status"], Power.OTHER),
        os=_system(instance.get("disks", ())),
        tags={_text(key): _text(value) for key, value in labels.items()},
        private_ip=_first(interfaces, "networkIP") or _first(interfaces, "ipv6Address"),
        public_ip=_first(_each(interfaces, "accessConfigs"), "natIP")
        or _first(_each(interfaces, "ipv6AccessConfigs"), "externalIpv6"),
        private_dns=_internal_name(name, zone, project, effective.get("vmDnsSettingMetadataValue", "")),
        resource=_text(instance["selfLink"]),
        scaling_group=_managed_group(metadata.get("created-by", "")),
        managed_by=(Transport.GCP,) if _has_os_config(effective, metadata) else (),
        raw=_without_values(instance) if raw else None,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _last(url: str) -> str:
    return url.rpartition("/")[2]


def _each(parents: Iterable[Mapping[str, Any]], key: str) -> Iterable[Mapping[str, Any]]:
    return [child for parent in parents for child in parent.get(key, ())]


def _first(entries: Iterable[Mapping[str, Any]], key: str) -> str:
    """The first value there is, in the order of the interfaces: nic0 is the one that others reach by default."""
    return next((_text(entry[key]) for entry in entries if entry.get(key)), "")


def _system(disks: Iterable[Mapping[str, Any]]) -> str:
    """The system of the image that the boot disk was made from."""
    for licence in next((disk.get("licenses", ()) for disk in disks if disk.get("boot")), ()):
        if found := _LICENCE.fullmatch(licence):
            return found.group(1)
    return UNKNOWN


def _internal_name(name: str, zone: str, project: str, setting: str) -> str:
    """The name in Google's internal DNS, where it is certain which of the two kinds there is.

    https://cloud.google.com/compute/docs/internal-dns has the two forms; it has none for a project of a domain.
    """
    if ":" in project or not setting.startswith(("Zonal", "Global")):
        return ""
    return f"{name}.{zone}.c.{project}.internal" if setting.startswith("Zonal") else f"{name}.c.{project}.internal"


def _managed_group(created_by: str) -> str:
    return _last(created_by) if "/instanceGroupManagers/" in created_by else ""


def _has_os_config(effective: Mapping[str, Any], metadata: Mapping[str, str]) -> bool:
    """Whether the OS Config agent is switched on: ``effective`` knows the project's metadata too."""
    return effective.get("enableOsconfigMetadataValue") is True or metadata.get("enable-osconfig", "").upper() == "TRUE"


def _without_values(instance: Mapping[str, Any]) -> dict[str, Any]:
    metadata = instance.get("metadata", {})
    keys = [{"key": item["key"]} for item in metadata.get("items", ())]
    return {**instance, "metadata": {**metadata, "items": keys}}
