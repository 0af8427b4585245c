# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernels and the reasons for a reboot."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._host.kernels import (
    read_kernel,
    read_kernel_packages,
    version_key,
)
from ansible_collections.bankops.fleet.plugins.module_utils._host.reboot import read_reboot

DPKG = "dpkg-query --show --showformat=${db:Status-Status} ${Package} ${Version}\\n linux-image-* linux-modules-*"
RPM_KERNELS = (
    "rpm -q --queryformat %{NAME} %{VERSION}-%{RELEASE} %{ARCH}\\n kernel kernel-core kernel-modules "
    "kernel-modules-core kernel-modules-extra kernel-default kernel-uek kernel-uek-core kernel-rt kernel-rt-core"
)
RPM_CORE = "rpm -q --queryformat %{NAME} %{INSTALLTIME}\\n glibc linux-firmware systemd dbus dbus-broker dbus-daemon"
DEBIAN = (
    "installed linux-image-6.1.0-18-amd64 6.1.76-1\n"
    "installed linux-image-6.1.0-37-amd64 6.1.140-1\n"
    "installed linux-image-6.1.0-9-amd64 6.1.27-1\n"
    "config-files linux-image-6.1.0-7-amd64 6.1.20-2\n"
    "installed linux-image-amd64 6.1.140-1\n"
    "installed linux-image-6.1.0-37-amd64-dbg 6.1.140-1\n"
)


def boot(host: Any, release: str, version: str = "#1 SMP") -> None:
    host.write("proc/sys/kernel/osrelease", release + "\n")
    host.write("proc/sys/kernel/version", version + "\n")
    host.write("proc/1/stat", "1 (systemd) S " + " ".join(["0"] * 18) + " 100 0\n")
    host.write("proc/stat", "btime 1700000000\n")


@pytest.mark.parametrize(
    "ascending",
    [
        ["6.1.0-9-amd64", "6.1.0-18-amd64", "6.1.0-37-cloud-amd64", "6.12.38+deb12-amd64", "6.12.38+deb13-amd64"],
        ["6.12.38+deb13-amd64", "6.12.38+deb13+1-amd64", "6.12.41+deb13-amd64"],
        ["6.12~rc1-amd64", "6.12-amd64", "6.12.1-amd64"],
        ["5.15.0-91-generic", "5.15.0-101-generic", "6.8.0-31-generic"],
        ["5.14.0-70.el9.x86_64", "5.14.0-427.el9.x86_64", "5.14.0-427.13.1.el9_4.x86_64"],
        ["4.18.0-477.el8.x86_64", "4.18.0-477.10.1.el8_8.x86_64"],
    ],
)
def test_releases_are_ordered_by_version_not_by_letters(ascending: list[str]) -> None:
    for older, newer in itertools.pairwise(ascending):
        assert version_key(older) < version_key(newer)


def test_the_flavour_is_no_part_of_the_version() -> None:
    assert version_key("6.1.0-18-amd64") == version_key("6.1.0-18-cloud-amd64")
    assert version_key("5.14.0-427.el9.x86_64+rt") == version_key("5.14.0-427.el9.aarch64")


def test_installed_kernels_are_those_of_dpkg_and_old_ones_may_go(bare_host: Any) -> None:
    boot(bare_host, "6.1.0-18-amd64")
    bare_host.answer(DPKG, DEBIAN)
    kernel = read_kernel(bare_host.root, read_kernel_packages(bare_host.commands))
    assert kernel == {
        "running": "6.1.0-18-amd64",
        "installed": ["6.1.0-9-amd64", "6.1.0-18-amd64", "6.1.0-37-amd64"],
        "removable": ["linux-image-6.1.0-9-amd64"],
        "newest": "6.1.0-37-amd64",
    }


def test_modules_of_an_old_ubuntu_kernel_go_with_it(bare_host: Any) -> None:
    boot(bare_host, "5.15.0-101-generic")
    bare_host.answer(
        DPKG,
        "installed linux-image-5.15.0-91-generic 5.15.0-91.101\n"
        "installed linux-modules-5.15.0-91-generic 5.15.0-91.101\n"
        "installed linux-modules-extra-5.15.0-91-generic 5.15.0-91.101\n"
        "installed linux-image-5.15.0-101-generic 5.15.0-101.111\n"
        "installed linux-modules-5.15.0-101-generic 5.15.0-101.111\n",
    )
    kernel = read_kernel(bare_host.root, read_kernel_packages(bare_host.commands))
    assert kernel["removable"] == [
        "linux-image-5.15.0-91-generic",
        "linux-modules-5.15.0-91-generic",
        "linux-modules-extra-5.15.0-91-generic",
    ]


def test_installed_kernels_are_those_of_rpm(bare_host: Any) -> None:
    boot(bare_host, "5.14.0-427.el9.x86_64")
    bare_host.answer(
        RPM_KERNELS,
        "kernel 5.14.0-70.el9 x86_64\nkernel-core 5.14.0-70.el9 x86_64\npackage kernel-rt is not installed\n"
        "kernel-core 5.14.0-427.el9 x86_64\nkernel-core 5.14.0-427.13.1.el9_4 x86_64\n",
        status=8,
    )
    kernel = read_kernel(bare_host.root, read_kernel_packages(bare_host.commands))
    assert kernel["newest"] == "5.14.0-427.13.1.el9_4.x86_64"
    assert kernel["removable"] == ["kernel-5.14.0-70.el9.x86_64", "kernel-core-5.14.0-70.el9.x86_64"]


def test_nothing_is_removable_where_the_running_kernel_is_of_no_package(bare_host: Any) -> None:
    boot(bare_host, "6.6.6-custom")
    bare_host.answer(DPKG, DEBIAN)
    assert read_kernel(bare_host.root, read_kernel_packages(bare_host.commands))["removable"] == []


def test_a_kernel_that_no_package_brought_is_found_in_boot(bare_host: Any) -> None:
    boot(bare_host, "6.6.6-custom")
    bare_host.write("boot/vmlinuz-6.6.6-custom", "")
    bare_host.write("boot/vmlinuz-0-rescue-0123", "")
    bare_host.write("lib/modules/6.6.1-left-over/modules.dep", "")
    assert read_kernel(bare_host.root, [])["installed"] == ["6.6.6-custom"]


def test_a_newer_kernel_waits_for_a_reboot(bare_host: Any) -> None:
    boot(bare_host, "6.1.0-18-amd64")
    bare_host.answer(DPKG, DEBIAN)
    reboot = read_reboot(bare_host.commands, bare_host.root)
    assert reboot == {"required": True, "reasons": ["kernel 6.1.0-37-amd64 is installed, 6.1.0-18-amd64 runs"]}


def test_an_update_under_the_same_release_waits_for_a_reboot(bare_host: Any) -> None:
    boot(bare_host, "6.1.0-37-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.137-1 (2025-05-07)")
    bare_host.answer(DPKG, DEBIAN)
    reboot = read_reboot(bare_host.commands, bare_host.root)
    assert reboot["reasons"] == ["kernel 6.1.0-37-amd64 is installed in version 6.1.140-1, 6.1.137-1 runs"]


def test_the_newest_kernel_running_is_no_reason(bare_host: Any) -> None:
    boot(bare_host, "6.1.0-37-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)")
    bare_host.answer(DPKG, DEBIAN)
    assert read_reboot(bare_host.commands, bare_host.root) == {"required": False, "reasons": []}


def test_a_newer_kernel_of_another_flavour_is_no_update_of_this_one(bare_host: Any) -> None:
    boot(bare_host, "6.1.0-37-cloud-amd64")
    bare_host.answer(
        DPKG,
        "installed linux-image-6.1.0-37-cloud-amd64 6.1.140-1\ninstalled linux-image-6.12.38+deb12-amd64 6.12.38-1\n",
    )
    assert not read_reboot(bare_host.commands, bare_host.root)["required"]


@pytest.mark.parametrize("proof", ["run/systemd/container", "run/.containerenv", "proc/1/environ"])
def test_in_a_container_the_outer_machine_s_kernel_is_no_reason(bare_host: Any, proof: str) -> None:
    boot(bare_host, "6.1.0-18-amd64")
    bare_host.answer(DPKG, DEBIAN)
    bare_host.write(proof, "HOME=/\0container=podman\0")
    assert not read_reboot(bare_host.commands, bare_host.root)["required"]


def test_packages_that_ask_for_a_reboot_are_named(bare_host: Any) -> None:
    boot(bare_host, "6.1.0-37-amd64")
    bare_host.write("run/reboot-required", "*** System restart required ***\n")
    bare_host.write("run/reboot-required.pkgs", "libc6\ndbus\nlibc6\n")
    assert read_reboot(bare_host.commands, bare_host.root)["reasons"] == ["packages ask for it: dbus, libc6"]


def test_what_cannot_be_restarted_and_runs_deleted_files_is_a_reason(upgraded_host: Any) -> None:
    reasons = read_reboot(upgraded_host.commands, upgraded_host.root)["reasons"]
    assert [reason.split()[0] for reason in reasons] == ["dbus.service", "init.scope", "systemd-logind.service"]


def test_core_packages_that_rpm_installed_since_the_start_are_a_reason(bare_host: Any) -> None:
    boot(bare_host, "5.14.0-427.el9.x86_64")
    bare_host.answer(RPM_KERNELS, "kernel-core 5.14.0-427.el9 x86_64\n")
    bare_host.answer(RPM_CORE, "glibc 1700000500\nsystemd 1699990000\npackage dbus is not installed\n", status=1)
    assert read_reboot(bare_host.commands, bare_host.root)["reasons"] == ["glibc was updated since the start"]
