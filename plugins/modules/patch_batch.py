#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patch_batch
short_description: Decide whether a batch may start
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Decides once for the hosts of a batch whether they may be begun, which they may not when a stop file is there, the
    failure budget is spent, or a wave before is not complete.
  - Waits for the soak of the wave before when it is shorter than C(patch_soak_wait_minutes).
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
  plan:
    description: The digest of the plan.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Ask whether the batch may start
  bankops.fleet.patch_batch:
    plan: "{{ patch_plan_digest }}"
  run_once: true
  register: batch
"""

RETURN = r"""
proceed:
  description: Whether the batch may start.
  returned: always
  type: bool
msg:
  description: Why it may not, or nothing.
  returned: always
  type: str
wave:
  description: The wave the batch belongs to.
  returned: when it is a batch of the plan and its turn has come
  type: str
hooks:
  description: The site's task files by the points at which they run.
  returned: always
  type: dict
"""
