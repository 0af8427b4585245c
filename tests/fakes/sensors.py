# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sensors and hosts of an inventory as coverage sees them, for tests."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import SensorHost
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.model import Listed

NOW = datetime(2026, 11, 15, 22, tzinfo=timezone.utc)
ACCOUNT, CID = "123456789012", "0123456789abcdef0123456789abcdef"


def instance(number: int) -> tuple[str, str, str]:
    """The identity of an instance of AWS."""
    return "aws", ACCOUNT, f"i-{number:017x}"


def sensor(aid: str, identity: tuple[str, str, str], *, days: float | None = 0, **values: Any) -> SensorHost:
    """A sensor that was seen so many days ago; None for one of which this is not known."""
    cloud, account, instance_id = identity
    given = {
        "cid": CID,
        "hostname": f"host-{aid}",
        "agent_version": "7.29.18202.0",
        "status": "normal",
        "rfm": False,
        "platform": "Linux",
        "last_seen": None if days is None else NOW - timedelta(days=days),
        **values,
    }
    return SensorHost(aid=aid, cloud=cloud, account=account, instance_id=instance_id, **given)


def host(number: int, **values: Any) -> Listed:
    """A running host of tenant alpha, on an instance of AWS."""
    given = {"tenant": "alpha", "identity": instance(number), "power": "running", "transport": "ssh", **values}
    return Listed(host=f"web{number}", **given)
