# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong on a host ends in one true outcome, and nothing stays drained unseen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from .conftest import ROOT, RunningLab, said

HOOKS = str(ROOT / "tests" / "integration" / "hooks")


@pytest.fixture(scope="module")
def fleet(start_lab: Callable[..., RunningLab]) -> RunningLab:
    """Two web servers behind the load balancer, and a host alone."""
    return start_lab("faults", "--only", "lb1,web1,web2,app1")


@pytest.fixture
def fresh(fleet: RunningLab) -> Iterator[RunningLab]:
    """The same hosts with their updates pending again, whatever a test has done to them."""
    yield fleet
    reset = fleet.lab("reset", "--all")
    assert reset.returncode == 0, reset.stderr


def prepare(lab: RunningLab, cycle: str, *arguments: str, **extra: object) -> None:
    """Plan and stage."""
    for playbook in ("patch_plan.yml", "patch_stage.yml"):
        done = lab.play(playbook, *arguments, patch_cycle=cycle, **extra)
        assert done.returncode == 0, done.stdout[-5000:]


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait up to a minute until something is so."""
    for _tenth in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that within a minute")


def last_entry(lab: RunningLab, tenant: str, cycle: str, host: str) -> dict[str, object]:
    """The data of a host's last outcome."""
    found = [e for e in lab.ledger(tenant, cycle) if e["phase"] == "outcome" and e["host"] == host]
    return dict(found[-1]["data"])


def test_a_broken_package_is_rolled_back_and_spends_the_budget(fresh: RunningLab) -> None:
    fresh.ssh("web1", "apt-get update -q && apt-get install -qy fleet-broken=1.0")
    prepare(fresh, "2026-01")
    applied = fresh.play("patch_apply.yml", patch_cycle="2026-01", patch_tenants=["alpha"])
    assert applied.returncode != 0
    assert fresh.outcomes("alpha", "2026-01") == {"web1": "rolled_back", "web2": "not_attempted"}
    assert last_entry(fresh, "alpha", "2026-01", "web1")["in_service"] == "yes"
    assert "budget" in str(last_entry(fresh, "alpha", "2026-01", "web2")["reason"])
    assert fresh.servers()["web1"] == "UP"
    installed = fresh.ssh("web1", "dpkg-query -W -f '${Package}=${Version} ${Status}\\n' fleet-*")
    assert "fleet-broken=1.0 install ok installed" in installed
    assert "fleet-hello=1.0 install ok installed" in installed
    assert fresh.ssh("web1", "dpkg --audit") == ""


def test_a_host_that_vanishes_in_the_change_is_not_forgotten(fresh: RunningLab) -> None:
    cycle = "2026-02"
    prepare(fresh, cycle, patch_reconnect_timeout=5)
    container = json.loads(fresh.lab("facts", "--json").stdout)["hosts"]["web1"]["container"]

    def vanish() -> None:
        ledger = fresh.plan_folder("alpha", cycle) / "ledger.jsonl"
        wait_for(lambda: b'"host":"web1","outcome":"intent","phase":"apply"' in ledger.read_bytes())
        subprocess.run(["podman", "pause", container], check=True, capture_output=True)

    watcher = threading.Thread(target=vanish)
    watcher.start()
    try:
        applied = fresh.play("patch_apply.yml", patch_cycle=cycle, patch_tenants=["alpha"])
        watcher.join()
        assert applied.returncode != 0
        assert fresh.outcomes("alpha", cycle) == {"web1": "unreachable", "web2": "not_attempted"}
        assert last_entry(fresh, "alpha", cycle, "web1")["in_service"] == "no"
        assert fresh.servers()["web2"] == "UP"
        assert "web1: unreachable, out of service" in said(applied)
    finally:
        subprocess.run(["podman", "unpause", container], check=False, capture_output=True)
    # It is back, still drained by us: the same plan brings it, and then the other one, to a good end.
    resumed = fresh.play("patch_apply.yml", patch_cycle=cycle, patch_tenants=["alpha"])
    assert resumed.returncode == 0, resumed.stdout[-5000:]
    assert fresh.outcomes("alpha", cycle) == {"web1": "verified", "web2": "verified"}
    assert fresh.servers() == {"web1": "UP", "web2": "UP"}


def test_a_changed_plan_is_refused_and_a_changed_host_gets_only_what_is_left(fresh: RunningLab) -> None:
    cycle = "2026-03"
    prepare(fresh, cycle)
    plan = fresh.plan_folder("alpha", cycle) / "plan.json"
    plan.chmod(0o600)
    plan.write_bytes(plan.read_bytes().replace(b'"max_failed":0', b'"max_failed":9'))
    tampered = fresh.play("patch_apply.yml", patch_cycle=cycle, patch_tenants=["alpha"])
    assert tampered.returncode != 0
    assert "it was changed after it was frozen" in said(tampered)
    assert "fleet-hello=1.0" in fresh.ssh("web1", "dpkg-query -W -f '${Package}=${Version}\\n' fleet-hello")
    # Somebody did a part of the transaction by hand: it is reported, and the rest still leads to the planned versions.
    fresh.ssh("app1", "apt-get update -q && apt-get install -qy --only-upgrade fleet-hello")
    moved = fresh.play("patch_apply.yml", patch_cycle=cycle, patch_tenants=["beta"])
    assert moved.returncode == 0, moved.stdout[-5000:]
    assert fresh.outcomes("beta", cycle) == {"app1": "verified"}
    preflight = next(entry for entry in fresh.ledger("beta", cycle) if entry["phase"] == "preflight")
    assert [change["name"] for change in preflight["data"]["vanished"]] == ["fleet-hello"]


def test_a_hook_that_refuses_keeps_its_batch_untouched(fresh: RunningLab) -> None:
    cycle = "2026-04"
    prepare(fresh, cycle, patch_hooks={"before_batch": [f"{HOOKS}/refusing.yml"]})
    applied = fresh.play("patch_apply.yml", patch_cycle=cycle)
    assert applied.returncode != 0
    outcomes = {**fresh.outcomes("alpha", cycle), **fresh.outcomes("beta", cycle)}
    assert set(outcomes.values()) == {"not_attempted"}
    assert "change freeze" in str(last_entry(fresh, "alpha", cycle, "web1")["reason"])
    assert '"phase":"apply"' not in json.dumps(fresh.ledger("alpha", cycle), separators=(",", ":"))


def test_a_hook_whose_host_is_away_keeps_every_host_untouched(fresh: RunningLab) -> None:
    cycle = "2026-06"
    prepare(fresh, cycle, patch_hooks={"before_cycle": [f"{HOOKS}/delegating_to_nobody.yml"]})
    applied = fresh.play("patch_apply.yml", patch_cycle=cycle)
    assert applied.returncode != 0
    outcomes = {**fresh.outcomes("alpha", cycle), **fresh.outcomes("beta", cycle)}
    assert set(outcomes.values()) == {"not_attempted"}
    assert "apply" not in {entry["phase"] for entry in fresh.ledger("alpha", cycle)}


def test_a_killed_controller_leaves_a_host_that_the_next_attempt_brings_to_a_good_end(fresh: RunningLab) -> None:
    cycle = "2026-07"
    prepare(fresh, cycle)
    controller = fresh.start("patch_apply.yml", patch_cycle=cycle, patch_tenants=["alpha"])
    ledger = fresh.plan_folder("alpha", cycle) / "ledger.jsonl"
    wait_for(lambda: b'"host":"web1","outcome":"intent","phase":"apply"' in ledger.read_bytes())
    os.killpg(controller.pid, signal.SIGKILL)
    controller.wait()
    # Nobody may take the second server while the first one is drained, nor say that the first is in service.
    other = fresh.play("patch_apply.yml", "--limit", "web2", patch_cycle=cycle, patch_tenants=["alpha"])
    assert other.returncode != 0
    assert fresh.outcomes("alpha", cycle) == {"web1": "not_attempted", "web2": "not_attempted"}
    assert last_entry(fresh, "alpha", cycle, "web1")["in_service"] == "unknown"
    resumed = fresh.play("patch_apply.yml", patch_cycle=cycle, patch_tenants=["alpha"])
    assert resumed.returncode == 0, resumed.stdout[-5000:]
    assert fresh.outcomes("alpha", cycle) == {"web1": "verified", "web2": "verified"}
    assert fresh.servers() == {"web1": "UP", "web2": "UP"}
    assert "fleet-hello=2.0" in fresh.ssh("web1", "dpkg-query -W -f '${Package}=${Version}\\n' fleet-hello")


def test_a_reboot_is_made_and_proven(fresh: RunningLab) -> None:
    cycle = "2026-05"
    before = fresh.ssh("web1", "cut -d' ' -f22 /proc/1/stat")
    prepare(fresh, cycle, "--limit", "web1", patch_reboot="always")
    applied = fresh.play("patch_apply.yml", "--limit", "web1", patch_cycle=cycle)
    assert applied.returncode == 0, applied.stdout[-5000:]
    assert fresh.outcomes("alpha", cycle) == {"web1": "verified"}
    assert fresh.ssh("web1", "cut -d' ' -f22 /proc/1/stat") != before
    assert fresh.servers()["web1"] == "UP"
