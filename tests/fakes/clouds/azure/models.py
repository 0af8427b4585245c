# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the fake says against the models of the installed azure-mgmt-compute and azure-mgmt-network.

The libraries themselves take what they do not know without a word, so their fields and types are asked. Older versions
have models of another make, by which nothing is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from functools import cache
from importlib import import_module
from types import NoneType
from typing import Any, Union, get_args, get_origin, get_type_hints


def answer_faults(answer: Any, library: str, model: str) -> Iterator[str]:
    """What in an answer is not as the model has it: unknown fields, missing ones, other types and values."""
    kind = getattr(import_module(f"azure.mgmt.{library}.models"), model)
    if _is_model(kind):
        yield from _faults(answer, kind, library, model)


def _faults(value: Any, kind: Any, library: str, place: str) -> Iterator[str]:
    kinds = [each for each in get_args(kind) if each is not NoneType] if get_origin(kind) is Union else [kind]
    # A text of which some values are known.
    known = next((each for each in kinds if isinstance(each, type) and issubclass(each, Enum)), None)
    kind = known or kinds[0]
    if get_origin(kind) is list and isinstance(value, list):
        for number, each in enumerate(value):
            yield from _faults(each, get_args(kind)[0], library, f"{place}[{number}]")
    elif get_origin(kind) is dict and isinstance(value, dict):
        for key, each in value.items():
            yield from _faults(each, get_args(kind)[1], library, f"{place}.{key}")
    elif known:
        if value not in {each.value for each in known}:
            yield f"{place}: {value!r} is not known to {known.__name__}"
    elif _is_model(kind) and isinstance(value, dict):
        fields = _fields(kind, library)
        yield from (f"{place} has no field {name}" for name in value.keys() - fields.keys())
        for name, its_kind in fields.items():
            if name in value:
                yield from _faults(value[name], its_kind, library, f"{place}.{name}")
            elif NoneType not in get_args(its_kind):
                yield f"{place} lacks {name}"
    elif kind is not Any and not isinstance(value, str if kind is datetime else get_origin(kind) or kind):
        yield f"{place} is {type(value).__name__} and not {getattr(kind, '__name__', kind)}"


def _is_model(kind: Any) -> bool:
    return getattr(kind, "_is_model", False)


@cache
def _fields(kind: Any, library: str) -> dict[str, Any]:
    """The types of a model's fields, by the names that they have on the wire."""
    types = get_type_hints(kind, localns={"_models": import_module(f"azure.mgmt.{library}.models")})
    # The library fills in the names when the first object is made.
    return {field._rest_name: types[name] for name, field in kind({})._attr_to_rest_field.items()}
