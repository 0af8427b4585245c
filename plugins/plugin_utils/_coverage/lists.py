# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists that are held against the sensors: the inventory's hosts, and each tenant's last population."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import (
    LatestPlan,
    Listed,
    Planned,
    Reached,
    Readings,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.sensors import identity_of, plain_id
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import HostDocument, PlanHead
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import latest_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

VARIABLES = (
    "fleet_tenant",
    "fleet_cloud",
    "fleet_account",
    "fleet_instance_id",
    "fleet_power",
    "fleet_transport",
    "fleet_managed_by",
    "fleet_not_managed_by",
    "fleet_sensor_id",
    "fleet_incomplete",
)
"""What is read of each host."""


def listed_of(host: str, variables: Mapping[str, Any]) -> Listed:
    """A host of the inventory, by those of its ``VARIABLES`` that it has."""

    def text(name: str, default: str = UNKNOWN) -> str:
        value = variables.get(name)
        return str(value) if isinstance(value, (str, int)) and str(value) else default

    def texts(name: str) -> tuple[str, ...]:
        value = variables.get(name)
        return tuple(map(str, value)) if isinstance(value, (list, tuple)) else ()

    return Listed(
        host=host,
        tenant=text("fleet_tenant"),
        identity=identity_of(text("fleet_cloud"), text("fleet_account"), text("fleet_instance_id")),
        power=text("fleet_power"),
        transport=text("fleet_transport", ""),
        managed_by=texts("fleet_managed_by"),
        not_managed_by=texts("fleet_not_managed_by"),
        sensor_id=plain_id(text("fleet_sensor_id", "")),
    )


def readings_of(population: Any) -> Readings:
    """What ``fleet_population`` says of how the inventory was read. Raises FleetError of kind ``bad_inventory``."""
    moments, reached, not_named = [], [], 0
    try:
        for record in population or ():
            moments.append({"inventory": str(record["inventory"]), "read": str(record["read"])})
            only = record.get("only_managed") or {"count": 0, "machines": ()}
            not_named += int(only["count"]) - len(only["machines"])
            reached += [
                Reached(
                    identity_of(str(each["cloud"]), str(each["account"]), str(each["instance_id"])),
                    str(each["region"]),
                    str(each["tenant"]),
                )
                for each in only["machines"]
            ]
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise FleetError(
            "fleet_population is not as bankops.fleet.multicloud writes it.",
            kind="bad_inventory",
            remedy="Let nothing else set it: neither files of the inventory nor -e.",
        ) from problem
    return Readings(moments, reached, not_named)


def latest_plan_of(state: State, tenant: str) -> LatestPlan | None:
    """The last population of a tenant; None when it never had a plan. Raises FleetError as the state does.

    The hosts are read one by one when they are asked for.
    """
    head = latest_plan(state, tenant)
    if head is None:
        return None
    plan = digest(head)
    return LatestPlan(plan, head["cycle"], _planned(state, tenant, plan, head))


def _planned(state: State, tenant: str, plan: str, head: PlanHead) -> Iterator[Planned]:
    for host, entry in head["hosts"].items():
        document = cast(HostDocument, state.get_host_document(tenant, plan, host, entry["digest"]))
        placement = document.get("placement") or {}
        instance_id = document["identity"].get("instance_id") or UNKNOWN
        cloud, account = placement.get("cloud", UNKNOWN), placement.get("account", UNKNOWN)
        yield Planned(host, identity_of(cloud, account, instance_id))
    for host in head["missing"]:
        yield Planned(host, (UNKNOWN, UNKNOWN, UNKNOWN), was_missing=True)
