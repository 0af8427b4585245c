#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: evidence_seal
short_description: Seal plans that are at their end
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Closes plans whose every host has its final outcome, or which have expired, and on which no attempt is open. Of each
    it makes a bundle, a folder that anybody verifies with C(sha256sum) and C(ssh-keygen) alone, signed with the
    tenant's key and chained to the tenant's seal before it.
  - Nothing can be added to a sealed plan. A change can be rolled back under its plan until that is sealed.
  - A plan that is sealed already stays as it is; its bundle is made again if it is gone.
  - In check mode it says what would be sealed and which bundle would be made again, and refuses what it can without
    signing, such as a key that O(signers) does not name.
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
  key:
    description:
      - The path of the key that signs, or a mapping of tenants to paths.
      - The public half names a key that an C(ssh-agent) or a hardware key has.
    type: raw
  signers:
    description:
      - The allowed-signers file by which auditors verify the seals. A key that it does not list as C(seal@<tenant>) for
        the namespace C(bankops-fleet-seal) seals nothing.
    type: path
  bundles:
    description: The folder of the bundles; by default C(bundles) below C(fleet_state_dir).
    type: path
  cycle:
    description:
      - The cycle whose plans are meant, C(YYYY-MM), or C(YYYY-MM-eN) for an emergency one. A plan of it that cannot be
        sealed yet is an error.
      - Without it and without O(plans), every plan of the state that is at its end is sealed.
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
seealso:
  - module: bankops.fleet.evidence_verify
"""

EXAMPLES = r"""
- name: Seal what is at its end
  bankops.fleet.evidence_seal:
    key:
      alpha: /etc/bankops-fleet/seal-alpha.pub
      beta: /etc/bankops-fleet/seal-beta.pub
    signers: /etc/bankops-fleet/seal_signers
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
seals:
  description:
    - The seals of the plans that are sealed, whether by this task (C(new)) or before; C(made) says whether the bundle
      was made by this task.
  returned: always
  type: list
  elements: dict
  sample:
    - tenant: alpha
      number: 3
      plan: 0c5e2f
      cycle: 2026-11
      why: complete
      sealed: "2026-11-29T18:40:00Z"
      root: 9488d053d51d041e7246ae90813aab75ab0d9c506c1bd3dba37e87b73e137425
      bundle: /srv/fleet/bundles/alpha/0003-2026-11-0c5e2f1a9b3d4e5f
      new: true
      made: true
waiting:
  description: Plans that are not at their end, when none were named.
  returned: always
  type: list
  elements: dict
  sample: [{tenant: beta, plan: 7d1f0a, kind: plan_not_ended, msg: The plan is not at its end.}]
refused:
  description: Plans that could not be sealed, and why.
  returned: always
  type: list
  elements: dict
  sample: []
"""
