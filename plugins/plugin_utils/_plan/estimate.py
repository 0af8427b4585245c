# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the change of a host takes: a simple model for the approver's calendar, not a promise.

Half a minute to begin and to verify, two seconds a package, a second for every 10 MB that is downloaded or unpacked,
two minutes for a reboot that is expected. A batch takes as long as its slowest host, a wave as long as its batches and
its soak.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

_BEGIN_AND_VERIFY = 30
_PER_PACKAGE = 2
_BYTES_PER_SECOND = 10 * 1000 * 1000
_REBOOT = 120
_LEAST_FACTOR = 0.5


def host_seconds(packages: Mapping[str, Any], reboot: str, reboot_required: bool) -> int:
    """Seconds that the planned change of one host takes; 0 when nothing is planned."""
    transaction = packages["transaction"]
    if not transaction:
        return 0
    changed = {change["name"] for change in transaction}
    kernel = any(update["is_kernel"] and update["name"] in changed for update in packages["pending"])
    reboots = reboot == "always" or (reboot == "if_required" and (kernel or reboot_required))
    moved: int = packages["download_bytes"] + abs(packages["disk_bytes"])
    return (
        _BEGIN_AND_VERIFY + _PER_PACKAGE * len(transaction) + moved // _BYTES_PER_SECOND + (_REBOOT if reboots else 0)
    )


def rough_seconds(packages: int) -> int:
    """The same by the number of packages alone, which is all that the head of a plan knows."""
    return _BEGIN_AND_VERIFY + _PER_PACKAGE * packages if packages else 0


def batch_seconds(batch: list[str], by_host: Mapping[str, int]) -> int:
    """Seconds that a batch takes."""
    return max((by_host.get(host, 0) for host in batch), default=0)


def measured_factor(pairs: Iterable[tuple[float, int]]) -> float:
    """How much longer hosts take than was estimated: the largest of measured over estimated seconds; 1 without any.

    Never below a half: hosts that were quick so far are no promise that the next ones are.
    """
    ratios = [measured / estimated for measured, estimated in pairs if estimated > 0]
    return max(_LEAST_FACTOR, *ratios) if ratios else 1.0


def expected_batch_seconds(batch: list[str], by_host: Mapping[str, int], factor: float) -> int:
    """Seconds that a batch takes, by the durations measured so far (``measured_factor``)."""
    return math.ceil(batch_seconds(batch, by_host) * factor)
