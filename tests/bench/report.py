# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report of a large fleet costs to make and to read: 10,000 hosts with 200 updates each, of 400 there are.

The hosts are of forty kinds, as fleets are made from a few images, and every outcome occurs. Making is to build the
document from the plan and its ledger, with a sample for an auditor, and to write all formats but PDF: ``seconds`` are
of CPU, ``build_seconds`` the share of the first, ``peak_mb`` is the memory of the process, and ``ratio`` is 1 where
the cost grows as the fleet does, against a tenth of the hosts. ``pdf_seconds`` are those of the PDF of the summary.
Reading is Chromium's: ``open_seconds`` until the page shows its hosts, ``filter_seconds`` until it has answered to two
words that are typed, one of which is a package's; the best of three, by the clock. The last line is JSON.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.build import SampleSize, build  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document, ScopeKind  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.csv_files import write_csv  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.html import NAME, write_html  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.json_file import write_json  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.oscal import write_oscal  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.pdf import write_pdf  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.xlsx import write_xlsx  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Wanted  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState  # noqa: E402
from ansible_collections.bankops.fleet.tests.fakes.report_states import put_cycle  # noqa: E402
from ansible_collections.bankops.fleet.tests.services.browser import chromium, open_and_filter  # noqa: E402

HOSTS = 10_000
UPDATES = 200
SAMPLE = SampleSize("bench", 25)
TENANT = "alpha"
CYCLE = "2026-11"
NOW = datetime(2026, 11, 20, 6, tzinfo=timezone.utc)
BUILD = "build"
Write = Callable[[Document, Path], list[Path]]
FORMATS: dict[str, Write] = {
    "html": write_html,
    "json": write_json,
    "csv": write_csv,
    "xlsx": write_xlsx,
    "oscal": write_oscal,
}
PDF = "pdf"

LIMITS = {
    "seconds": 30.0,
    "peak_mb": 1000,
    "ratio": 1.3,
    "open_seconds": 2.0,
    "filter_seconds": 2.0,
    "pdf_seconds": 30.0,
    "html_mb": 5.0,
}


def make(state: Path, formats: dict[str, Write], folder: Path) -> dict[str, float]:
    """Make a report in these formats; the CPU of each, and the most memory that the process had."""
    began = time.process_time()
    report = build(FolderState(state), Wanted(ScopeKind.CYCLE, cycle=CYCLE), NOW, drawn=SAMPLE)
    figures = {BUILD: time.process_time() - began}
    for name, write_format in formats.items():
        began = time.process_time()
        files = write_format(report, folder)
        figures[name] = time.process_time() - began
        if not files or not all(file.stat().st_size for file in files):
            raise SystemExit(f"The format {name} has written nothing; the figures would mean nothing.")
    return {**figures, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured(state: Path, kind: str, folder: Path) -> dict[str, float]:
    """Make a report in a process of its own, so that nothing that came before counts."""
    argv = [sys.executable, __file__, str(state), kind, str(folder)]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(argv, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def read(page: Path) -> tuple[float, float]:
    """The least seconds that opening and filtering took of three times."""
    with chromium() as browser:
        times = [open_and_filter(browser, page) for _time in range(3)]
    return min(opening for opening, _filtering in times), min(filtering for _opening, filtering in times)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        states = {hosts: folder / f"state of {hosts}" for hosts in (HOSTS // 10, HOSTS)}
        for hosts, state in states.items():
            put_cycle(state, TENANT, CYCLE, hosts=hosts, updates=UPDATES)
        small, large = (measured(state, "all", folder) for state in states.values())
        page = folder / NAME
        html_mb = page.stat().st_size / 1e6
        opening, filtering = read(page)
        pdf = measured(states[HOSTS], PDF, folder)
    for name in (BUILD, *FORMATS):
        print(f"{name}: {large[name]:.2f} s of {HOSTS:,} hosts, {small[name]:.2f} s of {HOSTS // 10:,}")
    seconds, seconds_small = (sum(figures[name] for name in (BUILD, *FORMATS)) for figures in (large, small))
    figures = {
        "seconds": round(seconds, 2),
        "build_seconds": round(large[BUILD], 2),
        "peak_mb": round(large["peak_mb"]),
        "open_seconds": round(opening, 2),
        "filter_seconds": round(filtering, 2),
        "pdf_seconds": round(pdf[PDF], 2),
        "html_mb": round(html_mb, 2),
        "ratio": round(seconds / (10 * seconds_small), 2),
    }
    print(json.dumps({"bench": "report", **figures}))
    missed = [f"{name} at most {most:g}" for name, most in LIMITS.items() if figures[name] > most]
    if missed:
        raise SystemExit(f"Wanted are {', '.join(missed)}.")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        wanted: dict[str, Write] = {PDF: write_pdf} if sys.argv[2] == PDF else FORMATS
        print(json.dumps(make(Path(sys.argv[1]), wanted, Path(sys.argv[3]))))
    else:
        main()
