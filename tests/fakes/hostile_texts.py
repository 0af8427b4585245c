# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hostile hosts, inventories and people write where a report shows their texts."""

from __future__ import annotations

import zlib
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document

MEGABYTE = 1_000_000
ATTACKS = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x")',
    "+cmd|' /C calc'!A0",
    "{{ 7*7 }}",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "\u202egnp.exe\u202c\u200f",
    "\x00\x01\x08\x7f\x9b",
    "</script><img src=x onerror=alert(1)>",
    '"',
    "'",
    "first line\nsecond line\r\nthird\tline",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3",
    "</style>]]>-->${7*7}<%= 7*7 %>",
    "\ufffe\uffff\U0001f600",
)
HOSTS = frozenset({"hosts", "hosts_closed", "hosts_open"})
OURS = frozenset(
    {
        *("tenant", "tenants", "cycle", "cycles", "plan", "previous", "name", "unit", "id", "seed", "method", "title"),
        *("made", "created", "expires", "began", "ended", "opened", "closed", "first_seen", "time", "version"),
        *("kind", "state", "outcome", "in_service", "verdict", "phase", "purpose", "how", "ledger_head", "definition"),
    }
)
"""The fields whose texts are our own words, names and times; the others come from hosts, inventories and people."""


def poisoned(document: Document) -> Document:
    """The same report with an attack before each text from outside, and a text of a megabyte as the first reason.

    The same text becomes the same attack everywhere, so that hosts are still found where rows name them.
    """
    changed = cast("Document", _poisoned(document, ""))
    first, *others = changed.hosts
    return replace(changed, hosts=(replace(first, reason=first.reason + "A" * MEGABYTE), *others))


def _poisoned(value: Any, field: str) -> Any:
    if isinstance(value, str):
        return _attacked(value) if value and field not in OURS and type(value) is str else value
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _poisoned(getattr(value, each.name), each.name) for each in fields(value)})
    if isinstance(value, tuple):
        changed = (_poisoned(each, field) for each in value)
        return tuple(sorted(changed) if field in HOSTS and value and isinstance(value[0], str) else changed)
    if isinstance(value, dict):
        return {key: _poisoned(each, field) for key, each in value.items()}
    return value


def _attacked(text: str) -> str:
    return ATTACKS[zlib.crc32(text.encode()) % len(ATTACKS)] + text
