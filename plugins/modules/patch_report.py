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
  - Makes the summary of each plan, or the report of its result, from the plan and its ledger alone, and keeps it beside
    the plan, so that its seal covers it.
  - What was sealed stays as it was. Of a sealed plan it shows the same, and keeps nothing.
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
  formats:
    description:
      - In which formats the report of a result is kept, V(html), V(json), V(csv), V(xlsx), V(oscal) or V(pdf). Files of
        other formats, which an earlier report left beside the plan, are taken away.
      - V(pdf) needs WeasyPrint.
    type: list
    elements: str
    default: [html, json, csv, xlsx, oscal]
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
  description:
    - By tenant, the path of the summary or of the page, or of the first file where V(html) is not among O(formats).
    - A tenant whose plan is sealed is not named, for its reports stay as they were sealed.
  returned: success
  type: dict
  sample: {alpha: /srv/fleet/tenants/alpha/plans/0c5e/report.html}
files:
  description: The paths of all files of each report, by tenant and format, where O(stage) is V(result).
  returned: success
  type: dict
  sample:
    alpha:
      html: [/srv/fleet/tenants/alpha/plans/0c5e/report.html]
      oscal: [/srv/fleet/tenants/alpha/plans/0c5e/oscal/assessment-results.json]
"""
