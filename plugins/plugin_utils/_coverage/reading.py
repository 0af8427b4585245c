# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sensors that Falcon knows now: they are asked for anew, for what a variable says may be of yesterday."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import FalconSource, read_source
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.sensors import Sensors
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.configuration import (
    FALCON,
    SUFFIXES,
    read_configuration,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry, Faults
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.gather import Reader, gather, problems_as_error

_OF_VARIABLES = ("group_vars", "host_vars")


@dataclass(frozen=True)
class SensorReading:
    """What was read: the sensors, the tenants by their CIDs, and how many sensors each scope has."""

    sensors: Sensors
    tenants: Mapping[str, str] = field(default_factory=dict)
    scopes: Sequence[Mapping[str, Any]] = ()


def sources_of_inventory(inventories: Iterable[str], loader: Any) -> list[FalconSource]:
    """The sources of type ``falcon`` in the files of this collection's inventory plugin among ``inventories``.

    ``loader`` is Ansible's DataLoader. Raises FleetError of kind ``bad_inventory``.
    """
    return [
        source
        for file in _files(map(Path, inventories))
        for source in read_configuration(loader.load_from_file(str(file), cache="none"), str(file), loader).sensors
    ]


def sources_of_option(entries: Sequence[Any], where: str) -> list[FalconSource]:
    """The sources that are given like those of an inventory file. Raises FleetError of kind ``bad_inventory``."""
    faults = Faults(where)
    sources = []
    for number, value in enumerate(entries):
        entry = Entry(faults, f"falcon[{number}]", value)
        entry.text("type", FALCON, choices=(FALCON,))
        sources.append(read_source(entry, entry.text("name", f"{FALCON}{number + 1 if number else ''}")))
        entry.refuse_others()
    faults.refuse()
    return sources


def read_sensors(sources: Sequence[FalconSource], timeout: float) -> SensorReading:
    """All sensors of all sources. Raises FleetError of kind ``source_failed`` that names every CID that failed."""
    gathered = gather([Reader(source, source.sensors) for source in sources], Deadline.after(timeout))
    if gathered.problems:
        raise problems_as_error(
            gathered.problems, remedy="Who is protected is not known as long as one of them is not read."
        )
    return SensorReading(
        Sensors(sensor for found in gathered.found.values() for sensor in found),
        {cid: tenant for source in sources for cid, tenant in source.tenants.items()},
        [
            {"source": scope.source, "cid": scope.account, "region": scope.region, "sensors": len(found)}
            for scope, found in gathered.found.items()
        ],
    )


def _files(inventories: Iterable[Path]) -> Iterator[Path]:
    """The files of the plugin, looked for where Ansible looks: also in folders, but not among variables."""
    for path in inventories:
        if path.is_dir():
            found = (each for each in sorted(path.rglob("*")) if not {*_OF_VARIABLES} & set(each.parts))
            yield from (each for each in found if each.name.endswith(SUFFIXES) and each.is_file())
        elif path.name.endswith(SUFFIXES) and path.is_file():
            yield path
