# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report of a large fleet costs to write and to read: 10,000 hosts with 200 updates each, of 400 there are.

The hosts are of forty kinds, as fleets are made from a few images; no two updates are before the same hosts.

Writing is all formats but PDF, one after the other, of one document; ``seconds`` are of CPU, ``peak_mb`` is the memory
of the process with the document in it, and ``ratio`` is 1 where the cost grows as the fleet does, against a tenth of
the hosts. ``pdf_seconds`` are those of the PDF of the summary. Reading is Chromium's: ``open_seconds`` until the page
shows its hosts, ``filter_seconds`` until it has answered to two words that are typed, one of which is a package's; the
best of three, by the clock. The last line is JSON.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.csv_files import write_csv  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.html import NAME, write_html  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.json_file import write_json  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.oscal import write_oscal  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.pdf import write_pdf  # noqa: E402
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.xlsx import write_xlsx  # noqa: E402
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document  # noqa: E402
from ansible_collections.bankops.fleet.tests.services.browser import chromium, open_and_filter  # noqa: E402

HOSTS = 10_000
UPDATES = 200
PACKAGES = 400
KINDS = 40
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


def fleet(hosts: int) -> Document:
    """A report in which each update is only before the hosts of some kinds, half of them."""
    report = document(hosts=hosts, updates=PACKAGES)
    kind_of = {host.host: number % KINDS for number, host in enumerate(report.hosts)}
    chance = random.Random(4711)  # noqa: S311  not for secrets: the same fleet every time

    def some(of: tuple[str, ...]) -> tuple[str, ...]:
        kinds = set(chance.sample(range(KINDS), KINDS * UPDATES // PACKAGES))
        return tuple(host for host in of if kind_of[host] in kinds)

    return replace(
        report,
        changes=tuple(replace(row, hosts=some(row.hosts)) for row in report.changes),
        open_updates=tuple(replace(row, hosts=some(row.hosts)) for row in report.open_updates),
        cves=tuple(
            replace(row, hosts_closed=some(row.hosts_closed), hosts_open=some(row.hosts_open)) for row in report.cves
        ),
    )


def write(hosts: int, formats: dict[str, Write], folder: Path) -> dict[str, float]:
    """Write a report in these formats; the CPU of each, and the most memory that the process had."""
    report = fleet(hosts)
    figures = {}
    for name, write_format in formats.items():
        began = time.process_time()
        files = write_format(report, folder)
        figures[name] = time.process_time() - began
        if not files or not all(file.stat().st_size for file in files):
            raise SystemExit(f"The format {name} has written nothing; the figures would mean nothing.")
    return {**figures, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured(hosts: int, kind: str, folder: Path) -> dict[str, float]:
    """Write in a process of its own, so that nothing that came before counts."""
    argv = [sys.executable, __file__, str(hosts), kind, str(folder)]
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
        small = measured(HOSTS // 10, "all", folder)
        large = measured(HOSTS, "all", folder)
        page = folder / NAME
        html_mb = page.stat().st_size / 1e6
        opening, filtering = read(page)
        pdf = measured(HOSTS, PDF, folder)
    for name in FORMATS:
        print(f"{name}: {large[name]:.2f} s of {HOSTS:,} hosts, {small[name]:.2f} s of {HOSTS // 10:,}")
    seconds = sum(large[name] for name in FORMATS)
    figures = {
        "seconds": round(seconds, 2),
        "peak_mb": round(large["peak_mb"]),
        "open_seconds": round(opening, 2),
        "filter_seconds": round(filtering, 2),
        "pdf_seconds": round(pdf[PDF], 2),
        "html_mb": round(html_mb, 2),
        "ratio": round(seconds / (10 * sum(small[name] for name in FORMATS)), 2),
    }
    print(json.dumps({"bench": "report", **figures}))
    missed = [f"{name} at most {most:g}" for name, most in LIMITS.items() if figures[name] > most]
    if missed:
        raise SystemExit(f"Wanted are {', '.join(missed)}.")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        wanted: dict[str, Write] = {PDF: write_pdf} if sys.argv[2] == PDF else FORMATS
        print(json.dumps(write(int(sys.argv[1]), wanted, Path(sys.argv[3]))))
    else:
        main()
