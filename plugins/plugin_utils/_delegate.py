# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other modules as steps of one task: on the task's own host, or delegated, as Ansible's own task executor does it.

One task that takes several steps costs the controller a third of what as many tasks cost: no further worker process,
no further look through the variables of the host, no further turn of the strategy.
"""

from __future__ import annotations

import inspect
import typing as t

from ansible.executor.task_executor import TaskExecutor
from ansible.plugins.action import ActionBase


def run_here(action: ActionBase, module: str, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> t.Any:
    """The result of another action plugin, over the connection that ``action`` has."""
    plugin = action._shared_loader_obj.action_loader.get(
        module,
        task=_task(action, module, arguments),
        connection=action._connection,
        play_context=action._play_context,
        loader=action._loader,
        templar=action._templar,
        shared_loader_obj=action._shared_loader_obj,
    )
    return plugin.run(task_vars=variables)


def run_delegated(
    action: ActionBase, module: str, arguments: dict[str, t.Any], host: str, variables: dict[str, t.Any]
) -> t.Any:
    """The result of a task that is delegated to ``host``, of which the inventory may say anything it likes.

    Connection, become and interpreter are those of ``host``, because the executor itself finds them.
    """
    task = _task(action, module, arguments)
    task.delegate_to = host
    hostvars = variables["hostvars"]
    known = {
        "host": hostvars._inventory.get_host(variables["inventory_hostname"]),
        "task": task,
        "job_vars": dict(variables),
        "play_context": action._play_context.copy(),
        "loader": action._loader,
        "shared_loader_obj": action._shared_loader_obj,
        # Where results of loops and retries go; this task has neither.
        "final_q": None,
        "variable_manager": hostvars._variable_manager,
        # Only ansible-core 2.18 still asks for it.
        "new_stdin": None,
    }
    wanted = inspect.signature(TaskExecutor.__init__).parameters
    return TaskExecutor(**{name: value for name, value in known.items() if name in wanted}).run()


def _task(action: ActionBase, module: str, arguments: dict[str, t.Any]) -> t.Any:
    task = action._task.copy(exclude_parent=True)
    # Its own parents are only read, and copying them would cost more than the step.
    task._parent = action._task._parent
    task.action, task.args = module, arguments
    # Whether this is done was decided for the task as a whole.
    task.when, task.register, task.loop = [], None, None
    return task
