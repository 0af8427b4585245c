# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON format: the model as it is, a row a line, for programs and for those who want every text whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import quick_json
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document

NAME = "report.json"

# JSON itself escapes the control characters of ASCII only. These steer a terminal too, or turn the direction of
# writing, for somebody who looks at the file: DEL, the control characters of Latin 1, zero-width and bidi characters.
_UNSEEN = re.compile(
    rb"\x7f|\xc2[\x80-\x9f\xad]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xf3\xa0[\x80-\x83]."
)


def write_json(document: Document, folder: Path) -> list[Path]:
    """Write ``report.json``: the same bytes for the same document. Raises OSError."""
    path = folder / NAME
    with path.open("wb") as stream:
        stream.writelines(_pieces(document))
    return [path]


def _pieces(document: Document) -> Iterator[bytes]:
    """Piece by piece, so that a large report is never in memory a second time."""
    before = b"{"
    for key, value in document.as_data().items():
        yield before + _json(key) + b":"
        if isinstance(value, tuple) and value:
            yield b"[\n" + _json(value[0])
            for row in value[1:]:
                yield b",\n" + _json(row)
            yield b"\n]"
        else:
            yield _json(value)
        before = b",\n"
    yield b"}\n"


def _json(value: Any) -> bytes:
    try:
        content = quick_json(value)
    except TypeError:
        # A byte that is no UTF-8 became half a surrogate pair on its way through Python, which no JSON can hold.
        content = quick_json(_unicode(value))
    return _UNSEEN.sub(_escaped, content)


def _escaped(found: re.Match[bytes]) -> bytes:
    units = found.group().decode().encode("utf-16-be")
    return b"".join(b"\\u%04x" % int.from_bytes(units[place : place + 2], "big") for place in range(0, len(units), 2))


def _unicode(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if is_dataclass(value) and not isinstance(value, type):
        return _unicode(asdict(value))
    if isinstance(value, dict):
        return {_unicode(key): _unicode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_unicode(item) for item in value]
    return value
