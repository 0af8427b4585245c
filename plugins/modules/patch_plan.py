#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patch_plan
short_description: Freeze a plan for each tenant
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Takes what M(bankops.fleet.updates_info) registered as C(fleet_scan) on the hosts of the play and freezes the exact
    changes, gates, waves and batches as one plan a tenant, which is known by its SHA-256 digest from then on.
  - A plan on which changes have begun is never replaced.
  - Each tenant's hosts are held against its latest plan; hosts that are gone from the inventory make the
    gate C(population) block. A ticket in the variable C(patch_ticket) must be of the form that
    C(patch_change_ticket) says.
extends_documentation_fragment:
  - bankops.fleet.attributes
  - bankops.fleet.controller
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  cycle:
    description: The cycle that is planned, C(YYYY-MM), or C(YYYY-MM-eN) for an emergency one.
    type: str
    required: true
  tenants:
    description: Plan only these tenants. Empty means all.
    type: list
    elements: str
    default: []
  replace:
    description:
      - Replace a plan of this cycle on which changes have begun and that cannot go on, because it expired or its
        failure budget is spent.
      - Both ledgers stay, and the old one names its successor. A plan with an open attempt is never replaced.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Freeze a plan for each tenant
  bankops.fleet.patch_plan:
    cycle: 2026-11
  run_once: true
  register: fleet_plan
"""

RETURN = r"""
plans:
  description: The plans, in the order in which they will be applied.
  returned: success
  type: list
  elements: dict
  contains:
    tenant:
      description: The tenant.
      type: str
      returned: success
    plan:
      description: The digest of the plan.
      type: str
      returned: success
    summary:
      description: The path of the summary in Markdown.
      type: str
      returned: when not in check mode
"""
