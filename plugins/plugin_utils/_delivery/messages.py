# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of a delivery: a mail's subject and text, a message of Slack's Block Kit, an Adaptive Card for Teams.

What comes from hosts stands only where the receiver takes text for text: in a mail of plain text, in Slack's
``plain_text`` objects with its three control characters escaped (https://docs.slack.dev/messaging/formatting-message-text),
in a card's ``TextRun``, which knows no Markdown (https://adaptivecards.io/explorer/TextRun.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.brief import Brief, line

LONGEST_HEADER = 150
"""Characters of a Slack header."""

LONGEST_SECTION = 3000
"""Characters of a Slack section's text."""

CARD_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
CARD_VERSION = "1.4"
CARD_TYPE = "application/vnd.microsoft.card.adaptive"


def subject(tenant: str, brief: Brief) -> str:
    """One line: whose report, of what, and whether somebody must look."""
    return line(f"[{tenant}] {'well' if brief.well else 'needs attention'}: {brief.title}")


def mail_text(tenant: str, brief: Brief, link: str, names: list[str]) -> str:
    """The text of a mail, with the names of the files that are attached to it."""
    return "\n".join(_mail_lines(tenant, brief, link, names)) + "\n"


def _mail_lines(tenant: str, brief: Brief, link: str, names: list[str]) -> Iterator[str]:
    yield from (brief.title, f"tenant {tenant}, made {brief.made}", "", brief.verdict, "")
    yield from (f"{title}: {value}" for title, value in brief.figures)
    if brief.troubles:
        yield from ("", "Needs attention:", *(f"- {trouble}" for trouble in _troubles(brief)))
    if names:
        yield from ("", "Attached:", *(f"- {name}" for name in names))
    if link:
        yield from ("", f"The reports: {link}")


def slack_message(tenant: str, brief: Brief, link: str) -> dict[str, Any]:
    """The body of a request to an incoming webhook of Slack. ``link`` is of the policy, and checked."""
    head = subject(tenant, brief)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(head, LONGEST_HEADER)},
        {"type": "section", "text": _plain(brief.verdict)},
        # Ten fields is what a section takes.
        {"type": "section", "fields": [_plain(f"{title}: {value}") for title, value in brief.figures[:10]]},
    ]
    if brief.troubles:
        blocks.append({"type": "section", "text": _plain("\n".join(_troubles(brief)))})
    if link:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"<{_escaped(link)}|The reports>"}})
    # The text of notifications is read as mrkdwn: escaped, it can call nobody and link to nothing.
    return {"text": _escaped(head), "blocks": blocks}


def _plain(text: str, longest: int = LONGEST_SECTION) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(_escaped(text), longest), "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, longest: int) -> str:
    """No longer than ``longest``, and not in the middle of an escaped character, which would end as another one."""
    if len(text) <= longest:
        return text
    kept = text[: longest - 1]
    before, ampersand, after = kept.rpartition("&")
    return (before if ampersand and ";" not in after else kept) + "…"


def teams_message(tenant: str, brief: Brief, link: str) -> dict[str, Any]:
    """The body of a request to a workflow of Teams: a message with one Adaptive Card."""
    body = [
        _runs({"text": subject(tenant, brief), "size": "Large", "weight": "Bolder"}),
        _runs({"text": brief.verdict, "color": "Good" if brief.well else "Attention"}),
        *(_runs({"text": f"{title}: ", "weight": "Bolder"}, {"text": value}) for title, value in brief.figures),
        *(_runs({"text": trouble}) for trouble in _troubles(brief)),
    ]
    card: dict[str, Any] = {"$schema": CARD_SCHEMA, "type": "AdaptiveCard", "version": CARD_VERSION, "body": body}
    if link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "The reports", "url": link}]
    attachment = {"contentType": CARD_TYPE, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _runs(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}


def _troubles(brief: Brief) -> Iterator[str]:
    yield from brief.troubles
    if brief.more_troubles:
        yield f"and {brief.more_troubles} more"
