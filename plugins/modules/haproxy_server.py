#!/usr/bin/python
# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: haproxy_server
short_description: Take a server of an haproxy backend out of service and bring it back
version_added: 0.1.0
description:
  - Drains one server over haproxy's runtime socket and waits until it has no session, or brings it back and waits until
    haproxy's own health check says that it is up. Every change is confirmed by reading it back.
  - Refuses unknown backends and servers, and refuses to drain a server when too few healthy ones would remain.
  - A drain that cannot be finished is undone, so that no server is left out of service by accident.
  - Run it on the load balancer with C(delegate_to), or anywhere that reaches the socket.
options:
  plan:
    description:
      - The digest of the plan, 64 hexadecimal digits. The controller half of this module then takes what is not given
        from the plan's C(patch_load_balancer), checks that the plan may be applied, and records the intent.
      - Without it O(backend), O(server) and one of O(socket) and O(sockets) are required.
    type: str
  backend:
    description: The backend, as haproxy's configuration calls it.
    type: str
  server:
    description: The server, as haproxy's configuration calls it.
    type: str
  socket:
    description: The runtime (stats) socket, with C(level admin); the absolute path of a unix socket or V(host:port).
    type: str
  sockets:
    description:
      - The sockets of several haproxy processes that serve the same backend, such as a pair behind one virtual address.
      - The server is drained on all of them or on none.
    type: list
    elements: str
  state:
    description:
      - With V(drained) the server gets no new session, and has none left when the task ends.
      - With V(ready) the server takes traffic, and haproxy's health check has passed since it came back.
    type: str
    choices: [drained, ready]
    required: true
  min_healthy:
    description:
      - How many other servers of the backend must be healthy to drain this one.
      - A server is healthy when it is neither in drain nor in maintenance, its weight is not zero and haproxy says
        C(UP).
    type: int
    default: 1
  count_unchecked:
    description: Whether servers without a health check count as healthy.
    type: bool
    default: false
  count_backup:
    description: Whether C(backup) servers count among the healthy ones.
    type: bool
    default: false
  maintenance:
    description:
      - Whether the server goes on to haproxy's C(maint) state once it has no session. Needed where sessions are
        persistent (cookies, stick tables), because a drained server still gets the clients that it knows.
      - Also allows O(state=ready) to end C(maint). Without it a server in C(maint) was put there by somebody else, and
        stays there.
    type: bool
    default: false
  drain_timeout:
    description: How many seconds the sessions have to end.
    type: float
    default: 60
  on_timeout:
    description:
      - What happens when sessions remain after O(drain_timeout).
      - With V(restore) the server is put back to how it was and the task fails.
      - With V(proceed) the server stays drained and the task succeeds; RV(after.sessions) counts what remains.
    type: str
    choices: [restore, proceed]
    default: restore
  up_timeout:
    description: How many seconds haproxy has to find the server up again.
    type: float
    default: 60
  state_file:
    description:
      - The file that C(server-state-file) names in haproxy's configuration, on the host where this module runs.
      - It is written at each change, so that a drained server stays drained over a reload of haproxy.
      - Servers that are neither in drain nor in maintenance are left out of it.
    type: path
extends_documentation_fragment:
  - bankops.fleet.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: community.general.haproxy
author:
  - bankops.fleet contributors (@bankops)
"""

EXAMPLES = r"""
- name: Take the host out of service as its plan says
  bankops.fleet.haproxy_server:
    plan: "{{ patch_plan_digest }}"
    state: drained
  delegate_to: lb1

- name: Take the web server out of service
  bankops.fleet.haproxy_server:
    backend: web
    server: "{{ inventory_hostname }}"
    socket: /run/haproxy/admin.sock
    state_file: /var/lib/haproxy/server-state
    state: drained
    min_healthy: 2
  delegate_to: lb1

- name: Bring the web server back
  bankops.fleet.haproxy_server:
    backend: web
    server: "{{ inventory_hostname }}"
    socket: /run/haproxy/admin.sock
    state_file: /var/lib/haproxy/server-state
    state: ready
  delegate_to: lb1

- name: Drain on both load balancers of a pair, or on none
  bankops.fleet.haproxy_server:
    backend: web
    server: web1
    sockets:
      - 127.0.0.1:9999
      - 127.0.0.1:9998
    state: drained
"""

RETURN = r"""
before:
  description: The server before the task; a value on which several processes differ is V(mixed).
  returned: success
  type: dict
  contains: &server
    admin_state:
      description: V(ready), V(drain) or V(maint).
      type: str
      returned: success
    operational_state:
      description: V(up), V(unproven), V(down), V(stopping), V(unchecked) or V(unknown).
      type: str
      returned: success
    status:
      description: The status in haproxy's own words.
      type: str
      returned: success
    sessions:
      description: Sessions on the server and queued for it, over all processes.
      type: int
      returned: success
after:
  description: The server after the task; in check mode RV(after.admin_state) is what it would be.
  returned: success
  type: dict
  contains: *server
healthy:
  description: Servers of the backend that are healthy on all processes, after the task.
  returned: success
  type: list
  elements: str
total:
  description: How many servers the backend has.
  returned: success
  type: int
other_out_of_service:
  description: Other servers in drain or maintenance, for example left there by somebody.
  returned: success
  type: list
  elements: str
persistence:
  description: Whether the server has a persistence cookie; see O(maintenance).
  returned: success
  type: bool
waited:
  description: Seconds spent waiting.
  returned: success
  type: float
instances:
  description: The same for each process.
  returned: success
  type: list
  elements: dict
  contains:
    socket:
      description: Its socket.
      type: str
      returned: success
    server:
      description: The server as this process sees it, after the task.
      type: dict
      returned: success
    healthy:
      description: Healthy servers.
      type: list
      elements: str
      returned: success
    total:
      description: How many servers the backend has.
      type: int
      returned: success
    out_of_service:
      description: Servers in drain or maintenance.
      type: list
      elements: str
      returned: success
fleet_failure:
  description: What a failure is about.
  returned: failure
  type: dict
  contains:
    kind:
      description:
        - V(too_few_healthy), V(sessions_remain), V(drain_lost), V(in_maintenance), V(not_up), V(unknown_backend),
          V(unknown_server), V(bad_name), V(bad_address), V(permission_denied), V(refused), V(state_file),
          V(unexpected_answer), or one of V(socket_missing), V(socket_denied), V(socket_refused), V(socket_timeout),
          V(socket_closed).
      type: str
      returned: failure
    remedy:
      description: The next step.
      type: str
      returned: failure
    data:
      description: The facts behind it.
      type: dict
      returned: failure
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.runtime import Runtime
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.server import Wish, drain, ready


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "str"},
            "backend": {"type": "str"},
            "server": {"type": "str"},
            "socket": {"type": "str"},
            "sockets": {"type": "list", "elements": "str"},
            "state": {"type": "str", "choices": ["drained", "ready"], "required": True},
            "min_healthy": {"type": "int", "default": 1},
            "count_unchecked": {"type": "bool", "default": False},
            "count_backup": {"type": "bool", "default": False},
            "maintenance": {"type": "bool", "default": False},
            "drain_timeout": {"type": "float", "default": 60},
            "on_timeout": {"type": "str", "choices": ["restore", "proceed"], "default": "restore"},
            "up_timeout": {"type": "float", "default": 60},
            "state_file": {"type": "path"},
        },
        required_one_of=[("plan", "backend"), ("plan", "server"), ("plan", "socket", "sockets")],
        # A state file belongs to one process.
        mutually_exclusive=[("socket", "sockets"), ("sockets", "state_file")],
        supports_check_mode=True,
    )
    wanted = module.params
    wish = Wish(
        backend=wanted["backend"],
        server=wanted["server"],
        min_healthy=wanted["min_healthy"],
        count_unchecked=wanted["count_unchecked"],
        count_backup=wanted["count_backup"],
        maintenance=wanted["maintenance"],
        drain_timeout=wanted["drain_timeout"],
        restore_on_timeout=wanted["on_timeout"] == "restore",
        up_timeout=wanted["up_timeout"],
        state_file=wanted["state_file"] or "",
    )
    verb = drain if wanted["state"] == "drained" else ready
    try:
        runtimes = [Runtime(address) for address in wanted["sockets"] or [wanted["socket"]]]
        result = verb(runtimes, wish, check_mode=module.check_mode)
    except FleetError as problem:
        module.fail_json(**problem.as_result())
    module.exit_json(
        diff={
            "before": {"admin_state": result["before"]["admin_state"]},
            "after": {"admin_state": result["after"]["admin_state"]},
        },
        fleet_evidence={key: result[key] for key in ("before", "after", "healthy", "total", "waited")},
        **result,
    )


if __name__ == "__main__":
    main()
