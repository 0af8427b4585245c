# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules that stage and apply a transaction."""

from __future__ import annotations


class ModuleDocFragment:
    """What TRANSACTION_SPEC in module_utils/_packages/arguments.py accepts."""

    DOCUMENTATION = r"""
options:
  plan:
    description: The digest of the plan, 64 hexadecimal digits.
    type: str
    required: true
  transaction:
    description:
      - The host's transaction as RV(bankops.fleet.updates_info#module:packages) returns it.
      - Filled in from the plan by the controller half.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the package.
        type: str
        required: true
      arch:
        description: Architecture of the package.
        type: str
        required: true
      action:
        description: What happens to the package.
        type: str
        required: true
        choices: [install, upgrade, downgrade, remove]
      installed:
        description: The version from before; empty for an install.
        type: str
      candidate:
        description: The version afterwards; empty for a removal.
        type: str
  package_manager:
    description: The package manager of the host. Filled in from the plan by the controller half.
    type: str
    choices: [auto, apt, dnf]
    default: auto
"""
