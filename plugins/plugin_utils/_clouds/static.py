# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines that no cloud lists: hosts of inventory files, read by Ansible itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from ansible.errors import AnsibleError
from ansible.inventory.helpers import get_group_vars
from ansible.inventory.manager import InventoryManager
from ansible.utils.vars import combine_vars

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import (
    UNKNOWN,
    Cloud,
    Machine,
    Power,
    Scope,
    Transport,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.mapping import DEFAULT_KEYS
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.names import (
    NEVER,
    Identity,
    normal_identity,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable, show

_Choice = TypeVar("_Choice", bound=StrEnum)
_RESULTS = frozenset({"fleet_incomplete", "fleet_merged_groups", "fleet_population", "fleet_seen_by", "fleet_sensor"})
# Ansible's loader of plugins was not made for threads.
_ONE_AT_A_TIME = threading.Lock()


@dataclass
class StaticSource:
    """Inventory files of the user's own. Their hosts keep their names, variables and groups."""

    name: str
    files: tuple[str, ...]
    loader: Any
    """Ansible's DataLoader, which knows the secrets of vaulted values."""
    inventory: Any = None
    """What Ansible read: an InventoryManager, once the machines are known."""
    machines_by_name: dict[str, Identity] = field(default_factory=dict)
    """By the name of a host, the identity of its machine."""
    own: dict[str, frozenset[str]] = field(default_factory=dict)
    """By host, the variables that its files give it, directly or by a group, but for an identity in other letters."""

    def scopes(self, _deadline: Deadline) -> Sequence[Scope]:
        """All files together, for a group may be spread over them."""
        return [Scope(self.name)]

    def machines(self, scope: Scope, _deadline: Deadline) -> Iterator[Machine]:
        """A machine for each host, but for those that are the controller itself. Raises SourceError before any."""
        with _ONE_AT_A_TIME:
            inventory = self._read(scope)
        machines = []
        for host in inventory.hosts.values():
            variables = combine_vars(get_group_vars(host.get_groups()), host.vars)
            if host.name not in NEVER:
                machine = _machine(scope, host.name, variables)
                self.machines_by_name[host.name] = machine.identity
                corrected = {
                    name
                    for name, value in (("fleet_account", machine.account), ("fleet_instance_id", machine.instance_id))
                    if _text(variables, name) not in ("", value)
                }
                self.own[host.name] = frozenset(variables.keys() - corrected)
                machines.append(machine)
        self.inventory = inventory
        yield from machines

    def _read(self, scope: Scope) -> InventoryManager:
        inventory = InventoryManager(self.loader, sources=list(self.files), parse=False)
        for file in self.files:
            try:
                readable = inventory.parse_source(file)
            except AnsibleError as problem:
                raise _unreadable(scope, file, said(problem)) from problem
            if not readable:
                raise _unreadable(scope, file, "Ansible cannot read it, and has said why")
            _refuse_results(scope, file, inventory)
        inventory.reconcile_inventory()
        return inventory


def read_source(entry: Entry, name: str, *, file: str, loader: Any) -> StaticSource:
    """A source of the type ``static``: ``files`` are paths, from the folder of the inventory ``file`` on."""
    folder = Path(file).parent
    files = entry.texts("files", example="onprem.yml")
    if not entry.has("files"):
        entry.fault("files", "is missing", "Write a list of inventory files.")
    for each in files:
        if each.endswith(("multicloud.yml", "multicloud.yaml")):
            entry.faults.add(
                f"{entry.place}.files", each, "is a file of this plugin", "Write its sources into this one."
            )
        elif not (folder / each).is_file():
            entry.faults.add(f"{entry.place}.files", each, "is no file", f"It is looked for in {folder}.")
    return StaticSource(name, tuple(str(folder / each) for each in files), loader)


def _machine(scope: Scope, host: str, variables: Mapping[str, Any]) -> Machine:
    """What a host's ``fleet_*`` variables say; those that are templates cannot be known here."""
    address = _text(variables, "ansible_host") or host
    transport = _choice(scope, host, variables, "fleet_transport", Transport)
    tags = variables.get("fleet_tags")
    cloud, account, instance_id = normal_identity(
        _choice(scope, host, variables, "fleet_cloud", Cloud) or Cloud.ONPREM,
        _text(variables, "fleet_account"),
        _text(variables, "fleet_instance_id") or host,
    )
    return Machine(
        cloud=Cloud(cloud),
        account=account,
        region=_text(variables, "fleet_region"),
        zone=_text(variables, "fleet_zone"),
        instance_id=instance_id,
        name=_text(variables, "fleet_name") or host,
        power=_choice(scope, host, variables, "fleet_power", Power) or Power.RUNNING,
        os=_text(variables, "fleet_os") or UNKNOWN,
        tags={str(key): str(value) for key, value in tags.items()} if isinstance(tags, Mapping) else {},
        private_ip=address,
        managed_by=(transport,) if transport else (),
        sensor_id=_text(variables, "fleet_sensor_id"),
        placement={part: _text(variables, f"fleet_{part}") for part in DEFAULT_KEYS},
    )


def _text(variables: Mapping[str, Any], name: str) -> str:
    value = variables.get(name)
    # Without quotes, the number of an account is a number to YAML and INI.
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    text = str(value)
    return "" if "{" in text or text == UNKNOWN else text


def _choice(scope: Scope, host: str, variables: Mapping[str, Any], name: str, choices: type[_Choice]) -> _Choice | None:
    value = variables.get(name)
    if value is None or value == UNKNOWN or (isinstance(value, str) and "{" in value):
        return None
    if value not in list(choices):
        raise SourceError(
            scope,
            f"host {show(host)}",
            f"{name} is {show(value)}",
            kind="answer_malformed",
            remedy=f"Write one of {', '.join(choices)}.",
        )
    return choices(value)


def _refuse_results(scope: Scope, file: str, inventory: Any) -> None:
    """Refuse a file that says what only a reading can: it could say that nobody is missing."""
    for kind, members in (("group", inventory.groups), ("host", inventory.hosts)):
        for name, each in members.items():
            for variable in sorted(_RESULTS & each.vars.keys()):
                raise SourceError(
                    scope,
                    printable(file),
                    f"{kind} {show(name)}: {variable} is what an inventory is found to be, and no file's to say",
                    kind="answer_malformed",
                    remedy="Remove the variable.",
                )


def _unreadable(scope: Scope, file: str, what: str) -> SourceError:
    return SourceError(
        scope,
        printable(file),
        what,
        kind="answer_malformed",
        remedy="See that ansible-inventory --list -i with this file alone shows its hosts.",
    )
