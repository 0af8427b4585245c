# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes run deleted files, and which units a restart cures."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._host.stale import read_stale

SHOW = (
    "systemctl show --all --no-pager "
    "--property=Id,LoadState,ActiveState,Type,Transient,KillMode,MainPID,RefuseManualStop -- "
)
LIBRARY = "7f0000000000-7f0000001000 r-xp 00000000 08:01 123456   /usr/lib/x86_64-linux-gnu/libz.so.1.2.13 (deleted)\n"


def shown(unit: str, **changes: str) -> str:
    properties = {
        "Id": unit,
        "LoadState": "loaded",
        "ActiveState": "active",
        "Type": "simple",
        "Transient": "no",
        "KillMode": "control-group",
        "MainPID": "100",
        "RefuseManualStop": "no",
        **changes,
    }
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def test_after_an_upgrade_of_libssl_the_services_that_map_it_are_to_be_restarted(upgraded_host: Any) -> None:
    stale = read_stale(upgraded_host.commands, upgraded_host.root)
    assert stale["units"] == ["cron.service", "nginx.service", "ssh.service", "systemd-journald.service"]
    master = next(process for process in stale["processes"] if process["executable"] == "/usr/sbin/nginx")
    assert master["unit"] == "nginx.service"
    assert "/usr/lib/x86_64-linux-gnu/libssl.so.3" in master["files"]


def test_systemd_the_bus_and_logind_are_left_alone_and_ask_for_a_reboot(upgraded_host: Any) -> None:
    stale = read_stale(upgraded_host.commands, upgraded_host.root)
    assert {entry["unit"]: entry["reboot"] for entry in stale["not_restartable"]} == {
        "dbus.service": True,
        "init.scope": True,
        "systemd-logind.service": True,
    }


def test_a_program_that_maps_nothing_deleted_is_not_stale(upgraded_host: Any) -> None:
    stale = read_stale(upgraded_host.commands, upgraded_host.root)
    assert "/usr/bin/etcd" not in {process["executable"] for process in stale["processes"]}


@pytest.mark.parametrize(
    "mapping",
    [
        "7f00-7f10 rwxp 00000000 00:01 1 /memfd:pulseaudio (deleted)",
        "7f00-7f10 rwxs 00000000 00:05 1 /dev/zero (deleted)",
        "7f00-7f10 rwxs 00000000 00:05 1 /dev/shm/cache (deleted)",
        "7f00-7f10 rwxs 00000000 00:05 1 /SYSV00000000 (deleted)",
        "7f00-7f10 r-xp 00000000 08:01 1 /tmp/jffi123.so (deleted)",
        "7f00-7f10 r-xp 00000000 08:01 1 /var/tmp/plugin.so (deleted)",
        "7f00-7f10 r-xp 00000000 08:01 1 /run/user/0/x (deleted)",
        "7f00-7f10 r-xp 00000000 08:01 1 /root/tool (deleted)",
        "7f00-7f10 rwxs 00000000 00:05 1 /drm mm object (deleted)",
        "7f00-7f10 rwxs 00000000 00:05 1 /[aio] (deleted)",
        "7f00-7f10 r--p 00000000 08:01 1 /usr/lib/locale/locale-archive (deleted)",
        "7f00-7f10 r--s 00000000 08:01 1 /usr/share/icons/cache (deleted)",
    ],
)
def test_deleted_files_that_no_package_brought_and_data_do_not_count(bare_host: Any, mapping: str) -> None:
    bare_host.process(100, "/system.slice/agent.service", mapping + "\n")
    assert read_stale(bare_host.commands, bare_host.root)["processes"] == []


def test_a_deleted_program_counts(bare_host: Any) -> None:
    maps = "5500-5600 r-xp 00000000 08:01 1 /opt/agent/bin/agent (deleted)\n"
    bare_host.process(100, "/system.slice/agent.service", maps, exe="/opt/agent/bin/agent (deleted)")
    bare_host.answer(SHOW + "agent.service", shown("agent.service"))
    stale = read_stale(bare_host.commands, bare_host.root)
    assert stale["units"] == ["agent.service"]
    assert stale["processes"] == [
        {
            "pid": 100,
            "executable": "/opt/agent/bin/agent",
            "unit": "agent.service",
            "files": ["/opt/agent/bin/agent"],
        }
    ]


def test_a_process_of_a_container_is_not_the_host_s(bare_host: Any, tmp_path: Any) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    bare_host.process(100, "/system.slice/docker-0123.scope", LIBRARY, mnt="mnt:[2]")
    (bare_host.root / "proc/100/root").unlink()
    bare_host.link("proc/100/root", str(inside))
    assert read_stale(bare_host.commands, bare_host.root)["processes"] == []


def test_a_sandboxed_service_has_a_mount_namespace_and_still_is_the_host_s(bare_host: Any) -> None:
    bare_host.process(100, "/system.slice/agent.service", LIBRARY, mnt="mnt:[2]")
    bare_host.answer(SHOW + "agent.service", shown("agent.service"))
    assert read_stale(bare_host.commands, bare_host.root)["units"] == ["agent.service"]


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/user.slice/user-0.slice/session-4.scope", "session-4.scope"),
        ("/user.slice/user-0.slice/user@0.service/app.slice/agent.service", "user@0.service"),
        ("/system.slice/dbus-broker.service", "dbus-broker.service"),
        ("/system.slice/gdm3.service", "gdm3.service"),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
        ("/machine.slice/libvirt-1.scope", "libvirt-1.scope"),
    ],
)
def test_sessions_consoles_buses_and_scopes_are_never_restarted(bare_host: Any, path: str, unit: str) -> None:
    bare_host.process(100, path, LIBRARY)
    bare_host.answer(SHOW + unit, shown(unit))
    stale = read_stale(bare_host.commands, bare_host.root)
    assert stale["units"] == []
    assert [entry["unit"] for entry in stale["not_restartable"]] == [unit]


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ({"RefuseManualStop": "yes"}, "refuses to be stopped"),
        ({"Transient": "yes"}, "transient"),
        ({"Type": "oneshot", "ActiveState": "activating"}, "ends by itself"),
        ({"KillMode": "process", "MainPID": "99"}, "main process only"),
        ({"LoadState": "not-found"}, "not loaded"),
    ],
)
def test_a_restart_that_is_refused_or_cures_nothing_is_not_proposed(
    bare_host: Any, properties: dict[str, str], why: str
) -> None:
    bare_host.process(100, "/system.slice/agent.service", LIBRARY)
    bare_host.answer(SHOW + "agent.service", shown("agent.service", **properties))
    stale = read_stale(bare_host.commands, bare_host.root)
    assert stale["units"] == []
    assert why in stale["not_restartable"][0]["why"]


def test_the_unit_that_carries_this_connection_is_not_restarted(bare_host: Any) -> None:
    bare_host.write("proc/self/cgroup", "0::/system.slice/agent.service\n")
    bare_host.process(100, "/system.slice/agent.service", LIBRARY)
    bare_host.answer(SHOW + "agent.service", shown("agent.service"))
    stale = read_stale(bare_host.commands, bare_host.root)
    assert stale["not_restartable"] == [
        {"unit": "agent.service", "why": "this very connection runs in it", "reboot": False}
    ]


def test_units_that_systemd_does_not_describe_are_not_restarted(bare_host: Any) -> None:
    bare_host.process(100, "/system.slice/agent.service", LIBRARY)
    stale = read_stale(bare_host.commands, bare_host.root)
    assert stale["units"] == []
    assert stale["not_restartable"][0]["unit"] == "agent.service"


def test_a_process_outside_any_unit_is_named(bare_host: Any) -> None:
    bare_host.process(100, "/", LIBRARY, exe="/usr/local/bin/by-hand")
    stale = read_stale(bare_host.commands, bare_host.root)
    assert stale["not_restartable"] == [
        {"unit": None, "why": "outside any unit: /usr/local/bin/by-hand (100)", "reboot": False}
    ]


def test_our_own_transaction_is_not_reported(bare_host: Any) -> None:
    bare_host.process(100, "/system.slice/bankops-fleet-0123456789abcdef-apply.service", LIBRARY)
    assert read_stale(bare_host.commands, bare_host.root)["processes"] == []


def test_a_process_that_must_not_be_looked_into_is_unknown_not_clean(bare_host: Any, monkeypatch: Any) -> None:
    bare_host.process(100, "/system.slice/agent.service", LIBRARY)
    path_type = type(bare_host.root)
    read = path_type.read_bytes

    def refuse(path: Any) -> bytes:
        if path.match("100/maps"):
            raise PermissionError
        data: bytes = read(path)
        return data

    monkeypatch.setattr(path_type, "read_bytes", refuse)
    stale = read_stale(bare_host.commands, bare_host.root)
    assert stale["processes"] == []
    assert stale["unreadable"] == 1
