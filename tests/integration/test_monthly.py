# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The systemd units that start a cycle by itself, on a real systemd, with a program in Ansible's place."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from collections.abc import Callable
from datetime import datetime, timezone

import pytest

from .conftest import LAB, ROOT, RunningLab

UNITS = ROOT / "playbooks" / "files" / "systemd"
# Says how it was called and what it may do; whether it fails is a file's affair.
PROGRAM = """#!/bin/sh
{
    printf '[%s]' "$@"
    printf '\\nuser=%s home=%s config=%s\\n' "$(id -un)" "$HOME" "$ANSIBLE_CONFIG"
    touch /etc/forbidden 2>/dev/null && echo 'wrote to /etc'
    grep NoNewPrivs /proc/self/status
} > "$HOME/called"
test ! -e /etc/bankops-fleet/fail
"""


@pytest.fixture(scope="module")
def lab(start_lab: Callable[..., RunningLab]) -> RunningLab:
    """A host on which the units are installed as docs/monthly.md says."""
    started = start_lab("monthly", "--only", "app1")
    files = {f"etc/systemd/system/{path.name}": path.read_bytes() for path in UNITS.glob("bankops-fleet-*")}
    environment = (UNITS / "cycle.env").read_bytes().replace(b"--forks 20", b"--forks 20 -e 'a b'")
    files["etc/bankops-fleet/cycle.env"] = environment
    files["opt/bankops-fleet/bin/ansible-playbook"] = PROGRAM.encode()
    files["etc/systemd/system/bankops-fleet-alert@.service"] = documented("bankops-fleet-alert@.service").encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if name.startswith("opt/") else 0o644
            archive.addfile(member, io.BytesIO(content))
    command = f"tar -xf - -C / --no-same-owner && {documented('useradd')} && systemctl daemon-reload"
    subprocess.run([LAB, "ssh", "--name", started.name, "app1", "--", command], input=buffer.getvalue(), check=True)
    return started


def documented(what: str) -> str:
    """The block of docs/monthly.md that defines a unit, or the line that begins with a word."""
    text = (ROOT / "docs" / "monthly.md").read_text(encoding="utf-8")
    if what.endswith(".service"):
        blocks = re.findall(r"^```ini\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
        return str(next(block for block in blocks if f"/{what}" in block))
    return next(line for line in text.splitlines() if line.startswith(what))


def called(lab: RunningLab) -> list[str]:
    """What the program said of its last start."""
    return lab.ssh("app1", "cat /var/lib/bankops-fleet-controller/called").splitlines()


def test_systemd_finds_nothing_wrong_with_the_units(lab: RunningLab) -> None:
    units = "/etc/systemd/system/bankops-fleet-*"
    found = lab.ssh("app1", f"systemd-analyze verify {units} 2>&1; echo status=$?").splitlines()
    # The lab's own units, which are loaded besides, are not ours to judge.
    assert [line for line in found if "bankops-fleet" in line or line.startswith("status")] == ["status=0"]


@pytest.mark.parametrize(
    ("timer", "days", "clock"),
    [
        ("bankops-fleet-cycle.timer", range(8, 15), "22:00:00"),
        ("bankops-fleet-status.timer", range(15, 32), "06:00:00"),
    ],
)
def test_a_timer_elapses_on_its_days_and_catches_up(lab: RunningLab, timer: str, days: range, clock: str) -> None:
    text = (UNITS / timer).read_text(encoding="utf-8")
    (calendar,) = re.findall(r"^OnCalendar=(.+)$", text, flags=re.MULTILINE)
    shown = lab.ssh("app1", f"systemd-analyze calendar --iterations=12 '{calendar}'")
    assert f"{clock} {calendar.split()[-1]}" in shown
    found = [int(day) for day in re.findall(r"(?:Next elapse|Iter(?:\.|ation) #\d+): \w+ \d+-\d+-(\d+)", shown)]
    assert len(found) == 12
    assert set(found) <= set(days)
    assert "Persistent=true" in text


def test_the_cycle_of_this_month_is_started_with_the_arguments_of_the_site(lab: RunningLab) -> None:
    before = f"{datetime.now(timezone.utc):%Y-%m}"
    lab.ssh("app1", "systemctl start bankops-fleet-cycle.service")
    arguments, identity, *rest = called(lab)
    assert arguments in [
        f"[-i][/etc/bankops-fleet/inventory][--forks][20][-e][a b][bankops.fleet.patch_cycle][-e][patch_cycle={month}]"
        for month in (before, f"{datetime.now(timezone.utc):%Y-%m}")
    ]
    assert identity == (
        "user=bankops-fleet home=/var/lib/bankops-fleet-controller config=/etc/bankops-fleet/ansible.cfg"
    )
    assert rest == ["NoNewPrivs:\t1"]
    assert lab.ssh("app1", "stat -c '%U %a' /var/lib/bankops-fleet-controller") == "bankops-fleet 700"


def test_the_status_expects_that_the_cycle_has_begun(lab: RunningLab) -> None:
    lab.ssh("app1", "systemctl start bankops-fleet-status.service")
    assert called(lab)[0].endswith("[-e][patch_status_expect=begun][bankops.fleet.patch_status]")


@pytest.mark.parametrize("unit", ["bankops-fleet-cycle.service", "bankops-fleet-status.service"])
def test_a_failure_starts_the_alert_of_the_site(lab: RunningLab, unit: str) -> None:
    lab.ssh("app1", "touch /etc/bankops-fleet/fail")
    try:
        lab.ssh("app1", f"systemctl start {unit}", check=False)
        alert = f"bankops-fleet-alert@{unit}.service"
        show = f"systemctl show -p Result -p ExecMainExitTimestamp {alert}"
        wait = f"for turn in $(seq 50); do {show} | grep -q 'Timestamp=.' && break; sleep 0.2; done"
        shown = lab.ssh("app1", f"{wait}; {show}")
    finally:
        lab.ssh("app1", "rm /etc/bankops-fleet/fail")
    assert lab.ssh("app1", f"systemctl show -p Result {unit}") == "Result=exit-code"
    assert re.search(r"ExecMainExitTimestamp=.+", shown)
    assert "Result=success" in shown
