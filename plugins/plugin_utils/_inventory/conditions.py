# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which machines the inventory is of: conditions on normalised variables and tags, decided without any template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.mapping import DEFAULT_KEYS, Placement
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean

TAG = "tag:"
_OF_THE_MACHINE = ("cloud", "account", "region", "zone", "instance_id", "name", "power")
_KEYS = (*_OF_THE_MACHINE, *DEFAULT_KEYS)

Condition = dict[str, re.Pattern[str]]
"""By variable (``environment``, ``tag:Role``) what its value must match; all of it must hold."""


def read_conditions(entries: Sequence[Entry]) -> tuple[Condition, ...]:
    """A list of conditions, as the options ``include`` and ``exclude`` have them; ``*`` and ``?`` are wildcards."""
    conditions = tuple(_condition(entry) for entry in entries)
    for entry, condition in zip(entries, conditions, strict=True):
        if not condition:
            entry.faults.add(entry.place, None, "says nothing", "Write what must hold, like environment: [production].")
    return conditions


def any_holds(conditions: Sequence[Condition], machine: Machine, placement: Placement) -> bool:
    """Whether all of one condition holds."""
    return any(
        all(pattern.fullmatch(_value(key, machine, placement)) for key, pattern in condition.items())
        for condition in conditions
    )


def _condition(entry: Entry) -> Condition:
    found: Condition = {}
    for key in dict(entry.items()):
        if key not in _KEYS and not key.startswith(TAG):
            remedy = did_you_mean(key, _KEYS) or f"Write tag:<key> for a tag, or one of {', '.join(_KEYS)}."
            entry.fault(key, "is nothing that a machine has", remedy)
        values = entry.texts(key, example="production", empty=False)
        found[key] = re.compile("|".join(translate(value) for value in values))
    return found


def _value(key: str, machine: Machine, placement: Placement) -> str:
    if key.startswith(TAG):
        return machine.tags.get(key[len(TAG) :], "")
    return str(getattr(machine if key in _OF_THE_MACHINE else placement, key))
