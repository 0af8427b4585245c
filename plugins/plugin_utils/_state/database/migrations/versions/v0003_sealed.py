# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each plan says which seal closes its ledger, so that whoever has it locked sees that nothing may be appended."""

from __future__ import annotations

from contextlib import suppress

from ansible_collections.bankops.fleet.plugins.plugin_utils._state.sealed import SEAL, closed_by

with suppress(ImportError):
    # Whoever opens the state says that it is missing.
    import sqlalchemy as sa
    from alembic import op


revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("plans", sa.Column("sealed", sa.Integer))
    connection = op.get_bind()
    seals = sa.text("SELECT tenant, number, content FROM seal_files WHERE name = :name")
    close = sa.text("UPDATE plans SET sealed = :number WHERE tenant = :tenant AND digest = :plan")
    for tenant, number, content in connection.execute(seals, {"name": SEAL}).all():
        closed = closed_by({SEAL: content})
        if closed is not None:
            connection.execute(close, {"tenant": tenant, "number": number, "plan": closed.plan})
