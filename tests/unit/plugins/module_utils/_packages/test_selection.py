# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which updates the policy takes, and why not the others."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import Reason, Selection, Update
from ansible_collections.bankops.fleet.plugins.module_utils._packages.selection import (
    is_forbidden,
    reason_against,
    with_verdicts,
)


def update(name: str = "openssl", security: bool = True, source: str = "openssl") -> Update:
    return Update(name, "amd64", source, "1", "2", "Debian:bookworm", security, "unknown", (), "unknown", False)


@pytest.mark.parametrize(
    ("selection", "security", "reason"),
    [
        ({}, False, None),
        ({"classes": "security"}, True, None),
        ({"classes": "security"}, False, Reason.NOT_SECURITY),
        ({"include": ["nginx*"]}, True, Reason.NOT_INCLUDED),
        ({"include": ["open*"]}, True, None),
        ({"exclude": ["openss?"]}, True, Reason.EXCLUDED),
        ({"held": ["openssl"]}, True, Reason.HELD),
        ({"aged": []}, True, Reason.TOO_YOUNG),
        ({"aged": ["openssl=1"]}, True, Reason.TOO_YOUNG),
        ({"aged": ["openssl=2"]}, True, None),
        ({"aged": None}, True, None),
    ],
)
def test_reasons(selection: dict[str, Any], security: bool, reason: Reason | None) -> None:
    assert reason_against(update(security=security), Selection.from_data(selection), {}) is reason


def test_a_package_held_in_the_manager_is_held() -> None:
    assert reason_against(update(), Selection(), {"openssl": "1"}) is Reason.HELD


def test_a_dependency_may_be_no_security_update_and_not_listed() -> None:
    selection = Selection(classes="security", include=("nginx",))
    assert is_forbidden(update(security=False), selection, {}) is None


@pytest.mark.parametrize(
    "selection", [Selection(held=("openssl",)), Selection(exclude=("openssl",)), Selection(aged=())]
)
def test_a_dependency_may_never_be_held_excluded_or_too_young(selection: Selection) -> None:
    assert is_forbidden(update(), selection, {}) is not None


def test_what_the_transaction_brings_is_selected_whatever_the_verdict_on_it_alone() -> None:
    judged = with_verdicts([update()], {"openssl:amd64"}, {"openssl:amd64": Reason.NOT_INCLUDED}, {}, {})
    assert (judged[0].selected, judged[0].reason) == (True, None)


def test_what_waits_for_a_forbidden_package_has_that_ones_reason() -> None:
    forbidden = {"a:amd64": Reason.TOO_YOUNG, "libssl3:amd64": Reason.HELD}
    sources = {"a:amd64": "a", "libssl3:amd64": "openssl"}
    judged = with_verdicts([update()], set(), {}, forbidden, sources)
    assert (judged[0].selected, judged[0].reason) == (False, Reason.HELD)


@pytest.mark.parametrize("data", [{"clases": "all"}, {"classes": "some"}])
def test_a_malformed_selection_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(FleetError) as caught:
        Selection.from_data(data)
    assert caught.value.kind == "bad_selection"
