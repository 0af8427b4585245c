# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Not starting what cannot finish in time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Optional

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError


def parse_not_after(value: Optional[str], now: datetime) -> Optional[datetime]:
    """``value`` as a time: RFC 3339, or seconds from ``now``. Raises FleetError of kind ``bad_time``."""
    if value is None:
        return None
    try:
        return now + timedelta(seconds=float(value))
    except ValueError:
        pass
    try:
        moment: Optional[datetime] = datetime.fromisoformat(
            value[:-1] + "+00:00" if value.endswith(("Z", "z")) else value
        )
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise FleetError(
            f"not_after is {value!r}, which is neither a number of seconds nor a time with its offset.",
            kind="bad_time",
            remedy="Write it as 2026-11-21T04:00:00Z.",
        )
    return moment


def require_time(limit: Optional[datetime], estimated_seconds: float, now: Optional[datetime] = None) -> None:
    """Raises FleetError of kind ``no_time`` when ``estimated_seconds`` from now are beyond ``limit``."""
    present = now or datetime.now(timezone.utc)
    if limit is not None and present + timedelta(seconds=estimated_seconds) > limit:
        raise FleetError(
            f"{(limit - present).total_seconds():.0f} s are left until {limit.isoformat()}, "
            f"and the change is estimated to take {estimated_seconds:.0f} s.",
            kind="no_time",
            remedy="It was not started. Run again in the next window.",
            data={"not_after": limit.isoformat(), "estimated_seconds": estimated_seconds},
        )
