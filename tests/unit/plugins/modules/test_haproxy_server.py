# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module as Ansible runs it: arguments as JSON on its standard input, the result as JSON on its output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.tests.fakes.haproxy import FakeHaproxy, FakeServer, listening

MODULE = "ansible_collections.bankops.fleet.plugins.modules.haproxy_server"


def run(**arguments: Any) -> dict[str, Any]:
    """The result of the module, run as a program of its own; it says ``failed`` when it failed."""
    parameters = {"_ansible_remote_tmp": "/tmp", "_ansible_keep_remote_files": False, **arguments}
    done = subprocess.run(
        [sys.executable, "-m", MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": parameters}),
        cwd=Path(__file__).resolve().parents[4] / ".collections",
        capture_output=True,
        text=True,
        check=False,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture
def haproxy() -> FakeHaproxy:
    return FakeHaproxy([FakeServer("web1"), FakeServer("web2"), FakeServer("web3")])


def test_drain_and_return(haproxy: FakeHaproxy, tmp_path: Path) -> None:
    with listening(haproxy, tmp_path / "s") as address:
        drained = run(backend="web", server="web1", socket=address, state="drained")
        again = run(backend="web", server="web1", socket=address, state="drained")
        ready = run(backend="web", server="web1", socket=address, state="ready")
    assert drained["changed"]
    assert drained["diff"] == {"before": {"admin_state": "ready"}, "after": {"admin_state": "drain"}}
    assert drained["fleet_evidence"]["after"]["sessions"] == 0
    assert not again["changed"]
    assert ready["after"]["status"] == "UP"


def test_check_mode_tells_what_would_change_and_does_not(haproxy: FakeHaproxy, tmp_path: Path) -> None:
    with listening(haproxy, tmp_path / "s") as address:
        result = run(backend="web", server="web1", socket=address, state="drained", _ansible_check_mode=True)
    assert result["changed"]
    assert result["diff"]["after"] == {"admin_state": "drain"}
    assert haproxy.orders() == []


def test_a_refusal_has_its_kind(haproxy: FakeHaproxy, tmp_path: Path) -> None:
    with listening(haproxy, tmp_path / "s") as address:
        result = run(backend="web", server="web1", sockets=[address], state="drained", min_healthy=3)
    assert result["failed"]
    assert result["fleet_failure"]["kind"] == "too_few_healthy"


@pytest.mark.parametrize(
    "sockets", [{}, {"socket": "/a", "sockets": ["/b"]}, {"sockets": ["/a", "/b"], "state_file": "/c"}]
)
def test_arguments_that_contradict_each_other_are_refused(sockets: dict[str, Any]) -> None:
    assert run(backend="web", server="web1", state="drained", **sockets)["failed"]
