#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patch_report
short_description: Make the reports of a cycle
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Makes the summary of each plan, or the report of its result, from the plan and its ledger alone.
extends_documentation_fragment:
  - bankops.fleet.attributes
  - bankops.fleet.controller
  - bankops.fleet.plans
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  stage:
    description: Whether the plan is summarised, with what staging has found, or its result is reported.
    type: str
    choices: [plan, result]
    default: result
  judge:
    description: Fail when a host did not come out well, after the reports are made.
    type: bool
    default: false
  user_requests:
    description:
      - By tenant, the counts of its users' requests during the cycle, C(requests) and C(failed), when something
        measured them.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Make the reports
  bankops.fleet.patch_report:
    cycle: 2026-11
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
reports:
  description: The paths of the reports by tenant.
  returned: success
  type: dict
  sample: {alpha: /srv/fleet/tenants/alpha/plans/0c5e/report.html}
"""
