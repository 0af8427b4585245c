# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pending updates the policy takes. Pure: updates and a selection in, verdicts out."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Collection, Iterable, List, Mapping, Optional

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import (
    Change,
    Reason,
    Selection,
    Update,
)

# A dependency of a selected update may be pulled in although it is no security update itself or is not on the
# include list. It may never be pulled in against a hold, an exclusion or the minimum age.
FORBIDDING = frozenset({Reason.HELD, Reason.EXCLUDED, Reason.TOO_YOUNG})


def reason_against(update: Update, selection: Selection, held_names: Collection[str]) -> Optional[Reason]:
    """Why the selection leaves ``update`` alone, or None. ``held_names`` are held in the package manager itself."""
    if update.name in held_names or _matches(update.name, selection.held):
        return Reason.HELD
    if _matches(update.name, selection.exclude):
        return Reason.EXCLUDED
    if selection.include and not _matches(update.name, selection.include):
        return Reason.NOT_INCLUDED
    if selection.classes == "security" and not update.is_security:
        return Reason.NOT_SECURITY
    if selection.aged is not None and f"{update.name}={update.candidate}" not in selection.aged:
        return Reason.TOO_YOUNG
    return None


def is_forbidden(update: Update, selection: Selection, held_names: Collection[str]) -> Optional[Reason]:
    """Why ``update`` must not even come as a dependency, or None."""
    everything = replace(selection, classes="all", include=())
    reason = reason_against(update, everything, held_names)
    return reason if reason in FORBIDDING else None


def with_verdicts(
    pending: Iterable[Update],
    chosen: Collection[str],
    reasons: Mapping[str, Reason],
    forbidden: Mapping[str, Reason],
    sources: Mapping[str, str],
) -> List[Update]:
    """The pending updates with ``selected`` and ``reason``.

    ``chosen`` holds the keys of the resulting transaction, ``reasons`` and ``forbidden`` verdicts by key, ``sources``
    the source of each forbidden key. An update the selection takes, but that cannot come without a forbidden one, is
    kept back for the reason of the forbidden one, of the same source where there is one.
    """
    judged = []
    for update in pending:
        if update.key in chosen:
            judged.append(replace(update, selected=True, reason=None))
            continue
        reason = reasons.get(update.key)
        if reason is None:
            relatives = [key for key in sorted(forbidden) if sources.get(key) == update.source]
            blockers = relatives or sorted(forbidden)
            reason = forbidden[blockers[0]] if blockers else Reason.NOT_INCLUDED
        judged.append(replace(update, selected=False, reason=reason))
    return judged


def refuse_forbidden(transaction: Iterable[Change], forbidden: Collection[str]) -> None:
    """Raise FleetError of kind ``selection_conflict`` where the manager's resolver would touch a forbidden package."""
    touched = sorted(change.key for change in transaction if change.key in forbidden)
    if touched:
        raise FleetError(
            f"The selected updates cannot come without {', '.join(touched)}, which the policy keeps back.",
            kind="selection_conflict",
            remedy="Keep back what depends on it as well, or release it.",
            data={"forbidden": touched},
        )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
