# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Databases for tests that have no attempt whose lease is to be kept."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState


def without_keeper(url: str, folder: Path) -> SpooledState:
    """The state at a URL, whose leases get a spool and no process that keeps them."""
    return SpooledState(url, folder, keep=lambda _order: None)
