# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values held against the role's argument specification, with messages that say where exactly something is wrong.

Stricter than Ansible in one respect: a string is never split into a list, and a truth value is never text. Whatever
passes here passes Ansible's own validation of the role's arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean, show

Options = Mapping[str, Mapping[str, Any]]

_TRUE = frozenset({"yes", "on", "true", "1", "y", "t"})
_FALSE = frozenset({"no", "off", "false", "0", "n", "f"})


@dataclass(frozen=True)
class Fault:
    """The path to a value (``patch_holds[0].owner``), the value, what is wrong with it and what would be right."""

    key: str
    value: str
    what: str
    remedy: str


class _MalformedError(ValueError):
    """The value is not of its type; the text says of which it should be."""


def defaults(options: Options) -> dict[str, Any]:
    """The options that have a default, with it."""
    return {name: option["default"] for name, option in options.items() if "default" in option}


def check(option: Mapping[str, Any], key: str, value: Any) -> tuple[Any, list[Fault]]:
    """The value in its type, defaults of sub-options filled in, and its faults. With faults the value means nothing."""
    try:
        converted = _TYPES[option.get("type", "str")](value)
    except _MalformedError as problem:
        return None, [Fault(key, show(value), str(problem), _remedy(option))]
    choices = option.get("choices")
    if choices and converted not in choices:
        what = f"must be one of {', '.join(map(str, choices))}"
        return None, [Fault(key, show(value), what, did_you_mean(str(converted), choices))]
    faults: list[Fault] = []
    if isinstance(converted, list) and "elements" in option:
        element = {"type": option["elements"], **{k: option[k] for k in ("options",) if k in option}}
        checked = [check(element, f"{key}[{index}]", item) for index, item in enumerate(converted)]
        return [item for item, _faults in checked], [fault for _item, found in checked for fault in found]
    if isinstance(converted, dict) and option.get("options"):
        converted, faults = check_all(option["options"], key + ".", converted)
    return converted, faults


def check_all(options: Options, prefix: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """Hold a mapping against its options: unknown and missing keys, and every value."""
    faults = list(_unknown(options, prefix, values))
    checked = defaults(options)
    for name, option in options.items():
        if values.get(name) is None:
            if option.get("required"):
                faults.append(Fault(prefix + name, "", "is missing", f"Set {name}."))
            continue
        checked[name], found = check(option, prefix + name, values[name])
        faults.extend(found)
    return checked, faults


def _unknown(options: Options, prefix: str, values: Mapping[str, Any]) -> Iterator[Fault]:
    for name in values:
        if name not in options:
            remedy = did_you_mean(str(name), options) or f"Known are: {', '.join(options)}."
            yield Fault(f"{prefix}{show(name)}", show(values[name]), "is not known", remedy)


def _remedy(option: Mapping[str, Any]) -> str:
    return f"The default is {show(option['default'])}." if "default" in option else ""


def _text(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _MalformedError("must be text, in quotes if need be")
    return str(value)


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    raise _MalformedError("must be a whole number")


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise _MalformedError("must be true or false")


def _list(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return list(value)
    raise _MalformedError("must be a list")


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return dict(value)
    raise _MalformedError("must be a mapping")


def _raw(value: Any) -> Any:
    return value


_TYPES: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "path": _text,
    "int": _integer,
    "bool": _truth,
    "list": _list,
    "dict": _mapping,
    "raw": _raw,
}
