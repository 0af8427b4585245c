#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: report
short_description: Make reports for people, programs and auditors
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Makes reports from the shared state alone, of a cycle, of single plans, of tenants over all their cycles, or of the
    whole fleet. All formats of a report say the same.
  - A report is of one tenant, in a folder of its own, unless it is of the fleet.
  - What the figures of a plan come to is kept beside it, so that the trend over the cycles reads no ledger twice.
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
  scope:
    description:
      - What a report is about. V(cycle) needs O(cycle), V(plan) needs O(plans).
      - V(tenant) is every plan of a tenant; how hosts are now is read from the latest.
      - V(fleet) is one report of all tenants together, each with its latest plan, or with that of O(cycle).
      - When O(plans) is set, V(plan) is meant.
    type: str
    choices: [plan, cycle, tenant, fleet]
    default: cycle
  formats:
    description:
      - What is written. V(html), V(json), V(csv), V(xlsx), V(oscal), V(pdf), or V(history), a page over all cycles, for
        which O(scope) is V(tenant) or V(fleet).
      - V(pdf) needs WeasyPrint.
    type: list
    elements: str
    default: [html]
  dest:
    description:
      - The folder for the reports, which is made if it is not there. Each tenant's are in a folder below it that has
        the tenant's name; those of the fleet are in the folder itself.
      - Needed except in check mode.
    type: path
  sample:
    description:
      - Draw hosts for an auditor, with a dossier of each. What was pending, who approved, what was changed, how it was
        verified.
    type: dict
    suboptions:
      seed:
        description: Any text. The same one draws the same hosts; the report says how.
        type: str
        required: true
      size:
        description: How many hosts are drawn.
        type: int
        default: 10
  compare_with:
    description: The earlier cycle to compare with. When it is not set, the one before.
    type: str
  bundles:
    description:
      - The folder of the sealed bundles that V(history) links to; by default C(bundles) below C(fleet_state_dir).
    type: path
  user_requests:
    description:
      - By tenant, the counts of its users' requests during the cycle, C(requests) and C(failed), when something
        measured them.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Make the reports of a cycle for people and for auditors
  bankops.fleet.report:
    cycle: 2026-11
    formats: [html, xlsx, oscal]
    dest: /srv/reports/2026-11
    sample:
      seed: drawn on 2026-12-01
      size: 25
  run_once: true
  delegate_to: localhost

- name: Make the history of each tenant
  bankops.fleet.report:
    scope: tenant
    formats: [history]
    dest: /srv/reports/history
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
reports:
  description: The paths of the reports, by tenant (C(fleet) for one of the whole fleet) and format.
  returned: success
  type: dict
  sample: {alpha: {html: [/srv/reports/2026-11/alpha/report.html]}}
briefs:
  description: By tenant what a message says of its report.
  returned: success
  type: dict
  sample: {alpha: {title: Cycle 2026-11 of alpha, well: true}}
"""
