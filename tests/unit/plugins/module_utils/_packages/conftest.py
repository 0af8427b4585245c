# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Debian host in memory: packages, a repository, marks and units, with files under a temporary root."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands, Completed
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages import restart
from ansible_collections.bankops.fleet.plugins.module_utils._packages.locks import Clock


@dataclass
class Package:
    """What the host has of one package."""

    version: str
    status: str = "installed"
    automatic: bool = False


class AptHost(Commands):
    """Answers as apt and dpkg of Debian 12 do, and changes its packages only as a unit does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("run/systemd/system", "proc", "var/lib/dpkg/updates", "var/cache/apt/archives"):
            (root / folder).mkdir(parents=True)
        self.packages: dict[str, Package] = {}
        self.repository: dict[str, list[str]] = {}
        self.depends: dict[str, list[str]] = {}
        self.broken_scripts: set[str] = set()
        self.units: dict[str, Path] = {}
        self.slow = False
        self.killed = False
        self.apt_refuses = False
        self.failing_units: set[str] = set()
        self.restarted: list[str] = []
        self.downloads = 0
        self.started: list[list[str]] = []

    def install(self, name: str, version: str, automatic: bool = False) -> None:
        self.packages[name] = Package(version, automatic=automatic)

    def offer(self, name: str, *versions: str) -> None:
        self.repository[name] = list(versions)

    def which(self, program: str) -> str | None:
        return f"/usr/bin/{program}" if program == "apt-get" else None

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        answer = self._answer(list(argv))
        if options.get("check", True) and answer.status != 0:
            raise FleetError(f"{argv} failed", kind="command_failed")
        return answer

    # What apt and dpkg say

    def _answer(self, argv: list[str]) -> Completed:
        match argv:
            case ["dpkg-query", "-W", *_]:
                return self._ok("".join(self._status_line(name) for name in sorted(self.packages)))
            case ["dpkg", "--audit"]:
                bad = [name for name, package in self.packages.items() if package.status == "half-configured"]
                return self._ok(
                    "The following packages are only half configured:\n" * bool(bad) + "".join(f" {n} x\n" for n in bad)
                )
            case ["apt-mark", *_options, "showauto"]:
                return self._ok("".join(f"{n}\n" for n, package in self.packages.items() if package.automatic))
            case ["apt-mark", *words] if "auto" in words:
                for key in words[words.index("auto") + 1 :]:
                    self.packages[key.partition(":")[0]].automatic = True
                return self._ok("")
            case ["apt-cache", "show", *wanted]:
                return self._ok("\n\n".join(filter(None, map(self._record, wanted))))
            case ["env", "-C", folder, "apt-get", *words]:
                return self._download(Path(folder), words[words.index("download") + 1 :])
            case ["dpkg-deb", "--field", path]:
                content = json.loads(Path(path).read_text())
                return self._ok(f"Package: {content['name']}\nVersion: {content['version']}\nArchitecture: all\n")
            case ["apt-get", *words] if "--simulate" in words:
                return self._simulate(words)
        return self._answer_of_systemd(argv)

    def _answer_of_systemd(self, argv: list[str]) -> Completed:
        match argv:
            case ["systemd-run", *words]:
                return self._start_unit(words)
            case ["systemctl", "show", _, unit]:
                return self._ok(f"ActiveState={'active' if unit in self.units else 'inactive'}\n")
            case ["systemctl", "try-restart", "--", unit]:
                self.restarted.append(unit)
                return Completed(1, "", "Job failed") if unit in self.failing_units else self._ok("")
        raise AssertionError(f"unexpected command {argv}")

    @staticmethod
    def _ok(text: str) -> Completed:
        return Completed(0, text, "")

    def _status_line(self, name: str) -> str:
        package = self.packages[name]
        return f"{name}\tall\t{package.version}\tinstall\t{package.status}\t{name}\t{package.version}\t10\n"

    def _record(self, wanted: str) -> str:
        key, _equals, version = wanted.partition("=")
        name = key.partition(":")[0]
        if version not in self.repository.get(name, []):
            return ""
        digest = hashlib.sha256(self._content(name, version)).hexdigest()
        return (
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nFilename: pool/{name}_{version}_all.deb\n"
            f"Size: {len(self._content(name, version))}\nInstalled-Size: 10\nSHA256: {digest}\n"
        )

    @staticmethod
    def _content(name: str, version: str) -> bytes:
        return json.dumps({"name": name, "version": version}).encode()

    def _download(self, folder: Path, wanted: list[str]) -> Completed:
        for word in wanted:
            key, _equals, version = word.partition("=")
            name = key.partition(":")[0]
            (folder / f"{name}_{version}_all.deb").write_bytes(self._content(name, version))
            self.downloads += 1
        return self._ok("")

    def _targets(self, words: list[str]) -> tuple[dict[str, str], list[str]]:
        """Versions to install by name, and names to remove, of the words after ``install``."""
        wanted, gone = {}, []
        for word in words[words.index("install") + 1 :]:
            if word.endswith(".deb"):
                content = json.loads(Path(word).read_text())
                wanted[content["name"]] = content["version"]
            elif word.endswith("-"):
                gone.append(word[:-1].partition(":")[0])
            else:
                key, _equals, version = word.partition("=")
                wanted[key.partition(":")[0]] = version
        return wanted, gone

    def _simulate(self, words: list[str]) -> Completed:
        wanted, gone = self._targets(words)
        for name in list(wanted):
            for needed in self.depends.get(name, []):
                if needed not in wanted and needed not in self.packages:
                    wanted[needed] = self.repository[needed][-1]
        lines = [f"Remv {name} [{self.packages[name].version}]\n" for name in gone]
        for name, version in wanted.items():
            old = f"[{self.packages[name].version}] " if name in self.packages else ""
            lines.append(f"Inst {name} {old}({version} local-deb [all])\n")
        return self._ok("".join(lines))

    # What a unit does

    def _start_unit(self, words: list[str]) -> Completed:
        unit = next(word.partition("=")[2] for word in words if word.startswith("--unit="))
        folder = next(Path(word.rpartition("=")[2]) for word in words if "WorkingDirectory" in word)
        _shell, _flag, _script, _name, _marker, *command = words[words.index("--") + 1 :]
        self.started.append(command)
        self.units[unit] = folder
        if self.killed:
            del self.units[unit]
            self.killed = False
        elif not self.slow:
            self._finish_unit(unit, command)
        return self._ok("")

    def finish(self, unit: str) -> None:
        """Let a slow unit end."""
        self._finish_unit(unit, self.started[-1])

    def _finish_unit(self, unit: str, command: list[str]) -> None:
        folder = self.units.pop(unit)
        status = self._carry_out(command)
        (folder / "output").write_text("what apt said\n")
        words = (folder / "marks").read_text().split()
        for name in words[words.index("auto") + 1 :] if words else []:
            self.packages[name.partition(":")[0]].automatic = True
        (folder / "result").write_text(f"{status}\n")

    def _carry_out(self, command: list[str]) -> int:
        if "--configure" in command:
            wanted, gone = {n: p.version for n, p in self.packages.items() if p.status != "installed"}, []
        elif "--remove" in command:
            wanted, gone = {}, [word.partition(":")[0] for word in command[command.index("--remove") + 1 :]]
        else:
            if command[0] == "apt-get" and self.apt_refuses:
                return 100
            verb = "install" if command[0] == "apt-get" else "--install"
            wanted, gone = self._targets(["install", *command[command.index(verb) + 1 :]])
        status = 0
        for name, version in wanted.items():
            failed = f"{name}={version}" in self.broken_scripts
            # apt marks what it is told to install as chosen by hand.
            self.packages[name] = Package(version, "half-configured" if failed else "installed")
            status = 100 if failed else status
        for name in gone:
            self.packages.pop(name, None)
        return status

    def version(self, name: str) -> str | None:
        return self.packages[name].version if name in self.packages else None


class FakeTime:
    """Sleeping takes no time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AptHost:
    """A host with one update, one that needs a new package, and a service that runs old files."""

    def read_stale(commands: AptHost, _root: Path) -> dict[str, Any]:
        return {"processes": [], "units": [] if commands.restarted else ["app.service"], "not_restartable": []}

    monkeypatch.setattr(restart, "read_stale", read_stale)
    monkeypatch.setattr(restart, "read_reboot", lambda *_arguments: {"required": False, "reasons": []})
    host = AptHost(tmp_path)
    host.install("hello", "1.0", automatic=True)
    host.install("app", "1.0")
    host.offer("hello", "1.0", "2.0")
    host.offer("app", "1.0", "2.0")
    host.offer("extra", "2.0")
    host.depends["app"] = ["extra"]
    return host


@pytest.fixture
def transaction() -> list[dict[str, Any]]:
    def entry(name: str, action: str, installed: str | None) -> dict[str, Any]:
        return {"name": name, "arch": "all", "action": action, "installed": installed, "candidate": "2.0"}

    return [entry("app", "upgrade", "1.0"), entry("extra", "install", None), entry("hello", "upgrade", "1.0")]
