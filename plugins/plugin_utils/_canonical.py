# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One way to write plain data as bytes, so that equal data has equal digests: sorted keys, no spaces, UTF-8."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeGuard

_SCALARS = frozenset({str, int, float, bool, type(None)})
# Looking for circles takes as long as all the rest, and plain data has none.
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


def canonical(value: Any) -> bytes:
    """The canonical JSON of plain data.

    Raises TypeError for what JSON would change on the way or does not know: keys that are no strings, tuples, dates,
    sets. Raises ValueError for NaN and the infinities.
    """
    _refuse_changing(value)
    return _ENCODER.encode(value).encode()


def encoded(document: dict[str, Any]) -> bytes:
    """The JSON of what was made of JSON, whose digest is only ever taken of these bytes: sorted keys, no spaces, UTF-8.

    A plan has one such document a host. Nobody writes it a second time and compares, so it need not agree with
    ``canonical`` about the digits of a fraction, and is written and read some times faster.

    Raises TypeError for what JSON does not know, and for whole numbers beyond 64 bits.
    """
    # What every task imports is paid for on every host.
    import orjson

    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def quick_json(value: Any) -> bytes:
    """JSON as it comes, keys in their own order, for files that nobody compares. Raises TypeError as ``encoded``."""
    import orjson

    return orjson.dumps(value)


def decoded(content: bytes) -> Any:
    """The value that JSON stands for. Raises ValueError for what is no JSON, NaN and the infinities among it."""
    import orjson

    return orjson.loads(content)


def digest(value: Any) -> str:
    """The SHA-256 of the canonical JSON of plain data, in lower-case hexadecimal digits."""
    return digest_of_bytes(canonical(value))


def digest_of_bytes(content: bytes) -> str:
    """The SHA-256 of ``content``, in lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def is_whole_number(value: object) -> TypeGuard[int]:
    """Whether plain data is a whole number; true and false, which Python counts among them, are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _refuse_changing(value: Any) -> None:
    """json.dumps writes a tuple as a list and the key 1 as "1", so that two different values would share a digest.

    A loop that looks at every value once and keeps none of them, because a large plan has millions.
    """
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            _refuse_other_keys(inner)
            waiting += [item for item in inner.values() if type(item) not in _SCALARS]
        elif isinstance(inner, list):
            waiting += [item for item in inner if type(item) not in _SCALARS]
        elif isinstance(inner, tuple):
            raise TypeError(f"{inner!r} is a tuple; lists are written as lists.")


def _refuse_other_keys(mapping: dict[Any, Any]) -> None:
    try:
        # Joining is the quickest way to see that all of them are strings.
        "".join(mapping)
    except TypeError:
        strange = next(key for key in mapping if not isinstance(key, str))
        raise TypeError(f"{strange!r} is a key of type {type(strange).__name__}; keys are strings.") from None
