# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A moment out of a document has one form, and can be looked at in any zone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import as_text, hours_after, moment_of

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)


def test_a_moment_is_read_as_it_was_written() -> None:
    assert as_text(NOON.astimezone(timezone(timedelta(hours=5)))) == "2026-11-21T12:00:00Z"
    assert moment_of("2026-11-21T12:00:00Z") == NOON
    assert moment_of("2026-11-21T12:00:00.250Z") == NOON + timedelta(milliseconds=250)


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-11-21T12:00:00+00:00",
        "2026-11-21 12:00:00Z",
        "20261121T120000Z",
        "2026-W47-6T12:00:00Z",
        "2026-11-21T12:00:00.2Z",
        "2026-11-31T12:00:00Z",
        "२०२६-11-21T12:00:00Z",
        "2026-11-21T12:00:00Z\n",
        "noon",
        None,
        20261121,
    ],
)
def test_what_is_written_otherwise_or_at_the_edge_of_the_calendar_is_no_moment(text: object) -> None:
    with pytest.raises(ValueError, match=r"it is |range"):
        moment_of(text)


def test_hours_lead_no_further_than_what_can_be_written() -> None:
    assert hours_after(NOON, 72) == NOON + timedelta(days=3)
    assert hours_after(NOON, -1) == NOON
    for hours in (10**12, 10**400):
        assert moment_of(as_text(hours_after(NOON, hours))).year == 2199
