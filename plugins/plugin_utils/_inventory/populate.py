# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts, groups and variables into Ansible's inventory: no template is evaluated, and none can be smuggled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import UNKNOWN
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.classify import Host
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.groups import ALWAYS

MOST = 50
"""Parts that variables of all hosts have: each is there again for every host that somebody lists."""

_no_template: Callable[[str], Any]
_anything: Callable[[str], Any]
try:
    from ansible.template import trust_as_template
except ImportError:
    # Up to ansible-core 2.18 every text may be a template unless it is marked; later, none is unless it is marked.
    from ansible.utils.unsafe_proxy import wrap_var

    _no_template, _anything = str, wrap_var
else:
    _no_template, _anything = trust_as_template, str
_WAYS = ("ansible_host", "fleet_transport")
_PLAIN = re.compile(r"[\w .:/+=,@-]*")


@lru_cache(maxsize=10_000)
def _as_text(text: str) -> Any:
    """A text that Ansible will not take for a template.

    One of letters, digits and a few harmless signs is none, whatever marks somebody has chosen for his templates.
    Ansible is told so, for it writes any other as ``{"__ansible_unsafe": …}`` where it lists an inventory, and AWX can
    take no address and no state of a machine from that.
    """
    return _no_template(text) if _PLAIN.fullmatch(text) else _anything(text)


def as_data(value: Any) -> Any:
    """A value from outside as Ansible may have it: none of its texts is a template, keys of mappings included."""
    if isinstance(value, str):
        return _as_text(value)
    if isinstance(value, Mapping):
        return {_anything(key): as_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_data(item) for item in value]
    return value


def variables_of(host: Host, *, raw: bool) -> dict[str, Any]:
    """The variables of a host. Texts are never empty: what is not known is ``unknown``."""
    machine, placement = host.machine, host.placement
    texts = {
        "fleet_cloud": machine.cloud.value,
        "fleet_account": machine.account or UNKNOWN,
        "fleet_region": machine.region or UNKNOWN,
        "fleet_zone": machine.zone or UNKNOWN,
        "fleet_instance_id": machine.instance_id or UNKNOWN,
        "fleet_os": placement.os,
        "fleet_tenant": placement.tenant,
        "fleet_environment": placement.environment,
        "fleet_cluster": placement.cluster,
        "fleet_wave": placement.wave,
        "fleet_criticality": placement.criticality,
        "fleet_transport": host.transport,
        "fleet_name": machine.name or UNKNOWN,
        "fleet_power": machine.power.value,
        "fleet_resource": machine.resource or UNKNOWN,
    }
    found: dict[str, Any] = texts
    found["fleet_tags"] = dict(machine.tags)
    if host.address:
        found["ansible_host"] = host.address
    if machine.scaling_group:
        found["fleet_scaling_group"] = machine.scaling_group
    if machine.managed_by:
        found["fleet_managed_by"] = [transport.value for transport in machine.managed_by]
    if machine.not_managed_by:
        found["fleet_not_managed_by"] = [transport.value for transport in machine.not_managed_by]
    if placement.refused_tenant != UNKNOWN:
        found["fleet_refused_tenant"] = placement.refused_tenant
    if host.is_duplicate:
        found["fleet_seen_by"] = list(host.seen_by)
    if host.sensor:
        found["fleet_sensor"] = {
            "id": host.sensor.aid,
            "version": host.sensor.agent_version,
            "last_seen": host.sensor.last_seen.isoformat() if host.sensor.last_seen else UNKNOWN,
            "status": host.sensor.status,
            "reduced": host.sensor.rfm,
        }
    if raw and machine.raw is not None:
        found["fleet_raw"] = plain(machine.raw)
    return {name: as_data(value) for name, value in found.items()}


def add_hosts(inventory: Any, hosts: Iterable[Host], *, own: Mapping[str, Collection[str]], raw: bool) -> None:
    """Add named hosts with their variables and groups.

    ``inventory`` is Ansible's InventoryData; ``own`` are the variables that hosts of files bring along, which stay as
    they are. Of a host that others saw too they say the way to it alone: the rest was decided with the others.
    A variable is put where Ansible's own method would put it: that method copies and marks every value of every host,
    which takes longer than all else here.
    """
    groups = {name: inventory.groups[inventory.add_group(name)] for name in ALWAYS}
    for host in hosts:
        added = inventory.hosts[inventory.add_host(host.name)]
        variables = variables_of(host, raw=raw)
        for name in own.get(host.name, ()):
            if name in _WAYS or not (host.is_duplicate or "fleet_refused_tenant" in variables):
                variables.pop(name, None)
        added.vars.update(variables)
        for name in host.groups:
            if name not in groups:
                groups[name] = inventory.groups[inventory.add_group(name)]
            # Unlike the inventory's add_child, this cannot take the name of a host for that of a group.
            groups[name].add_host(added)


def add_files(inventory: Any, files: Any, left_out: Iterable[str]) -> None:
    """Add the hosts, groups and variables of an inventory that Ansible has read, but for some hosts."""
    without = frozenset(left_out)
    for group in files.groups.values():
        inventory.add_group(group.name)
        inventory.groups[group.name].vars.update(group.vars)
    for group in files.groups.values():
        for child in group.child_groups:
            inventory.add_child(group.name, child.name)
        for host in group.hosts:
            if host.name not in without:
                inventory.add_host(host.name, group.name)
                inventory.hosts[host.name].vars.update(host.vars)


def mark_incomplete(inventory: Any, missing: Mapping[str, str]) -> None:
    """Say in ``fleet_incomplete`` of all hosts what is missing, beside what other sources said."""
    more = len(missing) - MOST
    rest = {"others": f"{more} more parts of the sources"} if more > 0 else {}
    ours = {**as_data(dict(islice(missing.items(), MOST))), **rest}
    everybody = inventory.groups["all"]
    for each in (everybody, *inventory.groups.values(), *inventory.hosts.values()):
        # What a host or a group says of it stands before what holds for all.
        if each is everybody or "fleet_incomplete" in each.vars:
            said = each.vars.get("fleet_incomplete")
            if said and not isinstance(said, Mapping):
                said = {"another inventory source": said}
            each.vars["fleet_incomplete"] = {**(said or {}), **ours}


def record_population(inventory: Any, record: Mapping[str, Any]) -> None:
    """Add a file's record to ``fleet_population`` of all hosts, which has one for each inventory file."""
    variables = inventory.groups["all"].vars
    said = variables.get("fleet_population")
    # What no file of ours said is no record.
    variables["fleet_population"] = [*(said if isinstance(said, list) else ()), as_data(dict(record))]


def record_merged_groups(inventory: Any, names: Mapping[str, list[str]]) -> None:
    """Say in ``fleet_merged_groups`` of all hosts which groups stand for several names, and for which."""
    if names:
        variables = inventory.groups["all"].vars
        found = as_data(dict(islice(names.items(), MOST)))
        said = variables.get("fleet_merged_groups")
        variables["fleet_merged_groups"] = {**(said if isinstance(said, Mapping) else {}), **found}


def plain(value: Any) -> Any:
    """What an API said as plain data: moments become text (ISO 8601), and what has no such form is left to ``str``."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if isinstance(value, (datetime, date)) else str(value)
