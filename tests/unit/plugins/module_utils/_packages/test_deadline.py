# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of the window."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.deadline import parse_not_after, require_time

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", NOW + timedelta(seconds=90)),
        ("2026-11-21T03:30:00Z", NOW + timedelta(minutes=30)),
        ("2026-11-21T04:30:00+01:00", NOW + timedelta(minutes=30)),
        (None, None),
    ],
)
def test_times_and_seconds_are_read(text: str | None, expected: datetime | None) -> None:
    assert parse_not_after(text, NOW) == expected


@pytest.mark.parametrize("text", ["tonight", "2026-11-21T03:30:00", ""])
def test_a_time_without_an_offset_is_no_time(text: str) -> None:
    with pytest.raises(FleetError) as caught:
        parse_not_after(text, NOW)
    assert caught.value.kind == "bad_time"


def test_what_ends_at_the_limit_may_start() -> None:
    require_time(NOW + timedelta(seconds=60), 60, NOW)
    require_time(None, 1e9, NOW)


def test_what_ends_after_the_limit_may_not() -> None:
    with pytest.raises(FleetError) as caught:
        require_time(NOW + timedelta(seconds=60), 61, NOW)
    assert caught.value.kind == "no_time"
    assert caught.value.data == {"not_after": "2026-11-21T03:01:00+00:00", "estimated_seconds": 61}
