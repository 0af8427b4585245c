# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scans of healthy hosts, of the shape of docs/contracts.md."""

from __future__ import annotations

from typing import Any

OPENSSL = {"name": "openssl", "arch": "amd64", "action": "upgrade", "installed": "3.0.11-1", "candidate": "3.0.17-1"}


def pending(change: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The pending update of a change."""
    return {
        **{key: change[key] for key in ("name", "arch", "installed", "candidate")},
        "source": change["name"],
        "origin": "Debian:bookworm-security",
        "is_security": True,
        "severity": "unknown",
        "advisories": [],
        "cves": "unknown",
        "is_kernel": False,
        "selected": True,
        "reason": None,
        **values,
    }


def scan(machine: str = "m1", transaction: list[dict[str, Any]] | None = None, **packages: Any) -> dict[str, Any]:
    """What updates_info returns for a healthy host on which openssl is pending."""
    changes = [OPENSSL] if transaction is None else transaction
    free = {"size": 20_000_000_000, "free": 10_000_000_000}
    return {
        "state": {
            "machine_id": machine,
            "disk": {"/": dict(free), "/boot": dict(free), "/var": dict(free)},
            "mounts": ["/"],
            "reboot": {"required": False, "reasons": []},
        },
        "packages": {
            "manager": "apt",
            "pending": [pending(change) for change in changes if change["action"] != "remove"],
            "transaction": [dict(change) for change in changes],
            "not_pending": [],
            "held": [],
            "locks": [],
            "interrupted": {"interrupted": False, "details": []},
            "other_actors": [],
            "refreshed": True,
            "refresh_error": None,
            "download_bytes": 1_000_000,
            "disk_bytes": 2_000_000,
            **packages,
        },
        "checks": [],
    }
