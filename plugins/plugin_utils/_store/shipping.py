# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shipping: what stands in the spools of this machine becomes entries of the ledgers in the database, each once.

A record is known by its plan, its spool (one for each attempt and process) and its number there. The database remembers
the last number it took in, in the same transaction as the entries, so that whoever dies between taking in and marking
as shipped has lost nothing and doubled nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import is_dead
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import build_entry_now, read_entries
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.interface import Record, TakesIn
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import Spool, spools_in

SEGMENT = 500
"""Records of one transaction: more of them would keep others waiting, fewer would wait for the disk more often."""


def ship_all(state: State, state_dir: Path) -> int:
    """Ship every spool below ``state_dir`` (``fleet_state_dir``) and remove those that are over.

    ``state`` is what ``open_state`` made of the same folder and ``fleet_store_url``. Returns the number of entries that
    were taken in: 0 when all had been before, and always for a state that is a folder, which has no spools.

    Raises FleetError: ``spool_left`` when spools wait for a database and the state is none, or another one,
    ``spool_damaged``, ``ledger_damaged``, and those of the state.
    """
    return sum(_ship_and_sweep(_accepting(state, spool), spool) for spool in spools_in(state_dir))


def sweep(state: TakesIn, folder: Path, tenant: str) -> None:
    """Ship what the spools of a tenant hold, and remove those that are over."""
    for spool in spools_in(folder, tenant):
        _ship_and_sweep(state, spool)


def ship_news(state: TakesIn, folder: Path, tenant: str) -> None:
    """Ship what the spools of a tenant hold that was not shipped yet; cheap where there is nothing."""
    for spool in spools_in(folder, tenant):
        ship(state, spool)


def ship(state: TakesIn, spool: Spool) -> int:
    """Ship what a spool holds, its request to stop too; the number of entries that were taken in."""
    taken = 0
    for tenant in spool.tenants():
        for plan in spool.plans(tenant):
            if spool.has_news(tenant, plan):
                taken += _ship_ledger(state, spool, tenant, plan)
        reason = spool.stop_reason(tenant)
        if reason is not None:
            state.request_stop(tenant, reason)
            spool.forget_stop(tenant)
    return taken


def _ship_and_sweep(state: TakesIn, spool: Spool) -> int:
    taken = ship(state, spool)
    spool.remove_if_over(is_dead)
    return taken


def _ship_ledger(state: TakesIn, spool: Spool, tenant: str, plan: str) -> int:
    torn = spool.torn(tenant, plan)
    taken = 0
    while True:
        lines, end = spool.unshipped(tenant, plan, SEGMENT)
        records = [
            _record(line, entry, tenant, plan, spool) for line, entry in zip(lines, read_entries(lines), strict=True)
        ]
        if records or torn:
            try:
                taken += state.take_in(tenant, plan, spool.name, records, torn)
            except FleetError as problem:
                if problem.kind == "plan_missing":
                    raise _left(spool, f"has records, and {problem.message}") from problem
                raise
            spool.mark_shipped(tenant, plan, end)
        if len(lines) < SEGMENT:
            return taken
        torn = []


def _record(line: bytes, entry: Mapping[str, Any], tenant: str, plan: str, spool: Spool) -> Record:
    """What makes a ledger's line of a record: its place in the chain and its time are those of the shipping."""
    try:
        # A callback decides no host's outcome, so there is no record of one.
        phase, outcome = Phase(entry["phase"]), EntryOutcome(entry["outcome"])
    except ValueError as problem:
        raise _damaged(spool, str(problem)) from problem
    if (entry["tenant"], entry["plan"]) != (tenant, plan):
        raise _damaged(spool, f"{entry['plan']!r} of {entry['tenant']!r} stands among the records of another plan")
    return Record(
        entry["seq"],
        line,
        partial(
            build_entry_now,
            tenant=tenant,
            plan=plan,
            attempt=entry["attempt"],
            cycle=entry["cycle"],
            host=entry["host"],
            phase=phase,
            outcome=outcome,
            data={**entry["data"], "recorded": entry["time"]},
        ),
    )


def _damaged(spool: Spool, what: str) -> FleetError:
    return FleetError(
        f"Spool {spool.root}: {what}.",
        kind="spool_damaged",
        remedy="Find out who changed it; move the folder aside to go on without it.",
    )


def _accepting(state: State, spool: Spool) -> TakesIn:
    if isinstance(state, TakesIn):
        return state
    raise _left(spool, "waits for a database, and the state is a folder.")


def _left(spool: Spool, why: str) -> FleetError:
    return FleetError(
        f"{spool.root} {why}",
        kind="spool_left",
        remedy="Set fleet_store_url as the run had it that wrote this, or move the folder aside; then run this again.",
    )
