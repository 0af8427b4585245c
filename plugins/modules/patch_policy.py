#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patch_policy
short_description: Check the patch policy of the whole fleet
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Checks every C(patch_*) and C(fleet_*) variable of every host of the play, all at once, before a host is touched.
  - Each problem names the file, the key, the value and what would be right.
  - The same problem of many hosts is said once.
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
    description:
      - The cycle that is planned, C(YYYY-MM), or C(YYYY-MM-eN) for an emergency one, whose overrides then apply.
    type: str
"""

EXAMPLES = r"""
- name: Check the policy before anything else
  bankops.fleet.patch_policy:
    cycle: 2026-11
  run_once: true
"""

RETURN = r"""
hosts:
  description: How many hosts were checked.
  returned: success
  type: int
  sample: 9
tenants:
  description: The tenants these hosts belong to.
  returned: success
  type: list
  elements: str
  sample: [alpha, beta]
"""
