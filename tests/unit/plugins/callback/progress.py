# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How runs are asked to show themselves by ``bankops.fleet.progress``."""

from __future__ import annotations

# Without the evidence callback: there is no ledger in these runs.
OURS = dict.fromkeys(("ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_CALLBACKS_ENABLED"), "bankops.fleet.progress")
PLAYBOOK = ("playbook", "-i", "inventory.yml", "play.json")
