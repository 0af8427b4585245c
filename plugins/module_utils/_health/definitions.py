# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a health check is written down: which keys each type has, and what is wrong with a definition."""

from __future__ import annotations

import re
import urllib.parse
from enum import Enum
from typing import Any, Callable, Dict, List, Mapping, NamedTuple

DEFAULT_TIMEOUT = 10


class CheckType(str, Enum):
    """What a health check looks at."""

    HTTP = "http"
    TCP = "tcp"
    COMMAND = "command"
    UNIT = "unit"
    ETCD = "etcd"


class _Key(NamedTuple):
    """What a value must be: a predicate and the same in words."""

    is_right: Callable[[Any], bool]
    right: str
    required: bool = False
    default: Any = None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_text(item) for item in value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_port(value: Any) -> bool:
    return _is_whole(value) and 1 <= value <= 65535


def _is_status_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_whole(item) and 100 <= item <= 599 for item in value)


def _is_url(value: Any) -> bool:
    if not _is_text(value):
        return False
    try:
        parts = urllib.parse.urlsplit(value)
        _port = parts.port  # raises ValueError where it is no number
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _is_urls(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_url(item) for item in value)


def _is_headers(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_text(key) and isinstance(item, str) and "\n" not in key + item and "\r" not in key + item
        for key, item in value.items()
    )


_URL = "an http:// or https:// address with a host and without a password"
_FILE = _Key(_is_text, "the path of a file")
_COMMON = {
    "type": _Key(_is_text, "a type"),
    "name": _Key(_is_text, "a text"),
    "timeout": _Key(lambda value: _is_number(value) and value > 0, "seconds above 0", default=DEFAULT_TIMEOUT),
}
_KEYS: Dict[CheckType, Dict[str, _Key]] = {
    CheckType.HTTP: {
        "url": _Key(_is_url, _URL, required=True),
        "status": _Key(_is_status_list, "a list of numbers from 100 to 599", default=[200]),
        "contains": _Key(_is_text, "a text"),
        "headers": _Key(_is_headers, "a dictionary of texts, each on one line", default={}),
        "follow_redirects": _Key(_is_flag, "true or false", default=False),
        "ca_file": _FILE,
    },
    CheckType.TCP: {
        "host": _Key(_is_text, "a name or an address", default="127.0.0.1"),
        "port": _Key(_is_port, "a number from 1 to 65535", required=True),
    },
    CheckType.COMMAND: {
        "argv": _Key(_is_texts, "a list of texts, the program first (no shell reads it)", required=True),
    },
    CheckType.UNIT: {
        "unit": _Key(_is_text, "the name of a systemd unit, such as nginx.service", required=True),
    },
    CheckType.ETCD: {
        "endpoints": _Key(_is_urls, f"a list; each item {_URL}", required=True),
        "minimum_healthy": _Key(lambda value: _is_whole(value) and value >= 1, "a number of members, at least 1"),
        "caught_up": _Key(_is_flag, "true or false", default=True),
        "maximum_lag": _Key(
            lambda value: _is_whole(value) and value >= 0, "a number of entries, 0 or more", default=100
        ),
        "ca_file": _FILE,
        "cert_file": _FILE,
        "key_file": _FILE,
    },
}


def validate_checks(checks: Any) -> List[str]:
    """What is wrong with a list of definitions, one sentence each; empty when all is right. Looks at nothing else."""
    if not isinstance(checks, list):
        return [f"Health checks must be a list of dictionaries, not {_shown(checks)}."]
    problems: List[str] = []
    names: Dict[str, int] = {}
    for number, check in enumerate(checks, start=1):
        found = _problems(check, number)
        problems.extend(found)
        if not found:
            name = complete(check)["name"]
            if name in names:
                problems.append(f"Health checks {names[name]} and {number} are both named {name}; give each its own.")
            names.setdefault(name, number)
    return problems


def complete(check: Mapping[str, Any]) -> Dict[str, Any]:
    """A valid definition with all keys of its type; those not given have their default, the rest are None."""
    check_type = CheckType(check["type"])
    keys = {**_COMMON, **_KEYS[check_type]}
    whole = {key: check[key] if check.get(key) is not None else meaning.default for key, meaning in keys.items()}
    whole["name"] = whole["name"] or _default_name(check_type, whole)
    return whole


def _problems(check: Any, number: int) -> List[str]:
    if not isinstance(check, dict):
        return [f"Health check {number} must be a dictionary, not {_shown(check)}."]
    label = f"Health check {number} ({check['name']})" if _is_text(check.get("name")) else f"Health check {number}"
    types = [kind.value for kind in CheckType]
    if check.get("type") not in types:
        return [f"{label}: type must be one of {', '.join(types)}, not {_shown(check.get('type'))}."]
    keys = {**_COMMON, **_KEYS[CheckType(check["type"])]}
    problems = [
        f"{label}: {key} is not a key of a check of type {check['type']}; its keys are {', '.join(sorted(keys))}."
        for key in sorted(set(check) - set(keys), key=str)
    ]
    for key, meaning in keys.items():
        value = check.get(key)
        if value is None:
            if meaning.required:
                problems.append(f"{label}: {key} is missing; it must be {meaning.right}.")
        elif not meaning.is_right(value):
            problems.append(f"{label}: {key} must be {meaning.right}, not {_shown(value)}.")
    return problems or _contradictions(check, label)


def _contradictions(check: Mapping[str, Any], label: str) -> List[str]:
    if check["type"] != CheckType.ETCD.value:
        return []
    problems = []
    endpoints, minimum = len(check["endpoints"]), check.get("minimum_healthy")
    if minimum is not None and minimum > endpoints:
        problems.append(f"{label}: minimum_healthy is {minimum}, but only {endpoints} endpoints are given.")
    if bool(check.get("cert_file")) != bool(check.get("key_file")):
        problems.append(f"{label}: cert_file and key_file belong together; give both or neither.")
    return problems


def _default_name(check_type: CheckType, check: Mapping[str, Any]) -> str:
    if check_type is CheckType.HTTP:
        return f"http {check['url'].split('?', 1)[0]}"  # a query may hold a token
    if check_type is CheckType.TCP:
        return f"tcp {check['host']}:{check['port']}"
    if check_type is CheckType.COMMAND:
        return f"command {' '.join(check['argv'])}"
    if check_type is CheckType.UNIT:
        return f"unit {check['unit']}"
    return f"etcd of {len(check['endpoints'])} endpoints"


def _shown(value: Any) -> str:
    """A value for a message; headers and addresses may hold passwords, which do not belong there."""
    if isinstance(value, dict):
        return "this dictionary"
    text = re.sub(r"//[^/\s]*@", "//***@", repr(value))
    return text if len(text) <= 80 else f"{text[:77]}..."
