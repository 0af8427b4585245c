# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts and people write arrives as text: it is no header, mention, link, Markdown or key of a bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery import mail, messages
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.brief import (
    LONGEST_LINE,
    MOST_TROUBLES,
    Brief,
    brief_of,
    line,
    read_brief,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.parcels import parcels, read_reports
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document

from .parcels_of_alpha import EMAIL, PLAN, S3, brief, destination, parcel, reports

LINK = "https://reports.example/alpha"
HOSTILE = "<!channel> <@U024BE7LH> <https://evil.example|your bank> & *bold* [login](https://evil.example) {{ 7*7 }}"
LARGEST_CARD = 20_000
"""Bytes: Teams takes 28 KB (learn.microsoft.com/microsoftteams/limits-specifications-teams)."""


def hostile(text: str) -> Brief:
    """A brief of which every text is one that a host chose."""
    said = line(text)
    return replace(
        brief(), title=said, verdict=said, figures=((said, said),), troubles=(said,) * MOST_TROUBLES, more_troubles=7
    )


def values(data: Any, key: str) -> Iterator[str]:
    """All texts that stand under a key, however deep."""
    if isinstance(data, dict):
        for name, inner in data.items():
            if name == key and isinstance(inner, str):
                yield inner
            yield from values(inner, key)
    elif isinstance(data, list):
        for inner in data:
            yield from values(inner, key)


def test_slack_calls_nobody_and_links_to_nothing_but_our_link() -> None:
    message = messages.slack_message("alpha", hostile(HOSTILE), LINK)
    texts = [text for text in values(message, "text") if text != f"<{LINK}|The reports>"]
    assert len(texts) > 4
    assert not any("<" in text or ">" in text for text in texts)
    # Only our own link is mrkdwn; all else is shown as it is, without emoji of somebody's choice.
    kinds = [block["text"]["type"] for block in message["blocks"] if "text" in block]
    assert kinds == ["plain_text", "plain_text", "plain_text", "mrkdwn"]
    assert "&lt;!channel&gt;" in message["text"]


def test_slack_keeps_to_the_limits_of_its_blocks() -> None:
    message = messages.slack_message("alpha", hostile("&" * LONGEST_LINE), LINK)
    header, *sections = message["blocks"]
    assert len(header["text"]["text"]) <= messages.LONGEST_HEADER
    assert not header["text"]["text"].rstrip("…").endswith(("&", "&a", "&am", "&amp"))
    for block in sections:
        for text in (block.get("text"), *block.get("fields", ())):
            assert text is None or len(text["text"]) <= messages.LONGEST_SECTION
        assert len(block.get("fields", ())) <= 10


def test_a_card_shows_texts_from_outside_only_where_no_markdown_is() -> None:
    message = messages.teams_message("alpha", hostile(HOSTILE), LINK)
    (attachment,) = message["attachments"]
    card = attachment["content"]
    assert {element["type"] for element in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for element in card["body"] for run in element["inlines"]} == {"TextRun"}
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "The reports", "url": LINK}]
    # No mention of Teams without its entity.
    assert "msteams" not in json.dumps(message)


@pytest.mark.parametrize("text", ["\u20ac" * 10**6, "\x1b" * 10**6, '"' * 10**6])
def test_a_card_is_small_enough_for_teams_whatever_hosts_say(text: str) -> None:
    card = messages.teams_message("alpha", hostile(text), LINK)
    assert len(json.dumps(card).encode()) < LARGEST_CARD


def test_a_subject_is_one_line_whatever_the_title_says() -> None:
    said = replace(brief(), title=line("November\r\nBcc: eve@evil.example\r\n\r\n<script>"))
    composed = mail.compose(
        destination(EMAIL), subject=messages.subject("alpha", said), text="x", attachments=[], content="c" * 64
    )
    read = message_from_bytes(composed.as_bytes(), policy=SMTP)
    assert read["Bcc"] is None
    assert read["To"] == "ann@alpha.example, bob@alpha.example"
    # A word that is longer than a line begins on the next, after a space.
    assert read["Subject"].strip() == r"[alpha] needs attention: November\r\nBcc: eve@evil.example\r\n\r\n<script>"


def test_a_header_with_a_line_feed_is_refused_even_when_it_comes_that_far() -> None:
    with pytest.raises(ValueError, match="linefeed"):
        mail.compose(destination(EMAIL), subject="x\nBcc: eve@evil.example", text="x", attachments=[], content="c" * 64)


def test_the_text_of_a_mail_steers_no_terminal_and_ends_no_part() -> None:
    text = messages.mail_text("alpha", hostile("\x1b[2J\x07\r\n.\r\n--boundary\u202e"), LINK, ["alpha-2026-11-x.html"])
    assert all(character.isprintable() or character == "\n" for character in text)
    assert text.count("\n.") == 0
    assert f"The reports: {LINK}\n" in text


def test_a_hostile_report_makes_messages_that_can_be_sent() -> None:
    said = brief_of(document(tenants=1, hostile=True))
    assert said.troubles
    for text in (said.title, said.verdict, *said.troubles, *(part for figure in said.figures for part in figure)):
        assert text.isprintable()
        assert len(text) <= LONGEST_LINE
    assert json.dumps(messages.slack_message("alpha", said, "")).encode().decode("ascii")


@given(st.text(alphabet=st.characters(), max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_text_becomes_one_short_printable_line(text: str) -> None:
    shown = line(text)
    assert shown.isprintable()
    assert len(shown) <= LONGEST_LINE
    shown.encode("utf-8")


def test_a_brief_survives_the_way_through_ansible() -> None:
    said = brief()
    assert read_brief(json.loads(json.dumps(said.as_data()))) == said
    assert dict(said.figures)["Hosts"] == "30"
    assert dict(said.figures)["Outcomes"].startswith("2 failed")


def test_keys_of_a_bucket_are_made_of_checked_names_alone(tmp_path: Path) -> None:
    made = parcel(tmp_path, S3, prefix="reports/2026")
    folder = f"reports/2026/alpha/2026-11/{PLAN[:16]}"
    assert made.targets == (
        f"{folder}/report.html",
        f"{folder}/csv-hosts.csv",
        f"{folder}/csv-changes.csv",
        f"{folder}/csv-cves.csv",
    )


@pytest.mark.parametrize(
    ("tenant", "cycle", "name"),
    [
        ("../beta", "2026-11", "report.html"),
        ("alpha", "2026-11/../../beta", "report.html"),
        ("alpha", "2026-11", "..%2fbeta"),
        ("alpha", "2026-11", ".report.html"),
        ("alpha", "2026-11", "report\n.html"),
    ],
)
def test_a_name_that_could_leave_its_tenant_is_refused(tmp_path: Path, tenant: str, cycle: str, name: str) -> None:
    path = tmp_path / name
    path.write_text("x")
    said = {**brief().as_data(), "tenants": [tenant]}
    with pytest.raises(FleetError) as caught:
        read_reports(tenant, PLAN, cycle, {"html": [str(path)]}, said, "f" * 64)
    assert caught.value.kind == "bad_name"


@pytest.mark.parametrize("tenants", [["beta"], ["alpha", "beta"], []])
def test_a_report_that_speaks_of_another_tenant_is_sent_to_nobody(tmp_path: Path, tenants: list[str]) -> None:
    with pytest.raises(FleetError) as caught:
        reports(tmp_path, replace(brief(), tenants=tuple(tenants)))
    assert caught.value.kind == "report_foreign"


def test_content_is_the_same_for_the_same_facts_whenever_a_report_was_made(tmp_path: Path) -> None:
    def content(said: Brief, facts: str = "f" * 64, **more: Any) -> str:
        (made,) = parcels(reports(tmp_path, said, facts), [destination(EMAIL, **more)])
        return made.content

    first = content(brief())
    assert content(replace(brief(), made="2026-12-01T00:00:00Z")) == first
    assert content(replace(brief(), verdict="another")) != first
    assert content(brief(), facts="e" * 64) != first
    assert content(brief(), formats=["html", "csv"]) != first


def test_what_is_only_sent_when_there_is_trouble_is_not_sent_otherwise(tmp_path: Path) -> None:
    on_trouble = [destination(EMAIL, when="trouble")]
    assert len(list(parcels(reports(tmp_path), on_trouble))) == 1
    assert list(parcels(reports(tmp_path, replace(brief(), well=True)), on_trouble)) == []


def test_a_format_that_was_not_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FleetError) as caught:
        parcel(tmp_path, EMAIL, formats=["html", "pdf"])
    assert caught.value.kind == "report_missing"
    assert "officers wants pdf of tenant alpha" in caught.value.message
