# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is told to change is a part of its plan, whatever the record of its preflight says."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from ansible_collections.bankops.fleet.plugins.action.updates import _left_of, _refuse_rolled_back
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError


def change(name: str, candidate: str = "2.0") -> dict[str, Any]:
    return {"name": name, "arch": "all", "action": "upgrade", "installed": "1.0", "candidate": candidate}


def test_only_what_the_preflight_left_is_changed() -> None:
    assert _left_of([change("openssl"), change("perl")], [change("perl")]) == [change("perl")]


@pytest.mark.parametrize("remaining", [[change("openssl", "9.9")], [change("openssl"), change("backdoor")]])
def test_what_the_plan_does_not_have_is_refused(remaining: list[dict[str, Any]]) -> None:
    with pytest.raises(FleetError) as refused:
        _left_of([change("openssl")], remaining)
    assert refused.value.kind == "transaction_mismatch"


def permit_of(*runs: str) -> Any:
    """What a resumed host's task is granted, on which the preflight found these runs."""
    return mock.Mock(host="web1", attempt=mock.Mock(runs={"web1": frozenset(runs)}))


def test_what_an_earlier_attempt_was_taking_back_is_not_applied_again() -> None:
    with pytest.raises(FleetError) as refused:
        _refuse_rolled_back(permit_of("apply", "rollback"))
    assert refused.value.kind == "rollback_begun"


def test_what_was_only_begun_is_gone_on_with() -> None:
    _refuse_rolled_back(permit_of("apply"))
    _refuse_rolled_back(mock.Mock(host="web1", attempt=mock.Mock(runs={})))
