# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of the model in the words of a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import duration

NONE = "—"


def count(value: int | None) -> str:
    """A number of things: ``12,345``."""
    return NONE if value is None else f"{value:,}"


def figure(value: float | None, unit: str) -> str:
    """A metric's value: ``97.5 %``, ``12 days``, ``1,204``. What cannot be said is no zero."""
    if value is None:
        return "not known"
    digits = f"{value:,.1f}".removesuffix(".0")
    if unit == "percent":
        return f"{digits} %"
    return f"{digits} {'day' if value == 1 else 'days'}" if unit == "days" else digits


def moment(value: str | None) -> str:
    """A time of the model, ``2026-11-10T22:01:02Z``, for people: without the zone, which the page says once is UTC."""
    try:
        return NONE if value is None else f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return str(value)


def span(seconds: float | None) -> str:
    """How long something took."""
    return NONE if seconds is None else duration(round(seconds))


def several(names: Sequence[str], most: int) -> str:
    """The first of many names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def plain(name: Any) -> str:
    """A name of the model as words: ``not_attempted`` is ``not attempted``."""
    return str(name).replace("_", " ")
