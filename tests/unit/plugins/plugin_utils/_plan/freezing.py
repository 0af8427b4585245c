# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans that are frozen in a state of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import FrozenPlan, ScannedHost, freeze_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

from .fleets import NOW, SOURCE, policy


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    return FolderState(tmp_path)


def freeze(state: FolderState, hosts: Any, **more: Any) -> FrozenPlan:
    arguments = {"tenant": "tenant1", "cycle": "2026-11", "created": NOW, "revision": "abc", "source": SOURCE, **more}
    return freeze_plan(state, hosts=hosts, **arguments)


def one(state: FolderState, found: dict[str, Any] | None, variables: dict[str, Any] | None = None, **more: Any) -> Any:
    """The head's entry and the document of a plan for web1 alone."""
    frozen = freeze(state, [ScannedHost("web1", policy(**(variables or {})), found, **more)])
    return frozen.head["hosts"]["web1"], state.get_host("tenant1", frozen.plan, "web1")
