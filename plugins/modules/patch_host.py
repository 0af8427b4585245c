#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patch_host
short_description: Take a host through its planned change, and give it its outcome
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Compares the host with its plan, takes it out of service, applies the planned transaction, restarts or reboots,
    verifies that nothing got worse and returns the host to service. What fails on the way is rolled back.
  - Every step is one of the other modules of this collection, with its own guards, over the connection of this task or
    that of the load balancer. The ledger has the intent of each step before it, and its result before the next one.
  - A host that an earlier attempt left in the middle is examined first. What runs is waited for, what is done is not
    repeated, a reboot that has happened is not made again, and a rollback that was begun is finished.
  - The task does not fail when the host does. The outcome is in the ledger and in the result.
    It fails when the ledger cannot be written, or when no attempt of this run is open.
  - Under an attempt whose purpose is C(rollback) the versions from before the plan are brought back instead.
extends_documentation_fragment:
  - bankops.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  plan:
    description: The digest of the plan.
    type: str
    required: true
  part:
    description:
      - V(look) ends after the comparison with the plan when the host may proceed, so that something can be done before
        the change; V(change) goes on from there. V(whole) is both.
    type: str
    choices: [whole, look, change]
    default: whole
  refusal:
    description: Why the host is not to be begun, or not to be gone on with. It is recorded as its outcome's reason.
    type: str
  waiting:
    description: Whether the O(refusal) goes as planned, such as a soak that has not ended.
    type: bool
    default: false
seealso:
  - module: bankops.fleet.patch_batch
  - module: bankops.fleet.updates
  - module: bankops.fleet.haproxy_server
"""

EXAMPLES = r"""
- name: Take the host through the change
  bankops.fleet.patch_host:
    plan: "{{ patch_plan_digest }}"
"""

RETURN = r"""
outcome:
  description: The outcome of the host, whether it is in service, the reason and the holds.
  returned: when the host was judged
  type: dict
  sample: {outcome: verified, in_service: 'yes', reason: '', holds: []}
proceed:
  description: Whether the host may go on to its change.
  returned: always
  type: bool
  sample: false
failures:
  description:
    - What failed on the way of the host, in full, with the end of the package manager's log and the remedy.
    - Secrets of the host are taken out.
  returned: when a step failed
  type: list
  elements: dict
  sample:
    - step: apply
      msg: The transaction ended with status 100.
      remedy: Look at the log.
      log: 'E: No space left on device'
hooks:
  description: The site's task files of this host by the points at which they run.
  returned: always
  type: dict
  sample: {}
"""
