# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's variables as the policy engine wants them: templated, per host, with the place where each was set."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path

import yaml
from ansible.errors import AnsibleError

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import PLACEMENT, HostVariables

try:
    # ansible-core 2.19 and later tag values with their origin; there is no public name for the tag yet.
    from ansible._internal._datatag._tags import Origin
except ImportError:
    Origin = None  # type: ignore[assignment,misc]

PREFIXES = ("patch_", "fleet_")
_SPECIFICATION = Path(__file__).parents[2] / "roles" / "patch" / "meta" / "argument_specs.yml"


@cache
def policy_options() -> dict[str, t.Any]:
    """The options of the role's argument specification: the one definition of the policy."""
    document = yaml.safe_load(_SPECIFICATION.read_text(encoding="utf-8"))
    options: dict[str, t.Any] = document["argument_specs"]["main"]["options"]
    return options


def variables_of(hostvars: t.Any, hosts: Iterable[str], source: str) -> Iterator[HostVariables]:
    """The policy variables of ``hosts``. ``source`` names the inventory, for variables whose file is not known.

    Raises FleetError of kind ``bad_policy`` when a value cannot be templated.
    """
    # Most values are those of a group: the same object for all of its hosts, kept here so that none takes its id.
    known: dict[int, tuple[t.Any, t.Any]] = {}
    for host in hosts:
        raw = hostvars.raw_get(host)
        where = partial(where_set, hostvars, host, source)
        values: dict[str, t.Any] = {}
        for name in (name for name in raw if str(name).startswith(PREFIXES)):
            value = raw[name]
            if not _is_policy(name):
                values[name] = None
            elif not _is_final(value):
                values[name] = _value(hostvars[host], name, host, where)
            else:
                if id(value) not in known:
                    known[id(value)] = value, _plain(value)
                values[name] = known[id(value)][1]
        yield HostVariables(host, values, where)


def values_of(
    hostvars: t.Any, hosts: Iterable[str], names: t.Collection[str], source: str
) -> Iterator[tuple[str, dict[str, t.Any]]]:
    """Those of ``names`` that each host has, as plain data. Raises FleetError as ``variables_of`` does."""
    for host in hosts:
        raw = hostvars.raw_get(host)
        where = partial(where_set, hostvars, host, source)
        yield (
            host,
            {
                name: _plain(raw[name]) if _is_final(raw[name]) else _value(hostvars[host], name, host, where)
                for name in names
                if name in raw
            },
        )


def _is_policy(name: str) -> bool:
    """Of other variables, a registered scan for one, only the name counts, which may be misspelt."""
    return name.startswith("patch_") or name in PLACEMENT


def _is_final(value: t.Any) -> bool:
    """Whether Ansible would give the value as it is: plain data in which nothing begins like an expression."""
    if isinstance(value, str):
        return "{" not in value and not value.startswith("#jinja2:")
    if isinstance(value, Mapping):
        return all(_is_final(key) and _is_final(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_final, value))
    return value is None or isinstance(value, (bool, int, float))


def where_set(hostvars: t.Any, host: str, otherwise: str, name: str) -> str:
    """``file:line`` of the value of ``name``, or ``otherwise``: truth values carry no origin."""
    value = hostvars.raw_get(host).get(name)
    if Origin is not None:
        origin = Origin.get_tag(value)
        if origin is None:
            return otherwise
        place = str(origin.path or origin.description or otherwise)
        return f"{place}:{origin.line_num}" if origin.path and origin.line_num else place
    position = getattr(value, "ansible_pos", None)
    return f"{position[0]}:{position[1]}" if position and position[0] else otherwise


def _value(templated: Mapping[str, t.Any], name: str, host: str, where: t.Callable[[str], str]) -> t.Any:
    try:
        return _plain(templated[name])
    except AnsibleError as problem:
        raise FleetError(
            f"{where(name)}: {name} of {host} cannot be evaluated: {problem}",
            kind="bad_policy",
            remedy="Correct the expression.",
        ) from problem


def _plain(value: t.Any) -> t.Any:
    """The value without the tags that Ansible puts on every scalar, so that engines see plain data."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    for scalar in (str, bool, int, float):
        if isinstance(value, scalar):
            return scalar(value)
    return value
