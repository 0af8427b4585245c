# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What dnf 4.14 printed on a host with the lab's repository, and what is read from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands, Completed
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages import dnf, dnf_stage, managers
from ansible_collections.bankops.fleet.plugins.module_utils._packages.dnf_pending import (
    is_kernel,
    read_held,
    read_updates,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.dnf_read import (
    Database,
    Rpm,
    parse_transaction,
    simulate,
    specification,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import (
    Action,
    Change,
    Reason,
    Selection,
    read_transaction,
)

UPGRADE = """\
Last metadata expiration check: 0:00:38 ago on Sat Nov 21 03:45:31 2026.
Dependencies resolved.
================================================================================
 Package                  Architecture   Version        Repository         Size
================================================================================
Upgrading:
 fleet-hello              noarch         2.0-1          fleet-lab         6.1 k
 fleet-lib                noarch         2.0-1          fleet-lab         6.2 k
 fleet-service            noarch         2.0-1          fleet-lab         7.5 k
 fleet-superseded         noarch         2.1-1          fleet-lab         6.1 k
Installing dependencies:
 fleet-extra              noarch         2.0-1          fleet-lab         6.1 k

Transaction Summary
================================================================================
Install  1 Package
Upgrade  4 Packages

Total size: 32 k
Operation aborted.
"""
ONLY_HELLO = """\
Dependencies resolved.
================================================================================
 Package              Architecture    Version          Repository          Size
================================================================================
Upgrading:
 fleet-hello          noarch          2.0-1            fleet-lab          6.1 k
Skipping packages with broken dependencies:
 fleet-service        noarch          2.0-1            fleet-lab          7.5 k

Transaction Summary
================================================================================
Upgrade  1 Package
Skip     1 Package

Operation aborted.
"""
LONG_AND_OBSOLETE = """\
Installing:
 kernel-core      x86_64   5.14.0-570.el9     rhel-9-for-x86_64-baseos-rpms   19 M
 a-package-with-a-name-that-does-not-fit
                  x86_64   1:2.0-1.el9        rhel-9-for-x86_64-baseos-rpms  1.1 M
     replacing  an-older-name.x86_64 1.0-1.el9
Removing:
 leftover         noarch   1.0-1              @System                        1.0 k

Transaction Summary
================================================================================
Install  2 Packages
Remove   1 Package
"""
QUERY = """\
fleet-extra|noarch|0|2.0|1|fleet-lab|fleet-extra-2.0-1.src.rpm|6290|4
fleet-hello|noarch|0|2.0|1|fleet-lab|fleet-hello-2.0-1.src.rpm|6269|4
fleet-lib|noarch|0|2.0|1|fleet-lab|fleet-lib-2.0-1.src.rpm|6303|4
fleet-service|noarch|0|2.0|1|fleet-lab|fleet-service-2.0-1.src.rpm|7644|1138
fleet-superseded|noarch|0|2.1|1|fleet-lab|fleet-superseded-2.1-1.src.rpm|6281|4
"""
ADVISORIES = """\
FLSA-2026:0001 Important/Sec. fleet-hello-2.0-1.noarch
FLSA-2026:0002 Critical/Sec.  fleet-lib-2.0-1.noarch
FLSA-2026:0003 Important/Sec. fleet-service-2.0-1.noarch
FLSA-2026:0005 Moderate/Sec.  fleet-superseded-2.0-1.noarch
"""
CVES = """\
CVE-2026-0001 Important/Sec. fleet-hello-2.0-1.noarch
CVE-2026-0002 Critical/Sec.  fleet-lib-2.0-1.noarch
CVE-2026-0003 Critical/Sec.  fleet-lib-2.0-1.noarch
CVE-2026-0004 Important/Sec. fleet-service-2.0-1.noarch
CVE-2026-0005 Moderate/Sec.  fleet-superseded-2.0-1.noarch
"""
NAMES = ("fleet-hello", "fleet-lib", "fleet-service", "fleet-superseded")
INSTALLED = "".join(f"{name}\tnoarch\t0\t1.0\t1\t{name}-1.0-1.src.rpm\t4\n" for name in NAMES)


class Recorded(Commands):
    """Answers with the output above."""

    def __init__(self) -> None:
        self.installed = INSTALLED
        self.simulation = Completed(1, UPGRADE, "")
        self.available = QUERY
        self.ran: list[list[str]] = []

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        words = list(argv)
        self.ran.append(words)
        if words[0] == "rpm":
            return Completed(0, self.installed, "")
        if "--userinstalled" in words:
            return Completed(0, "fleet-hello:noarch\nfleet-service:noarch\n", "")
        if "repoquery" in words:
            return Completed(0, self.available, "")
        if "updateinfo" in words:
            return Completed(0, CVES if "--with-cve" in words else ADVISORIES, "")
        if "--assumeno" in words:
            excluded = any(word.startswith("--exclude") for word in words)
            return Completed(1, ONLY_HELLO, "") if excluded else self.simulation
        raise AssertionError(words)


@pytest.fixture
def host() -> Recorded:
    return Recorded()


def test_long_rows_obsoletes_and_removals_are_read() -> None:
    database = Database([Rpm("kernel-core", "x86_64", "5.14.0-503.el9", "kernel", 1)])
    changes = {change.key: change for change in parse_transaction(LONG_AND_OBSOLETE, database)}
    assert {key: (change.action, change.candidate or change.installed) for key, change in changes.items()} == {
        "kernel-core:x86_64": (Action.INSTALL, "5.14.0-570.el9"),
        "a-package-with-a-name-that-does-not-fit:x86_64": (Action.INSTALL, "1:2.0-1.el9"),
        "an-older-name:x86_64": (Action.REMOVE, "1.0-1.el9"),
        "leftover:noarch": (Action.REMOVE, "1.0-1"),
    }


def test_a_table_that_disagrees_with_dnfs_own_count_is_refused(host: Recorded) -> None:
    host.simulation = Completed(1, UPGRADE.replace("Upgrade  4", "Upgrade  5"), "")
    with pytest.raises(FleetError) as caught:
        simulate(host, [], ["upgrade"], Database([]))
    assert caught.value.kind == "simulation_failed"


@pytest.mark.parametrize(
    "said",
    [
        Completed(1, "", "Error: Unable to find a match: nosuch"),
        Completed(1, "No match for argument: nosuch\nDependencies resolved.\nTransaction Summary\n", ""),
        Completed(1, "", "Error: Failed to download metadata for repo 'fleet-lab'"),
    ],
)
def test_a_simulation_that_failed_is_no_empty_transaction(host: Recorded, said: Completed) -> None:
    host.simulation = said
    with pytest.raises(FleetError):
        simulate(host, [], ["upgrade"], Database([]))


def test_nothing_to_do_is_an_empty_transaction(host: Recorded) -> None:
    host.simulation = Completed(0, "Dependencies resolved.\nNothing to do.\nComplete!\n", "")
    assert simulate(host, [], ["upgrade"], Database([])) == []


def test_advisories_and_cves_are_those_passed_on_the_way(host: Recorded, tmp_path: Path) -> None:
    pending = {update.name: update for update in read_updates(host, Selection(), tmp_path).pending}
    assert pending["fleet-lib"].cves == ("CVE-2026-0002", "CVE-2026-0003")
    assert pending["fleet-lib"].severity == "critical"
    superseded = pending["fleet-superseded"]
    assert (superseded.candidate, superseded.is_security, superseded.advisories) == ("2.1-1", True, ("FLSA-2026:0005",))
    assert (pending["fleet-extra"].is_security, pending["fleet-extra"].cves) == (False, "unknown")
    assert pending["fleet-service"].origin == "fleet-lab"


def test_the_transaction_and_its_sizes(host: Recorded, tmp_path: Path) -> None:
    updates = read_updates(host, Selection(), tmp_path)
    assert [(change.name, change.action) for change in updates.transaction] == [
        ("fleet-extra", Action.INSTALL),
        *((name, Action.UPGRADE) for name in NAMES),
    ]
    assert updates.download_bytes == 6290 + 6269 + 6303 + 7644 + 6281
    assert updates.disk_bytes == (4 + 4 + 4 + 1138 + 4) - 4 * 4


def test_a_hold_keeps_back_what_needs_the_held(host: Recorded, tmp_path: Path) -> None:
    updates = read_updates(host, Selection(held=("fleet-lib",)), tmp_path)
    verdicts = {update.name: update.reason for update in updates.pending}
    assert verdicts["fleet-lib"] is Reason.HELD
    assert verdicts["fleet-service"] is Reason.HELD
    assert verdicts["fleet-hello"] is None


def test_locked_versions_are_held(tmp_path: Path) -> None:
    folder = tmp_path / "etc/dnf/plugins"
    folder.mkdir(parents=True)
    (folder / "versionlock.list").write_text(
        "# comment\nfleet-hello-0:1.0-1.*\n!left-out-0:1-1.*\nbind-32:9.16-1.el9.*\n"
    )
    assert read_held(tmp_path) == {"fleet-hello": "1.0-1", "bind": "32:9.16-1.el9"}


def test_kernels_are_installed_side_by_side() -> None:
    old = Rpm("kernel-core", "x86_64", "5.14.0-503.el9", "kernel", 1)
    new = Change("kernel-core", "x86_64", Action.INSTALL, None, "5.14.0-570.el9")
    assert Database([old]).version_for(new) is None
    assert (
        Database([old, Rpm("kernel-core", "x86_64", "5.14.0-570.el9", "kernel", 1)]).version_for(new) == new.candidate
    )


def test_other_packages_installed_twice_tell_of_an_interrupted_transaction(host: Recorded) -> None:
    assert dnf.Dnf(host).interrupted() == []
    host.installed += (
        "fleet-hello\tnoarch\t0\t2.0\t1\tfleet-hello-2.0-1.src.rpm\t4\nkernel\tx86_64\t0\t1\t1\tk-1-1.src.rpm\t4\n"
    )
    assert dnf.Dnf(host).interrupted() == ["fleet-hello.noarch is installed as 1.0-1 and 2.0-1"]


def test_what_the_user_did_not_ask_for_is_automatic(host: Recorded) -> None:
    assert dnf.Dnf(host).automatic() == {"fleet-lib:noarch", "fleet-superseded:noarch"}
    assert dnf.Dnf(host).mark_names(["fleet-lib:noarch"]) == ["fleet-lib.noarch"]


def test_changes_come_from_files_alone(host: Recorded) -> None:
    changes = read_transaction(
        [{"name": "a", "arch": "noarch", "action": "upgrade", "installed": "1-1", "candidate": "2-1"}]
    )
    command = dnf.Dnf(host).apply_command(changes, ["/x/a-2-1.noarch.rpm"])
    assert "--disablerepo=*" in command
    assert "--allowerasing" not in command


def test_the_way_back_downgrades_first_and_removes_what_is_new_last(host: Recorded) -> None:
    changes = read_transaction(
        [
            {"name": "a", "arch": "noarch", "action": "downgrade", "installed": "2-1", "candidate": "1-1"},
            {"name": "b", "arch": "noarch", "action": "remove", "installed": "2-1", "candidate": None},
        ]
    )
    commands = dnf.Dnf(host).roll_back_commands(changes, ["/x/a-1-1.noarch.rpm"])
    assert [command[0] for command in commands] == ["dnf", "rpm", "rpm"]
    assert commands[-1] == ["rpm", "--erase", "b-2-1.noarch"]


def test_an_old_version_that_no_repository_has_cannot_be_kept(host: Recorded, tmp_path: Path) -> None:
    host.available = ""
    changes = [Change("fleet-hello", "noarch", Action.UPGRADE, "1.0-1", "2.0-1")]
    kept, cannot = dnf_stage.keep(host, changes, tmp_path, tmp_path)
    assert kept == []
    assert cannot[0]["name"] == "fleet-hello"
    assert "cannot be repacked" in cannot[0]["why"]


def test_a_candidate_that_is_gone_is_named(host: Recorded) -> None:
    host.available = ""
    with pytest.raises(FleetError) as caught:
        dnf.Dnf(host).download_sizes([Change("fleet-hello", "noarch", Action.UPGRADE, "1.0-1", "2.0-1")])
    assert caught.value.kind == "candidate_gone"


def test_specifications_always_write_the_epoch() -> None:
    assert specification("bind", "x86_64", "32:9.16-1") == "bind-32:9.16-1.x86_64"
    assert specification("bash", "x86_64", "5.1-9") == "bash-0:5.1-9.x86_64"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kernel", True),
        ("kernel-core", True),
        ("kernel-rt-core", True),
        ("kernel-headers", False),
        ("kernel-tools", False),
    ],
)
def test_kernels(name: str, expected: bool) -> None:
    assert is_kernel(name) is expected


def test_dnf_5_is_refused_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "dnf5").touch()
    (tmp_path / "dnf").symlink_to("dnf5")

    class Fedora(Commands):
        def which(self, program: str) -> str | None:
            return str(tmp_path / program) if program == "dnf" else None

    with pytest.raises(FleetError) as caught:
        managers.find_backend(Fedora(), "auto")
    assert caught.value.kind == "manager_unsupported"


def test_a_host_with_neither_manager_has_no_back_end() -> None:
    class Neither(Commands):
        def which(self, program: str) -> str | None:
            return None

    assert managers.find_backend(Neither(), "auto") is None
    for manager in ("auto", "apt"):
        with pytest.raises(FleetError) as caught:
            managers.require_backend(Neither(), manager)
        assert caught.value.kind == "manager_missing"
