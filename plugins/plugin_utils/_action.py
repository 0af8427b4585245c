# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller half of every module shares: arguments, the state, and one boundary for errors."""

from __future__ import annotations

import os
import time
import typing as t
from abc import abstractmethod
from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from functools import cache
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.guard import Permit, permit
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import end_with_parent, this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import collect_secrets
from ansible_collections.bankops.fleet.plugins.plugin_utils._host_variables import policy_options, variables_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.cycle import is_emergency
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import Policy, read_policies
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._store import open_state

DEFAULT_STATE_DIR = "~/.local/state/bankops-fleet"

VAULTED = frozenset({"AnsibleVaultEncryptedUnicode", "EncryptedString"})
"""Classes of values that were encrypted one by one, in ansible-core 2.18 and from 2.19 on."""

_NOT_OF_THE_HOST = frozenset(("hostvars", "groups", "vars", "ansible_delegated_vars"))

FORBIDDEN = frozenset(("ansible_facts", "add_host", "add_group", "ansible_stats"))
"""Keys of a result by which Ansible itself would take orders."""

display = Display()


class FleetAction(ActionBase):
    """A controller half: subclasses declare ``ARGUMENTS`` and write ``act``.

    A host that cannot be reached makes the task *failed* (with ``fleet_unreachable``), because Ansible runs neither
    rescue nor always for a host it holds to be unreachable, and a drained host would be forgotten.
    """

    ARGUMENTS: t.ClassVar[dict[str, t.Any] | None] = {}
    """The argument specification; None leaves the arguments to the module on the target."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        end_with_parent()
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self.ARGUMENTS is not None:
            _validated, arguments = self.validate_argument_spec(argument_spec=self.ARGUMENTS)
        try:
            result.update(self.act(arguments, task_vars or {}))
        except FleetError as problem:
            # Raised on the controller: it is not a module on the host that failed.
            result.update(problem.as_result(), failed=True, fleet_refused=True)
        except AnsibleConnectionFailure as problem:
            result.update(self.unreachable(problem))
        return result

    @abstractmethod
    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Do the work; return the task's result. Raises FleetError."""

    def unreachable(self, problem: AnsibleConnectionFailure) -> dict[str, t.Any]:
        """The result of a task whose host went away."""
        return {
            "failed": True,
            "fleet_unreachable": True,
            "msg": f"The host cannot be reached: {problem}",
            "fleet_failure": {"kind": "unreachable", "remedy": "Look at the host from its console.", "data": {}},
        }

    def variable(self, variables: Mapping[str, t.Any], name: str, default: t.Any = None) -> t.Any:
        """The templated value of a variable, or ``default`` where it is not defined."""
        return self._templar.template(variables[name]) if name in variables else default

    def state(self, variables: Mapping[str, t.Any]) -> State:
        """The shared state named by ``fleet_store_url``, or else by ``fleet_state_dir``."""
        url = self.variable(variables, "fleet_store_url")
        return open_state(self.state_dir(variables), str(url) if url else None)

    def state_dir(self, variables: Mapping[str, t.Any]) -> Path:
        """The folder of the shared state, or of the spools of this machine where that is a database."""
        return Path(str(self.variable(variables, "fleet_state_dir", DEFAULT_STATE_DIR))).expanduser()

    def policies(self, cycle: str, variables: Mapping[str, t.Any]) -> dict[str, Policy]:
        """The policies of all hosts of the play, by host. Raises FleetError that names everything wrong with them."""
        return self.policies_of(self.variable(variables, "ansible_play_hosts_all"), cycle, variables)

    def policies_of(self, hosts: list[str], cycle: str, variables: Mapping[str, t.Any]) -> dict[str, Policy]:
        """The policies of ``hosts`` in a cycle, by host. Raises FleetError as ``policies`` does."""
        source = self.inventory_sources(variables)
        return read_policies(
            policy_options(),
            variables_of(variables["hostvars"], hosts, source),
            emergency=is_emergency(cycle),
            source=source,
            inventory=self.variable(variables, "groups")["all"],
            groups=self.variable(variables, "groups").keys(),
        )

    def inventory_sources(self, variables: Mapping[str, t.Any]) -> str:
        """How the inventory is named in messages."""
        sources = self.variable(variables, "ansible_inventory_sources") or ["the inventory"]
        return ", ".join(str(source) for source in sources)

    def permit(
        self, plan: str, variables: Mapping[str, t.Any], *, purposes: Collection[str] = ("apply", "rollback")
    ) -> Permit:
        """What the guards allow this task, for the host it is for, in an attempt with one of these purposes.

        Raises FleetError with what does not hold.
        """
        return permit(
            self.state(variables),
            plan=plan,
            tenant=str(self.variable(variables, "fleet_tenant")),
            host=str(variables["inventory_hostname"]),
            owner=this_owner(controller_process()),
            purposes=purposes,
            now=datetime.now(timezone.utc),
            check_mode=bool(self._task.check_mode),
        )

    def secrets(self, variables: Mapping[str, t.Any]) -> frozenset[str]:
        """The secret values among the variables of the task's host, which must not stand in a record."""
        own = {name: value for name, value in variables.items() if name not in _NOT_OF_THE_HOST}
        prompted = {"password": self._play_context.password, "become_pass": self._play_context.become_pass}
        return collect_secrets({**own, **prompted}, lambda value: type(value).__name__ in VAULTED)

    def show(self, lines: list[str]) -> None:
        """Print lines for people as they are; a task's result would quote and fold them."""
        for line in lines:
            display.display(line)

    def on_target(self, module: str, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Run ``module`` on the target. Raises AnsibleConnectionFailure when it cannot be reached."""
        result: dict[str, t.Any] = self._execute_module(module_name=module, module_args=arguments, task_vars=variables)
        # The answer is data from outside: it may not set variables, nor speak for other hosts.
        return {key: value for key, value in result.items() if key not in FORBIDDEN and not _is_ours(key)}

    def on_target_persistently(
        self, module: str, arguments: dict[str, t.Any], variables: dict[str, t.Any], patience: float
    ) -> dict[str, t.Any]:
        """Like ``on_target`` for a module that re-attaches: a lost connection is made anew for ``patience`` seconds."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return self.on_target(module, arguments, variables)
            except AnsibleConnectionFailure as problem:
                if time.monotonic() > deadline:
                    raise
                display.warning(f"{variables['inventory_hostname']}: connection lost, trying again: {problem}")
                time.sleep(3)
                self.reset_connection()

    def reset_connection(self) -> None:
        """Forget a connection that may be dead, so that the next command makes a new one."""
        try:
            self._connection.reset()
        except AnsibleConnectionFailure:
            # Nothing to reset: the host is away at this moment.
            self._connection.close()


@cache
def controller_process() -> int:
    """The pid of the ansible-playbook process this action's worker was forked from; processes of the worker know it."""
    return os.getppid()


def _is_ours(key: str) -> bool:
    """Keys with a meaning to the callback and the role; of a module's own only the failure's kind is taken."""
    return key.startswith("fleet_") and key != "fleet_failure"
