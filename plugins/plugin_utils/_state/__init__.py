# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What attempts share: plans by digest, ledgers, leases and first-seen dates."""

from __future__ import annotations

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.interface import Lease, PlanWriter, State

__all__ = ["Lease", "PlanWriter", "State"]
