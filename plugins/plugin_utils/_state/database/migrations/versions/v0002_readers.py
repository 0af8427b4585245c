# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readers of one tenant (PostgreSQL alone): ``grant_reader(tenant, role)`` and ``revoke_reader(role)``.

Row-level security is on for every table, without a policy: the owner sees all, everybody else no row. ``grant_reader``
gives a role the right to read what an auditor reads, and on each of these tables a policy that shows the rows of one
tenant, named like the role. A later migration that adds a table gives it to the readers that ``pg_policies`` knows.
"""

from __future__ import annotations

from contextlib import suppress

with suppress(ImportError):
    # Whoever opens the state says that it is missing.
    from alembic import op


revision = "0002"
down_revision = "0001"

READ = (
    "plans",
    "hosts",
    "entries",
    "torn",
    "approvals",
    "baselines",
    "reports",
    "cycle_plans",
    "cycles",
    "first_seen",
    "seals",
    "seal_files",
)
HIDDEN = ("leases", "stops", "spools", "alembic_version")

GRANT = """
CREATE FUNCTION grant_reader(reader_tenant text, reader text) RETURNS void
LANGUAGE plpgsql SET client_min_messages = warning AS $body$
DECLARE
    readable text;
    shown text;
BEGIN
    -- A member may become what it is a member of (SET ROLE); every role is a member of itself.
    IF EXISTS (
        SELECT FROM pg_roles above
        WHERE (above.rolsuper OR above.rolbypassrls) AND pg_has_role(reader, above.oid, 'MEMBER')
    ) THEN
        RAISE EXCEPTION 'role % is, or is a member of, a role above row-level security: SUPERUSER or BYPASSRLS', reader;
    END IF;
    IF pg_has_role(reader, (SELECT relowner FROM pg_class WHERE oid = 'plans'::regclass), 'MEMBER') THEN
        RAISE EXCEPTION 'role % owns the tables, or is a member of the role that does: it sees all of them', reader;
    END IF;
    PERFORM revoke_reader(reader);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), reader);
    FOREACH readable IN ARRAY ARRAY[{read}] LOOP
        -- A cycle has no tenant of its own: it is shown to those who have a plan in it.
        shown := CASE readable
            WHEN 'cycles' THEN 'EXISTS (SELECT FROM cycle_plans own WHERE own.cycle = cycles.cycle)'
            ELSE format('tenant = %L', reader_tenant)
        END;
        EXECUTE format('GRANT SELECT ON %I TO %I', readable, reader);
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO %I USING (%s)', reader, readable, reader, shown);
    END LOOP;
END
$body$
"""
REVOKE = """
CREATE FUNCTION revoke_reader(reader text) RETURNS void
LANGUAGE plpgsql SET client_min_messages = warning AS $body$
DECLARE
    readable text;
BEGIN
    FOREACH readable IN ARRAY ARRAY[{read}] LOOP
        EXECUTE format('REVOKE ALL ON %I FROM %I', readable, reader);
        EXECUTE format('DROP POLICY IF EXISTS %I ON %I', reader, readable);
    END LOOP;
    EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM %I', current_schema(), reader);
END
$body$
"""


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table in (*READ, *HIDDEN):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    names = ", ".join(f"'{table}'" for table in READ)
    for function in (REVOKE, GRANT):
        op.execute(function.replace("{read}", names))
    for signature in ("grant_reader(text, text)", "revoke_reader(text)"):
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
