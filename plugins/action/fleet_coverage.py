# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds inventory, sensors and last populations against each other. Runs on the controller alone."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.console import render, render_looked
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.lists import (
    VARIABLES,
    latest_plan_of,
    listed_of,
    readings_of,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import (
    Finding,
    LatestPlan,
    Looked,
    TenantCoverage,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.reading import (
    SensorReading,
    read_sensors,
    sources_of_inventory,
    sources_of_option,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.reconcile import reconcile
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.records import Recorded, record_coverage
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.provenance import read_provenance
from ansible_collections.bankops.fleet.plugins.plugin_utils._host_variables import values_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import parts_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import names
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

SHOWN_NAMES = 5
BOUNDS = {"stale_days": (1, 365), "timeout": (1, 3600)}
"""What options may be, from and to."""


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "falcon": {"type": "list", "elements": "dict"},
        "stale_days": {"type": "int", "default": 7},
        "tenants": {"type": "list", "elements": "str", "default": []},
        "fail_on": {
            "type": "list",
            "elements": "str",
            "choices": [finding.value for finding in Finding],
            "default": [],
        },
        "judge": {"type": "bool", "default": True},
        "timeout": {"type": "int", "default": 120},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        check_bounds(arguments)
        now, state = datetime.now(timezone.utc), self.state(variables)
        hosts = self._hosts(variables)
        incomplete = parts_of(values.get("fleet_incomplete") for values in hosts.values())
        readings = readings_of(self.variable(variables, "fleet_population"))
        reading = self._sensors(arguments, variables)
        found = reconcile(
            (listed_of(host, values) for host, values in hosts.items()),
            reading.sensors if reading else None,
            latest_plans(state, arguments["tenants"]),
            tenants=reading.tenants if reading else {},
            now=now,
            stale_days=arguments["stale_days"],
            incomplete=bool(incomplete),
            readings=readings,
        )
        looked = Looked(
            read=f"{now:%Y-%m-%dT%H:%M:%SZ}",
            stale_days=arguments["stale_days"],
            sensors=len(reading.sensors.all) if reading else None,
            sources=reading.scopes if reading else (),
            incomplete=incomplete,
            inventory=readings.moments,
        )
        chosen = choose(found, arguments["tenants"])
        self.show(list(render_looked(looked)))
        recorded = self._record(state, chosen, looked)
        for each in chosen:
            self.show(list(render(each, looked, recorded[each.tenant])))
        troubles = [trouble for each in chosen if (trouble := trouble_of(each, arguments["fail_on"]))]
        result = {
            "changed": False,
            "coverage": [{**each.as_data(), "recorded": recorded[each.tenant].value} for each in chosen],
            "looked": looked.as_data(),
            "hosts": hosts_of(chosen),
            "troubles": troubles,
        }
        if troubles and arguments["judge"]:
            result.update(failed=True, msg="\n".join(troubles))
        return result

    def _hosts(self, variables: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
        """What is read of each host of the inventory, whatever the limit."""
        hosts = self.variable(variables, "groups")["all"]
        return dict(values_of(variables["hostvars"], hosts, VARIABLES, self.inventory_sources(variables)))

    def _sensors(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> SensorReading | None:
        """What Falcon says now; None where nobody says how to ask it."""
        if arguments["falcon"] is None:
            inventories = self.variable(variables, "ansible_inventory_sources") or []
            sources = sources_of_inventory(map(str, inventories), self._loader)
        else:
            sources = sources_of_option(arguments["falcon"], self.inventory_sources(variables))
        return read_sensors(sources, arguments["timeout"]) if sources else None

    def _record(self, state: State, found: Sequence[TenantCoverage], looked: Looked) -> dict[str, Recorded]:
        """By tenant, where it is recorded what was found."""
        if self._task.check_mode:
            return {each.tenant: Recorded.NOWHERE for each in found}
        provenance = read_provenance(Path.cwd())
        return {each.tenant: record_coverage(state, each, looked, provenance) for each in found}


def check_bounds(arguments: Mapping[str, t.Any]) -> None:
    """Raise FleetError of kind ``bad_argument`` for what would protect everybody, or wait for ever."""
    for name, (least, most) in BOUNDS.items():
        if not least <= arguments[name] <= most:
            raise FleetError(
                f"{name} is {arguments[name]}.", kind="bad_argument", remedy=f"Choose a number from {least} to {most}."
            )


def latest_plans(state: State, tenants: Sequence[str]) -> dict[str, LatestPlan]:
    """By tenant, the last population of those that are wanted; what is wrong with another's stands in nobody's way."""
    wanted = [tenant for tenant in state.tenants() if not tenants or tenant in tenants]
    return {tenant: plan for tenant in wanted if (plan := latest_plan_of(state, tenant))}


def choose(found: Sequence[TenantCoverage], tenants: Sequence[str]) -> list[TenantCoverage]:
    """Those of the tenants that are wanted. Raises FleetError of kind ``no_tenant``."""
    known = [each.tenant for each in found]
    unknown = sorted(set(tenants) - set(known))
    if unknown:
        raise FleetError(
            f"Neither the inventory nor the state has the tenant {', '.join(map(show, unknown))}.",
            kind="no_tenant",
            remedy=f"The tenants are {', '.join(map(show, known))}.",
        )
    return [each for each in found if not tenants or each.tenant in tenants]


def hosts_of(found: Sequence[TenantCoverage]) -> dict[str, list[str]]:
    """By finding, the hosts of the inventory, sorted."""
    hosts: dict[str, set[str]] = {finding.value: set() for finding in Finding}
    for row in (row for each in found for row in each.rows if row.host):
        hosts[row.finding.value].add(row.host)
    return {finding: sorted(each) for finding, each in hosts.items()}


def trouble_of(coverage: TenantCoverage, fail_on: Sequence[str]) -> str:
    """What of a tenant makes the task fail; empty for nothing."""
    parts = []
    for finding, number in coverage.counts.items():
        if number and finding in fail_on:
            named = names([row.name for row in coverage.rows if row.finding == finding], SHOWN_NAMES)
            parts.append(f"{number} {finding}" + (f" ({named})" if named else ""))
    return f"{show(coverage.tenant)}: {', '.join(parts)}" if parts else ""
