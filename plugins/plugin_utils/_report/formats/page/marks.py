# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a status is shown: a symbol, a word and a tone, so that nothing is told by colour alone."""

from __future__ import annotations

from typing import NamedTuple


class Mark(NamedTuple):
    """A status on a page. ``tone`` is ``good``, ``bad``, ``warn`` or ``calm``, as the style sheet names its colours."""

    symbol: str
    word: str
    tone: str


MARKS: dict[str, Mark] = {
    # What became of a host; their order is that of tables and charts.
    "unreachable": Mark("?", "unreachable", "bad"),
    "failed": Mark("✕", "failed", "bad"),
    "rolled_back": Mark("↺", "rolled back", "warn"),
    "verified": Mark("✓", "verified", "good"),
    "unchanged": Mark("=", "unchanged", "calm"),
    "skipped": Mark("»", "skipped", "warn"),
    "not_attempted": Mark("·", "not attempted", "calm"),
    # Answers to a question in the head of a column: in service, in time, in order.
    "yes": Mark("✓", "yes", "good"),
    "no": Mark("✕", "no", "bad"),
    # CVEs, plans and attempts.
    "incomplete": Mark("✕", "incomplete", "bad"),
    "open": Mark("○", "open", "warn"),
    "complete": Mark("✓", "complete", "good"),
    "sealed": Mark("✓", "sealed", "good"),
    "closed": Mark("✓", "closed", "good"),
    # Requirements of frameworks.
    "evidenced": Mark("✓", "evidenced", "good"),
    "partly": Mark("◐", "partly", "warn"),
    "missing": Mark("✕", "missing", "bad"),
    # Gates, exceptions and steps.
    "fail": Mark("✕", "fail", "bad"),
    "pass": Mark("✓", "pass", "good"),
    "overridden": Mark("!", "overridden", "warn"),
    "expired": Mark("✕", "expired", "bad"),
    "in_force": Mark("○", "in force", "calm"),
    "unknown": Mark("?", "unknown", "warn"),
    "not_required": Mark("·", "not required", "calm"),
    # How grave an update is.
    "critical": Mark("▲", "critical", "bad"),
    "high": Mark("▲", "high", "bad"),
    "important": Mark("▲", "important", "bad"),
    "medium": Mark("◆", "medium", "warn"),
    "moderate": Mark("◆", "moderate", "warn"),
    "low": Mark("▽", "low", "calm"),
}
"""By the value as the model has it. A value that is none of these is shown as the plain word that it is."""

ORDER = {value: place for place, value in enumerate(MARKS)}
"""For sorting values that have a mark: by what they mean, and not by the alphabet."""
