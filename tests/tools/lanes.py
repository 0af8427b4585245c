# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lanes of the tests: what each one runs, alone or all together.

``lanes.py lint`` runs one lane in the foreground, every command of it even after a failure.
``lanes.py --all`` runs them all, those that need the lab beside those that do not, and ends with a table.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / ".cache" / "logs"
BIN = Path(sys.executable).parent
# mypy and antsibull must see the checkout as the collection that Python imports.
COLLECTION = Path(".collections/ansible_collections/bankops/fleet")
PYTHON = sys.executable
ENVIRONMENT = {
    # Tools call each other by name.
    "PATH": f"{BIN}:{os.environ.get('PATH', os.defpath)}",
    "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    # ansible-core insists on UTF-8, which a bare machine may not set.
    "LC_ALL": "C.UTF-8",
    # Logs are read as text.
    "NO_COLOR": "1",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORCE_COLOR": "0",
    "PY_COLORS": "0",
    "TERM": "dumb",
}
# A lane that hangs must not hang the machine that waits for it.
LANE_TIMEOUT_SECONDS = 45 * 60
# An interrupted lane has this long to stop its hosts.
GRACE_SECONDS = 60
LINES_OF_A_FAILED_LOG = 150
# What is said of each failed lane below the table, where whoever sees only the end of the output finds it.
LINES_OF_A_FAILURE = 8
WIDTH_OF_A_FAILURE = 160
FAILURE = re.compile(r"^(FAILED|ERROR|E  )|error:|fatal:|FAILED with status", re.IGNORECASE)
# Files of tests that use the lab side by side, on two cores.
TESTS_AT_ONCE = 3


@dataclass(frozen=True)
class Step:
    """One command of a lane, run in the checkout."""

    name: str
    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    accepted: tuple[int, ...] = (0,)

    def run(self) -> bool:
        """Run the command with this process's output; True when it ended with an accepted status."""
        print(f"--- {self.name}: {shlex.join(self.argv)}", flush=True)
        started = time.monotonic()
        status = subprocess.run(
            self.argv,
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, **self.environment},
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode
        passed = status in self.accepted
        verdict = "passed" if passed else f"FAILED with status {status}"
        print(f"--- {self.name}: {verdict} in {time.monotonic() - started:.1f} s", flush=True)
        return passed


def tool(name: str, *arguments: str) -> list[str]:
    """The command line of a program of this virtual environment."""
    return [str(BIN / name), *arguments]


def playbooks() -> list[str]:
    """The playbooks of the collection, as paths from the checkout."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "playbooks").glob("*.yml"))


def lint() -> list[Step]:
    """Style, types and the Python floor of what runs on managed hosts."""
    on_hosts = ["plugins/module_utils", "plugins/modules"]
    typed = ["plugins", "lab", "tests"]
    floor = ["--target=3.8-", "--violations", "--feature", "union-types", "--no-tips", "--no-parse-comments", "--quiet"]
    return [
        Step("ruff check", tool("ruff", "check", "--no-fix", "--output-format", "concise", ".")),
        Step("ruff format", tool("ruff", "format", "--check", ".")),
        Step("mypy", tool("mypy", *[str(COLLECTION / path) for path in typed])),
        Step("vermin", tool("vermin", *floor, *on_hosts)),
        Step("yamllint", tool("yamllint", "--strict", ".")),
        Step("ansible-lint", tool("ansible-lint", "--offline", "--strict", "--nocolor")),
    ]


def unit() -> list[Step]:
    """Unit and property tests on the main ansible-core."""
    return [Step("pytest", [PYTHON, "-m", "pytest", "-q", "-n", "2", "tests/unit"])]


def unit_oldest() -> list[Step]:
    """The same on the oldest supported ansible-core, and whether it understands the playbooks."""
    old = ROOT / ".venv-2.18" / "bin"
    path = {"PATH": f"{old}:{ENVIRONMENT['PATH']}"}
    tests = [str(old / "python"), "-m", "pytest", "-q", "-o", "cache_dir=.cache/pytest-2.18", "tests/unit"]
    syntax = [str(old / "ansible-playbook"), "--syntax-check", "-i", "localhost,", *playbooks()]
    return [Step("pytest on ansible-core 2.18", tests, path), Step("syntax on ansible-core 2.18", syntax, path)]


def sanity() -> list[Step]:
    """ansible-test sanity in place."""
    return [Step("ansible-test sanity", [PYTHON, "tests/tools/sanity.py"])]


def docs() -> list[Step]:
    """Documentation of plugins and roles, and the changelog."""
    references = ["--validate-collection-refs", "dependent"]
    rendered = ROOT / ".cache" / "docs"
    rendered.mkdir(parents=True, exist_ok=True)
    render = ["--use-current", "--fail-on-error", "--squash-hierarchy", "--cleanup", "everything"]
    return [
        Step(
            "antsibull-docs lint",
            tool("antsibull-docs", "lint-collection-docs", "--plugin-docs", *references, str(COLLECTION)),
        ),
        Step(
            "antsibull-docs render",
            tool("antsibull-docs", "collection", *render, "--dest-dir", str(rendered), "bankops.fleet"),
        ),
        Step("antsibull-changelog", tool("antsibull-changelog", "lint")),
    ]


def importer() -> list[Step]:
    """The built artifact, as Galaxy and Automation Hub would judge it."""
    return [Step("galaxy-importer", [PYTHON, "tests/tools/importer.py"])]


def integration() -> list[Step]:
    """Tests against the hosts of the lab, each file on labs of its own; a playbook waits for hosts most of the time."""
    side_by_side = ["-n", str(TESTS_AT_ONCE), "--dist", "loadfile"]
    tests = ["-m", "pytest", "-q", *side_by_side, "--durations=15", "-m", "not long", "tests/integration"]
    return [Step("pytest", [PYTHON, *tests])]


def services() -> list[Step]:
    """Tests against a real database, mail server, object store and browser, all on loopback."""
    return [Step("pytest", [PYTHON, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "tests/services"])]


def long() -> list[Step]:
    """Tests that take minutes each; 5 is pytest's status when there is none yet."""
    tests = [PYTHON, "-m", "pytest", "-q", "-m", "long", "tests/unit", "tests/integration"]
    return [Step("pytest", tests, accepted=(0, 5))]


def molecule() -> list[Step]:
    """One scenario for each role."""
    wanted = os.environ.get("SCENARIO") or "*"
    scenarios = sorted(path.parent.name for path in (ROOT / "extensions/molecule").glob(f"{wanted}/molecule.yml"))
    return [Step(f"molecule {name}", tool("molecule", "test", "--scenario-name", name)) for name in scenarios]


def bench() -> list[Step]:
    """Benchmarks; each prints its figures as JSON on its last line."""
    wanted = os.environ.get("BENCH") or "[!_]*"
    return [Step(path.stem, [PYTHON, str(path)]) for path in sorted((ROOT / "tests/bench").glob(f"{wanted}.py"))]


LANES: dict[str, Callable[[], list[Step]]] = {
    "lint": lint,
    "unit": unit,
    "unit-2.18": unit_oldest,
    "sanity": sanity,
    "docs": docs,
    "importer": importer,
    "services": services,
    "integration": integration,
    "molecule": molecule,
    "bench": bench,
    "long": long,
}
# Run side by side, each in its order: the lab waits for hosts most of the time, the others use the processor.
ON_THE_LAB = ["integration", "molecule"]
QUEUES = [ON_THE_LAB, ["lint", "unit", "unit-2.18", "services", "sanity", "docs", "importer"]]


def run_lane(name: str) -> bool:
    """Run one lane in the foreground; a lane without anything to run has failed."""
    steps = LANES[name]()
    if not steps:
        print(f"{name}: there is nothing to run", file=sys.stderr)
        return False
    passed = [step.run() for step in steps]
    return all(passed)


@dataclass
class Result:
    """How a lane ended, and how long it took."""

    lane: str
    passed: bool
    seconds: float


class Runner:
    """Runs all lanes in two queues, each lane a process group of its own with a log of its own."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self._say_one_at_a_time = threading.Lock()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Interrupt the lanes that run and start no further one."""
        self._stopping.set()

    def run(self) -> bool:
        """Run all lanes; True when every one of them passed."""
        LOGS.mkdir(parents=True, exist_ok=True)
        threads = [threading.Thread(target=self._run_queue, args=(queue,)) for queue in QUEUES]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        expected = sum(len(queue) for queue in QUEUES)
        return len(self.results) == expected and all(result.passed for result in self.results)

    def _run_queue(self, queue: list[str]) -> None:
        for lane in queue:
            if not self._stopping.is_set():
                self._run_one(lane)

    def _run_one(self, lane: str) -> None:
        started = time.monotonic()
        log = LOGS / f"{lane}.log"
        self._say(f"{lane}: started, log in {log.relative_to(ROOT)}")
        with log.open("wb") as output:
            # What only computes must not make hosts and health checks late.
            polite = [] if lane in ON_THE_LAB else ["nice", "-n", "10"]
            process = subprocess.Popen(
                [*polite, PYTHON, __file__, lane], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            status = self._wait(process)
        result = Result(lane, status == 0, time.monotonic() - started)
        self.results.append(result)
        self._say(f"{lane}: {'passed' if result.passed else 'FAILED'} in {result.seconds:.0f} s")
        if not result.passed:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            self._say("\n".join(f"{lane} | {line}" for line in lines[-LINES_OF_A_FAILED_LOG:]))

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for a lane; one that hangs or shall stop is interrupted first, and killed when that does not help."""
        deadline = time.monotonic() + LANE_TIMEOUT_SECONDS
        while not self._stopping.is_set() and time.monotonic() < deadline:
            try:
                return process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                continue
        os.killpg(process.pid, signal.SIGINT)
        try:
            return process.wait(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    def _say(self, text: str) -> None:
        with self._say_one_at_a_time:
            print(text, flush=True)


def failures(lane: str) -> list[str]:
    """The last lines in the log of a lane that name what failed."""
    lines = (LOGS / f"{lane}.log").read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if FAILURE.search(line)][-LINES_OF_A_FAILURE:]


def run_all() -> bool:
    """Run all lanes, print the table and the totals; True when every lane passed."""
    runner = Runner()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: runner.stop())
    started = time.monotonic()
    passed = runner.run()
    by_lane = {result.lane: result for result in runner.results}
    print(f"\n{'lane':<14}{'result':<10}{'seconds':>8}")
    for lane in (lane for queue in QUEUES for lane in queue):
        result = by_lane.get(lane)
        verdict = "not run" if result is None else "passed" if result.passed else "FAILED"
        print(f"{lane:<14}{verdict:<10}{result.seconds if result else 0:>8.0f}")
    good = sum(result.passed for result in runner.results)
    print(f"{'all':<14}{'':<10}{time.monotonic() - started:>8.0f}")
    print(f"{good} passed, {sum(len(queue) for queue in QUEUES) - good} failed")
    for failed in (result.lane for result in runner.results if not result.passed):
        for line in failures(failed):
            print(f"{failed} | {line[:WIDTH_OF_A_FAILURE]}")
    return passed


def main() -> int:
    """Run what the command line names and return the exit status."""
    parser = argparse.ArgumentParser(description="Run the lanes of the tests.")
    parser.add_argument("lanes", nargs="*", choices=[*LANES, []], help="lanes to run in the foreground")
    parser.add_argument("--all", action="store_true", help="run all lanes but bench and long")
    arguments = parser.parse_args()
    if arguments.all:
        return 0 if run_all() else 1
    if not arguments.lanes:
        parser.error("name a lane, or say --all")
    passed = [run_lane(lane) for lane in arguments.lanes]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
