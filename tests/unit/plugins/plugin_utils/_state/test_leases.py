# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Leases in a folder: a damaged one gives nothing away, and a sign of life leaves nothing locked."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract import NOW
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.contract_of_leases import take


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    return FolderState(tmp_path / "state")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"names":3,"owner":"a","acquired":"x"}'])
def test_a_lease_that_cannot_be_read_gives_nothing_away(state: FolderState, tmp_path: Path, content: str) -> None:
    take(state, "a", "host:web1")
    (path,) = (tmp_path / "state/tenants/tenant1/leases").glob("*.json")
    path.write_text(content)
    with pytest.raises(FleetError) as refused:
        take(state, "b", "host:web2")
    assert refused.value.kind == "state_damaged"


def test_a_child_that_outlives_its_parent_keeps_nothing_locked(state: FolderState, tmp_path: Path) -> None:
    """As a worker of ansible-playbook does whose parent was killed while it renewed."""

    def fork_while_renewing() -> None:
        take(state, "a", "host:web1")
        for _number in range(50):
            state.renew("tenant1", "a", now=NOW)
            if os.fork() == 0:
                time.sleep(3)
                os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)

    parent = multiprocessing.Process(target=fork_while_renewing)
    parent.start()
    parent.join(30)
    begun = time.monotonic()
    assert take(state, "b", "host:web1", is_dead=lambda owner: owner == "a").taken_from == ("a",)
    state.release("tenant1", "b")
    assert time.monotonic() - begun < 2
