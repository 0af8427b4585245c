# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory file: what it says, and everything that is wrong with it at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Source, Transport
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.conditions import Condition, read_conditions
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.entry import Entry, Faults
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.mapping import (
    TagMapping,
    read_defaults,
    read_mapping,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.names import Preference, read_hostnames
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show

if TYPE_CHECKING:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import FalconSource
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.static import StaticSource

SUFFIXES = ("multicloud.yml", "multicloud.yaml")
"""How the names of inventory files end."""
CLOUDS = ("aws", "azure", "gcp")
FALCON, STATIC = "falcon", "static"
TYPES = (*CLOUDS, FALCON, STATIC)
FAIL, MARK = "fail", "mark"
ADDRESSES = ("private_ip", "private_dns", "public_ip", "public_dns")
"""What becomes ``ansible_host``, the first that a machine has; ``name`` only where the file says so."""
OURS = "fleet_"
"""How the names of variables begin by which hosts are told apart, placed, and known to be all."""
OF_ANSIBLE = (
    *("plugin", "compose", "groups", "keyed_groups", "strict", "use_extra_vars", "leading_separator"),
    *("cache", "cache_plugin", "cache_timeout", "cache_connection", "cache_prefix"),
)
"""Options that Ansible reads itself, from elsewhere too."""


@dataclass(frozen=True)
class Configuration:
    """What an inventory file wants."""

    clouds: tuple[Source, ...]
    files: tuple[StaticSource, ...]
    sensors: tuple[FalconSource, ...]
    mapping: TagMapping
    addresses: tuple[str, ...]
    transports: tuple[Transport, ...]
    hostnames: tuple[Preference, ...]
    include: tuple[Condition, ...]
    exclude: tuple[Condition, ...]
    mark_errors: bool
    timeout: float
    raw: bool
    loopback: bool
    places: Mapping[str, str]
    """By the name of a source, the file and the entry that describe it."""


def read_configuration(content: object, file: str, loader: Any) -> Configuration:
    """The configuration in an inventory file.

    ``content`` is what the file holds, ``loader`` Ansible's DataLoader, which reads files of static sources.
    Raises FleetError of kind ``bad_inventory`` with every fault: file, key, value and remedy.
    """
    faults = Faults(file)
    entry = Entry(faults, "", content)
    raw = entry.flag("raw", False)
    sources, defaults, places = _read_sources(entry, file, loader, raw=raw)
    configuration = Configuration(
        clouds=tuple(source for kind, source in sources if kind in CLOUDS),
        files=tuple(source for kind, source in sources if kind == STATIC),
        sensors=tuple(source for kind, source in sources if kind == FALCON),
        mapping=TagMapping(read_mapping(entry.entry("mapping")), defaults),
        addresses=entry.texts("addresses", ADDRESSES, choices=(*ADDRESSES, "name"), empty=False),
        transports=tuple(
            map(Transport, entry.texts("transports", list(Transport), choices=list(Transport), empty=False))
        ),
        hostnames=read_hostnames(entry),
        include=read_conditions(entry.entries("include")),
        exclude=read_conditions(entry.entries("exclude")),
        mark_errors=entry.text("on_error", FAIL, choices=(FAIL, MARK)) == MARK,
        timeout=entry.number("timeout", 120, least=1, most=3600),
        raw=raw,
        places=places,
        loopback=entry.flag("loopback", False),
    )
    _check_constructed(entry)
    for option in OF_ANSIBLE:
        entry.has(option)
    entry.refuse_others()
    faults.refuse()
    return configuration


def refuse_double_keys(path: str, file: str) -> None:
    """Raise FleetError of kind ``bad_inventory`` where a mapping in the YAML file has a key twice.

    ``path`` is where it can be read, ``file`` how it is called. What is no YAML is left to Ansible.
    """
    faults = Faults(file)
    try:
        with Path(path).open("rb") as content:
            _find_double_keys(yaml.compose(content, yaml.SafeLoader), faults, set())
    except yaml.YAMLError:
        return
    faults.refuse()


def _find_double_keys(node: yaml.Node | None, faults: Faults, seen: set[int]) -> None:
    if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
        return
    # What is referred to more than once is looked at once.
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _find_double_keys(each, faults, seen)
    else:
        keys = Counter(key.value for key, _value in node.value if isinstance(key, yaml.ScalarNode))
        for key in (key for key, count in keys.items() if count > 1):
            faults.add(f"line {node.start_mark.line + 1}: {show(key)}", None, "is there twice", "Write it once.")
        for _key, value in node.value:
            _find_double_keys(value, faults, seen)


def _read_sources(
    entry: Entry, file: str, loader: Any, *, raw: bool
) -> tuple[list[tuple[str, Any]], dict[str, dict[str, str]], dict[str, str]]:
    """The sources with their types, and by source what holds where tags say nothing, and its place in the file."""
    sources: list[tuple[str, Any]] = []
    defaults: dict[str, dict[str, str]] = {}
    places: dict[str, str] = {}
    entries = entry.entries("sources")
    if not entries:
        entry.faults.add("sources", None, "names no source", "Write a list of sources, each with a type.")
    numbers: Counter[str] = Counter()
    for each in entries:
        kind = each.text("type", choices=TYPES)
        if not each.has("type"):
            each.fault("type", "is missing", f"Write one of {', '.join(TYPES)}.")
        if not kind:
            continue
        numbers[kind] += 1
        name = each.text("name", kind if numbers[kind] == 1 else f"{kind}{numbers[kind]}", example="production")
        if name in defaults:
            each.fault("name", "is the name of another source too", "Give each source a name of its own.")
        defaults[name] = read_defaults(each.entry("placement"))
        places[name] = f"{file}: {each.place}"
        sources.append((kind, _read_source(kind, each, name, file, loader, raw=raw)))
        each.refuse_others()
    return sources, defaults, places


def _read_source(kind: str, entry: Entry, name: str, file: str, loader: Any, *, raw: bool) -> Any:
    """A source by its type. Imported here, so that only the clouds that are in use are."""
    if kind == "aws":
        from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds import aws

        return aws.read_source(entry, name, raw=raw)
    if kind == "azure":
        from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds import azure

        return azure.read_source(entry, name, raw=raw)
    if kind == "gcp":
        from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds import gcp

        return gcp.read_source(entry, name, raw=raw)
    if kind == FALCON:
        from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds import falcon

        return falcon.read_source(entry, name)
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds import static

    return static.read_source(entry, name, file=file, loader=loader)


def _check_constructed(entry: Entry) -> None:
    """The shape of what Ansible builds of variables, which it would ignore otherwise."""
    for option in ("compose", "groups"):
        given = entry.entry(option)
        for key, value in given.items() if given else ():
            if given and not isinstance(value, (str, bool)):
                given.fault(key, "is no expression", "Write a Jinja expression without braces.")
            elif given and option == "compose" and key.startswith(OURS):
                given.fault(key, "is a variable that is decided here", "Use mapping or placement, or another name.")
    for keyed in entry.entries("keyed_groups"):
        keyed.text("key")
        if not keyed.has("key"):
            keyed.fault("key", "is missing", "Write of which variable groups are made, like fleet_tags.Role.")
        for option in ("prefix", "separator", "parent_group", "default_value", "trailing_separator"):
            keyed.has(option)
        keyed.refuse_others()
