# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sensor is on which machine: by cloud, account and instance id, and never by a name or an address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import SensorHost
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN

Identity = tuple[str, str, str]
"""Cloud, account and instance id, all in lower case."""

_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def identity_of(cloud: str, account: str, instance_id: str) -> Identity:
    """An identity as all lists write it."""
    return cloud.lower(), account.lower(), instance_id.lower()


def is_whole(identity: Identity) -> bool:
    """Whether it names one machine. What stands on premises has no cloud that gives it an identity."""
    return all(part and part != UNKNOWN for part in identity)


class Sensors:
    """All sensors that were read, found by the machines that they are on."""

    def __init__(self, sensors: Iterable[SensorHost]) -> None:
        found: dict[str, SensorHost] = {}
        for sensor in sensors:
            # A parent's CID and a child's may both name it.
            found.setdefault(sensor.aid, sensor)
        self.all = sorted(found.values(), key=_latest_first)
        self._by_id = found
        self._by_identity: dict[Identity, list[SensorHost]] = defaultdict(list)
        self._by_instance: dict[tuple[str, str], list[SensorHost]] = defaultdict(list)
        for sensor in self.all:
            if is_joinable(sensor):
                self._by_identity[sensor.identity].append(sensor)
            self._by_instance[sensor.cloud, sensor.instance_id].append(sensor)

    def of(self, identity: Identity, sensor_id: str = "") -> Sequence[SensorHost]:
        """The sensors of a machine, the one that was seen last first. More than one: it was installed anew.

        Where somebody says which sensor it has by ``sensor_id``, it is that one.
        """
        if sensor_id:
            return [self._by_id[sensor_id]] if sensor_id in self._by_id else ()
        return self._by_identity.get(identity, ()) if is_whole(identity) else ()

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


def _latest_first(sensor: SensorHost) -> tuple[float, str]:
    return -(sensor.last_seen or _NEVER).timestamp(), sensor.aid
