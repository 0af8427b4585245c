# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian's Chromium as a reader of one page, who notes everything that the page does beside being read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

# The tests run as root, for whom Chromium's sandbox does not work; nothing but our own pages is opened.
_CHROMIUM = Path("/usr/bin/chromium")
_NO_SANDBOX = ["--no-sandbox"]
# What a page does not do within this time on a busy machine, it does not do.
_PATIENCE_MILLISECONDS = 30_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, without a window."""
    expect.set_options(timeout=_PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_NO_SANDBOX)
        try:
            yield browser
        finally:
            browser.close()


def open_and_filter(browser: Browser, file: Path) -> tuple[float, float]:
    """Seconds until a report is open and shows its hosts, and until it has answered to a word that is typed."""
    began = time.monotonic()
    reader = Reader(browser, file)
    try:
        hosts = reader.page.locator("#table-hosts")
        hosts.locator("tbody > tr").first.wait_for()
        opened = time.monotonic()
        hosts.get_by_role("searchbox").fill("library-007 unreachable")
        hosts.get_by_text(" of 10,000 hosts").wait_for()
        return opened - began, time.monotonic() - opened
    finally:
        reader.close()


class Reader:
    """A page that is open, and its ``deeds``: requests, messages to the console, errors, dialogs. There should be none.

    ``how`` is passed to Playwright's ``new_context``: ``color_scheme``, ``viewport``, ``java_script_enabled``.
    """

    def __init__(self, browser: Browser, file: Path, **how: Any) -> None:
        self.deeds: list[str] = []
        self._address = file.as_uri()
        # Without motion, the page is where it was sent at once.
        self._context = browser.new_context(**{"reduced_motion": "reduce", **how})
        self._context.set_default_timeout(_PATIENCE_MILLISECONDS)
        self._context.route("**/*", self._answer)
        self.page: Page = self._context.new_page()
        self.page.on("console", lambda message: self.deeds.append(f"console {message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.deeds.append(f"error: {error}"))
        self.page.on("popup", lambda popup: self.deeds.append(f"window: {popup.url}"))
        self.page.on("dialog", self._dismiss)
        self.page.goto(self._address)

    def close(self) -> None:
        """Leave the page."""
        self._context.close()

    def _answer(self, route: Route) -> None:
        if route.request.url == self._address:
            route.continue_()
        else:
            self.deeds.append(f"request: {route.request.url}")
            route.abort()

    def _dismiss(self, dialog: Any) -> None:
        self.deeds.append(f"dialog: {dialog.message}")
        dialog.dismiss()
