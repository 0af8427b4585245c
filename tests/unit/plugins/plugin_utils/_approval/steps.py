# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people do on the way to a change: approve, open an attempt, and ask the guard."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.approve import (
    make_approval,
    prepare_approval,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.check import require_approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.model import Approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.opening import opening_proof
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase

from .conftest import NOW, People

SOON = NOW + timedelta(minutes=5)


def approve(book: Book, people: People, name: str, purpose: str = "apply", now: datetime = NOW) -> Approval:
    key = people.keys[name]
    statement = prepare_approval(book, people.policy, purpose=purpose, key=key, now=now)
    return make_approval(book, people.policy, statement, key=key, now=now)


def open_by(book: Book, people: People, name: str, **changes: Any) -> dict[str, Any]:
    """What an opening entry holds when ``name`` executes, as it comes back from the ledger."""
    signed: dict[str, Any] = {"plan": book.plan, "tenant": book.tenant, "attempt": 1, "purpose": "apply", "opened": NOW}
    proof = opening_proof(people.policy, **{**signed, **changes}, key=people.keys[name], environment={})
    book.write(1, None, Phase.OPEN, EntryOutcome.OK, {"opening": proof})
    opening: dict[str, Any] = list(read_entries(book.state.entries(book.tenant, book.plan)))[-1]["data"]["opening"]
    return opening


def require(
    book: Book,
    people: People,
    opening: dict[str, Any],
    *,
    purpose: str = "apply",
    opened: datetime = NOW,
    now: datetime = SOON,
) -> Approval | None:
    return require_approval(
        book.state, book.head, book.plan, people.policy, opening, attempt=1, purpose=purpose, opened=opened, now=now
    )


def refused(book: Book, people: People, opening: dict[str, Any], **changes: Any) -> FleetError:
    with pytest.raises(FleetError) as caught:
        require(book, people, opening, **changes)
    return caught.value
