# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to a fault on the lab, and what must hold after every one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Finished, read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome

from ..conftest import ROOT, RunningLab

BOTH = {"web1": "verified", "web2": "verified"}
NEITHER = {"web1": "not_attempted", "web2": "not_attempted"}
UNTOUCHED = {"fleet-hello": "1.0", "fleet-tools": "1.0"}
"""What the lab's packages are on a fresh host; on ``app1`` these."""
APP_UNTOUCHED = {**UNTOUCHED, "fleet-lib": "1.0", "fleet-service": "1.0"}

HOOKS = ROOT / "tests" / "integration" / "hooks"
BETWEEN_LOOK_AND_CHANGE = {"before_host": [str(HOOKS / "injecting.yml")]}
"""A value of ``patch_hooks``: the variable ``fault`` is then run on each host by its shell."""

Done = subprocess.CompletedProcess[str]


def play(lab: RunningLab, playbook: str, *arguments: str, **extra: Any) -> Done:
    """Run a playbook, whatever comes of it. pytest shows what it said when the test fails."""
    done = lab.play(playbook, *arguments, **extra)
    print(done.stdout[-5000:], done.stderr[-2000:])
    return done


def prepare(lab: RunningLab, cycle: str, *arguments: str, **extra: Any) -> None:
    """Plan and stage."""
    for playbook in ("patch_plan.yml", "patch_stage.yml"):
        assert play(lab, playbook, *arguments, patch_cycle=cycle, **extra).returncode == 0


def apply(lab: RunningLab, cycle: str, *arguments: str, tenant: str = "alpha", **extra: Any) -> Done:
    """Apply the tenant's plan, whatever comes of it."""
    return play(lab, "patch_apply.yml", *arguments, patch_cycle=cycle, patch_tenants=[tenant], **extra)


def resume(lab: RunningLab, cycle: str, expected: Mapping[str, str], tenant: str = "alpha", **extra: Any) -> None:
    """The same plan again comes to a good end, with these outcomes."""
    done = apply(lab, cycle, tenant=tenant, **extra)
    assert done.returncode == 0
    assert_sound(lab, cycle, expected, tenant=tenant)


def again_changes_nothing(lab: RunningLab, cycle: str, expected: Mapping[str, str], tenant: str = "alpha") -> None:
    """The same plan again begins nobody and says the same: it is spent, or what was in its way still is."""
    begun = sum(entry["outcome"] == "intent" for entry in lab.ledger(tenant, cycle))
    assert apply(lab, cycle, tenant=tenant).returncode != 0
    assert_sound(lab, cycle, expected, tenant=tenant)
    assert sum(entry["outcome"] == "intent" for entry in lab.ledger(tenant, cycle)) == begun


def results(lab: RunningLab, cycle: str, tenant: str = "alpha") -> dict[str, Finished]:
    """What has become of every host of the tenant's plan."""
    lines = (lab.plan_folder(tenant, cycle) / "ledger.jsonl").read_bytes().splitlines()
    return read_progress(lines).outcomes


def assert_chained(lab: RunningLab, cycle: str, tenant: str = "alpha") -> None:
    """The chain of the ledger verifies."""
    checked = verify((lab.plan_folder(tenant, cycle) / "ledger.jsonl").read_bytes().splitlines())
    assert checked.ok, checked.problems


def assert_sound(lab: RunningLab, cycle: str, expected: Mapping[str, str], tenant: str = "alpha") -> None:
    """The chain verifies, every host has one outcome and the versions of it, and what does not serve is said not to."""
    folder = lab.plan_folder(tenant, cycle)
    assert_chained(lab, cycle, tenant)
    found = results(lab, cycle, tenant)
    assert {host: str(done.outcome) for host, done in found.items()} == expected, {
        host: done.reason for host, done in found.items()
    }
    assert set(found) == set(json.loads((folder / "plan.json").read_bytes())["hosts"])
    told = Counter((e["attempt"], e["host"]) for e in lab.ledger(tenant, cycle) if e["phase"] == "outcome")
    assert max(told.values(), default=1) == 1, told
    for host, done in found.items():
        _assert_versions(lab, host, done, json.loads((folder / "hosts" / f"{host}.json").read_bytes())["transaction"])
    if lab.has("lb1"):
        away = {server for server, status in lab.servers().items() if status != "UP" and server in found}
        assert away <= {host for host, done in found.items() if done.in_service != "yes"}, "silently drained"


def _assert_versions(lab: RunningLab, host: str, done: Finished, transaction: list[dict[str, Any]]) -> None:
    """What the plan changes is where the outcome says that it is, where it says anything of it."""
    forward = done.outcome in (HostOutcome.VERIFIED, HostOutcome.UNCHANGED)
    if not forward and done.outcome is not HostOutcome.ROLLED_BACK and done.in_service != "yes":
        return
    planned = {change["name"]: change["candidate" if forward else "installed"] for change in transaction}
    wanted = {name: version for name, version in planned.items() if version is not None}
    assert not planned or installed(lab, host, *planned) == wanted, (host, done.outcome)


@contextmanager
def users(lab: RunningLab) -> Iterator[None]:
    """Users are at work meanwhile, and none of their requests fails."""
    started = lab.lab("traffic", "start")
    assert started.returncode == 0, started.stderr
    try:
        yield
    finally:
        lab.lab("traffic", "stop")
    report = lab.lab("traffic", "report")
    assert report.returncode == 0, (report.stdout, report.stderr)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come to that within {seconds:g} s"
        time.sleep(0.1)


@contextmanager
def meanwhile(action: Callable[[], object]) -> Iterator[None]:
    """Do this beside what the test does, and fail when it failed."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(action)
        try:
            yield
        finally:
            running.result()


def hold_transaction(lab: RunningLab, host: str) -> None:
    """Let the transaction of ``fleet-slow`` 2.0 stay open on a host until ``let_transaction_go``."""
    lab.ssh(host, "touch /run/fleet-slow-held")


def wait_for_transaction(lab: RunningLab, host: str) -> None:
    """Wait until the transaction of ``fleet-slow`` 2.0 is in the middle."""
    lab.ssh(host, "timeout 60 sh -c 'until [ -e /run/fleet-slow-reached ]; do sleep 0.1; done'")


def let_transaction_go(lab: RunningLab, host: str) -> None:
    """Let a transaction that was held come to its end."""
    lab.ssh(host, "rm -f /run/fleet-slow-held")


@contextmanager
def in_the_transaction(lab: RunningLab, host: str, action: Callable[[], object]) -> Iterator[None]:
    """Do this while the host is in its transaction, which is let go whatever comes of it: nothing may hang."""

    def act() -> None:
        try:
            wait_for_transaction(lab, host)
            action()
        finally:
            let_transaction_go(lab, host)

    hold_transaction(lab, host)
    with meanwhile(act):
        yield


@contextmanager
def let_go_after_opening(lab: RunningLab, cycle: str, host: str) -> Iterator[None]:
    """A transaction that an earlier attempt has left held comes to its end when the next attempt is open."""
    begun = len(openings(lab, cycle))

    def let_go() -> None:
        try:
            wait_for(lambda: len(openings(lab, cycle)) > begun)
        finally:
            let_transaction_go(lab, host)

    with meanwhile(let_go):
        yield


@contextmanager
def attempt_in_transaction(lab: RunningLab, cycle: str) -> Iterator[subprocess.Popen[bytes]]:
    """An attempt that lives, with ``web1`` held in its transaction. It is killed at the end, unless it has ended."""
    hold_transaction(lab, "web1")
    controller = lab.start("patch_apply.yml", patch_cycle=cycle, patch_tenants=["alpha"])
    try:
        wait_for_transaction(lab, "web1")
        yield controller
    finally:
        if controller.poll() is None:
            os.killpg(controller.pid, signal.SIGKILL)
            controller.wait()


def openings(lab: RunningLab, cycle: str) -> list[dict[str, Any]]:
    """What was said at the opening of each attempt."""
    return [entry["data"]["opening"] for entry in lab.ledger("alpha", cycle) if "opening" in entry["data"]]


def reattached(lab: RunningLab, cycle: str) -> dict[str, bool]:
    """Of each host that was changed, whether the change was one that an earlier attempt had started."""
    return {
        entry["host"]: entry["data"]["reattached"]
        for entry in lab.ledger("alpha", cycle)
        if entry["phase"] == "apply" and entry["outcome"] in ("ok", "changed")
    }


def recorded(lab: RunningLab, cycle: str, host: str, phase: str, outcome: str, tenant: str = "alpha") -> int:
    """How often the ledger says this of the host."""
    mark = f'"host":"{host}","outcome":"{outcome}","phase":"{phase}"'.encode()
    return (lab.plan_folder(tenant, cycle) / "ledger.jsonl").read_bytes().count(mark)


def intended(lab: RunningLab, cycle: str, host: str, phase: str, tenant: str = "alpha") -> bool:
    """Whether the ledger says that this was about to be done to the host."""
    return recorded(lab, cycle, host, phase, "intent", tenant) > 0


def apply_until(lab: RunningLab, cycle: str, condition: Callable[[], bool], **extra: Any) -> None:
    """Apply alpha's plan, and kill the controller with all that it has started as soon as this is so."""
    controller = lab.start("patch_apply.yml", patch_cycle=cycle, patch_tenants=["alpha"], **extra)
    try:
        wait_for(condition)
    finally:
        os.killpg(controller.pid, signal.SIGKILL)
        ended = controller.wait()
    assert ended != 0, "the attempt came to its end before"


class Clock:
    """The clock of the controllers that are started while it is in use: off by what it was last put to."""

    def __init__(self, folder: Path) -> None:
        self._seconds = folder / "clock"

    def put(self, off: timedelta) -> None:
        """Put it forward or back, also for the controllers that run already."""
        new = self._seconds.with_suffix(".new")
        new.write_text(str(off.total_seconds()))
        new.replace(self._seconds)

    @contextmanager
    def in_use(self, off: timedelta = timedelta()) -> Iterator[None]:
        """Controllers that are started meanwhile have this clock."""
        self.put(off)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("PYTHONPATH", str(ROOT / "tests" / "fakes" / "clock"))
            environment.setenv("FAKE_CLOCK", str(self._seconds))
            yield


def installed(lab: RunningLab, host: str, *names: str) -> dict[str, str]:
    """The lab's packages on a host, or those of these names, and their versions; all of them are properly installed."""
    wanted = " ".join(names or ["'fleet-*'"])
    shown = lab.ssh(host, f"dpkg-query -W -f '${{Package}}=${{Version}}=${{Status}}\\n' {wanted}", check=False)
    lines = shown.splitlines()
    assert all(line.endswith("=install ok installed") for line in lines), lines
    return {name: version for name, version, _status in (line.split("=") for line in lines)}


def install(lab: RunningLab, host: str, *packages: str) -> None:
    """Bring old versions of packages onto a host, so that their updates are pending."""
    lab.ssh(host, f"apt-get update -qq && apt-get install -qqy {' '.join(packages)}")


def container(lab: RunningLab, host: str) -> str:
    """The name by which podman knows a host."""
    return str(json.loads(lab.lab("facts", "--json").stdout)["hosts"][host]["container"])


def count_boots(lab: RunningLab, *hosts: str) -> None:
    """Let each host write down every further boot."""
    for host in hosts:
        lab.ssh(host, "touch /var/lib/boots && echo 'w+! /var/lib/boots - - - - boot\\n' >/etc/tmpfiles.d/boots.conf")


def boots(lab: RunningLab, host: str) -> int:
    """How often a host was booted since ``count_boots``."""
    return lab.ssh(host, "cat /var/lib/boots").count("boot")


def drains(lab: RunningLab, host: str) -> int:
    """How often haproxy itself saw that the server was drained."""
    return int(lab.ssh("lb1", f"grep -c ']: Server web/{host} enters drain state' /var/log/haproxy.log", check=False))
