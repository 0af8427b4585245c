# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units of systemd: which are active, which have failed, and which may come and go."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands

_PROPERTIES = (
    "Id,LoadState,ActiveState,Type,Transient,TriggeredBy,BusName,WantedBy,RequiredBy,"
    "ConditionResult,ConditionTimestampMonotonic"
)


def show_units(commands: Commands, patterns: Sequence[str], properties: str) -> List[Dict[str, str]]:
    """The properties of the loaded units that match, one dictionary each.

    Raises FleetError of kind ``command_missing`` or ``command_failed`` where systemd does not run this host.
    """
    argv = ["systemctl", "show", "--all", "--no-pager", f"--property={properties}", "--", *patterns]
    shown = commands.run(argv, timeout=60).stdout
    return [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in shown.split("\n\n")
        if block.strip()
    ]


def read_units(commands: Commands) -> Dict[str, Any]:
    """``{"active", "failed", "transient", "on_demand", "skipped"}``, sorted names of services and sockets.

    ``transient``: made at run time (systemd-run), gone when they end. ``on_demand``: wanted by nothing at boot and
    started by the bus, a socket or a timer, so they may rest. ``skipped``: oneshot jobs whose condition did not hold.
    Raises FleetError where systemd does not run this host.
    """
    units = show_units(commands, ["*.service", "*.socket"], _PROPERTIES)
    return {
        "active": _names(unit for unit in units if unit.get("ActiveState") in ("active", "reloading")),
        "failed": _names(unit for unit in units if unit.get("ActiveState") == "failed"),
        "transient": _names(unit for unit in units if unit.get("Transient") == "yes"),
        "on_demand": _names(unit for unit in units if unit.get("LoadState") == "loaded" and _is_on_demand(unit)),
        "skipped": _names(unit for unit in units if unit.get("LoadState") == "loaded" and _is_skipped(unit)),
    }


def _is_on_demand(unit: Dict[str, str]) -> bool:
    if unit.get("WantedBy") or unit.get("RequiredBy"):
        return False
    return bool(unit.get("TriggeredBy") or unit.get("BusName"))


def _is_skipped(unit: Dict[str, str]) -> bool:
    # systemd says "no" for conditions that it never looked at, too.
    looked = unit.get("ConditionTimestampMonotonic", "0") != "0"
    is_resting_job = unit.get("Type") == "oneshot" and unit.get("ActiveState") == "inactive"
    return is_resting_job and looked and unit.get("ConditionResult") == "no"


def _names(units: Iterable[Dict[str, str]]) -> List[str]:
    return sorted({unit["Id"] for unit in units if unit.get("Id")})
