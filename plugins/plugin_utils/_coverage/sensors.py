# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sensor is on which machine: by cloud, account and instance id, and never by a name or an address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import SensorHost
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN, Cloud

Identity = tuple[str, str, str]
"""Cloud, account and instance id, all in lower case."""

_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def identity_of(cloud: str, account: str, instance_id: str) -> Identity:
    """An identity as all lists write it."""
    return cloud.lower(), account.lower(), instance_id.lower()


def is_whole(identity: Identity) -> bool:
    """Whether it names one machine. What stands on premises has no cloud that gives it an identity."""
    return identity[0] != Cloud.ONPREM and all(part and part != UNKNOWN for part in identity)


@dataclass(frozen=True, slots=True)
class Match:
    """What is known of a machine's sensors."""

    found: Sequence[SensorHost] = ()
    """Those that it has, the one that was seen last first. More than one: it was installed anew, or cloned."""
    doubtful: Sequence[SensorHost] = ()
    """Those that it may have."""
    doubt: str = ""
    """Why nobody can tell whether it has a sensor; empty where that is known."""


class Sensors:
    """All sensors that were read, found by the machines that they are on."""

    def __init__(self, sensors: Iterable[SensorHost]) -> None:
        found: dict[str, SensorHost] = {}
        for sensor in sensors:
            # A parent's CID and a child's may both name it.
            found.setdefault(plain_id(sensor.aid), sensor)
        self.all = sorted(found.values(), key=_latest_first)
        self._by_id = found
        self._by_identity: dict[Identity, list[SensorHost]] = defaultdict(list)
        self._by_instance: dict[tuple[str, str], list[SensorHost]] = defaultdict(list)
        for sensor in self.all:
            if is_joinable(sensor):
                self._by_identity[sensor.identity].append(sensor)
            self._by_instance[sensor.cloud, sensor.instance_id].append(sensor)

    def match(self, identity: Identity, sensor_id: str = "") -> Match:
        """The sensors of a machine, of which somebody may say by ``sensor_id`` which one it has.

        Nobody's word is taken where a sensor itself says otherwise.
        """
        own = self._by_identity.get(identity, ()) if is_whole(identity) else ()
        named = self._by_id.get(plain_id(sensor_id)) if sensor_id else None
        if sensor_id and own and named not in own:
            return Match(doubtful=own, doubt=f"its fleet_sensor_id is {sensor_id}, and another sensor has its identity")
        if own:
            return Match(own)
        if named and _contradict(identity, named):
            return Match(doubt=f"its fleet_sensor_id is {sensor_id}, and that sensor says that it is elsewhere")
        if named:
            return Match([named])
        if doubtful := self.perhaps_of(identity):
            account = doubtful[0].account
            return Match(
                (), doubtful, f"a sensor has its instance id, and account {account} where it has {identity[1]}"
            )
        return Match()

    def perhaps_of(self, identity: Identity) -> Sequence[SensorHost]:
        """Those that may be on a machine: they have its instance id, and of one of the two no account is known."""
        cloud, _account, instance_id = identity
        if UNKNOWN in (cloud, instance_id):
            return ()
        found = self._by_instance.get((cloud, instance_id), ())
        return [sensor for sensor in found if not (is_whole(identity) and is_joinable(sensor))]


def is_joinable(sensor: SensorHost) -> bool:
    """Whether it says which machine it is on."""
    return sensor.account_is_known and is_whole(sensor.identity)


def plain_id(sensor_id: str) -> str:
    """The id of a sensor as all lists write it: ``falconctl`` and the console write it with dashes or capitals."""
    return sensor_id.replace("-", "").lower()


def _contradict(identity: Identity, sensor: SensorHost) -> bool:
    """Whether a sensor says that it is elsewhere. What one of the two does not know contradicts nothing."""
    cloud, account, instance_id = identity
    pairs = [(cloud, sensor.cloud), (instance_id, sensor.instance_id)]
    if sensor.account_is_known:
        pairs.append((account, sensor.account))
    return any(one != other and UNKNOWN not in (one, other) for one, other in pairs)


def _latest_first(sensor: SensorHost) -> tuple[float, str]:
    return -(sensor.last_seen or _NEVER).timestamp(), sensor.aid
