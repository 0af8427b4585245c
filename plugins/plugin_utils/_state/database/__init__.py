# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shared state in a database: SQLite where one controller works, PostgreSQL where several do.

SQLAlchemy takes half a second to import, so whoever may do without a database imports this only when one is used.
"""

from __future__ import annotations

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.state import DatabaseState

__all__ = ["DatabaseState"]
