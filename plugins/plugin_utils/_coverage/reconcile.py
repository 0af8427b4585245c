# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventory, sensors and the last populations held against each other. Linear in all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import SensorHost
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import (
    Finding,
    LatestPlan,
    Listed,
    Planned,
    Row,
    TenantCoverage,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.sensors import (
    Identity,
    Sensors,
    is_joinable,
    is_whole,
)

_ORDER = {finding: number for number, finding in enumerate(Finding)}
_INCOMPLETE = "the inventory is incomplete, so it may be where that could not look"


def reconcile(
    listed: Iterable[Listed],
    sensors: Sensors | None,
    plans: Mapping[str, LatestPlan],
    *,
    tenants: Mapping[str, str],
    now: datetime,
    stale_days: int,
    incomplete: bool,
) -> list[TenantCoverage]:
    """What is found of each tenant, sorted by its name, last of whoever has none.

    ``sensors`` is None where nobody was asked: then nothing is protected. ``plans`` are by tenant, ``tenants`` by the
    CID of sensors. ``incomplete`` says that the inventory could not see everything.
    """
    work = _Work(sensors, now, timedelta(days=stale_days), incomplete)
    for machine in listed:
        work.take(machine)
    for tenant, plan in plans.items():
        work.hold_against(tenant, plan)
    work.take_the_others(tenants)
    for each in work.found.values():
        each.rows.sort(key=lambda row: (_ORDER[row.finding], row.name, row.identity))
    return sorted(work.found.values(), key=lambda each: (each.tenant == UNKNOWN, each.tenant))


@dataclass
class _Work:
    """The state of one reconciliation."""

    sensors: Sensors | None
    now: datetime
    stale: timedelta
    incomplete: bool
    found: dict[str, TenantCoverage] = field(default_factory=dict)
    names: dict[str, Identity] = field(default_factory=dict)
    identities: set[Identity] = field(default_factory=set)
    instances: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    taken: set[str] = field(default_factory=set)
    """The ids of sensors that a machine has, or may have."""

    def of(self, tenant: str) -> TenantCoverage:
        """What was found of a tenant so far."""
        return self.found.setdefault(tenant, TenantCoverage(tenant))

    def take(self, machine: Listed) -> None:
        """A host of the inventory."""
        own = self.of(machine.tenant)
        own.machines += 1
        self.names[machine.host] = machine.identity
        self.identities.add(machine.identity)
        self.instances[machine.identity[0], machine.identity[2]] += 1
        if machine.is_running:
            own.running += 1
            own.transports[machine.transport or UNKNOWN] += 1
            own.managed_by.update(machine.managed_by)
            if machine.transport == UNKNOWN:
                own.rows.append(_row(Finding.UNMANAGED, machine, "it runs, and no transport reaches it"))
        if self.sensors is not None:
            self._protect(own, machine, self.sensors)
        elif machine.is_running:
            own.not_told += 1

    def _protect(self, own: TenantCoverage, machine: Listed, sensors: Sensors) -> None:
        """Whether a host is protected. One that does not run is not, and its sensors are known all the same."""
        found = sensors.of(machine.identity, machine.sensor_id)
        doubtful = () if found else sensors.perhaps_of(machine.identity)
        self.taken.update(sensor.aid for sensor in (*found, *doubtful))
        if len(found) > 1:
            own.rows.append(_row(Finding.DUPLICATE, machine, self._several(found), found))
        if not machine.is_running:
            return
        if found:
            self._look_at_age(own, machine, found)
        elif doubtful:
            why = f"a sensor has its instance id, and account {doubtful[0].account} where it has {machine.identity[1]}"
            own.rows.append(_row(Finding.UNKNOWN, machine, why, doubtful))
        elif not is_whole(machine.identity) and not machine.sensor_id:
            why = "nothing to join it by: the inventory has no account or instance id of it, and no fleet_sensor_id"
            own.rows.append(_row(Finding.UNKNOWN, machine, why))
        else:
            has = f"its fleet_sensor_id {machine.sensor_id}" if machine.sensor_id else "its identity"
            own.rows.append(_row(Finding.UNPROTECTED, machine, f"it runs, and no sensor has {has}"))

    def _look_at_age(self, own: TenantCoverage, machine: Listed, found: Sequence[SensorHost]) -> None:
        latest = found[0]
        if latest.last_seen is None:
            own.rows.append(_row(Finding.UNKNOWN, machine, "Falcon does not say when its sensor was seen", [latest]))
        elif self._is_stale(latest):
            own.rows.append(_row(Finding.STALE, machine, f"its sensor was last seen {self._seen(latest)}", [latest]))
        else:
            own.protected += 1
            own.reduced += latest.rfm is True

    def hold_against(self, tenant: str, plan: LatestPlan) -> None:
        """The last population of a tenant against the inventory of now."""
        own = self.of(tenant)
        own.plan, own.cycle = plan.plan, plan.cycle
        for planned in plan.hosts:
            own.planned += 1
            reason = self._lost(planned)
            if reason is None:
                continue
            finding, why = reason
            if self.incomplete and finding is Finding.GONE:
                finding, why = Finding.UNKNOWN, _INCOMPLETE
            own.rows.append(Row(finding, "", planned.host, planned.identity, f"of plan {plan.plan[:16]}: {why}"))

    def _lost(self, planned: Planned) -> tuple[Finding, str] | None:
        """Why a host of the plan is not in the inventory; None for one that is."""
        cloud, account, instance_id = planned.identity
        if is_whole(planned.identity):
            return None if planned.identity in self.identities else (Finding.GONE, "no inventory has it any more")
        if UNKNOWN not in (cloud, instance_id) and account == UNKNOWN:
            # A plan of before accounts were kept.
            return None if self.instances.get((cloud, instance_id)) else (Finding.GONE, "no inventory has it any more")
        if planned.host in self.names:
            return None
        if planned.was_missing:
            return Finding.GONE, "it was missing when that was made"
        return Finding.UNKNOWN, "no inventory has its name, and nothing else is known to look for"

    def take_the_others(self, tenants: Mapping[str, str]) -> None:
        """The sensors that are on no host of the inventory: whose machines they are on, or that this is not known."""
        elsewhere: dict[tuple[str, Identity], list[SensorHost]] = defaultdict(list)
        for sensor in self.sensors.all if self.sensors else ():
            if sensor.aid in self.taken:
                continue
            tenant = tenants.get(sensor.cid, UNKNOWN)
            if is_joinable(sensor):
                elsewhere[tenant, sensor.identity].append(sensor)
            else:
                why = "its sensor does not say on which machine it is"
                if UNKNOWN not in sensor.identity:
                    why = f"nobody says whose account {sensor.account} is"
                self.of(tenant).rows.append(self._elsewhere(Finding.UNKNOWN, why, [sensor]))
        for (tenant, _identity), found in elsewhere.items():
            rows = self.of(tenant).rows
            rows.append(self._elsewhere(*self._judged(found[0]), found))
            if len(found) > 1:
                rows.append(self._elsewhere(Finding.DUPLICATE, self._several(found), found))

    def _judged(self, latest: SensorHost) -> tuple[Finding, str]:
        seen = f"its sensor was last seen {self._seen(latest)}, and no inventory has it"
        if self.incomplete:
            return Finding.UNKNOWN, _INCOMPLETE
        return (Finding.STALE if self._is_stale(latest) else Finding.UNMANAGED), seen

    def _elsewhere(self, finding: Finding, why: str, found: Sequence[SensorHost]) -> Row:
        sensor = found[0]
        return Row(finding, "", sensor.hostname, sensor.identity, why, tuple(each.aid for each in found))

    def _is_stale(self, sensor: SensorHost) -> bool:
        return sensor.last_seen is not None and self.now - sensor.last_seen > self.stale

    def _seen(self, sensor: SensorHost) -> str:
        if sensor.last_seen is None:
            return "nobody knows when"
        days = (self.now - sensor.last_seen).days
        ago = f", {days} days ago" if days > 1 else ""
        return f"on {sensor.last_seen:%Y-%m-%d}{ago}"

    def _several(self, found: Sequence[SensorHost]) -> str:
        seen = "; ".join(f"{sensor.aid} {self._seen(sensor)}" for sensor in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return f"{len(found)} sensors have its identity: {seen}{more}"


def _row(finding: Finding, machine: Listed, why: str, sensors: Sequence[SensorHost] = ()) -> Row:
    return Row(finding, machine.host, machine.host, machine.identity, why, tuple(sensor.aid for sensor in sensors))
