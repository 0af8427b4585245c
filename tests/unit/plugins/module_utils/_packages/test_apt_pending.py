# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pending updates of a Debian host: what is security, what is chosen, and what comes along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands, Completed
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages import apt
from ansible_collections.bankops.fleet.plugins.module_utils._packages.apt_pending import (
    is_kernel,
    read_planned,
    read_updates,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import Action, Change, Reason, Selection

SECURITY = "http://deb.debian.org/debian-security bookworm-security/main amd64 Packages"
MAIN = "http://deb.debian.org/debian bookworm/main amd64 Packages"
RELEASES = f"""\
 500 {SECURITY}
     release v=12,o=Debian,a=oldstable-security,n=bookworm-security,l=Debian-Security,c=main,b=amd64
 500 {MAIN}
     release v=12.15,o=Debian,a=oldstable,n=bookworm,l=Debian,c=main,b=amd64
"""
TABLES = {
    # The point release superseded a security update.
    "superseded": [("2.1", MAIN), ("2.0", SECURITY), ("1.0", "/var/lib/dpkg/status")],
    # What was security before the installed version does not count.
    "ordinary": [("2.0", MAIN), ("1.0", "/var/lib/dpkg/status"), ("0.9", SECURITY)],
    "linux-image-amd64": [("6.1.2", SECURITY), ("6.1.1", "/var/lib/dpkg/status")],
    "linux-image-6.1.0-2-amd64": [("6.1.2-1", SECURITY)],
}
CANDIDATES = {name: table[0][0] for name, table in TABLES.items()}


def installed(name: str) -> str | None:
    return next((version for version, file in TABLES[name] if file == "/var/lib/dpkg/status"), None)


def _head(name: str) -> str:
    return f"{name}:\n  Installed: {installed(name) or '(none)'}\n  Candidate: {CANDIDATES[name]}\n  Version table:\n"


class Recorded(Commands):
    """Answers in the words of apt, from the tables above."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.simulated: list[list[str]] = []
        self.pins = ""

    def run(self, argv: Sequence[str], **_options: Any) -> Completed:
        match list(argv):
            case ["dpkg-query", *_]:
                lines = ["dpkg\tamd64\t1.21\tinstall\tinstalled\tdpkg\t1.21\t100"]
                for name in TABLES:
                    version = installed(name)
                    if version:
                        want = "hold" if name in self.held else "install"
                        lines.append(f"{name}\tamd64\t{version}\t{want}\tinstalled\t{name}\t{version}\t100")
                return Completed(0, "\n".join(lines) + "\n", "")
            case ["apt-cache", "policy"]:
                return Completed(0, RELEASES, "")
            case ["apt-cache", "policy", *names]:
                tables = [_head(n) + "".join(f"     {v} 500\n        500 {f}\n" for v, f in TABLES[n]) for n in names]
                return Completed(0, "".join(tables), "")
            case ["apt-cache", "show", *wanted]:
                records = []
                for word in wanted:
                    key, _equals, version = word.partition("=")
                    name, _colon, arch = key.partition(":")
                    records.append(
                        f"Package: {name}\nSource: src-{name} (1)\nVersion: {version}\nArchitecture: {arch}\n"
                        "Filename: pool/x.deb\nSize: 1000\nInstalled-Size: 110\n"
                    )
                return Completed(0, "\n".join(records), "")
            case ["apt-get", "--simulate", *words]:
                self.simulated.append(words)
                for word in words:
                    if word.startswith("Dir::Etc::PreferencesParts="):
                        self.pins = (Path(word.partition("=")[2]) / "00bankops-fleet").read_text()
                return Completed(0, self._simulation(words), "")
        raise AssertionError(argv)

    def _simulation(self, words: list[str]) -> str:
        wanted = set(CANDIDATES)
        if "install" in words:
            wanted = {word.partition(":")[0] for word in words[words.index("install") + 1 :]}
            if "linux-image-amd64" in wanted:
                wanted.add("linux-image-6.1.0-2-amd64")
        elif "--ignore-hold" not in words:
            wanted -= self.held
        lines = []
        for name in sorted(wanted):
            pinned = f"Package: {name}\n" in self.pins and "--with-new-pkgs" in words
            if not pinned:
                old = f"[{installed(name)}] " if installed(name) else ""
                lines.append(f"Inst {name} {old}({CANDIDATES[name]} Debian:12 [amd64])\n")
        return "".join(lines)


@pytest.fixture
def host() -> Recorded:
    return Recorded()


def pending(host: Recorded, tmp_path: Path, **selection: Any) -> tuple[dict[str, Any], list[str]]:
    updates = read_updates(host, Selection.from_data(selection), tmp_path)
    return {update.name: update for update in updates.pending}, [change.name for change in updates.transaction]


def test_an_update_that_supersedes_a_security_update_is_security(host: Recorded, tmp_path: Path) -> None:
    found, transaction = pending(host, tmp_path, classes="security")
    assert (found["superseded"].is_security, found["superseded"].origin) == (True, "Debian:bookworm")
    assert found["ordinary"].is_security is False
    assert found["ordinary"].reason is Reason.NOT_SECURITY
    assert "ordinary" not in transaction


def test_a_new_kernel_comes_with_its_metapackage(host: Recorded, tmp_path: Path) -> None:
    found, transaction = pending(host, tmp_path, include=["linux-image-amd64"])
    assert transaction == ["linux-image-6.1.0-2-amd64", "linux-image-amd64"]
    kernel = found["linux-image-6.1.0-2-amd64"]
    assert (kernel.installed, kernel.is_kernel, kernel.selected, kernel.is_security) == (None, True, True, True)
    assert found["ordinary"].reason is Reason.NOT_INCLUDED


def test_everything_needs_one_simulation(host: Recorded, tmp_path: Path) -> None:
    found, transaction = pending(host, tmp_path)
    assert len(transaction) == len(found) == 4
    assert len(host.simulated) == 1


def test_what_is_held_in_apt_is_pending_and_stays(host: Recorded, tmp_path: Path) -> None:
    host.held = {"ordinary"}
    found, transaction = pending(host, tmp_path)
    assert found["ordinary"].reason is Reason.HELD
    assert "ordinary" not in transaction
    assert "Package: ordinary\nPin: version 1.0\nPin-Priority: 1001" in host.pins


def test_the_hosts_own_preferences_stay_in_force_beside_ours(host: Recorded, tmp_path: Path) -> None:
    own = tmp_path / "etc/apt/preferences.d"
    own.mkdir(parents=True)
    (own / "site").write_text("Package: x\nPin: version 1\nPin-Priority: 1\n")
    seen: list[str] = []
    original = host._simulation

    def look(words: list[str]) -> str:
        seen.extend(
            name.name for word in words if "PreferencesParts" in word for name in Path(word.partition("=")[2]).iterdir()
        )
        return original(words)

    host._simulation = look  # type: ignore[method-assign]
    pending(host, tmp_path, exclude=["ordinary"])
    assert {"00bankops-fleet", "site"} <= set(seen)


def test_an_excluded_new_package_keeps_back_what_would_bring_it(host: Recorded, tmp_path: Path) -> None:
    with pytest.raises(FleetError) as caught:
        pending(host, tmp_path, exclude=["linux-image-6*"])
    assert caught.value.kind == "selection_conflict"
    assert caught.value.data == {"forbidden": ["linux-image-6.1.0-2-amd64:amd64"]}
    assert "Pin: version *\nPin-Priority: -1" in host.pins


def test_sizes_are_those_of_the_transaction(host: Recorded, tmp_path: Path) -> None:
    updates = read_updates(host, Selection(include=("superseded",)), tmp_path)
    assert (updates.download_bytes, updates.disk_bytes) == (1000, 10 * 1024)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linux-image-amd64", True),
        ("linux-image-6.1.0-41-amd64", True),
        ("linux-image-6.1.0-41-amd64-dbg", False),
        ("linux-headers-amd64", False),
    ],
)
def test_kernels(name: str, expected: bool) -> None:
    assert is_kernel(name) is expected


@pytest.mark.parametrize(
    ("status", "output", "failed"),
    [
        (0, "Hit:1 http://deb.debian.org/debian bookworm InRelease\nReading package lists...\n", False),
        (100, "E: Failed to fetch http://deb.invalid/  Could not resolve 'deb.invalid'\n", True),
        (0, "Err:1 http://deb.invalid bookworm InRelease\nW: Some index files failed to download.\n", True),
        (0, "W: Target Packages is configured multiple times\n", False),
    ],
)
def test_a_refresh_that_fails_with_a_warning_is_a_failure(status: int, output: str, failed: bool) -> None:
    class Updating(Commands):
        def run(self, argv: Sequence[str], **_options: Any) -> Completed:
            return Completed(status, output, "")

    assert (apt.Apt(Updating()).refresh() is not None) is failed


def upgrade(name: str, before: str, after: str, action: Action = Action.UPGRADE) -> Change:
    return Change(name, "amd64", action, before, after)


def test_what_is_left_of_a_plan_is_known_without_resolving_anything(host: Recorded) -> None:
    planned = [
        upgrade("ordinary", "1.0", "2.0"),
        # Planned to an older version than would come today.
        upgrade("superseded", "1.0", "2.0"),
        Change("linux-image-6.1.0-2-amd64", "amd64", Action.INSTALL, None, "6.1.2-1"),
    ]
    left = read_planned(host, planned)
    assert [(c.name, c.action, c.installed, c.candidate) for c in left.transaction] == [
        ("ordinary", Action.UPGRADE, "1.0", "2.0"),
        ("superseded", Action.UPGRADE, "1.0", "2.1"),
        ("linux-image-6.1.0-2-amd64", Action.INSTALL, None, "6.1.2-1"),
    ]
    assert left.download_bytes == 3000
    assert host.simulated == []


def test_what_is_done_or_withdrawn_is_not_left(host: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    # The host has it; the repository has nothing newer any more.
    monkeypatch.setitem(CANDIDATES, "ordinary", "1.0")
    monkeypatch.setitem(CANDIDATES, "linux-image-6.1.0-2-amd64", "(none)")
    new = Change("linux-image-6.1.0-2-amd64", "amd64", Action.INSTALL, None, "6.1.2-1")
    assert read_planned(host, [upgrade("ordinary", "0.9", "1.0"), new]).transaction == []


def test_a_planned_removal_is_left_as_long_as_the_package_is_there(host: Recorded) -> None:
    gone = Change("linux-image-6.1.0-2-amd64", "amd64", Action.REMOVE, "6.1.1", None)
    there = Change("ordinary", "amd64", Action.REMOVE, "1.0", None)
    assert [change.name for change in read_planned(host, [gone, there]).transaction] == ["ordinary"]
