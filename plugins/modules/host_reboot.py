#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_reboot
short_description: Reboot a host under a plan, and prove it
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Reboots the host and waits until it is back.
  - A reboot is proven by a change of the boot id or of the start of process 1.
  - The intent is in the ledger before the host is told to reboot.
extends_documentation_fragment:
  - bankops.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
options:
  plan:
    description: The digest of the plan.
    type: str
    required: true
  timeout:
    description: Seconds to wait for the host. By default C(patch_reboot_timeout) as it is frozen in the plan.
    type: float
"""

EXAMPLES = r"""
- name: Reboot the host
  bankops.fleet.host_reboot:
    plan: "{{ patch_plan_digest }}"
  vars:
    fleet_phase: reboot
"""

RETURN = r"""
before:
  description: The proof of the boot before, the kernel's boot id and the start time of process 1.
  returned: success
  type: str
  sample: 4e9a2f5e-4f4c-4d0e-9f0c-0c2a1b7b9d11 163
after:
  description: The proof of the boot after.
  returned: success
  type: str
  sample: 4e9a2f5e-4f4c-4d0e-9f0c-0c2a1b7b9d11 90412
seconds:
  description: How long the host was away.
  returned: success
  type: float
  sample: 8.1
"""
