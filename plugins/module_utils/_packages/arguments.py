# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments that the modules updates_stage and updates share."""

from __future__ import annotations

from typing import Any, Dict

TRANSACTION_SPEC: Dict[str, Any] = {
    "plan": {"type": "str", "required": True},
    "transaction": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "arch": {"type": "str", "required": True},
            "action": {"type": "str", "required": True, "choices": ["install", "upgrade", "downgrade", "remove"]},
            "installed": {"type": "str"},
            "candidate": {"type": "str"},
        },
    },
    "package_manager": {"type": "str", "choices": ["auto", "apt", "dnf"], "default": "auto"},
}
