# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of an entry's data, held against their shape: much of it was said by managed hosts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import is_whole_number

Member = TypeVar("Member", bound=StrEnum)

_LONGEST_TASK = timedelta(days=365)


class MalformedError(ValueError):
    """A part of an entry has not the shape it should have."""


def mapping(value: Any) -> Mapping[str, Any]:
    """A dictionary with texts for keys."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    raise MalformedError


def text(value: Any) -> str:
    """A text."""
    if isinstance(value, str):
        return value
    raise MalformedError


def whole(value: Any) -> int:
    """A whole number."""
    if is_whole_number(value):
        return int(value)
    raise MalformedError


def items(value: Any) -> list[Any]:
    """A list."""
    if isinstance(value, list):
        return value
    raise MalformedError


def moment(value: Any) -> datetime:
    """A time with its zone, as RFC 3339 writes it."""
    try:
        found = datetime.fromisoformat(text(value))
    except ValueError:
        raise MalformedError from None
    if found.tzinfo is None:
        raise MalformedError
    return found


def member(statuses: type[Member], value: Any) -> Member:
    """One of the statuses."""
    try:
        return statuses(text(value))
    except ValueError:
        raise MalformedError from None


def versions(value: Any) -> dict[str, str | None]:
    """``{"name:arch": version or null}``."""
    return {key: None if version is None else text(version) for key, version in mapping(value).items()}


def names(value: Any) -> list[str]:
    """The names in a list of dictionaries."""
    return [text(mapping(item).get("name")) for item in items(value)]


def cves(value: Any) -> dict[str, list[str]]:
    """``{name: [id]}``; left out are packages of which it is not known, with a text instead of the list."""
    known = {name: items(ids) for name, ids in mapping(value).items() if not isinstance(ids, str)}
    return {name: [text(identifier) for identifier in ids] for name, ids in known.items()}


def duration(data: Mapping[str, Any]) -> timedelta:
    """How long the task of an entry took; nothing where it does not say."""
    seconds = mapping(data.get("task", {})).get("seconds", 0)
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not 0 <= seconds <= _LONGEST_TASK.total_seconds():
        raise MalformedError
    return timedelta(seconds=seconds)
