# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold at the moment a host is begun: the clock, the window, freezes, the ticket, the population, approval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt, Progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State


def open_gates(progress: Progress, documents: Iterable[Mapping[str, Any]], now: datetime) -> list[Gate]:
    return []


def require_approved(
    state: State, head: dict[str, Any], plan: str, policy: Mapping[str, Any], attempt: Attempt, now: datetime
) -> None:
    return
