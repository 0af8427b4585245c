# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of cycles."""

from __future__ import annotations

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import check_cycle


def is_emergency(cycle: str) -> bool:
    """Whether a cycle is an emergency cycle (``2026-11-e1``). Raises FleetError of kind ``bad_name`` for no cycle."""
    return "-e" in check_cycle(cycle)
