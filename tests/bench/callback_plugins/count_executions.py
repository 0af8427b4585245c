# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts module executions for each host where Ansible itself starts them, so that no plugin can hide one."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: count_executions
type: aggregate
short_description: Counts module executions for each host
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Appends a line of JSON for every module that is executed on a host, or elsewhere on its behalf, to the file that
    E(FLEET_BENCH_EXECUTIONS) names. It does so in the worker processes, which inherit the method it replaces.
"""


class CallbackModule(CallbackBase):
    """Replaces the one method through which action plugins execute modules by one that writes down and goes on."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "count_executions"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        path = os.environ["FLEET_BENCH_EXECUTIONS"]
        execute = ActionBase._execute_module

        def write_down_and_execute(action: ActionBase, module_name: str | None = None, *rest: Any, **named: Any) -> Any:
            variables = named.get("task_vars") or (rest[1] if len(rest) > 1 else None) or {}
            line = {
                "host": variables.get("inventory_hostname"),
                "module": module_name or action._task.action,
                "task": action._task.get_name(),
                "uuid": action._task._uuid,
                "item": repr(variables.get("item")),
            }
            with open(path, "a", encoding="utf-8") as file:  # short lines in append mode do not mix
                file.write(json.dumps(line) + "\n")
            return execute(action, module_name, *rest, **named)

        setattr(ActionBase, "_execute_module", write_down_and_execute)  # noqa: B010 - a method is not for assignment
