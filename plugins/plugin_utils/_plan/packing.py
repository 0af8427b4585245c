# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scan as one compressed text: Ansible keeps every result until the run ends, and a scan is 100 kB of objects."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any


def pack(scan: Mapping[str, Any]) -> str:
    """What ``updates_info`` returned, some twentieth of its size."""
    return base64.b64encode(zlib.compress(json.dumps(scan, separators=(",", ":")).encode(), 1)).decode()


def unpack(packed: str) -> dict[str, Any]:
    """The scan that was packed. Raises ValueError for any other text."""
    try:
        scan = json.loads(zlib.decompress(base64.b64decode(packed)))
    except (ValueError, zlib.error) as problem:
        raise ValueError(f"no packed scan: {problem}") from problem
    if not isinstance(scan, dict):
        raise ValueError(f"no packed scan: a {type(scan).__name__}")
    return scan
