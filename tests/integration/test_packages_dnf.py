# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package engine with the real dnf and rpm."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import RunningLab
from .packages_lab import PackageHost


@pytest.fixture(scope="module")
def host(start_lab: Callable[..., RunningLab]) -> PackageHost:
    found = PackageHost(start_lab("packagesrpm", "--only", "rpm1"), "rpm1", "dnf")
    found.ship()
    found.shell("dnf install -qy fleet-superseded-1.0 fleet-broken-1.0")
    return found


def versions(host: PackageHost) -> list[str]:
    return sorted(host.shell("rpm -qa").splitlines())


def chosen_by_the_user(host: PackageHost) -> list[str]:
    return sorted(host.shell("dnf -q repoquery --userinstalled --qf '%{name}'").splitlines())


def test_a_scan_reads_advisories_and_the_whole_transaction(host: PackageHost) -> None:
    found = host.scan(refresh=True, classes="security")
    assert (found["manager"], found["refreshed"]) == ("dnf", True)
    pending = {update["name"]: update for update in found["pending"]}
    assert pending["fleet-lib"]["cves"] == ["CVE-2026-0002", "CVE-2026-0003"]
    assert pending["fleet-lib"]["severity"] == "critical"
    assert pending["fleet-superseded"]["is_security"] is True
    assert pending["fleet-tools"]["reason"] == "not_security"
    actions = {entry["name"]: entry["action"] for entry in found["transaction"]}
    assert actions["fleet-extra"] == "install"
    assert "fleet-tools" not in actions


def test_staging_applying_and_rolling_back(host: PackageHost) -> None:
    plan = host.plan("way", "fleet-service", "fleet-superseded")
    before, chosen = versions(host), chosen_by_the_user(host)
    staged = plan.stage()
    assert staged["rollback"]["possible"] is True
    assert {entry["how"] for entry in staged["kept"]} == {"repository"}
    assert plan.stage()["changed"] is False
    assert plan.apply(check_mode=True)["changed"] is True
    assert versions(host) == before
    assert plan.apply()["after"] == plan.after
    assert chosen_by_the_user(host) == chosen
    assert plan.apply()["changed"] is False
    assert plan.roll_back()["after"] == plan.before
    assert (versions(host), chosen_by_the_user(host)) == (before, chosen)


def test_a_package_that_cannot_be_installed_is_rolled_back_exactly(host: PackageHost) -> None:
    plan = host.plan("broken", "fleet-broken", "fleet-hello")
    before = versions(host)
    plan.stage()
    assert plan.apply()["fleet_failure"]["kind"] == "change_failed"
    assert plan.roll_back()["after"] == plan.before
    assert versions(host) == before


def test_a_refresh_that_cannot_reach_a_repository_is_an_error(host: PackageHost) -> None:
    repository = "[gone]\\nname=Gone\\nbaseurl=file:///nonexistent\\nskip_if_unavailable=1\\ngpgcheck=0\\n"
    host.shell(f"printf '{repository}' >/etc/yum.repos.d/gone.repo")
    try:
        assert "gone" in host.scan(refresh=True)["refresh_error"]
    finally:
        host.shell("rm /etc/yum.repos.d/gone.repo")
