# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the pictures of the pages for the documentation: ``python tests/services/pictures.py``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.history_page import (  # noqa: E402
    write_history,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.html import write_html  # noqa: E402
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document  # noqa: E402
from ansible_collections.bankops.fleet.tests.fakes.report_histories import history  # noqa: E402
from ansible_collections.bankops.fleet.tests.services.browser import Reader, chromium  # noqa: E402

PICTURES = ROOT / "docs" / "reports" / "pictures"
SCREEN = {"width": 1280, "height": 960}
# A4 across, in CSS pixels, and the margin that a printer leaves.
SHEET = {"width": 1123, "height": 794}
MARGIN = "45px"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        folder = Path(temporary)
        (report,) = write_html(document(hosts=240, updates=12), folder)
        cycles, links = history()
        (past,) = write_history(cycles, folder, links)

        def opened(file: Path, **how: Any) -> Reader:
            return Reader(browser, file, **{"viewport": SCREEN, **how})

        take(opened(report), "html-light")
        take(opened(report, color_scheme="dark"), "html-dark", at="#metrics")

        filtered = opened(report)
        hosts = filtered.page.locator("#table-hosts")
        hosts.get_by_role("searchbox").fill("nginx web")
        hosts.get_by_label("Outcome").select_option(label="failed (16)")
        hosts.get_by_role("button", name="updates changed on").first.click()
        take(filtered, "html-hosts", at="#hosts")

        printed = opened(report, viewport=SHEET)
        printed.page.emulate_media(media="print")
        printed.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        printed.page.evaluate(f"document.body.style.margin = '{MARGIN}'")
        take(printed, "html-print")

        take(opened(past), "history")


def take(reader: Reader, name: str, at: str | None = None) -> None:
    """Take the picture of what is on the screen, with ``at`` at the top."""
    if at:
        reader.page.locator(at).evaluate("place => place.scrollIntoView()")
    content = reader.page.screenshot(path=PICTURES / f"{name}.png")
    print(f"{name}.png: {len(content) // 1000} kB")
    reader.close()


if __name__ == "__main__":
    main()
