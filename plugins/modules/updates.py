#!/usr/bin/python

# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: updates
short_description: Carry out exactly the planned package transaction, or take it back
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Applies the transaction of a plan from the packages that M(bankops.fleet.updates_stage) put on the host. The package
    manager's own simulation must give exactly the planned transaction; otherwise nothing is changed.
  - The change runs as a transient systemd unit, so that it outlives the connection, a restart of sshd and the
    controller. Whoever calls this module again with the same plan finds the unit, waits for it and reads its result.
  - Configuration files and automatic-install marks are kept. An interrupted earlier transaction is finished first.
    A package manager at work is waited for, never killed.
  - With O(state=rolled_back) the exact versions from before come back, also where the change stopped half-way.
  - In playbooks the controller half of this module takes the transaction, the package manager and the limits from the
    plan, checks that the plan may be applied, and records the intent; only O(plan) and O(state) are given.
extends_documentation_fragment:
  - bankops.fleet.attributes
  - bankops.fleet.transaction
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description: Whether to carry out the transaction, or to bring back the versions from before.
    type: str
    choices: [applied, rolled_back]
    default: applied
  restart:
    description:
      - Which units to restart afterwards; V(stale) means those that still run files that the change replaced.
      - Units whose restart would cut sessions (message bus, logins, display managers) never count as stale; they are
        reported as needing a reboot.
    type: str
    choices: [none, stale, listed]
    default: none
  restart_units:
    description: The units for O(restart=listed). Those that do not run stay as they are.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds to wait for another package manager's lock.
    type: float
    default: 600
  timeout:
    description: Seconds to wait for the change. After them this module fails, and the change runs on.
    type: float
    default: 3600
  estimated_seconds:
    description: How long the change is expected to take.
    type: float
    default: 0
  not_after:
    description:
      - The end of the window, as an RFC 3339 time or in seconds from now. A change that is not expected to end before
        it is not started.
    type: str
  verify:
    description:
      - Look, in the same call, whether the host is as well as before once the change is made, as
        M(bankops.fleet.host_state_info) does. It is left out where O(reboot) says that the host is rebooted next.
    type: dict
    suboptions:
      before:
        description: The state from before the change.
        type: dict
        required: true
      checks:
        description: Health checks, as described in C(docs/health-checks.md).
        type: list
        elements: dict
        default: []
      timeout:
        description: Seconds within which the host must be well.
        type: float
        default: 0
  reboot:
    description: Whether the caller reboots the host after the change.
    type: str
    choices: [never, if_required, always]
    default: never
seealso:
  - module: bankops.fleet.updates_stage
"""

EXAMPLES = r"""
- name: Apply the planned updates, and restart what still runs old files
  bankops.fleet.updates:
    plan: "{{ patch_plan_digest }}"

- name: Go back to the versions from before
  bankops.fleet.updates:
    plan: "{{ patch_plan_digest }}"
    state: rolled_back
"""

RETURN = r"""
before:
  description: Versions of the transaction's packages before the change, null for a package that was not there.
  returned: success
  type: dict
  sample: {"openssl:amd64": 3.0.20-1~deb12u2}
after:
  description: Versions of the transaction's packages now (in check mode, as they would be).
  returned: success
  type: dict
  sample: {"openssl:amd64": 3.0.22-1~deb12u2}
transaction:
  description: The changes that were carried out.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: openssl, arch: amd64, action: upgrade, installed: 3.0.20-1~deb12u2, candidate: 3.0.22-1~deb12u2}
restarted:
  description: The units that were restarted.
  returned: success
  type: list
  elements: str
  sample: [nginx.service]
stale:
  description: Processes that run deleted files after the change, and their units.
  returned: success
  type: dict
  sample: {processes: [], units: [], not_restartable: []}
reboot:
  description: Whether the host must be rebooted now, and why.
  returned: success
  type: dict
  sample: {required: false, reasons: []}
log:
  description: The end of the package manager's output.
  returned: success
  type: str
  sample: Setting up openssl (3.0.22-1~deb12u2) ...
seconds:
  description: How long the change took.
  returned: success
  type: float
  sample: 12.3
reattached:
  description: Whether an earlier call had started the change.
  returned: success
  type: bool
  sample: false
verification:
  description: What M(bankops.fleet.host_state_info) would have returned after the change.
  returned: when O(verify) was given and the host is not rebooted next
  type: dict
  sample: {settled: true, worse: [], checks: [], attempts: 1, seconds: 0.4}
fleet_failure:
  description: What kind of failure it was, what to do next, and details.
  returned: failure
  type: dict
  sample: {kind: transaction_mismatch, remedy: "The host changed since the plan was made: make a new plan.", data: {}}
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._health.wait import wait_for_health
from ansible_collections.bankops.fleet.plugins.module_utils._packages.arguments import TRANSACTION_SPEC
from ansible_collections.bankops.fleet.plugins.module_utils._packages.change import Order, apply, roll_back
from ansible_collections.bankops.fleet.plugins.module_utils._packages.restart import Restart


def reboots(choice: str, result: Dict[str, Any]) -> bool:
    """Whether the caller reboots the host next, so that a look at it now would prove nothing."""
    return choice == "always" or (choice == "if_required" and bool(result["reboot"]["required"]))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **TRANSACTION_SPEC,
            "state": {"type": "str", "choices": ["applied", "rolled_back"], "default": "applied"},
            "restart": {"type": "str", "choices": ["none", "stale", "listed"], "default": "none"},
            "restart_units": {"type": "list", "elements": "str", "default": []},
            "lock_timeout": {"type": "float", "default": 600},
            "timeout": {"type": "float", "default": 3600},
            "estimated_seconds": {"type": "float", "default": 0},
            "not_after": {"type": "str"},
            "verify": {
                "type": "dict",
                "options": {
                    "before": {"type": "dict", "required": True},
                    "checks": {"type": "list", "elements": "dict", "default": []},
                    "timeout": {"type": "float", "default": 0},
                },
            },
            "reboot": {"type": "str", "choices": ["never", "if_required", "always"], "default": "never"},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    order = Order(
        plan=parameters["plan"],
        transaction=parameters["transaction"],
        manager=parameters["package_manager"],
        restart=Restart(parameters["restart"]),
        restart_units=parameters["restart_units"],
        lock_timeout=parameters["lock_timeout"],
        timeout=parameters["timeout"],
        estimated_seconds=parameters["estimated_seconds"],
        not_after=parameters["not_after"],
        check_mode=module.check_mode,
    )
    carry_out = apply if parameters["state"] == "applied" else roll_back
    try:
        result = carry_out(Commands(), order)
        if parameters["verify"] and not module.check_mode and not reboots(parameters["reboot"], result):
            wanted = parameters["verify"]
            result["verification"] = wait_for_health(
                wanted["checks"], Commands(), before=wanted["before"], timeout=wanted["timeout"]
            )
    except FleetError as problem:
        module.fail_json(**problem.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
