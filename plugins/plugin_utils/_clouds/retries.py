# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trying again what a busy service refused, within the time there is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")
ATTEMPTS = 8
FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


@dataclass(frozen=True)
class Deadline:
    """The moment by which something must be done, on the monotonic clock."""

    moment: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline so many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """The seconds that are left, never below 0."""
        return max(0.0, self.moment - time.monotonic())


@dataclass(frozen=True)
class Refusal:
    """Why a call may be tried again, and after how many seconds the service wants that; None when it did not say."""

    reason: Exception
    after: float | None = None


def retrying(
    call: Callable[[], _T],
    judge: Callable[[Exception], Refusal | None],
    deadline: Deadline,
    *,
    attempts: int = ATTEMPTS,
    sleep: Callable[[float], None] = time.sleep,
) -> _T:
    """What ``call`` returns, tried again while ``judge`` says that its exception passes by itself.

    Between the attempts there is what the service asks for, or else a random time below a limit that doubles, so that
    those who were refused together do not come back together. An attempt that would begin after the deadline is not
    made: the last exception is raised, as it is when ``judge`` returns None.
    """
    for attempt in range(attempts):
        try:
            return call()
        except Exception as problem:
            refusal = judge(problem)
            limit = min(LONGEST_SECONDS, FIRST_SECONDS * 2**attempt)
            # Jitter spreads clients; nothing secret depends on it.
            pause = random.uniform(0, limit)  # noqa: S311
            if refusal is not None and refusal.after is not None:
                pause += max(0.0, refusal.after)
            if refusal is None or attempt == attempts - 1 or pause >= deadline.left:
                raise
        sleep(pause)
    raise AssertionError("The last attempt returns or raises.")
