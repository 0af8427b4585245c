# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a host, from a recorded one."""

from __future__ import annotations

from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._host.compare import what_got_worse
from ansible_collections.bankops.fleet.plugins.module_utils._host.state import read_state


def test_it_has_the_shape_of_the_contract(upgraded_host: Any) -> None:
    state = read_state(upgraded_host.commands, upgraded_host.root)
    assert state["os"] == {"id": "debian", "version_id": "12", "name": "Debian GNU/Linux 12 (bookworm)"}
    assert len(state["machine_id"]) == 32
    assert state["boot"]["pid1_start"] > 0
    assert state["boot"]["boot_id"].count("-") == 4
    assert state["incomplete"] == {}
    assert set(state) == {
        *("machine_id", "architecture", "os", "boot", "kernel", "reboot", "units", "sockets", "mounts", "disk"),
        *("stale", "incomplete"),
    }


def test_units_sockets_mounts_and_disk_are_those_of_the_host(upgraded_host: Any) -> None:
    state = read_state(upgraded_host.commands, upgraded_host.root)
    assert {"nginx.service", "ssh.service", "kv@1.service", "dbus.socket"} <= set(state["units"]["active"])
    assert state["units"]["failed"] == []
    assert "systemd-firstboot.service" in state["units"]["skipped"]
    assert {"tcp 0.0.0.0:22", "tcp 0.0.0.0:80", "tcp [::]:80", "tcp 127.0.0.1:2379"} <= set(state["sockets"])
    assert state["sockets"] == sorted(state["sockets"])
    assert state["mounts"] == ["/", "/data"]
    assert set(state["disk"]) == {"/", "/boot", "/var"}
    assert all(0 < disk["free"] <= disk["size"] for disk in state["disk"].values())


def test_a_job_that_systemd_never_looked_at_is_not_skipped(upgraded_host: Any) -> None:
    state = read_state(upgraded_host.commands, upgraded_host.root)
    assert "apt-daily.service" not in state["units"]["skipped"]
    assert "apt-daily.service" in state["units"]["on_demand"]


def test_a_host_without_systemd_says_that_its_units_are_unknown(upgraded_host: Any) -> None:
    upgraded_host.commands.answers.clear()
    state = read_state(upgraded_host.commands, upgraded_host.root)
    assert "systemctl is not on this host" in state["incomplete"]["units"]
    assert {entry["kind"] for entry in what_got_worse(state, state)} == {"unknown"}


def test_a_host_read_against_itself_is_not_worse(upgraded_host: Any) -> None:
    state = read_state(upgraded_host.commands, upgraded_host.root)
    assert what_got_worse(state, state) == []


def test_a_client_s_udp_socket_is_not_taken_for_a_server(bare_host: Any) -> None:
    header = "  sl  local_address rem_address   st\n"
    bare_host.write("proc/net/tcp", header)
    bare_host.write(
        "proc/net/udp", header + "  0: 00000000:0044 00000000:0000 07\n  1: 00000000:C001 00000000:0000 07\n"
    )
    bare_host.write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
    bare_host.write("proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
    assert read_state(bare_host.commands, bare_host.root)["sockets"] == ["udp 0.0.0.0:68"]


def test_what_an_automounter_may_unmount_is_not_listed(bare_host: Any) -> None:
    for folder in ("boot/efi", "mnt/with space", "run/user/0"):
        (bare_host.root / folder).mkdir(parents=True)
    bare_host.write(
        "proc/self/mountinfo",
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 0:5 / /boot/efi rw - autofs systemd-1 rw\n"
        "3 2 8:2 / /boot/efi rw - vfat /dev/sda2 rw\n"
        "4 1 0:9 / /mnt/with\\040space rw shared:4 - nfs4 filer:/data rw\n"
        "5 1 0:7 / /run/user/0 rw - ext4 /dev/sda3 rw\n"
        "6 1 0:8 / /proc rw - proc proc rw\n",
    )
    assert read_state(bare_host.commands, bare_host.root)["mounts"] == ["/", "/mnt/with space"]
