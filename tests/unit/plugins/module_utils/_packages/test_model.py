# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transactions: what is malformed or dangerous is refused before anything uses it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import Action, read_transaction
from ansible_collections.bankops.fleet.plugins.module_utils._packages.report import compare_transactions

GOOD = {
    "name": "openssl",
    "arch": "amd64",
    "action": "upgrade",
    "installed": "1:3.0-1~deb12u1",
    "candidate": "1:3.0-2+b1",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "destroy"},
        {"installed": None},
        {"candidate": None},
        {"action": "install"},
        {"action": "remove"},
        {"name": "-oDir::Etc=/tmp"},
        {"name": "../openssl"},
        {"name": "a b"},
        {"name": ""},
        {"arch": "amd64/x"},
        {"candidate": "--force"},
    ],
)
def test_an_entry_that_is_malformed_or_could_be_an_option_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FleetError) as caught:
        read_transaction([{**GOOD, **wrong}])
    assert caught.value.kind == "bad_transaction"


def test_a_missing_key_is_refused() -> None:
    with pytest.raises(FleetError, match="malformed"):
        read_transaction([{"name": "openssl"}])


def test_a_package_may_appear_once() -> None:
    with pytest.raises(FleetError, match="twice"):
        read_transaction([GOOD, GOOD])


def test_transactions_are_sorted_and_come_back_as_they_were() -> None:
    entries = [{**GOOD, "name": "b"}, {**GOOD, "name": "a", "arch": "i386"}, {**GOOD, "name": "a"}]
    changes = read_transaction(entries)
    assert [change.key for change in changes] == ["a:amd64", "a:i386", "b:amd64"]
    assert changes[2].as_data() == entries[0]


@pytest.mark.parametrize(
    ("action", "installed", "candidate", "back"),
    [
        ("upgrade", "1", "2", Action.DOWNGRADE),
        ("downgrade", "2", "1", Action.UPGRADE),
        ("install", None, "2", Action.REMOVE),
        ("remove", "1", None, Action.INSTALL),
    ],
)
def test_the_way_back(action: str, installed: str | None, candidate: str | None, back: Action) -> None:
    entry = {**GOOD, "action": action, "installed": installed, "candidate": candidate}
    change = read_transaction([entry])[0].reversed()
    assert (change.action, change.installed, change.candidate) == (back, candidate, installed)
    assert change.reversed().as_data() == entry


def test_every_difference_between_transactions_is_a_sentence() -> None:
    planned = read_transaction([GOOD, {**GOOD, "name": "gone"}])
    found = read_transaction([{**GOOD, "candidate": "1:3.0-3"}, {**GOOD, "name": "more"}])
    assert compare_transactions(planned, planned) == []
    assert compare_transactions(planned, found) == [
        "upgrade gone:amd64 1:3.0-1~deb12u1 -> 1:3.0-2+b1 is planned but would not happen",
        "upgrade more:amd64 1:3.0-1~deb12u1 -> 1:3.0-2+b1 is not planned",
        "upgrade openssl:amd64 1:3.0-1~deb12u1 -> 1:3.0-2+b1 is planned, "
        "upgrade openssl:amd64 1:3.0-1~deb12u1 -> 1:3.0-3 would happen",
    ]
