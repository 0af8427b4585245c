# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of one try to deliver something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """Why something did not arrive. ``permanent``: a second try is in vain. ``wait``: seconds that were asked for."""

    reason: str
    permanent: bool
    wait: float = 0.0
