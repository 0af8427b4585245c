# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names from outside become parts of paths here, and only here."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_CYCLE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])(-e[1-9][0-9]{0,3})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST = 240
_OF_THE_PLAN = ("plan.json", "hosts", "baselines", "approvals")
NAME_RULE = "Use letters, digits, dots, dashes and underscores, at most 63, beginning with a letter or digit."


def check_name(value: str, what: str) -> str:
    """A name of a tenant or report. Raises FleetError of kind ``bad_name`` otherwise, as all of these do."""
    if isinstance(value, str) and _TENANT.fullmatch(value):
        return value
    raise _bad(value, what, NAME_RULE)


def check_report(value: str) -> str:
    """The name of a report, which stands beside what belongs to the plan itself, or in one folder there."""
    first, slash, rest = value.partition("/")
    for name in (first, rest) if slash else (first,):
        check_name(name, "name of a report")
    if first in _OF_THE_PLAN or first.startswith("ledger"):
        raise FleetError(
            f"{value} is part of the plan itself.", kind="bad_name", remedy="Give the report another name."
        )
    return value


def is_report(value: str) -> bool:
    """Whether a report can have this name."""
    try:
        check_report(value)
    except FleetError:
        return False
    return True


def check_cycle(value: str) -> str:
    """``2026-11``, or ``2026-11-e1`` for an emergency cycle."""
    if isinstance(value, str) and _CYCLE.fullmatch(value):
        return value
    raise _bad(value, "cycle", "Write a month as 2026-11, or 2026-11-e1 for an emergency cycle.")


def cycle_order(cycle: str) -> tuple[str, int]:
    """A key that sorts cycles by month, and emergency cycles of one by their number."""
    month, _dash, emergency = cycle.partition("-e")
    return month, int(emergency or 0)


def check_digest(value: str) -> str:
    """The digest of a plan: 64 hexadecimal digits."""
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return value
    raise _bad(value, "digest of a plan", "Take the 64 digits that patch_plan.yml printed.")


def encode_host(host: str) -> str:
    """A file name for any host name, and a different one for each. The reverse is ``decode_host``."""
    name = quote(host, safe="")
    if name.startswith((".", "~")):
        name = f"%{ord(name[0]):02X}" + name[1:]
    if not name or len(name) > _LONGEST:
        raise _bad(host, "host name", f"Use a name of 1 to {_LONGEST} characters.")
    return name


def decode_host(name: str) -> str:
    """The host name of a file name."""
    return unquote(name)


def _bad(value: object, what: str, remedy: str) -> FleetError:
    return FleetError(f"{str(value)[:80]!r} is no {what}.", kind="bad_name", remedy=remedy)
