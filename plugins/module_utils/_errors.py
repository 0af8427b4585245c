# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception that engines raise for what a user can act on."""

from __future__ import annotations

from typing import Any, Dict, Optional


class FleetError(Exception):
    """Something a user can act on: what is wrong, of which kind, and what to do next.

    ``kind`` is a short snake_case word that callers may branch on (``lock_held``, ``transaction_mismatch``);
    ``remedy`` is a sentence; ``data`` is plain data that goes into the task's result.
    """

    def __init__(self, message: str, *, kind: str, remedy: str = "", data: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.remedy = remedy
        self.data = data or {}

    def as_result(self) -> Dict[str, Any]:
        """The arguments of ``fail_json``: ``{"msg", "fleet_failure": {"kind", "remedy", "data"}}``."""
        message = f"{self.message} {self.remedy}" if self.remedy else self.message
        return {"msg": message, "fleet_failure": {"kind": self.kind, "remedy": self.remedy, "data": self.data}}
