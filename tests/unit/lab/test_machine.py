# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab finds out about the machine it runs on."""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.lab import machine

PACKAGES = Path(machine.__file__).with_name("packages.txt")

TARGETS = """bookworm http://mirror.invalid/debian/
bookworm-updates http://mirror.invalid/debian/
bookworm-security http://mirror.invalid/debian-security/
"""
SETTINGS = """APT "";
Acquire::http::Proxy "http://proxy.invalid:3128";
Acquire::Languages "";
Acquire::https::Verify-Peer "true";
DPkg::Post-Invoke:: "true";
"""


def test_what_a_program_needs_is_in_the_list_that_setup_installs() -> None:
    listed = {line for line in PACKAGES.read_text().splitlines() if line and not line.startswith("#")}
    assert set(machine.PROGRAMS.values()) - {"dpkg"} <= listed


def test_a_missing_program_is_reported_by_its_package() -> None:
    programs = {"sh": "dash", "no-such-program": "some-package", "nor-this-one": "some-package"}
    assert machine.missing_packages(programs) == ["some-package"]


@pytest.mark.parametrize(
    ("unified", "crun", "runtime"),
    [(True, True, None), (True, False, "runc"), (False, True, "runc"), (False, False, "runc")],
)
def test_runc_is_chosen_where_crun_would_refuse_or_is_missing(unified: bool, crun: bool, runtime: str | None) -> None:
    settings = tomllib.loads(machine.containers_conf(unified=unified, raises_limits=True, crun=crun))
    assert settings["engine"].get("runtime") == runtime
    assert (settings["engine"].get("cgroup_manager") == "cgroupfs") is not unified


def test_limits_are_set_only_where_they_cannot_be_raised() -> None:
    plain = tomllib.loads(machine.containers_conf(unified=True, raises_limits=True, crun=True))
    poor = tomllib.loads(machine.containers_conf(unified=True, raises_limits=False, crun=True))
    assert "default_ulimits" not in plain["containers"]
    assert poor["containers"]["default_ulimits"] == ["nofile=1024:4096", "nproc=8192:8192"]


@pytest.mark.parametrize(("bounding", "may"), [("000001ffffffffff", True), ("000001fffeffffff", False)])
def test_the_capability_to_raise_limits_is_read_from_the_bounding_set(tmp_path: Path, bounding: str, may: bool) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tpython3\nCapEff:\t0000000000000000\nCapBnd:\t{bounding}\n")
    assert machine.may_raise_limits(status) is may


def test_control_groups_are_unified_when_their_root_lists_controllers(tmp_path: Path) -> None:
    assert not machine.unified_control_groups(tmp_path)
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    assert machine.unified_control_groups(tmp_path)


def test_the_mirror_and_the_proxy_are_those_of_this_machine() -> None:
    mirror = machine.parse_mirror(TARGETS, SETTINGS)
    assert mirror.main == "http://mirror.invalid/debian"
    assert mirror.security == "http://mirror.invalid/debian-security"
    assert mirror.settings == (
        'Acquire::http::Proxy "http://proxy.invalid:3128";',
        'Acquire::https::Verify-Peer "true";',
    )


def test_a_machine_that_knows_no_debian_gets_the_public_archive() -> None:
    mirror = machine.parse_mirror("", "")
    assert mirror.main == "http://deb.debian.org/debian"
    assert mirror.settings == ()


def test_a_resolver_on_loopback_is_passed_over_for_the_one_behind_it(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\noptions edns0\n")
    real.write_text("nameserver 192.0.2.53\nnameserver 2001:db8::53\n")
    assert machine.name_servers([stub, real]) == ["192.0.2.53", "2001:db8::53"]
    assert machine.name_servers([tmp_path / "none", stub]) == []


def test_the_networks_of_this_machine_are_those_it_is_in_without_a_gateway(tmp_path: Path) -> None:
    """A bridge that a killed lab left behind stands in the kernel's table and nowhere else."""
    table = tmp_path / "route"
    table.write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
        "podman3 0004660A 00000000 0001 0 0 0 00FCFFFF 0 0 0\n"
        "eth0 00007B0A 010200C0 0003 0 0 0 0000FFFF 0 0 0\n"
    )
    assert machine.own_networks(table) == [ipaddress.ip_network("10.102.4.0/22")]
