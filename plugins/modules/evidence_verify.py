#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: evidence_verify
short_description: Verify sealed plans
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Verifies one bundle, all bundles of a tenant, or those of all tenants. Every file against what was signed, the
    signature, the ledger's chain, every approval and executor, the chain of the seals, and anchors that are kept
    elsewhere.
  - Where there is a state, also that it agrees with the bundles, and that every plan is sealed or known to be open.
  - All findings are collected. The task fails when there is any; C(docs/auditors.md) says what each means.
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
  bundles:
    description:
      - A bundle, a folder with those of a tenant, or a folder with a folder for each tenant.
      - By default C(bundles) below C(fleet_state_dir).
    type: path
  signers:
    description:
      - An allowed-signers file of OpenSSH with the keys that may seal, each listed as C(seal@<tenant>).
      - It must not come from the bundles.
    type: path
    required: true
  approval_signers:
    description:
      - An allowed-signers file by which approvals and executors are judged. Without it, it is the copy in each bundle.
    type: path
  anchors:
    description:
      - Roots of seals that are kept elsewhere, each with C(tenant), C(number) and C(root).
    type: list
    elements: dict
    default: []
  state:
    description:
      - Whether to compare with the shared state. By default, when there is one; when C(fleet_state_dir) or
        C(fleet_store_url) names one that has no tenant, that is an error.
    type: bool
  current:
    description: Whether the month that runs must have its cycle already.
    type: bool
    default: false
  tenants:
    description: Look only at these tenants. Empty means all.
    type: list
    elements: str
    default: []
seealso:
  - module: bankops.fleet.evidence_seal
"""

EXAMPLES = r"""
- name: Verify what the bank has sent
  bankops.fleet.evidence_verify:
    bundles: /audit/2026/alpha
    signers: /audit/seal_signers
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
bundles:
  description:
    - The bundles that were looked at, each with its C(tenant), C(bundle) (the folder), C(root) and the number of its
      C(findings); where its seal can be read, also with C(number), C(plan), C(cycle) and when it was C(sealed).
  returned: when there are bundles
  type: list
  elements: dict
  contains:
    notes:
      description: What is not wrong, and must be known all the same, such as a plan that asks for no approval.
      returned: when there is any
      type: list
      elements: str
  sample:
    - tenant: alpha
      bundle: /srv/fleet/bundles/alpha/0003-2026-11-0c5e2f7a81b3d4e6
      root: 9488d0
      findings: 0
      number: 3
      plan: 0c5e2f
      cycle: 2026-11
      sealed: "2026-11-29T19:40:00Z"
      notes: [its plan asks for no approval]
findings:
  description: What is wrong, each with its C(kind), C(tenant), C(subject), C(what), C(where) and C(remedy).
  returned: when there are bundles
  type: list
  elements: dict
  sample:
    - kind: file_changed
      tenant: alpha
      subject: seal 3
      what: has the SHA-256 967f69067c4c9ffb, and 459613573512c2da was sealed
      where: ledger.jsonl
      remedy: Compare it with a copy that was made when the plan was sealed, and find out who changed it.
waiting:
  description: Plans of the state that are not sealed, and need not be yet.
  returned: when there are bundles
  type: list
  elements: dict
  sample: []
compared_with_state:
  description: Whether there was a state to compare with.
  returned: when there are bundles
  type: bool
"""
