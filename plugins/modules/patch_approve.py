#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: patch_approve
short_description: Show plans, and approve those that are named
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Without O(approve), shows each plan's summary, its digest and the approvals it has.
  - With O(approve), signs an approval of exactly the plans that are named by their digests, with the approver's key,
    which C(ssh-keygen) alone reads. The approval is kept beside the plan and recorded in its ledger.
  - A plan whose policy says C(patch_approval=signature) is applied only when somebody other than who executes it has
    approved it.
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
  approve:
    description:
      - The digests of the plans to approve, or their first 16 or more digits.
      - One that names none of the plans that were asked for is an error, because the plan was replaced since.
    type: list
    elements: str
    default: []
  key:
    description:
      - The approver's key on the controller, a private one, or a public one whose private half an ssh-agent has.
      - Nothing asks for a passphrase. A key that has one must be in an ssh-agent.
    type: path
  purpose:
    description: What is approved. An approval for one purpose is none for the other.
    type: str
    choices: [apply, rollback]
    default: apply
"""

EXAMPLES = r"""
- name: Show the plans of the cycle
  bankops.fleet.patch_approve:
    cycle: 2026-11
  run_once: true
  delegate_to: localhost

- name: Approve a plan that was read
  bankops.fleet.patch_approve:
    cycle: 2026-11
    approve: [4ddee701469d8d8f]
    key: ~/.ssh/id_ed25519
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
plans:
  description: The digests of the plans that were shown or approved, by tenant.
  returned: success
  type: dict
  sample: {alpha: 4ddee701469d8d8f8b0c5e1f4ddee701469d8d8f8b0c5e1f4ddee701469d8d8f}
approvals:
  description: The approvals that were signed; none in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    tenant:
      description: The tenant of the plan.
      type: str
      returned: success
    plan:
      description: The digest of the plan.
      type: str
      returned: success
    how:
      description: How it was approved.
      type: str
      returned: success
      sample: signature
    purpose:
      description: What was approved.
      type: str
      returned: success
    approver:
      description: The approver's name in the allowed-signers file.
      type: str
      returned: success
    approver_key:
      description: The fingerprint of the key that signed.
      type: str
      returned: success
    created:
      description: When it was signed.
      type: str
      returned: success
    expires:
      description: Until when it holds.
      type: str
      returned: success
    executor:
      description: Empty, as nobody has executed the plan under this approval yet.
      type: str
      returned: success
    executor_key:
      description: Empty as well.
      type: str
      returned: success
"""
