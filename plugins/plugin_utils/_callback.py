# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the callbacks share: how they read what Ansible hands them, whichever version it is."""

from __future__ import annotations

import typing as t


def module_of(task: t.Any) -> str:
    """The resolved name of a task's module."""
    return str(task.resolved_action or task.action)


def phase_of(task: t.Any) -> str | None:
    """The ``fleet_phase`` that a task or a block around it names."""
    phase = task.get_vars().get("fleet_phase")
    return None if phase is None else str(phase)


def host_and_task(result: t.Any) -> tuple[t.Any, t.Any]:
    """Whose result it is; before ansible-core 2.19 they had underscores."""
    return (result.host, result.task) if hasattr(result, "host") else (result._host, result._task)


def content_and_fields(result: t.Any) -> tuple[dict[str, t.Any], t.Mapping[str, t.Any]]:
    """What the module returned, and the fields of its task. Ansible copies them for each callback that asks."""
    return (result.result, result.task_fields) if hasattr(result, "host") else (result._result, result._task_fields)
