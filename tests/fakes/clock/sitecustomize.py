# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock that is wrong: every Python process with this folder in PYTHONPATH reads the time off by what a file says.

The seconds stand in the file that FAKE_CLOCK names, and may change while the process runs. As with a real clock that is
put forward or back, durations stay what they are. Debian's libfaketime cannot do that: its ``clock_nanosleep`` breaks
``time.sleep`` unless the monotonic clock jumps as well.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

SECONDS = Path(os.environ["FAKE_CLOCK"])


class WrongTime(datetime.datetime):
    """What ``datetime`` is in such a process."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> WrongTime:
        """The time by the wrong clock."""
        return super().now(tz) + datetime.timedelta(seconds=float(SECONDS.read_text()))

    def __repr__(self) -> str:
        """As usual: ansible-core writes it into what it sends to hosts."""
        return super().__repr__().replace("WrongTime", "datetime.datetime", 1)


datetime.datetime = WrongTime  # type: ignore[misc]
