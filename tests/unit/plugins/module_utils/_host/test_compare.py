# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as worse, and what is only the come and go of a healthy host."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._host.compare import what_got_worse

NAMES = st.sampled_from(
    ["nginx.service", "ssh.socket", "etcd.service", "run-u1.service", "user@0.service", "a@1.service"]
)
SOCKETS = st.builds(
    lambda kind, address, port: f"{kind} {address}:{port}",
    st.sampled_from(["tcp", "udp"]),
    st.sampled_from(["0.0.0.0", "[::]", "127.0.0.1", "[fe80::1]"]),
    st.integers(1, 65535),
)


def _lists(names: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(names, unique=True).map(sorted)


STATES = st.fixed_dictionaries(
    {
        "machine_id": st.sampled_from(["1" * 32, "2" * 32]),
        "kernel": st.fixed_dictionaries(
            {"running": st.sampled_from(["6.1.0-18-amd64", "6.1.0-37-amd64", "5.14.0-70.el9.x86_64", ""])}
        ),
        "units": st.fixed_dictionaries(
            {key: _lists(NAMES) for key in ("active", "failed", "transient", "on_demand", "skipped")}
        ),
        "sockets": _lists(SOCKETS),
        "mounts": _lists(st.sampled_from(["/", "/boot", "/srv"])),
        "disk": st.dictionaries(
            st.sampled_from(["/", "/var"]),
            st.fixed_dictionaries({"size": st.integers(1, 10**13), "free": st.integers(0, 10**13)}),
        ),
        "incomplete": st.just({}),
    }
)


def healthy() -> dict[str, Any]:
    return {
        "machine_id": "1" * 32,
        "kernel": {"running": "6.1.0-37-amd64"},
        "units": {
            "active": ["nginx.service", "ssh.socket", "packagekit.service"],
            "failed": [],
            "transient": [],
            "on_demand": ["packagekit.service"],
            "skipped": [],
        },
        "sockets": ["tcp 0.0.0.0:80", "tcp [::]:80", "udp 0.0.0.0:123"],
        "mounts": ["/", "/srv"],
        "disk": {"/": {"size": 10 * 1024**3, "free": 5 * 1024**3}},
        "incomplete": {},
    }


def kinds_and_subjects(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entry["kind"], entry["subject"]) for entry in what_got_worse(before, after)]


@given(STATES)
def test_nothing_is_worse_than_itself(state: dict[str, Any]) -> None:
    assert what_got_worse(state, copy.deepcopy(state)) == []


@given(STATES, STATES, st.randoms())
def test_the_order_of_lists_does_not_matter(
    before: dict[str, Any], after: dict[str, Any], chance: random.Random
) -> None:
    expected = what_got_worse(before, after)
    for state in (before, after):
        for names in (state["sockets"], state["mounts"], *state["units"].values()):
            chance.shuffle(names)
    assert what_got_worse(before, after) == expected


@given(STATES, STATES)
def test_neither_state_is_changed_by_the_comparison(before: dict[str, Any], after: dict[str, Any]) -> None:
    copies = copy.deepcopy((before, after))
    what_got_worse(before, after)
    assert (before, after) == copies


@given(STATES, st.sampled_from(["machine_id", "kernel", "units", "sockets", "mounts", "disk"]))
def test_what_could_not_be_read_is_never_fine(state: dict[str, Any], part: str) -> None:
    blind = {**copy.deepcopy(state), "incomplete": {part: "no rights"}}
    assert ("unknown", part) in kinds_and_subjects(state, blind)
    assert ("unknown", part) in kinds_and_subjects(blind, state)
    missing = {key: value for key, value in state.items() if key != part}
    assert ("unknown", part) in kinds_and_subjects(state, missing)


def test_a_service_that_stopped_is_worse() -> None:
    after = healthy()
    after["units"]["active"].remove("nginx.service")
    assert kinds_and_subjects(healthy(), after) == [("unit_inactive", "nginx.service")]


def test_a_service_that_failed_is_reported_once_as_failed() -> None:
    after = healthy()
    after["units"]["active"].remove("nginx.service")
    after["units"]["failed"].append("nginx.service")
    assert kinds_and_subjects(healthy(), after) == [("unit_failed", "nginx.service")]


def test_a_unit_that_had_failed_before_is_not_worse() -> None:
    before = healthy()
    before["units"]["failed"].append("broken.service")
    assert kinds_and_subjects(before, copy.deepcopy(before)) == []


@pytest.mark.parametrize(
    "unit",
    ["run-u12.service", "user@1000.service", "bankops-fleet-0123456789abcdef-apply.service", "ssh@3-10.0.0.1.service"],
)
def test_units_of_one_login_or_one_command_may_end_and_fail(unit: str) -> None:
    before, failed = healthy(), healthy()
    before["units"]["active"].append(unit)
    failed["units"]["failed"].append(unit)
    assert kinds_and_subjects(before, healthy()) == []
    assert kinds_and_subjects(healthy(), failed) == []


def test_a_service_that_the_bus_starts_may_rest_but_not_fail() -> None:
    resting, failed = healthy(), healthy()
    for after in (resting, failed):
        after["units"]["active"].remove("packagekit.service")
    failed["units"]["failed"].append("packagekit.service")
    assert kinds_and_subjects(healthy(), resting) == []
    assert kinds_and_subjects(healthy(), failed) == [("unit_failed", "packagekit.service")]


def test_a_job_of_the_first_boot_need_not_run_again() -> None:
    before, after = healthy(), healthy()
    before["units"]["active"].append("systemd-update-done.service")
    after["units"]["skipped"].append("systemd-update-done.service")
    assert kinds_and_subjects(before, after) == []


def test_a_port_that_nobody_serves_any_more_is_worse() -> None:
    after = {**healthy(), "sockets": ["tcp [::]:80", "udp 0.0.0.0:123"]}
    assert kinds_and_subjects(healthy(), after) == [("socket_gone", "tcp 0.0.0.0:80")]


@pytest.mark.parametrize(
    "socket", ["udp 0.0.0.0:45871", "tcp 0.0.0.0:38233", "tcp 127.0.0.1:6010", "tcp [::1]:6011", "udp 10.0.0.5:68"]
)
def test_ports_of_clients_and_sessions_come_and_go(socket: str) -> None:
    before = healthy()
    before["sockets"].append(socket)
    assert kinds_and_subjects(before, healthy()) == []


def test_a_mount_that_is_gone_is_worse() -> None:
    assert kinds_and_subjects(healthy(), {**healthy(), "mounts": ["/"]}) == [("mount_gone", "/srv")]


@pytest.mark.parametrize(
    ("before_free", "after_free", "is_worse"), [(5.0, 0.4, True), (5.0, 0.6, False), (0.4, 0.3, False)]
)
def test_a_disk_is_low_when_it_falls_below_a_twentieth(before_free: float, after_free: float, is_worse: bool) -> None:
    before, after = healthy(), healthy()
    before["disk"]["/"]["free"] = int(before_free * 1024**3)
    after["disk"]["/"]["free"] = int(after_free * 1024**3)
    assert kinds_and_subjects(before, after) == ([("disk_low", "/")] if is_worse else [])


def test_another_machine_id_means_another_host() -> None:
    assert kinds_and_subjects(healthy(), {**healthy(), "machine_id": "2" * 32}) == [
        ("machine_id_changed", "machine_id")
    ]


def test_an_older_kernel_is_worse_and_a_newer_one_is_not() -> None:
    older = {**healthy(), "kernel": {"running": "6.1.0-18-amd64"}}
    assert kinds_and_subjects(healthy(), older) == [("kernel_older", "6.1.0-18-amd64")]
    assert kinds_and_subjects(older, healthy()) == []
