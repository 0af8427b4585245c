# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a report: what a browser sees of it, and that its commands do what they say."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome

REPOSITORY = Path(__file__).parents[5]
EVIL = "<script>alert('x')</script>"


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("commands", ["of the page", "first of the documentation", "second of the documentation"])
def test_the_commands_that_readers_are_given_check_the_ledger(mixed: Any, commands: str, damaged: bool) -> None:
    report = mixed.report()
    ledger = next(mixed.state._root.rglob("ledger.jsonl"))
    if damaged:
        ledger.write_bytes(ledger.read_bytes().replace(b'"in_service":"no"', b'"in_service":"yes"'))
    blocks = re.findall(r"```shell\n(.*?)```", (REPOSITORY / "docs" / "evidence.md").read_text(), re.DOTALL)
    page = Page(mixed.page()).text
    scripts = {
        "of the page": page[page.index("sha256sum plan.json") : page.index("\nEND") + 5],
        "first of the documentation": blocks[0],
        "second of the documentation": blocks[1],
    }
    done = subprocess.run(
        ["bash", "-c", scripts[commands]], cwd=ledger.parent, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    if damaged:
        assert "AssertionError: line" in said or "changed: {" in said
    else:
        assert f"last hash {report.ledger.head}" in said
        assert "changed: {" not in said
        assert "does not follow" not in said
    if commands != "second of the documentation":
        assert f"{report.plan}  plan.json" in said


class Page(HTMLParser):
    """What a browser would see of a page: its tags, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_everything_in_it(mixed: Any) -> None:
    page = Page(mixed.page(user_requests={"north": {"requests": 12345, "failed": 0}}))
    assert page.open == []
    for word in ("web1", "rolled back", "1.22.1-9+deb12u3", "CVE-2025-23419", "database team", "12345", "operator"):
        assert word in page.text, word
    assert mixed.report().ledger.head in page.text


def test_what_comes_from_outside_is_shown_as_text(book: Any, mixed: Any) -> None:
    own = [tag for tag, _attributes in Page(mixed.page()).tags if tag == "script"]
    updates = [(f"nginx{EVIL}", EVIL, '"><img src=x onerror=alert(1)>', [f"CVE-{EVIL}"])]
    hold = {
        "package": EVIL,
        "owner": EVIL,
        "reason": EVIL,
        "expires": "2026-12-01",
        "expired": True,
        "updates": [EVIL],
    }
    book.freeze({EVIL: {"updates": updates, "wave": EVIL}}, [[EVIL]], holds=[hold], left=[(EVIL, EVIL, EVIL)])
    book.open(provenance={"user": EVIL, "host": EVIL, "revision": EVIL}, limit=[EVIL])
    book.patch(EVIL, updates)
    book.judge(EVIL, HostOutcome.FAILED, in_service="no", reason=f"{EVIL}{{{{ 7 * 7 }}}}")
    book.close()
    rendered = book.page(user_requests={"north": {EVIL: EVIL, "failed": EVIL}})
    page = Page(rendered)
    assert [tag for tag, _attributes in page.tags if tag in ("script", "img")] == own
    assert all("onerror" not in attributes for _tag, attributes in page.tags)
    assert EVIL not in rendered
    assert "{{ 7 * 7 }}" in page.text
