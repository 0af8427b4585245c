# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Google API takes and answers, by the discovery document that comes with google-api-python-client.

Nothing here knows of any one API: its document says which methods there are, and how they are called.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from googleapiclient.discovery_cache import get_static_doc

_INTEGERS = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
_PYTHON: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


@dataclass(frozen=True)
class Method:
    """A method of an API: how it is called, and by which schema it answers."""

    document: Document
    id: str
    path: re.Pattern[str]
    description: Mapping[str, Any]

    @property
    def access(self) -> frozenset[str]:
        """The OAuth scopes of which a token needs one; empty where the document names none."""
        return frozenset(self.description.get("scopes", ()))

    @property
    def answer(self) -> Mapping[str, Any]:
        """The schema of what it answers."""
        return dict(self.description.get("response", {"type": "object"}))

    def parameters(self, path: Mapping[str, str], query: Mapping[str, list[str]]) -> tuple[dict[str, Any], list[str]]:
        """The parameters of a call, typed, repeated ones as lists; and what is wrong with them."""
        known = {**self.document.parameters, **self.description.get("parameters", {})}
        given = {**{name: [value] for name, value in path.items()}, **query}
        found: dict[str, Any] = {}
        wrong = [f"{self.id}: needs {name}" for name in known if known[name].get("required") and name not in given]
        for name, values in given.items():
            if name not in known:
                wrong.append(f"{self.id}: has no parameter {name}")
                continue
            schema = known[name]
            if len(values) > 1 and not schema.get("repeated"):
                wrong.append(f"{self.id}: {name} is given {len(values)} times")
            typed = [_typed(value, schema) for value in values]
            wrong += [fault for value in typed for fault in self.document.faults(value, schema, f"{self.id}: {name}")]
            found[name] = typed if schema.get("repeated") else typed[0]
        return found, wrong

    def body_faults(self, body: Any) -> list[str]:
        """What is wrong with the body of a request; None stands for none."""
        schema = self.description.get("request")
        if schema is None:
            return [] if body is None else [f"{self.id}: takes no body"]
        return list(self.document.faults(body, schema, f"{self.id}: body"))

    def answer_faults(self, answer: Any) -> list[str]:
        """What is wrong with an answer: a fake must not say what the API would not."""
        return list(self.document.faults(answer, self.answer, f"{self.id}: answer"))


class Document:
    """A discovery document, ``compute`` and ``v1`` for example."""

    def __init__(self, name: str, version: str) -> None:
        text = get_static_doc(name, version)
        if text is None:
            raise LookupError(f"google-api-python-client has no document of {name} {version}.")
        content = json.loads(text)
        self.host: str = urlsplit(content["rootUrl"]).netloc
        self.parameters: dict[str, Any] = content["parameters"]
        self.schemas: dict[str, Any] = content["schemas"]
        self.methods = [self._method(content["servicePath"], method) for method in _methods(content)]

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method on a path, and the parameters in it."""
        for method in self.methods:
            if method.description["httpMethod"] == verb and (match := method.path.fullmatch(path)):
                return method, match.groupdict()
        return None

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """A schema, which another one may stand for by its name."""
        return dict(self.schemas[schema["$ref"]]) if "$ref" in schema else schema

    def faults(self, value: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
        """Where a value is not as a schema says."""
        schema = self.resolved(schema)
        kind = schema.get("type", "any")
        if kind == "any":
            return
        if not _is(value, kind):
            yield f"{place}: {value!r} is no {kind}"
        elif kind == "object":
            yield from self._faults_of_object(value, schema, place)
        elif kind == "array":
            for number, each in enumerate(value):
                yield from self.faults(each, schema["items"], f"{place}[{number}]")
        else:
            yield from _faults_of_scalar(value, schema, place)

    def _faults_of_object(self, value: dict[str, Any], schema: Mapping[str, Any], place: str) -> Iterator[str]:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for key, each in value.items():
            inner = properties.get(key, others)
            if inner is None:
                yield f"{place}: has no field {key}"
            # A field of null is one that is left out.
            elif each is not None:
                yield from self.faults(each, inner, f"{place}.{key}")

    def _method(self, base: str, description: Mapping[str, Any]) -> Method:
        def pattern(match: re.Match[str]) -> str:
            name = match.group(2)
            # With a plus, slashes belong to the parameter, and its own pattern says how many.
            within = description["parameters"][name].get("pattern", ".+").strip("^$") if match.group(1) else "[^/:]+"
            return f"(?P<{name}>{within})"

        # Between the parameters there are letters, slashes and colons.
        path = re.sub(r"{(\+?)(\w+)}", pattern, f"/{base}{description['path']}")
        return Method(self, description["id"], re.compile(path), description)


@cache
def document(name: str, version: str) -> Document:
    """The document: reading it takes a tenth of a second or two."""
    return Document(name, version)


def _methods(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from resource.get("methods", {}).values()
    for child in resource.get("resources", {}).values():
        yield from _methods(child)


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _PYTHON[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """A parameter as its type; a text that is none stays one, and is found to be wrong."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def _faults_of_scalar(value: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is none of {', '.join(schema['enum'])}"
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        yield f"{place}: {value!r} does not match {schema['pattern']}"
    least, most = _INTEGERS.get(schema.get("format", ""), (-math.inf, math.inf))
    least, most = float(schema.get("minimum", least)), float(schema.get("maximum", most))
    if (least > -math.inf or most < math.inf) and not (_is_number(value) and least <= float(value) <= most):
        yield f"{place}: {value!r} is not within its limits"
    if not _has_format(value, schema.get("format", "")):
        yield f"{place}: {value!r} is no {schema['format']}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or bool(re.fullmatch(r"-?\d+", value))


def _has_format(value: Any, form: str) -> bool:
    try:
        if form == "byte":
            base64.b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
        elif form in ("google-datetime", "date-time"):
            datetime.fromisoformat(value)
        elif form == "google-duration":
            return bool(re.fullmatch(r"-?\d+(\.\d{1,9})?s", value))
    except (binascii.Error, ValueError):
        return False
    return True
