# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What falconpy's own table of endpoints says of a request: whether there is such an operation, and what it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from falconpy._endpoint import api_endpoints

Values = Mapping[str, Sequence[str]]
_BOUNDS = re.compile(r"\[(\d+)\s?-\s?(\d+)\]")


@dataclass(frozen=True)
class Operation:
    """An operation of the API; parameters as the table has them."""

    name: str
    parameters: Sequence[Mapping[str, Any]]

    def faults(self, query: Values, form: Values, body: Any) -> Iterator[str]:
        """What a request has that the table does not know of, or does not allow."""
        yield from self._faults_in("query", query)
        yield from self._faults_in("formData", form)
        bodies = [parameter for parameter in self.parameters if parameter["in"] == "body"]
        if bodies and not isinstance(body, Mapping):
            yield "it has no JSON object as its body"
        if not bodies and body is not None:
            yield "it has a body, and the operation takes none"

    def _faults_in(self, place: str, values: Values) -> Iterator[str]:
        known = {parameter["name"]: parameter for parameter in self.parameters if parameter["in"] == place}
        yield from (f"{place} parameter {name} is unknown" for name in values if name not in known)
        for name, parameter in known.items():
            given = values.get(name, ())
            if parameter.get("required") and not given:
                yield f"{place} parameter {name} is missing"
            if len(given) > 1 and parameter.get("type") != "array":
                yield f"{place} parameter {name} is there twice"
            if len(given) > parameter.get("maxItems", len(given)):
                yield f"{place} parameter {name} has {len(given)} items"
            for value in given:
                yield from (f"{place} parameter {name}={value[:40]}: {fault}" for fault in _faults_of(value, parameter))


def operation(method: str, path: str) -> Operation | None:
    """The operation at a path; None when the table has none there."""
    return _operations().get((method, path))


@cache
def device_fields() -> frozenset[str]:
    """The fields of a device, as far as the table has them: it lists those that devices may be sorted by."""
    found = operation("GET", "/devices/combined/devices/v1")
    assert found
    sort = next(parameter for parameter in found.parameters if parameter["name"] == "sort")
    return frozenset(name for name in sort["enum"] if "." not in name)


@cache
def _operations() -> dict[tuple[str, str], Operation]:
    # Those with a variable in their path are used by nobody here.
    return {(each[1], each[2]): Operation(each[0], each[5]) for each in api_endpoints if "{" not in each[2]}


def _faults_of(value: str, parameter: Mapping[str, Any]) -> Iterator[str]:
    if parameter.get("type") == "integer":
        if not re.fullmatch(r"-?\d+", value):
            yield "is no integer"
            return
        # Most bounds stand in the description alone.
        described = _BOUNDS.search(parameter.get("description", ""))
        least, most = map(int, described.groups()) if described else (0, int(value))
        if not parameter.get("minimum", least) <= int(value) <= parameter.get("maximum", most):
            yield "is out of bounds"
    elif parameter.get("type") == "boolean" and value not in ("true", "false"):
        yield "is no truth value"
    if "enum" in parameter and value.partition(".")[0] not in parameter["enum"] and value not in parameter["enum"]:
        yield "is none of what is allowed"
    if not parameter.get("minLength", 0) <= len(value) <= parameter.get("maxLength", len(value)):
        yield "has not the right length"
    if "pattern" in parameter and not re.search(parameter["pattern"], value):
        yield "has not the right form"
