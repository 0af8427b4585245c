# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Partial answers: the parameter ``fields`` of Google's APIs, like ``nextPageToken,items/*(warning/code,instances)``.

developers.google.com/workspace/drive/api/guides/performance#partial describes its language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.discovery import Document

Selection = dict[str, "Selection"]
"""What is selected of an object, by key; empty for all of it. The key ``*`` stands for every one."""


class SelectionError(ValueError):
    """A selector that is none, or that selects what there is not."""


def selection(text: str) -> Selection:
    """A selector as a tree. Raises SelectionError."""
    tokens = re.findall(r"[\w*]+|[(),/]", text)
    if "".join(tokens) != text:
        raise SelectionError(text)
    found = _list(tokens)
    if tokens:
        raise SelectionError("".join(tokens))
    return found


def _list(tokens: list[str]) -> Selection:
    found: Selection = {}
    while True:
        name = tokens.pop(0) if tokens else ""
        if not re.fullmatch(r"[\w*]+", name):
            raise SelectionError(name or "nothing")
        inner = found.setdefault(name, {})
        while tokens[:1] == ["/"]:
            tokens.pop(0)
            inner = inner.setdefault(tokens.pop(0) if tokens else "", {})
        if tokens[:1] == ["("]:
            tokens.pop(0)
            inner.update(_list(tokens))
            if tokens[:1] != [")"]:
                raise SelectionError("a bracket is not closed")
            tokens.pop(0)
        if tokens[:1] != [","]:
            return found
        tokens.pop(0)


def check(selected: Selection, schema: Mapping[str, Any], document: Document) -> None:
    """Raise SelectionError for a field that answers of this schema never have."""
    schema = document.resolved(schema)
    if schema.get("type") == "array":
        check(selected, schema["items"], document)
        return
    for name, inner in selected.items():
        field = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if field is None:
            raise SelectionError(f"Invalid field selection {name}")
        check(inner, field, document)


def select(value: Any, selected: Selection) -> Any:
    """The part of a value that is selected."""
    if not selected:
        return value
    if isinstance(value, list):
        return [select(each, selected) for each in value]
    if not isinstance(value, dict):
        return value
    wanted = {key: selected.get(key, selected.get("*")) for key in value}
    return {key: select(value[key], inner) for key, inner in wanted.items() if inner is not None}
