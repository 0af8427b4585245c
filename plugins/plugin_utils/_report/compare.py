# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""This cycle against the one before, by CVE ids."""

from __future__ import annotations

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Comparison
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.figures import Figures


def compare(cycle: str, before: Figures, now: Figures, ever_closed: frozenset[str]) -> Comparison:
    """What has changed since ``cycle``, whose figures are ``before``; ``ever_closed`` in it, or in one before it.

    A CVE that was open and is in no list any more has closed only when every host could be looked into: otherwise it is
    still open, for it may be on one of those.
    """
    reopened = (now.open & ever_closed) - before.open
    gone = before.open - now.open - now.closed
    closed = (before.open & now.closed) | (gone if not now.unknown else frozenset())
    return Comparison(
        previous=cycle,
        new=tuple(sorted(now.open - before.open - reopened)),
        closed=tuple(sorted(closed)),
        reopened=tuple(sorted(reopened)),
        still_open=tuple(sorted(before.open - closed)),
    )
