# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the modules for whole cycles are told which plans are meant."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that choose plans."""

    DOCUMENTATION = r"""
options:
  cycle:
    description: The cycle whose plans are meant, C(YYYY-MM), or C(YYYY-MM-eN) for an emergency one.
    type: str
  plans:
    description: Plans to take instead of those of the cycle, each with its C(tenant) and its digest as C(plan).
    type: list
    elements: dict
    default: []
  tenants:
    description: Take only the plans of these tenants. Empty means all.
    type: list
    elements: str
    default: []
"""
