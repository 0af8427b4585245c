#!/usr/bin/python
# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: updates_info
short_description: Read a host's state, its pending updates and its health in one call
version_added: 0.1.0
description:
  - Returns what a plan and a preflight need to know of a host. The pending updates with the full simulated transaction
    of those selected, the state of the host, and the results of health checks.
  - Changes nothing but the package manager's lists of what there is, and these only with O(refresh=true).
  - Run it as root. Without, what could not be read is named in RV(state.incomplete).
extends_documentation_fragment:
  - bankops.fleet.attributes
attributes:
  check_mode:
    support: full
    details:
      - Refreshing writes the package manager's lists, so check mode leaves it out and says so in
        RV(packages.refresh_error).
  diff_mode:
    support: none
    details: [There is nothing to compare.]
  idempotent:
    support: full
    details: [It reports no change.]
options:
  cycle:
    description:
      - The cycle, such as V(2026-11). The controller half of this module then takes what is not given from the host's
        policy.
    type: str
  plan:
    description:
      - The digest of the plan, 64 hexadecimal digits. The controller half of this module then reads the host for this
        plan and says in addition whether it is still the host that was planned for.
    type: str
  manager:
    description: The package manager; V(auto) takes the one that this host's packages are managed with.
    type: str
    choices: [auto, apt, dnf]
    default: auto
  refresh:
    description: Whether to ask the repositories first. A refresh that fails is reported, and the old lists are used.
    type: bool
    default: true
  selection:
    description: Which of the pending updates are to be carried out; RV(packages.transaction) is simulated for these.
    type: dict
    default: {}
    suboptions:
      classes:
        description: Security updates only, or all.
        type: str
        choices: [security, all]
        default: security
      include:
        description: Patterns of package names to take; empty for all.
        type: list
        elements: str
        default: []
      exclude:
        description: Patterns of package names to leave.
        type: list
        elements: str
        default: []
      held:
        description: Patterns of package names that policy holds back.
        type: list
        elements: str
        default: []
      aged:
        description:
          - The updates, as C(name=version), that are old enough to be taken. Any other is too young.
          - Not given, no minimum age applies.
        type: list
        elements: str
  checks:
    description: Health checks, as described in C(docs/health-checks.md).
    type: list
    elements: dict
    default: []
  compact:
    description:
      - Whether to return what is read as compressed text, RV(packed), which M(bankops.fleet.patch_plan) reads.
        Ansible keeps every result in memory until the run ends, and of thousands of hosts that is gigabytes.
      - The controller half of this module does it.
    type: bool
    default: false
  planned:
    description:
      - The transaction of a plan. Only what is left of it is read then, with the versions that are installed and
        that would come today. That is quicker than to let apt resolve everything that is pending.
      - Filled in from the plan by the controller half.
    type: list
    elements: dict
  lock_timeout:
    description:
      - Seconds to wait until nobody else is at work with packages. Who still is then stands in RV(packages.locks) and
        RV(packages.other_actors).
    type: float
    default: 0
  runs_only:
    description:
      - Whether to read only what an earlier attempt on the O(plan) has started on the host, RV(runs).
      - Filled in by the controller half of M(bankops.fleet.evidence_reconcile).
    type: bool
    default: false
  timeout:
    description: Seconds to wait for what an earlier attempt on the plan has started and is still at work.
    type: float
    default: 3600
seealso:
  - module: bankops.fleet.host_state_info
author: bankops.fleet contributors (@bankops)
"""

EXAMPLES = r"""
- name: Read pending security updates and the health of the host
  bankops.fleet.updates_info:
    selection:
      classes: security
      exclude: ["postgresql-*"]
    checks:
      - type: http
        url: http://127.0.0.1/
  become: true
  register: scan

- name: Show what the transaction would do
  ansible.builtin.debug:
    var: scan.packages.transaction
"""

RETURN = r"""
packed:
  description: All that follows, as two texts, base64 of zlib of JSON.
  returned: success and O(compact=true)
  type: dict
  contains:
    updates:
      description: RV(packages.pending) and RV(packages.transaction), which hosts of one kind have in common.
      type: str
    scan:
      description: The rest.
      type: str
state:
  description: The state of the host, as M(bankops.fleet.host_state_info) returns it.
  returned: success
  type: dict
  contains:
    incomplete:
      description: Parts of the state that could not be read, with the reason.
      type: dict
      returned: success
      sample: {}
runs:
  description: What an earlier attempt on the plan has started on the host, and how it ended. Empty when nothing was.
  returned: success
  type: dict
  sample: {apply: {state: interrupted, status: null, started: '2026-11-21T04:23:41Z'}}
packages:
  description: The packages of the host.
  returned: success
  type: dict
  contains:
    manager:
      description: V(apt), V(dnf), or null on a host with neither.
      type: str
      returned: success
    pending:
      description: >-
        The pending updates. Each has name, arch, source, installed, candidate, origin, is_security, severity,
        advisories, cves, is_kernel, selected and reason.
      type: list
      elements: dict
      returned: success
    transaction:
      description: All that the selected updates would install, upgrade, downgrade or remove.
      type: list
      elements: dict
      returned: success
      sample:
        - {"name": "openssl", "arch": "amd64", "action": "upgrade", "installed": "3.0.15-1", "candidate": "3.0.17-1"}
    not_pending:
      description: >-
        With O(planned), those of its changes that are pending no more, with name, arch and the version that is
        installed; null where none is. What is not at the version of the plan was withdrawn.
      type: list
      elements: dict
      returned: success
    held:
      description: Packages held in the package manager itself, with name and version.
      type: list
      elements: dict
      returned: success
    locks:
      description: Who holds the package manager's locks, with path, pid and command.
      type: list
      elements: dict
      returned: success
    interrupted:
      description: Whether an earlier transaction was interrupted, and the details.
      type: dict
      returned: success
    other_actors:
      description: Others that change packages now, with pid and command.
      type: list
      elements: dict
      returned: success
    refreshed:
      description: Whether the lists were refreshed now.
      type: bool
      returned: success
    refresh_error:
      description: Why they were not; null where they were, or were not to be.
      type: str
      returned: success
    download_bytes:
      description: What the transaction would download.
      type: int
      returned: success
    disk_bytes:
      description: What the transaction would add to the disk; may be negative.
      type: int
      returned: success
checks:
  description: One result for each health check, in their order.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "http http://127.0.0.1/", "type": "http", "ok": true, "detail": "status 200", "seconds": 0.004}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._host.scan import scan_host
from ansible_collections.bankops.fleet.plugins.module_utils._packages.examine import examine


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cycle": {"type": "str"},
            "plan": {"type": "str"},
            "manager": {"type": "str", "choices": ["auto", "apt", "dnf"], "default": "auto"},
            "refresh": {"type": "bool", "default": True},
            "selection": {
                "type": "dict",
                "default": {},
                "apply_defaults": True,
                "options": {
                    "classes": {"type": "str", "choices": ["security", "all"], "default": "security"},
                    "include": {"type": "list", "elements": "str", "default": []},
                    "exclude": {"type": "list", "elements": "str", "default": []},
                    "held": {"type": "list", "elements": "str", "default": []},
                    "aged": {"type": "list", "elements": "str"},
                },
            },
            "checks": {"type": "list", "elements": "dict", "default": []},
            "timeout": {"type": "float", "default": 3600},
            "lock_timeout": {"type": "float", "default": 0},
            "planned": {"type": "list", "elements": "dict"},
            "compact": {"type": "bool", "default": False},
            "runs_only": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    plan = module.params["plan"]
    try:
        runs = examine(Commands(), plan, module.params["timeout"]) if plan else {}
        if module.params["runs_only"]:
            module.exit_json(changed=False, runs=runs)
        result = scan_host(
            Commands(),
            manager=module.params["manager"],
            refresh=module.params["refresh"],
            look_only=module.check_mode,
            selection=module.params["selection"],
            checks=module.params["checks"],
            planned=module.params["planned"],
            lock_timeout=module.params["lock_timeout"],
        )
    except FleetError as problem:
        module.fail_json(**problem.as_result())
    module.exit_json(changed=False, runs=runs, **result)


if __name__ == "__main__":
    main()
