# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The orders of Debian and rpm versions."""

from __future__ import annotations

import itertools
import shutil
import subprocess

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._packages import debian_version, rpm_version

# Oldest first; every neighbour differs in another rule of deb-version(7).
DEBIAN = [
    "0~",
    "0",
    "1.0~~",
    "1.0~rc1-1",
    "1.0~rc1-1+b1",
    "1.0",
    "1.0-1~deb12u1",
    "1.0-1",
    "1.0-1ubuntu0.1",
    "1.0-1+b1",
    "1.0-1+deb12u1",
    "1.0-1.1",
    "1.0-10",
    "1.0a-1",
    "1.0+dfsg-1",
    "1.0.1-1",
    "1.00002-1",
    "1.10-1",
    "1:0.1-1",
]

# Oldest first, after rpm-version(7).
RPM = [
    "1.0~rc1-1",
    "1.0-1",
    "1.0-1.el9",
    "1.0-2",
    "1.0-10",
    "1.0^20261101-1",
    "1.0a-1",
    "1.0.1-1",
    "1.02.1-1",
    "1.10-1",
    "1:0.1-1",
]


@pytest.mark.parametrize(("older", "newer"), list(itertools.combinations(DEBIAN, 2)))
def test_debian_order(older: str, newer: str) -> None:
    assert debian_version.compare(older, newer) < 0
    assert debian_version.compare(newer, older) > 0


@pytest.mark.parametrize(("left", "right"), [("1.0", "0:1.0"), ("1.0-0", "1.0"), ("1.01", "1.1")])
def test_debian_versions_that_are_the_same(left: str, right: str) -> None:
    assert debian_version.compare(left, right) == 0


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="compares with dpkg itself")
def test_dpkg_agrees_with_the_order() -> None:
    for older, newer in itertools.pairwise(DEBIAN):
        assert subprocess.run(["dpkg", "--compare-versions", older, "lt", newer], check=False).returncode == 0, (
            older,
            newer,
        )


@pytest.mark.parametrize(("older", "newer"), list(itertools.combinations(RPM, 2)))
def test_rpm_order(older: str, newer: str) -> None:
    assert rpm_version.compare(older, newer) < 0
    assert rpm_version.compare(newer, older) > 0


@pytest.mark.parametrize(("left", "right"), [("1.0-1", "0:1.0-1"), ("1.0-1", "1_0-1"), ("1.01-1", "1.1-1")])
def test_rpm_versions_that_are_the_same(left: str, right: str) -> None:
    assert rpm_version.compare(left, right) == 0
