#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: updates_stage
short_description: Put everything that a planned change and its way back need on the host
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Downloads the packages that a plan names and verifies them against the repository's metadata, so that nothing waits
    for a mirror inside the maintenance window.
  - Keeps the versions of today for the way back, from the package manager's cache, from a repository, or (Debian
    packages) repacked from the installed files.
  - Reads the CVE ids in the changelogs of the downloaded packages.
  - Installs nothing. What is there already is not fetched again.
  - Packages of other plans that were staged more than 90 days ago are removed.
  - In playbooks the controller half of this module takes the transaction and the package manager from the plan, so that
    only O(plan) is given.
extends_documentation_fragment:
  - bankops.fleet.attributes
  - bankops.fleet.transaction
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  keep:
    description: Whether to keep the versions of today, so that the change can be rolled back.
    type: bool
    default: true
  minimum_free:
    description: Megabytes that must stay free on the disk that holds C(/var/lib/bankops-fleet).
    type: int
    default: 256
seealso:
  - module: bankops.fleet.updates
"""

EXAMPLES = r"""
- name: Stage the planned packages before the window
  bankops.fleet.updates_stage:
    plan: "{{ patch_plan_digest }}"
"""

RETURN = r"""
staged:
  description: The planned packages on the host, with their SHA-256 and size in bytes.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: openssl, arch: amd64, version: 3.0.22-1~deb12u2, file: openssl_3.0.22-1~deb12u2_amd64.deb,
       sha256: 0f4a3e0a9a1a0bb1d1a0d4b5a1b6f5a9a43ee7b6f0a1d56b2b4f9b4b8f4c2d11, size: 1441784}
kept:
  description: The packages for the way back, and whether they came from a repository, the cache, or were repacked.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: openssl, arch: amd64, version: 3.0.20-1~deb12u2, file: openssl_3.0.20-1~deb12u2_amd64.deb,
       sha256: 5d3b2b0c1f1e4e0f8ad4c1b9b3f2a1907a7d7c1c3c1b1a2f0e9d8c7b6a594837, size: 1439604, how: repository}
cves:
  description: CVE ids that each package closes, or V(unknown) where neither changelog nor advisory tells.
  returned: success
  type: dict
  sample: {openssl: [CVE-2026-0001], tzdata: unknown}
rollback:
  description: Whether every version of today was kept, what was not and why, and what no rollback undoes.
  returned: success
  type: dict
  sample: {possible: true, cannot: [], notes: [A kernel is only left behind by a reboot.]}
would_download:
  description: In check mode, what would be downloaded.
  returned: success
  type: list
  elements: dict
  sample: []
bytes:
  description: Bytes that were, or would be, downloaded for the change.
  returned: success
  type: int
  sample: 1441784
seconds:
  description: How long it took.
  returned: success
  type: float
  sample: 3.4
fleet_failure:
  description: What kind of failure it was, what to do next, and details.
  returned: failure
  type: dict
  sample: {kind: candidate_gone, remedy: Make a new plan., data: {}}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.arguments import TRANSACTION_SPEC
from ansible_collections.bankops.fleet.plugins.module_utils._packages.stage import stage


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **TRANSACTION_SPEC,
            "keep": {"type": "bool", "default": True},
            "minimum_free": {"type": "int", "default": 256},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    try:
        result = stage(
            Commands(),
            plan=parameters["plan"],
            transaction=parameters["transaction"],
            manager=parameters["package_manager"],
            keep=parameters["keep"],
            minimum_free=parameters["minimum_free"],
            check_mode=module.check_mode,
        )
    except FleetError as problem:
        module.fail_json(**problem.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
