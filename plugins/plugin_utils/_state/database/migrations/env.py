# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alembic runs this: the migrations on the connection, and in the transaction, of whoever asks for them."""

from __future__ import annotations

try:
    from alembic import context

    from ansible_collections.bankops.fleet.plugins.plugin_utils._state.database.tables import METADATA
except ImportError:
    # Whoever opens the state says that it is missing.
    pass
else:
    context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
    with context.begin_transaction():
        context.run_migrations()
