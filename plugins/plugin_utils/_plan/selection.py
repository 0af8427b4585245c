# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a policy selects on a day: the input of ``updates_info`` (docs/contracts.md, "A selection")."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import Policy


def selection(policy: Policy, first_seen: Mapping[str, str], today: date) -> dict[str, Any]:
    """The selection of a host. ``first_seen`` maps ``name=version`` to the day on which the fleet first saw it."""
    return {
        "classes": policy.classes,
        "include": list(policy.include),
        "exclude": list(policy.exclude),
        "held": [hold.package for hold in policy.holds if hold.holds_on(today)],
        "aged": _aged(policy.minimum_age_days, first_seen, today),
    }


def update_key(update: Mapping[str, Any]) -> str:
    """What an update is called in the first-seen dates: ``name=version``."""
    return f"{update['name']}={update['candidate']}"


def _aged(minimum_age_days: int, first_seen: Mapping[str, str], today: date) -> list[str] | None:
    if minimum_age_days == 0:
        return None
    latest = (today - timedelta(days=minimum_age_days)).isoformat()
    return sorted(key for key, day in first_seen.items() if day <= latest)
