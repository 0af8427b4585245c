#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patch_outcome
short_description: Decide the outcome of a host
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Decides the one outcome of a host from the results of its steps, and whether it is in service.
  - The evidence callback writes it to the ledger.
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
  steps:
    description: The registered results of the steps by their names.
    type: dict
    default: {}
  failure:
    description: What a task that is not a step said when it failed, such as a hook.
    type: str
    default: ''
  not_attempted:
    description: The reason why the host was not attempted at all.
    type: str
"""

EXAMPLES = r"""
- name: Decide the outcome
  bankops.fleet.patch_outcome:
    plan: "{{ patch_plan_digest }}"
    steps:
      preflight: "{{ preflight }}"
      apply: "{{ apply }}"
      verify: "{{ verify }}"
  vars:
    fleet_phase: outcome
"""

RETURN = r"""
fleet_outcome:
  description: The outcome, whether the host is in service, the reason and the holds.
  returned: when not in check mode
  type: dict
  sample: {outcome: verified, in_service: 'yes', reason: '', holds: []}
hooks:
  description: The site's task files of this host by the points at which they run.
  returned: always
  type: dict
"""
