# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An approval that holds, as plain facts for ledgers and reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Approval:
    """Who approved a plan for which purpose, since when and until when, and who executes it.

    ``how`` is ``signature`` or ``awx``. Keys have no fingerprint in AWX; then these are empty.
    """

    how: str
    purpose: str
    approver: str
    approver_key: str
    created: str
    expires: str
    executor: str
    executor_key: str

    def as_data(self) -> dict[str, str]:
        """The approval as the entries of a ledger have it."""
        return dict(vars(self))
