# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that act on the controller alone have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Notes of the modules that need no connection."""

    DOCUMENTATION = r"""
options: {}
notes:
  - Runs on the controller alone. No connection to a host is made, and C(changed) is never true,
    because it speaks of hosts.
  - The shared state is found by the variable C(fleet_state_dir), by default C(~/.local/state/bankops-fleet), or by
    C(fleet_store_url) where it is a database, C(sqlite) (the file C(state.db) in that folder),
    C(sqlite:////absolute/path.db) or C(postgresql+psycopg://user@host/name).
"""
