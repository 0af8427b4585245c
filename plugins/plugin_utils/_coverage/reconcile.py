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
    Readings,
    Row,
    TenantCoverage,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.sensors import (
    Identity,
    Match,
    Sensors,
    is_joinable,
    is_whole,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import names

_ORDER = {finding: number for number, finding in enumerate(Finding)}
_INCOMPLETE = "the inventory is incomplete, so it may be where that could not look"
_SKEW = timedelta(minutes=15)
"""How far the clocks of Falcon and of the controller may be apart."""
_NAMED = 3
_NO_READINGS = Readings()


def reconcile(
    listed: Iterable[Listed],
    sensors: Sensors | None,
    plans: Mapping[str, LatestPlan],
    *,
    tenants: Mapping[str, str],
    now: datetime,
    stale_days: int,
    incomplete: bool,
    readings: Readings = _NO_READINGS,
) -> list[TenantCoverage]:
    """What is found of each tenant, sorted by its name, last of whoever has none.

    ``sensors`` is None where nobody was asked: then nothing is protected. ``plans`` are by tenant, ``tenants`` by the
    CID of sensors. ``incomplete`` says that the inventory could not see everything.
    """
    work = _Work(sensors, tenants, now, timedelta(days=stale_days), incomplete)
    machines = list(listed)
    matches = [work.know(machine) for machine in machines]
    for machine, match in zip(machines, matches, strict=True):
        work.take(machine, match)
    for tenant, plan in plans.items():
        work.hold_against(tenant, plan)
    work.take_reached(readings)
    work.take_the_others()
    for each in work.found.values():
        each.rows.sort(key=lambda row: (_ORDER[row.finding], row.name, row.identity))
    return sorted(work.found.values(), key=lambda each: (each.tenant == UNKNOWN, each.tenant))


@dataclass
class _Work:
    """The state of one reconciliation."""

    sensors: Sensors | None
    tenants: Mapping[str, str]
    now: datetime
    stale: timedelta
    incomplete: bool
    found: dict[str, TenantCoverage] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """The tenants of hosts."""
    accounts: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """By cloud and instance id."""
    holders: dict[Identity | str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    """The hosts that have an identity, or the sensor with an id, by their tenants."""
    taken: set[str] = field(default_factory=set)
    """The ids of sensors that a machine has, or may have."""

    def of(self, tenant: str) -> TenantCoverage:
        """What was found of a tenant so far."""
        return self.found.setdefault(tenant, TenantCoverage(tenant))

    def know(self, machine: Listed) -> Match:
        """Note a host of the inventory, before anything is said of any; what is known of its sensors."""
        self.names[machine.host] = machine.tenant
        cloud, account, instance_id = machine.identity
        if UNKNOWN not in (cloud, instance_id):
            self.accounts[cloud, instance_id].add(account)
            self._hold(machine.identity, machine)
        match = self.sensors.match(machine.identity, machine.sensor_id) if self.sensors else Match()
        for sensor in match.found:
            self._hold(sensor.aid, machine)
        self.taken.update(sensor.aid for sensor in (*match.found, *match.doubtful))
        return match

    def _hold(self, what: Identity | str, machine: Listed) -> None:
        self.holders[what].setdefault(machine.tenant, []).append(machine.host)

    def take(self, machine: Listed, match: Match) -> None:
        """A host of the inventory."""
        own = self.of(machine.tenant)
        own.machines += 1
        if machine.is_running:
            own.running += 1
            own.transports[machine.transport or UNKNOWN] += 1
            own.managed_by.update(machine.managed_by)
            if machine.transport == UNKNOWN:
                own.rows.append(_row(Finding.UNMANAGED, machine, "it runs, and no transport reaches it"))
            for way in machine.not_managed_by:
                why = f"it runs, and {way}, which was asked about it, does not reach it"
                own.rows.append(_row(Finding.UNMANAGED, machine, why))
        if several := self._holders_of(machine.identity, machine.tenant):
            own.rows.append(_row(Finding.DUPLICATE, machine, f"several hosts have its identity: {several}"))
        if self.sensors is not None:
            self._protect(own, machine, match)
        elif machine.is_running:
            own.not_told += 1

    def _holders_of(self, what: Identity | str, tenant: str) -> str:
        """Several hosts that have the same, in words, without what belongs to others than ``tenant``; empty for one."""
        holders = self.holders.get(what, {})
        own = holders.get(tenant, ())
        if len(holders) > 1:
            return f"{names(own, _NAMED)}, and of another tenant"
        return names(own, _NAMED) if len(own) > 1 else ""

    def _protect(self, own: TenantCoverage, machine: Listed, match: Match) -> None:
        """Whether a host is protected. One that does not run is not, and its sensors are known all the same."""
        found = [sensor for sensor in match.found if not self._is_of_another(sensor, machine.tenant)]
        if len(found) > 1:
            own.rows.append(_row(Finding.DUPLICATE, machine, self._several(found), found))
        if 0 < len(found) < len(match.found):
            why = "a sensor in the CID of another tenant has its identity too"
            own.rows.append(_row(Finding.DUPLICATE, machine, why))
        shared = next(filter(None, (self._holders_of(sensor.aid, machine.tenant) for sensor in found)), "")
        if shared and not self._holders_of(machine.identity, machine.tenant):
            own.rows.append(_row(Finding.DUPLICATE, machine, f"several hosts have its sensor: {shared}", found))
        if not machine.is_running:
            return
        if shared:
            why = "its sensor is that of several hosts, and on which of them it is nobody knows"
            own.rows.append(_row(Finding.UNKNOWN, machine, why, found))
        elif found:
            self._look_at_age(own, machine, found)
        elif match.found:
            own.rows.append(_row(Finding.UNKNOWN, machine, "its sensor is in the CID of another tenant"))
        elif match.doubt:
            doubtful = [sensor for sensor in match.doubtful if not self._is_of_another(sensor, machine.tenant)]
            own.rows.append(_row(Finding.UNKNOWN, machine, match.doubt, doubtful))
        elif not is_whole(machine.identity) and not machine.sensor_id:
            why = "nothing to join it by: no cloud, account and instance id are known of it, and no fleet_sensor_id"
            own.rows.append(_row(Finding.UNKNOWN, machine, why))
        else:
            has = f"its fleet_sensor_id {machine.sensor_id}" if machine.sensor_id else "its identity"
            own.rows.append(_row(Finding.UNPROTECTED, machine, f"it runs, and no sensor has {has}"))

    def _is_of_another(self, sensor: SensorHost, tenant: str) -> bool:
        """Whether a sensor reports to another tenant than the one that a host is of."""
        return UNKNOWN not in (tenant, whose := self.tenants.get(sensor.cid, UNKNOWN)) and whose != tenant

    def _look_at_age(self, own: TenantCoverage, machine: Listed, found: Sequence[SensorHost]) -> None:
        latest = found[0]
        if latest.last_seen is None:
            own.rows.append(_row(Finding.UNKNOWN, machine, "Falcon does not say when its sensor was seen", [latest]))
        elif latest.last_seen - self.now > _SKEW:
            why = f"its sensor was last seen {self._seen(latest)}, which is in the future: look at the clocks"
            own.rows.append(_row(Finding.UNKNOWN, machine, why, [latest]))
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
            reason = self._lost(planned, tenant)
            if reason is None:
                continue
            finding, why = reason
            own.rows.append(Row(finding, "", planned.host, planned.identity, f"of plan {plan.plan[:16]}: {why}"))

    def _lost(self, planned: Planned, tenant: str) -> tuple[Finding, str] | None:
        """Why a tenant has a host of its plan no longer; None for one that it has. Whose it is now is not said."""
        moved = Finding.GONE, "the inventory has it, and not as this tenant's"
        gone = Finding.GONE, "no inventory has it any more"
        if self.incomplete:
            gone = Finding.UNKNOWN, _INCOMPLETE
        cloud, account, instance_id = planned.identity
        if UNKNOWN not in (cloud, instance_id):
            if holders := self.holders.get(planned.identity):
                return None if tenant in holders else moved
            accounts = self.accounts.get((cloud, instance_id), ())
            # One of the two may be of before that was kept.
            if accounts and UNKNOWN in (account, *accounts):
                return Finding.UNKNOWN, "a machine has its instance id, and whether in the same account is not known"
            return gone
        if planned.host in self.names:
            return None if self.names[planned.host] == tenant else moved
        if planned.was_missing:
            return (gone[0], _INCOMPLETE if self.incomplete else "it was missing when that was made")
        return Finding.UNKNOWN, "no inventory has its name, and nothing else is known to look for"

    def take_reached(self, readings: Readings) -> None:
        """The machines that a cloud's way reaches, and that no inventory has."""
        finding = Finding.UNKNOWN if self.incomplete else Finding.UNMANAGED
        for reached in readings.reached:
            if reached.identity not in self.holders:
                why = f"Systems Manager reaches it in {reached.region}, and no inventory has it"
                why = _INCOMPLETE if self.incomplete else why
                self.of(reached.tenant).rows.append(Row(finding, "", reached.identity[2], reached.identity, why))
        if readings.not_named:
            nobody = (UNKNOWN, UNKNOWN, UNKNOWN)
            why = "Systems Manager reaches so many besides that EC2 does not list, and the inventory does not name them"
            self.of(UNKNOWN).rows.append(Row(Finding.UNMANAGED, "", f"{readings.not_named} more", nobody, why))

    def take_the_others(self) -> None:
        """The sensors that are on no host of the inventory: whose machines they are on, or that this is not known."""
        elsewhere: dict[tuple[str, Identity], list[SensorHost]] = defaultdict(list)
        for sensor in self.sensors.all if self.sensors else ():
            if sensor.aid in self.taken:
                continue
            tenant = self.tenants.get(sensor.cid, UNKNOWN)
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
