#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: evidence_reconcile
short_description: Close attempts whose process died
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Finds attempts that were opened and never closed, and whose process does not live any more, takes in what they have
    left in spools, asks the hosts what they know of them, records that, and closes them as C(incomplete).
  - An attempt that gives signs of life is never touched. What became of a host that was left in the middle of its
    change is not decided here. It stays begun, with an outcome that is not known, until a further attempt on the same
    plan resumes it.
  - Hosts of the last attempt on a plan that had not answered when it was closed so are asked again, until somebody goes
    on with the plan, gives it up or seals it.
  - C(playbooks/evidence_reconcile.yml) runs its three parts one after the other.
extends_documentation_fragment:
  - bankops.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  part:
    description:
      - V(find), on the controller, finds the attempts, and leaves them as the fact C(fleet_reconcile).
      - V(ask), for each of their hosts, reads what the host knows, changes nothing there, and records it.
      - V(close), on the controller, closes them, and fails when nothing is known of hosts that are in the
        middle of their change.
    type: str
    choices: [find, ask, close]
    required: true
  cycle:
    description:
      - The cycle whose plans are meant, C(YYYY-MM), or C(YYYY-MM-eN) for an emergency one.
      - Without it and without O(plans), every plan of the state.
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
  attempts:
    description: What O(part=find) has found, for the other parts.
    type: list
    elements: dict
    default: []
  taken_in:
    description: How many entries O(part=find) has taken in from spools, for O(part=close).
    type: int
    default: 0
  timeout:
    description: Seconds to wait for the end of a change that is still at work on a host.
    type: float
    default: 5
seealso:
  - module: bankops.fleet.patch_attempt
"""

EXAMPLES = r"""
- name: Find the attempts that died
  bankops.fleet.evidence_reconcile:
    part: find
  run_once: true
  delegate_to: localhost
  delegate_facts: true
"""

RETURN = r"""
attempts:
  description: The attempts that died, and those that are closed and have silent hosts.
  returned: when O(part) is V(find)
  type: list
  elements: dict
  sample: [{tenant: alpha, plan: 0c5e2f, attempt: 2}]
said:
  description: By plan, what the host said of it.
  returned: when O(part) is V(ask)
  type: dict
  sample: {0c5e2f: {runs: {apply: {state: complete, status: 0, started: '2026-11-21T04:23:41Z'}}}}
closed:
  description:
    - The attempts that are closed, how many hosts were asked and answered, which were C(silent) or C(failed) instead,
      and which are C(left) in the middle of their change.
  returned: when O(part) is V(close)
  type: list
  elements: dict
  sample:
    - tenant: alpha
      plan: 0c5e2f
      attempt: 2
      asked: 3
      answered: 2
      silent: [web3]
      failed: []
      left: [web2]
      taken_in: 0
"""
