# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell of a page: one file that asks nobody for anything, and in which nothing from outside is ever code.

Style and script are ours, stand in the page, and are the only ones that its Content-Security-Policy lets run: their
digests are in it. Every value passes `shown`, then Jinja's escaping, or `embedded`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page import words
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.page.marks import MARKS
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.texts import shortened, visible

_PARTS = Path(__file__).parent
_LONGEST = 2000
_POLICY = (
    "default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:; base-uri 'none'; form-action 'none'"
)


def page(template: str, scripts: Iterable[str], context: Mapping[str, Any]) -> str:
    """The page that ``template`` makes of ``context``; ``scripts`` are files beside this one, in their order."""
    style = _part("page.css")
    script = "\n".join(_part(name) for name in scripts)
    policy = _POLICY.format(style=_source(style), script=_source(script))
    ours = {"style": Markup(style), "script": Markup(script)}  # noqa: S704  files beside this one
    return _environment().get_template(template).render(context, policy=policy, **ours)


def shown(value: Any) -> Any:
    """A text from outside as a page shows it: nothing unseen in it, and of a megabyte only how it begins."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return visible(shortened(value, _LONGEST))


def embedded(data: Any) -> Markup:
    """JSON for a script element: nothing in it ends the element, begins a comment, or is a line's end to JavaScript."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704  it holds none of the characters that HTML gives a meaning; the rest is ASCII


def _environment() -> Environment:
    # Escaping is for every template, whatever its name; an unknown name is an error, not an empty cell.
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FileSystemLoader(_PARTS),
    )
    filters: dict[str, Callable[..., Any]] = {
        "count": words.count,
        "embedded": embedded,
        "figure": words.figure,
        "moment": words.moment,
        "several": words.several,
        "span": words.span,
        "words": words.plain,
    }
    environment.filters.update(filters)
    environment.globals["marks"] = MARKS
    return environment


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """How a Content-Security-Policy names an inline element: by the digest of what stands between its tags."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
