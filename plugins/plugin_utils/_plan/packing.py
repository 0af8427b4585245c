# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scan as compressed text: Ansible keeps every result until the run ends, and a scan is 100 kB of objects.

The updates are a text of their own. Hosts of one kind have the same before them, which need be read only once.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import decoded
from ansible_collections.bankops.fleet.plugins.plugin_utils._once import MOST

_UPDATES = ("pending", "transaction")


def pack(scan: Mapping[str, Any]) -> dict[str, str]:
    """What ``updates_info`` returned, some twentieth of its size."""
    packages = scan.get("packages")
    # Whether the answer of the host is whole is for the plan to say.
    if not isinstance(packages, Mapping):
        return {"updates": _text({}), "scan": _text(scan)}
    updates = {key: value for key, value in packages.items() if key in _UPDATES}
    others = {key: value for key, value in packages.items() if key not in _UPDATES}
    return {"updates": _text(updates), "scan": _text({**scan, "packages": others})}


def unpacker() -> Callable[[object], dict[str, Any]]:
    """A function that returns the scan that was packed, and raises ValueError for anything else.

    Scans that had the same updates share them: they must not be changed.
    """
    updates_of = lru_cache(maxsize=MOST)(_value)

    def unpack(packed: object) -> dict[str, Any]:
        if not isinstance(packed, Mapping) or not {"updates", "scan"} <= packed.keys():
            raise ValueError("no packed scan: it has no updates or no scan")
        scan, updates = _value(packed["scan"]), updates_of(packed["updates"])
        if isinstance(scan.get("packages"), dict):
            scan["packages"].update(updates)
        return scan

    return unpack


def _text(value: Mapping[str, Any]) -> str:
    return base64.b64encode(zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1)).decode()


def _value(text: object) -> dict[str, Any]:
    try:
        value = decoded(zlib.decompress(base64.b64decode(str(text))))
    except (ValueError, zlib.error) as problem:
        raise ValueError(f"no packed scan: {problem}") from problem
    if not isinstance(value, dict):
        raise ValueError(f"no packed scan: a {type(value).__name__}")
    return value
