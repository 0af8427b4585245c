# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents of a plan's hosts, each read once, and what of them is kept: little, and of equal things one.

A plan of ten thousand hosts has a gigabyte of documents, and its hosts are of few kinds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import is_whole_number
from ansible_collections.bankops.fleet.plugins.plugin_utils._once import Alike, Once
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import HostDocument, PlanHead
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.selection import update_key
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import known_cves
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.history import History, HostHistory
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import PendingUpdate, Place
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

DEFAULT_LEVELS = {"critical": 30, "important": 30, "moderate": 90, "low": 90, "unknown": 30}
"""Days by severity where a plan of before does not say: those of ``patch_service_levels``."""

UNKNOWN = "unknown"


class Documents:
    """The documents of a plan, for whoever reads them one by one; what reports need of them is noted on the way.

    ``staged_cves`` are the CVE ids that staging found in changelogs, by ``name=version``, ``places`` where hosts are.
    Both, and ``approval``, are complete when all documents were read.
    """

    def __init__(self, state: State, tenant: str, plan: str, head: PlanHead, history: History) -> None:
        self._state, self._tenant, self._plan, self._head, self._history = state, tenant, plan, head, history
        self._alike, self._updates = Alike(), Once[tuple[PendingUpdate, ...]]()
        self._noted: Once[None] = Once()
        self._made: dict[tuple[Any, ...], PendingUpdate] = {}
        self._places: dict[Place, Place] = {}
        self.staged_cves: dict[str, list[str]] = {}
        self.places: dict[str, Place] = {}
        self._pending: dict[str, tuple[PendingUpdate, ...] | None] = {}
        self._approvals: set[str] = set()

    def __iter__(self) -> Iterator[HostDocument]:
        """Read them, in the order of the head. Raises FleetError as ``get_host_document`` does."""
        for host, entry in self._head["hosts"].items():
            document = self._state.get_host_document(self._tenant, self._plan, host, entry["digest"])
            for key in ("pending", "transaction", "policy"):
                document[key] = self._alike.of(document[key])
            self._note(host, document)
            yield cast("HostDocument", document)

    @property
    def approval(self) -> str:
        """How the policy of all hosts wants the plan approved; empty where they do not say it, or differ."""
        return next(iter(self._approvals)) if len(self._approvals) == 1 else ""

    def pending(self) -> dict[str, tuple[PendingUpdate, ...] | None]:
        """What was pending on each host, when all documents were read; None of a host that was not scanned."""
        known = {update: self._with_staged(update) for update in self._made.values()}
        # Hosts of one kind have one tuple before, and so after.
        made: dict[int, tuple[PendingUpdate, ...]] = {}
        for updates in self._pending.values():
            if updates is not None and id(updates) not in made:
                made[id(updates)] = tuple(known[update] for update in updates)
        return {host: None if updates is None else made[id(updates)] for host, updates in self._pending.items()}

    def _with_staged(self, update: PendingUpdate) -> PendingUpdate:
        ids = self.staged_cves.get(f"{update.name}={update.candidate}")
        return update if ids is None else replace(update, cves=tuple(sorted({*(update.cves or ()), *ids})))

    def _note(self, host: str, document: Mapping[str, Any]) -> None:
        transaction, staged = document["transaction"], self._history.hosts.get(host, HostHistory()).staged
        if staged:
            # The history keeps what was staged, so that no other comes by its identity.
            self._noted.of(transaction, partial(self._note_staged, transaction, staged), id(staged))
        said = document.get("placement") or {}
        place = Place(*(str(said.get(key, UNKNOWN)) for key in Place._fields))
        self.places[host] = self._places.setdefault(place, place)
        self._approvals.add(str(document["policy"].get("approval") or ""))
        pending, levels = document["pending"], document["policy"].get("service_levels") or DEFAULT_LEVELS
        self._pending[host] = None
        if document["state_digest"] is not None:
            known = tuple(sorted(levels.items()))
            make = partial(self._all_of, pending, levels)
            self._pending[host] = self._updates.of(pending, make, known)

    def _all_of(self, pending: Iterable[Mapping[str, Any]], levels: Mapping[str, int]) -> tuple[PendingUpdate, ...]:
        return tuple(self._update(each, levels) for each in pending)

    def _note_staged(self, transaction: list[dict[str, Any]], staged: Mapping[str, list[str]]) -> None:
        for change in transaction:
            ids = staged.get(change["name"])
            if ids is not None:
                key = update_key(change)
                self.staged_cves[key] = sorted({*self.staged_cves.get(key, ()), *ids})

    def _update(self, update: Mapping[str, Any], levels: Mapping[str, int]) -> PendingUpdate:
        # What nobody can tell is taken for a security update, and for one of a severity that is not known.
        is_security = update["is_security"] is not False
        severity = str(update["severity"])
        key = (
            update["name"],
            update["arch"],
            str(update["candidate"]),
            is_security,
            severity,
            known_cves(update),
            str(update.get("first_seen") or ""),
            bool(update["selected"]),
            str(update["reason"] or ""),
            allowed_days(severity, levels) if is_security else None,
        )
        if key not in self._made:
            self._made[key] = PendingUpdate(*key)
        return self._made[key]


def allowed_days(severity: str, levels: Mapping[str, int]) -> int:
    """The service level of a severity; one that is not among them is as urgent as one that nobody knows."""
    days = levels.get(severity, levels.get(UNKNOWN, DEFAULT_LEVELS[UNKNOWN]))
    return days if is_whole_number(days) else DEFAULT_LEVELS[UNKNOWN]
