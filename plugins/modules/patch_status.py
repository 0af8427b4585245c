#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patch_status
short_description: Show how far a cycle has come
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Shows how far the plans of a cycle have come, read from each plan and its ledger alone, also while another process
    applies them.
  - Fails when somebody must look. There is no plan; a plan was never applied and has expired, or not when it should
    have been; an attempt is open and its process does not live; hosts are left of a plan that has expired; a host is
    not well; a ledger does not verify.
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
  cycle:
    description:
      - The cycle whose plans are meant, C(YYYY-MM), or C(YYYY-MM-eN) for an emergency one.
      - When it is not set, the cycle of this month (UTC).
    type: str
  expect:
    description:
      - What must be so of every plan, or the task fails. It must have begun, or be complete.
      - It must be so now, or from O(expected_by) on.
    type: str
    choices: [begun, complete]
  expected_by:
    description:
      - By when O(expect) must be so. Without O(expect), by when a plan must have begun.
      - A time with its zone (RFC 3339), or a date, whose end (UTC) is meant.
    type: str
"""

EXAMPLES = r"""
- name: Fail when the cycle of this month has not begun
  bankops.fleet.patch_status:
    expect: begun
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
status:
  description: The status of each plan, in the order of the cycle; docs/contracts.md has the keys.
  returned: when the plans were found
  type: list
  elements: dict
  sample:
    - tenant: alpha
      cycle: 2026-11
      state: running
      hosts: 10
      counts: {verified: 3, apply: 2, left: 5}
      budget: {spent: [], allowed: 1}
      estimated_end: "2026-11-14T23:40:00Z"
      troubles: []
"""
