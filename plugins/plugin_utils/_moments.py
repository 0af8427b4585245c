# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments as signed documents and ledgers have them: UTC, in one form, and within years in which they can be written.

What is read comes from whoever made a bundle. A time at the edge of the calendar has no neighbours: to look at it in
another zone, or some minutes earlier, is an error.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")
_FIRST = datetime(2000, 1, 1, tzinfo=timezone.utc)
_LAST = datetime(2199, 12, 31, 23, 59, 59, tzinfo=timezone.utc)

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far apart the clocks of two machines, or of one before and after it was set, may be and still be believed."""


def as_text(moment: datetime) -> str:
    """A time as statements and seals have it: UTC, in whole seconds."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def moment_of(text: object) -> datetime:
    """The time that is written so, in seconds or, as in ledgers, in milliseconds. Raises ValueError for any other."""
    if not isinstance(text, str) or not _FORM.fullmatch(text):
        raise ValueError("it is no time as this version writes it")
    moment = datetime.fromisoformat(text)
    if not _FIRST <= moment <= _LAST:
        raise ValueError("it is a time at which nobody can have written it")
    return moment


def hours_after(moment: datetime, hours: float) -> datetime:
    """A time so many hours later, and no later than any that can be written."""
    left = (_LAST - moment) / timedelta(hours=1)
    return moment + timedelta(hours=min(max(hours, 0), left))
