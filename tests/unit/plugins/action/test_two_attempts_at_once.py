# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two real runs of ansible-playbook on one plan: the second waits for the first, or for its death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import Lease, State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible, start_ansible

HOSTS = ("web1", "web2")


class Fleet:
    """Two hosts of one cluster, a plan that changes both, and the playbook that opens, works and closes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: State = FolderState(folder / "state")
        common = {"fleet_tenant": "north", "fleet_state_dir": str(folder / "state"), "ansible_connection": "local"}
        (folder / "inventory.json").write_text(
            json.dumps({"all": {"children": {"fleet": {"hosts": {host: {} for host in HOSTS}, "vars": common}}}})
        )
        self.plan = self._freeze()

    def _freeze(self) -> str:
        with self.state.write_plan("north") as writer:
            hosts = {}
            for name in HOSTS:
                digest = writer.put_host(name, {"format": 1, "host": name, "policy": {"hooks": {}, "approval": "none"}})
                entry = {"wave": "broad", "cluster": "web", "decision": "patch", "reason": "", "updates": 1}
                hosts[name] = {"digest": digest, **entry}
            return writer.finish(
                {
                    "format": 1,
                    "tenant": "north",
                    "cycle": "2026-11",
                    "created": "2026-11-01T00:00:00Z",
                    "expires": "2099-01-01T00:00:00Z",
                    "waves": [{"name": "broad", "soak_minutes": 0, "batches": [[name] for name in HOSTS]}],
                    "limits": {"max_failed": 0, "cluster_max_down": {"web": 1}},
                    "hosts": hosts,
                }
            )

    def _playbook(self, name: str, work: str) -> str:
        plans = [{"tenant": "north", "plan": self.plan}]
        once = {"run_once": True, "delegate_to": "localhost"}
        tasks = [
            {"name": "Open", "bankops.fleet.patch_attempt": {"state": "open", "plans": plans}, **once},
            {"name": "Work", "ansible.builtin.command": work, **once},
            {"name": "Close", "bankops.fleet.patch_attempt": {"state": "closed", "plans": plans}, **once},
        ]
        play = {"name": "Test", "hosts": "fleet", "gather_facts": False, "tasks": tasks}
        (self.folder / name).write_text(json.dumps([play]))
        return name

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A run whose work is nothing."""
        playbook = self._playbook("short.json", "true")
        return run_ansible(self.folder, "playbook", "-i", "inventory.json", playbook, *arguments)

    @contextmanager
    def at_work(self) -> Iterator[subprocess.Popen[bytes]]:
        """A run in the middle of its work, which goes on until the file ``go`` is there."""
        log = self.folder / "log"
        script = "touch at-work; until test -e go; do sleep 0.1; done"
        playbook = self._playbook("long.json", f"timeout --foreground 60 sh -c 'cd {self.folder}; {script}'")
        process = start_ansible(self.folder, "playbook", "-i", "inventory.json", playbook, log=log)
        try:
            until((self.folder / "at-work").exists, log)
            yield process
        finally:
            (self.folder / "go").touch()
            process.kill()
            process.wait()

    def lease(self) -> Lease:
        (lease,) = self.state.leases("north")
        return lease

    def openings(self) -> list[dict[str, Any]]:
        entries = read_entries(self.state.entries("north", self.plan))
        return [entry["data"]["opening"] for entry in entries if "opening" in entry["data"]]


def until(holds: Callable[[], object], log: Path, seconds: float = 60) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_a_second_run_is_refused_while_the_first_gives_signs_of_life_in_a_long_task(fleet: Fleet) -> None:
    with fleet.at_work() as first:
        lease = fleet.lease()
        assert lease.names == {f"plan:{fleet.plan[:16]}", "host:web1", "host:web2", "cluster:web"}
        until(lambda: fleet.lease().heartbeat > lease.heartbeat, fleet.folder / "log", 15)
        second = fleet.run()
        assert second.returncode != 0
        assert f"Attempt 1 (apply) on plan {fleet.plan[:16]} is open: process {first.pid} on" in second.stdout
        assert len(fleet.openings()) == 1
        (fleet.folder / "go").touch()
        assert first.wait(30) == 0, (fleet.folder / "log").read_text()
    assert fleet.state.leases("north") == []
    assert fleet.state.stop_requested("north") is None
    assert "bankops.fleet.evidence:" not in (fleet.folder / "log").read_text()


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_was_killed_is_known_to_be_dead_at_once_and_its_lease_is_taken_over(
    fleet: Fleet, deadly: signal.Signals
) -> None:
    with fleet.at_work() as first:
        owner = fleet.lease().owner
        first.send_signal(deadly)
        assert first.wait(30) != 0
        second = fleet.run()
    assert second.returncode == 0, second.stdout
    assert fleet.openings()[1]["took_over"] == [{"owner": owner}]
    reasons = [entry["data"].get("reason") for entry in read_entries(fleet.state.entries("north", fleet.plan))]
    assert "its process ended without closing it" in reasons
    assert verify(fleet.state.entries("north", fleet.plan)).ok


def test_a_run_that_somebody_took_over_says_so_and_asks_to_stop(fleet: Fleet) -> None:
    with fleet.at_work() as first:
        os.kill(first.pid, signal.SIGSTOP)
        lease = fleet.lease()
        fleet.state.renew("north", lease.owner, now=datetime.fromtimestamp(0, timezone.utc))
        second = fleet.run()
        assert second.returncode == 0, second.stdout
        assert fleet.openings()[1]["took_over"] == [{"owner": lease.owner}]
        os.kill(first.pid, signal.SIGCONT)
        until(lambda: fleet.state.stop_requested("north"), fleet.folder / "log", 15)
        (fleet.folder / "go").touch()
        first.wait(30)
    assert "no longer holds its lease of tenant north" in (fleet.folder / "log").read_text().replace("\n", " ")


@pytest.mark.parametrize("name", ["__patch_hooks", "__patch_batch", "ansible_facts", "fleet_rollout", "fleet_phase"])
def test_what_the_playbooks_tell_one_another_is_not_taken_from_the_command_line(tmp_path: Path, name: str) -> None:
    fleet = Fleet(tmp_path)
    refused = fleet.run("-e", json.dumps({name: {}}))
    assert refused.returncode != 0
    assert f"Extra variables: {name}: the playbooks set these themselves." in refused.stdout + refused.stderr
    assert list(fleet.state.entries("north", fleet.plan)) == []
