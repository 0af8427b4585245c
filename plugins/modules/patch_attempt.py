#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patch_attempt
short_description: Open and close attempts on plans
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Opens an attempt on each plan of a cycle, which computes the hosts and batches that are left to do, or closes those
    that this run has opened.
  - An attempt that applies has its hosts and their clusters to itself. It is refused while another one that shares any
    of them is alive, and so is every attempt on a plan that has a living one.
  - An attempt is alive as long as the evidence callback gives a sign of life, at least once a minute. On the same
    machine one whose process has ended is known to be dead at once. A dead attempt is closed first, and the
    opening says whose lease was taken over.
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
    support: none
options:
  state:
    description:
      - Whether the attempts of this run are opened or closed.
      - V(abandoned) closes whatever attempt is open, whoever opened it. Use it only when that run is certain to have
        ended, such as one whose machine is gone; the next attempt resumes the hosts that it was working on.
      - V(gate) records in the attempts of this run that a hook has looked at the O(gate) and found it good.
    type: str
    choices: [open, closed, abandoned, gate]
    required: true
  purpose:
    description:
      - What the attempt may do. Changing modules refuse to work in an attempt of another purpose.
      - V(rollback) brings hosts that the plan has changed back to the versions from before, also when it has expired.
    type: str
    choices: [stage, apply, rollback]
    default: apply
  hosts:
    description: For O(purpose=rollback) the hosts to bring back, or V(all); nobody is brought back by default.
    type: list
    elements: str
  executor_key:
    description: The key of who executes, where the policy asks for signatures. Only C(ssh-keygen) reads it.
    type: path
  ticket:
    description: The id of the change's ticket, or a mapping of tenants to ids.
    type: raw
  gate:
    description: The gate that a hook has found good.
    type: str
    choices: [ticket]
  not_attempted:
    description: The reason recorded for hosts of the attempt that were never begun.
    type: str
    default: the attempt ended before its turn came
"""

EXAMPLES = r"""
- name: Open an attempt on each plan of the cycle
  bankops.fleet.patch_attempt:
    state: open
    cycle: 2026-11
  run_once: true
  delegate_to: localhost
  delegate_facts: true
"""

RETURN = r"""
fleet_attempts:
  description: The attempts that were opened. The evidence callback records them from here on.
  returned: when O(state=open)
  type: list
  elements: dict
  sample:
    - plan: 0c5e
      attempt: 1
      tenant: alpha
      cycle: 2026-11
      state_dir: /srv/fleet
      owner: "controller:4711:90210:6f1c/4026531836"
      hosts: [web1]
      outlook:
        purpose: apply
        population: 1
        before: {}
        spent: []
        max_failed: 1
        batches: [{wave: canary, batch: 1, of: 1, hosts: {web1: 60}}]
ansible_facts:
  description: The hosts and batch sizes for the play that follows, as C(fleet_rollout).
  returned: when O(state=open)
  type: dict
  sample: {fleet_rollout: {hosts: [web1, web2], serial: [1, 1], plans: {alpha: 0c5e}, cycle: 2026-11}}
tenants:
  description: What became of each tenant's hosts, with the counts of their outcomes.
  returned: when O(state=closed)
  type: dict
in_order:
  description: >-
    Whether every host was verified, had nothing to change, or waits as planned; when staging, whether every host that
    was asked for is staged.
  returned: when O(state=closed)
  type: bool
fleet_closed:
  description: The attempts that were closed. The evidence callback gives no sign of life for them any more.
  returned: when O(state=closed)
  type: list
  elements: dict
  sample: [{tenant: alpha, owner: "controller:4711:90210:6f1c/4026531836"}]
abandoned:
  description: The numbers of the attempts that were closed, by tenant.
  returned: when O(state=abandoned)
  type: dict
  sample: {alpha: 3}
"""
