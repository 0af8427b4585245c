# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A refusal makes nothing better, for the report as for the guards."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase

from .conftest import OPENSSL

Story = list[tuple[str, Any]]
STORIES: dict[str, Story] = {
    "verified": [("open", None), ("begin", None), ("judge", "verified")],
    "never begun": [("open", None), ("judge", "not_attempted")],
    "failed, then not begun again": [
        ("open", None),
        ("begin", None),
        ("judge", "failed"),
        ("open", None),
        ("judge", "not_attempted"),
    ],
    "unreachable, refused, then verified": [
        ("open", None),
        ("judge", "unreachable"),
        ("open", None),
        ("refuse", None),
        ("judge", "not_attempted"),
        ("open", None),
        ("begin", None),
        ("judge", "verified"),
    ],
    "skipped, then skipped for another reason": [
        ("open", None),
        ("judge", "skipped"),
        ("open", None),
        ("refuse", None),
        ("judge", "skipped"),
    ],
    "not begun twice": [("open", None), ("judge", "not_attempted"), ("open", None), ("judge", "not_attempted")],
    "rolled back, then the preflight was refused": [
        ("open", None),
        ("begin", None),
        ("judge", "rolled_back"),
        ("open", None),
        ("refuse", None),
        ("judge", "not_attempted"),
    ],
}


@pytest.mark.parametrize("story", STORIES)
def test_the_report_and_the_guards_read_the_same_outcome(book: Any, story: str) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    for number, (step, value) in enumerate(STORIES[story]):
        tell(book, step, value, f"reason {number}")
    host, progress = book.report().hosts[0], book.progress()
    guarded = progress.outcomes["web1"]
    assert not progress.in_the_middle("web1")
    assert (host.outcome, host.in_service, host.reason) == (guarded.outcome, guarded.in_service, guarded.reason)


@pytest.mark.parametrize("earlier", [[], ["not_attempted"], ["skipped"], ["unreachable"]])
@pytest.mark.parametrize("later", [[], ["not_attempted"]])
def test_a_host_in_the_middle_of_its_change_is_in_service_for_nobody(
    book: Any, earlier: list[str], later: list[str]
) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    for outcome in earlier:
        tell(book, "open", None)
        tell(book, "judge", outcome)
    tell(book, "open", None)
    tell(book, "begin", None)
    for outcome in later:
        tell(book, "open", None)
        tell(book, "judge", outcome)
    host = book.report().hosts[0]
    assert book.progress().in_the_middle("web1")
    assert host.in_service == "unknown"
    assert host.outcome in (HostOutcome.FAILED, HostOutcome.NOT_ATTEMPTED)


def tell(book: Any, step: str, value: Any, reason: str = "") -> None:
    """A step of a story: an attempt is opened (the one before is closed), a host is begun, refused or judged."""
    if step == "open":
        if book.attempt:
            book.close()
        book.open()
    elif step == "begin":
        book.write("web1", Phase.APPLY, EntryOutcome.INTENT, {})
    elif step == "refuse":
        book.write("web1", Phase.PREFLIGHT, EntryOutcome.FAILED, {"msg": "the stop file is there"})
    else:
        service = "yes" if value in ("verified", "not_attempted", "skipped") else "unknown"
        book.judge("web1", HostOutcome(value), service, reason)


def test_a_refusal_of_a_later_attempt_is_a_note(book: Any) -> None:
    book.freeze({"web1": {"updates": [OPENSSL]}}, [["web1"]])
    book.open()
    book.patch("web1", [OPENSSL], HostOutcome.FAILED, in_service="no", reason="not up after 60 s")
    book.close()
    book.open()
    book.judge("web1", HostOutcome.NOT_ATTEMPTED, reason="the failure budget is spent")
    book.close()
    host = book.report().hosts[0]
    assert (host.outcome, host.in_service, host.reason) == ("failed", "no", "not up after 60 s")
    assert host.notes == ("a later attempt did not begin it: the failure budget is spent",)
    assert host.seconds == 40.0
