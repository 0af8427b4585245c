# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package engine with the real apt and dpkg, against faults that packages of the lab have on purpose."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from .conftest import LAB, RunningLab
from .packages_lab import FOLDER, PROCESS, PackageHost

FIXTURE = ("fleet-superseded=1.0", "fleet-broken=1.0", "linux-image-fleet=6.1.98")


@pytest.fixture(scope="module")
def host(start_lab: Callable[..., RunningLab]) -> PackageHost:
    found = PackageHost(start_lab("packagesapt", "--only", "app1"), "app1", "apt")
    found.ship()
    found.shell(f"apt-get update -q && apt-get install -qy {' '.join(FIXTURE)}")
    return found


def marks(host: PackageHost) -> str:
    return host.shell("apt-mark showauto")


def versions(host: PackageHost, pattern: str = "fleet-*") -> str:
    return host.shell(f"dpkg-query -W -f '${{db:Status-Abbrev}} ${{Package}} ${{Version}}\\n' '{pattern}' | grep ^i")


def test_a_scan_sees_what_is_security_and_the_whole_transaction(host: PackageHost) -> None:
    found = host.scan(refresh=True, classes="security", include=["fleet-*", "linux-image-*"])
    assert found["manager"] == "apt"
    assert (found["refreshed"], found["refresh_error"]) == (True, None)
    pending = {update["name"]: update for update in found["pending"]}
    assert pending["fleet-superseded"]["is_security"] is True
    assert pending["fleet-superseded"]["candidate"] == "2.1"
    assert pending["fleet-tools"]["reason"] == "not_security"
    kernel = pending["linux-image-6.1.0-99-fleet"]
    assert (kernel["is_kernel"], kernel["installed"], kernel["selected"]) == (True, None, True)
    actions = {entry["name"]: entry["action"] for entry in found["transaction"]}
    assert actions["fleet-extra"] == "install"
    assert actions["fleet-lib"] == "upgrade"
    assert "fleet-tools" not in actions
    assert found["interrupted"]["interrupted"] is False


def test_a_hold_keeps_back_what_needs_the_held_package(host: PackageHost) -> None:
    found = host.scan(include=["fleet-*"], held=["fleet-lib"])
    verdicts = {update["name"]: update["reason"] for update in found["pending"]}
    assert verdicts["fleet-lib"] == verdicts["fleet-service"] == "held"
    assert {"fleet-lib", "fleet-service"}.isdisjoint(entry["name"] for entry in found["transaction"])


def test_a_refresh_that_cannot_reach_a_repository_is_an_error(host: PackageHost) -> None:
    host.shell("echo 'deb [trusted=yes] file:/nonexistent ./' > /etc/apt/sources.list.d/gone.list")
    try:
        assert "nonexistent" in host.scan(refresh=True)["refresh_error"]
    finally:
        host.shell("rm /etc/apt/sources.list.d/gone.list && apt-get update -q")


def test_staging_applying_and_rolling_back(host: PackageHost) -> None:
    plan = host.plan("way", "fleet-service", "fleet-superseded")
    before, marked = versions(host), marks(host)
    assert plan.apply()["fleet_failure"]["kind"] == "not_staged"
    staged = plan.stage()
    assert staged["rollback"]["possible"] is True
    assert staged["cves"]["fleet-lib"] == ["CVE-2026-0002", "CVE-2026-0003"]
    assert staged["cves"]["fleet-superseded"] == ["CVE-2026-0005"]
    assert plan.stage()["changed"] is False

    looked = plan.apply(check_mode=True)
    assert (looked["changed"], looked["after"]) == (True, plan.after)
    assert versions(host) == before

    applied = plan.apply(restart="stale")
    assert applied["after"] == plan.after
    assert applied["before"] == plan.before
    assert "fleet-service.service" in applied["restarted"]
    assert set(marked.split()) <= set(marks(host).split())
    assert "fleet-extra" in marks(host).split()
    assert plan.apply()["changed"] is False

    back = plan.roll_back()
    assert back["after"] == plan.before
    assert (versions(host), marks(host)) == (before, marked)


def test_an_old_version_that_no_repository_has_is_repacked_and_comes_back(host: PackageHost) -> None:
    plan = host.plan("repacked", "fleet-service")
    # Without an index the repositories have nothing older.
    host.shell("mkdir -p /root/lists && cp /srv/fleet-repository/deb/pool/lab-security/*.deb /root/lists/")
    host.shell("cd /root/lists && dpkg-scanpackages . >Packages 2>/dev/null || apt-ftparchive packages . >Packages")
    only = "echo 'deb [trusted=yes] file:/root/lists ./' >/etc/apt/sources.list.d/only.list"
    host.shell(f"mv /etc/apt/sources.list.d /root/sources && mkdir /etc/apt/sources.list.d && {only}")
    host.shell("mv /etc/apt/sources.list /root/ 2>/dev/null; apt-get update -q")
    try:
        how = {entry["name"]: entry["how"] for entry in plan.stage()["kept"]}
        assert how == {"fleet-lib": "repacked", "fleet-service": "repacked"}
        assert plan.apply()["after"] == plan.after
        assert plan.roll_back()["after"] == plan.before
        assert host.shell("dpkg --verify fleet-lib fleet-service") == ""
        assert host.shell("systemctl is-active fleet-service") == "active"
    finally:
        host.shell("rm -r /etc/apt/sources.list.d && mv /root/sources /etc/apt/sources.list.d")
        host.shell("mv /root/sources.list /etc/apt/ 2>/dev/null; apt-get update -q")


def test_a_package_that_cannot_be_configured_is_rolled_back_exactly(host: PackageHost) -> None:
    plan = host.plan("broken", "fleet-broken", "fleet-hello")
    before = versions(host)
    plan.stage()
    failure = plan.apply()["fleet_failure"]
    assert failure["kind"] == "change_failed"
    assert failure["data"]["broken"] == ["fleet-broken:all"]
    assert "cannot be configured" in failure["data"]["log"]
    assert host.scan()["interrupted"]["interrupted"] is True
    assert plan.apply()["fleet_failure"]["kind"] == "interrupted"
    assert plan.roll_back()["after"] == plan.before
    assert versions(host) == before
    assert host.shell("dpkg --audit") == ""


@contextmanager
def held(host: PackageHost) -> Iterator[None]:
    """Every change stays at work, before dpkg is begun, for as long as this lasts."""
    host.shell("touch /run/held")
    hook = "while [ -e /run/held ]; do sleep 0.1; done"
    host.shell(f"echo 'DPkg::Pre-Invoke {{ \"{hook}\"; }};' >/etc/apt/apt.conf.d/99wait")
    try:
        yield
    finally:
        host.shell("rm /run/held /etc/apt/apt.conf.d/99wait")


def test_a_change_that_is_still_at_work_is_found_again(host: PackageHost) -> None:
    plan = host.plan("attached", "fleet-hello")
    plan.stage()
    with held(host):
        assert plan.apply(timeout=1)["fleet_failure"]["kind"] == "still_running"
        host.shell("systemctl daemon-reexec")
        other = host.plan("other", "fleet-superseded")
        other.stage()
        refused = other.apply(lock_timeout=1)["fleet_failure"]
        assert refused["kind"] == "lock_held"
        assert "apt-get" in refused["data"]["locks"][0]["command"]
    again = plan.apply()
    assert (again["reattached"], again["changed"], again["after"]) == (True, True, plan.after)
    plan.roll_back()


def test_a_change_outlives_the_connection_that_started_it(host: PackageHost) -> None:
    plan = host.plan("outlives", "fleet-hello")
    plan.stage()
    with held(host):
        given = json.dumps(["apply", {"plan": plan.digest, "transaction": plan.transaction, "manager": "apt"}])
        command = [LAB, "ssh", "--name", host.lab.name, host.name, "--", f"python3 {FOLDER}/driver.py"]
        driver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert driver.stdin
        with driver.stdin:
            driver.stdin.write(given)
        host.shell(f"timeout 60 sh -c 'until systemctl is-active -q {plan.unit}; do sleep 0.1; done'")
        host.shell(f"kill -KILL $(cat {PROCESS})")
        assert driver.wait(timeout=60) != 0
    assert plan.apply()["after"] == plan.after
    plan.roll_back()


def test_a_killed_change_is_healed_and_finished(host: PackageHost) -> None:
    plan = host.plan("killed", "fleet-hello", "fleet-superseded")
    plan.stage()
    # dpkg waits between unpacking and configuring.
    hook = 'pre-invoke=case "$DPKG_HOOK_ACTION" in configure) touch /run/unpacked; sleep 600;; esac'
    host.shell(f"echo '{hook}' >/etc/dpkg/dpkg.cfg.d/wait")
    try:
        assert plan.apply(timeout=1)["fleet_failure"]["kind"] == "still_running"
        host.shell("timeout 60 sh -c 'until [ -e /run/unpacked ]; do sleep 0.1; done'")
        host.shell(f"systemctl kill -s KILL {plan.unit}")
    finally:
        host.shell("rm /etc/dpkg/dpkg.cfg.d/wait")
    assert host.scan()["interrupted"]["interrupted"] is True
    again = plan.apply()
    assert (again["reattached"], again["before"], again["after"]) == (True, plan.before, plan.after)
    assert host.shell("dpkg --audit") == ""
    plan.roll_back()


def test_a_host_that_changed_since_the_plan_is_refused(host: PackageHost) -> None:
    plan = host.plan("changed", "fleet-hello", "fleet-tools")
    plan.stage()
    host.shell("apt-get install -qy fleet-tools=2.0")
    host.shell("dpkg --remove fleet-hello")
    try:
        failure = plan.apply()["fleet_failure"]
        assert failure["kind"] == "transaction_mismatch"
        assert any("fleet-hello" in difference for difference in failure["data"]["differences"])
    finally:
        host.shell("apt-get install -qy --allow-downgrades fleet-tools=1.0 fleet-hello=1.0")


def test_a_hold_that_came_after_the_plan_is_obeyed(host: PackageHost) -> None:
    plan = host.plan("held", "fleet-hello")
    plan.stage()
    host.shell("apt-mark hold fleet-hello")
    try:
        failure = plan.apply()["fleet_failure"]
        assert failure["kind"] == "transaction_mismatch"
        assert "Held packages" in failure["data"]["output"]
    finally:
        host.shell("apt-mark unhold fleet-hello")
