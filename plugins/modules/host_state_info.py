#!/usr/bin/python
# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state_info
short_description: Read a host's state, tell what got worse, and wait until the host is healthy
version_added: 0.1.0
description:
  - Returns the state of a host. Its identity, kernel, start of boot, units, listening sockets, mounts, free space, and
    the processes that still run files which an upgrade deleted.
  - Compares it to the state in O(before), runs health checks, and repeats both until nothing is worse and all checks
    pass, for at most O(timeout) seconds.
  - Does not fail when the host is worse, unless O(plan) is given. The caller decides, by RV(settled).
  - Run it as root. Without, what could not be read is named in RV(state.incomplete).
extends_documentation_fragment:
  - bankops.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: [There is nothing to compare that this module changed.]
  idempotent:
    support: full
    details: [It reports no change.]
options:
  plan:
    description:
      - The digest of the plan, 64 hexadecimal digits. The controller half of this module then takes O(checks) and
        O(timeout) from it where they are not given, and fails a host that does not settle.
    type: str
  before:
    description:
      - The state to compare to, as this module or M(bankops.fleet.updates_info) returned it.
      - Not given, nothing is compared.
    type: dict
  checks:
    description: Health checks, as described in C(docs/health-checks.md).
    type: list
    elements: dict
    default: []
  timeout:
    description:
      - For how many seconds to look again while something is worse or a check does not pass.
      - At V(0) it looks once. A look that has begun is finished.
    type: float
    default: 0
seealso:
  - module: bankops.fleet.updates_info
author: bankops.fleet contributors (@bankops)
"""

EXAMPLES = r"""
- name: Remember the state before the change
  bankops.fleet.host_state_info:
  become: true
  register: host_before

- name: Verify within two minutes that nothing got worse and the site answers
  bankops.fleet.host_state_info:
    before: "{{ host_before.state }}"
    checks:
      - type: http
        url: http://127.0.0.1/
        contains: Welcome
      - type: unit
        unit: nginx.service
    timeout: 120
  become: true
  register: host_after
  failed_when: not host_after.settled
"""

RETURN = r"""
state:
  description: The state of the host.
  returned: success
  type: dict
  contains:
    machine_id:
      description: The content of C(/etc/machine-id).
      type: str
      returned: success
    architecture:
      description: The machine as C(uname -m) names it.
      type: str
      returned: success
    os:
      description: The id, version_id and name of C(/etc/os-release).
      type: dict
      returned: success
    boot:
      description: The boot_id of the kernel and the pid1_start of process 1; a change of either proves a reboot.
      type: dict
      returned: success
    kernel:
      description: >-
        The release running, those installed, the newest, and the packages of kernels that could be removed because they
        neither run nor are newest.
      type: dict
      returned: success
    reboot:
      description: Whether a reboot is required, and the reasons.
      type: dict
      returned: success
      sample: {"required": true, "reasons": ["kernel 6.1.0-37-amd64 is installed, 6.1.0-18-amd64 runs"]}
    units:
      description: >-
        Names of services and sockets that are active, failed, transient, started on_demand, or skipped because their
        condition did not hold.
      type: dict
      returned: success
    sockets:
      description: The listening sockets.
      type: list
      elements: str
      returned: success
      sample: ["tcp 0.0.0.0:22", "tcp [::]:22"]
    mounts:
      description: The mount points of real file systems.
      type: list
      elements: str
      returned: success
    disk:
      description: The size and free bytes of C(/), C(/boot) and C(/var) as far as they exist.
      type: dict
      returned: success
    stale:
      description: >-
        The processes that run deleted files, the units that a restart would cure, and those not_restartable with the
        reason. Processes that could not be looked into are counted as unreadable.
      type: dict
      returned: success
    incomplete:
      description: Parts that could not be read, with the reason.
      type: dict
      returned: success
worse:
  description: What is worse than in O(before); empty where nothing is.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: >-
        One of V(unit_inactive), V(unit_failed), V(socket_gone), V(mount_gone), V(disk_low), V(machine_id_changed),
        V(kernel_older) and V(unknown).
      type: str
      returned: success
    subject:
      description: The unit, socket, mount point or part.
      type: str
      returned: success
    detail:
      description: What happened to it.
      type: str
      returned: success
  sample: [{"kind": "unit_inactive", "subject": "nginx.service", "detail": "was active and is not now"}]
checks:
  description: One result for each health check, in their order.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "http http://127.0.0.1/", "type": "http", "ok": true, "detail": "status 200", "seconds": 0.004}]
settled:
  description: Whether nothing is worse and all checks pass.
  returned: success
  type: bool
attempts:
  description: How many times it looked.
  returned: success
  type: int
seconds:
  description: How long it took.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._health.wait import wait_for_health


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "str"},
            "before": {"type": "dict"},
            "checks": {"type": "list", "elements": "dict", "default": []},
            "timeout": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    try:
        result = wait_for_health(
            module.params["checks"],
            Commands(),
            before=module.params["before"],
            timeout=module.params["timeout"],
        )
    except FleetError as problem:
        module.fail_json(**problem.as_result())
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
