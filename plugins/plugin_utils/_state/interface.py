# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface of the shared state, which a folder keeps or a database, and the errors that both raise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import (
    decoded,
    digest_of_bytes,
    is_whole_number,
)

PLAN_FORMAT = 1
"""The newest plan format this version reads, and the one it writes."""


@dataclass(frozen=True)
class Lease:
    """The right of one owner to what the names say, as long as its heartbeat is younger than ``seconds``."""

    tenant: str
    names: frozenset[str]
    owner: str
    acquired: datetime
    heartbeat: datetime
    seconds: float
    taken_from: tuple[str, ...] = ()
    """The owners, dead or without a sign of life, whose leases were taken over by this one."""

    def is_alive(self, now: datetime, is_dead: Callable[[str], bool]) -> bool:
        """Whether the owner gave a sign of life in time and is not dead for certain.

        A sign of life from the future, after a clock was put back, is one.
        """
        return (now - self.heartbeat).total_seconds() <= self.seconds and not is_dead(self.owner)


@dataclass(frozen=True)
class Record:
    """A record of a spool: its number there, from 1, and what makes the line of the ledger from the one before.

    ``content`` is the record as it stands in the spool.
    """

    number: int
    content: bytes
    build: Callable[[bytes | None], bytes]


class PlanWriter(ABC):
    """Takes the documents of a plan one by one, so that a large plan never stands in memory as a whole."""

    @abstractmethod
    def put_host(self, host: str, document: dict[str, Any]) -> str:
        """Keep a host's document; return its digest. A second document of the same host replaces the first."""

    @abstractmethod
    def get_host(self, host: str) -> dict[str, Any]:
        """A document that was put before."""

    @abstractmethod
    def finish(self, head: dict[str, Any]) -> str:
        """Publish the plan, all at once; return its digest. A plan that is there already stays as it is."""


class State(ABC):
    """What attempts share. Every method may be called by many processes at once.

    Tenants, hosts, cycles and digests are data from outside: a name that could leave the state raises FleetError of
    kind ``bad_name``. What cannot be read or written raises ``state_error``, ``state_locked`` or ``state_damaged``.
    """

    # Plans: immutable, found by digest, and verified on every read.

    @abstractmethod
    def write_plan(self, tenant: str) -> AbstractContextManager[PlanWriter]:
        """A writer for a new plan. Without ``finish``, nothing is left of it."""

    def get_plan(self, tenant: str, plan: str) -> dict[str, Any]:
        """The head of a plan.

        Raises FleetError: ``plan_missing``, ``plan_changed`` when it is not what its digest says, ``plan_newer`` when a
        newer version wrote it.
        """
        content, place = self.read_head(tenant, plan)
        head = _verified(content, plan, place)
        _refuse_newer(head, place)
        return head

    def get_host(self, tenant: str, plan: str, host: str) -> dict[str, Any]:
        """The document of a host in a plan. Raises FleetError as ``get_plan`` does, and ``host_not_planned``."""
        entry = self.get_plan(tenant, plan)["hosts"].get(host)
        if entry is None:
            raise FleetError(
                f"Plan {plan[:16]} of tenant {tenant} does not name {host}.",
                kind="host_not_planned",
                remedy="Make a new plan.",
            )
        return self.get_host_document(tenant, plan, host, entry["digest"])

    def get_host_document(self, tenant: str, plan: str, host: str, digest: str) -> dict[str, Any]:
        """The document of a host whose digest the plan's head named: cheaper than ``get_host`` for many hosts."""
        content, place = self.read_host(tenant, plan, host)
        document = _verified(content, digest, place)
        _refuse_newer(document, place)
        return document

    @abstractmethod
    def read_head(self, tenant: str, plan: str) -> tuple[bytes, str]:
        """The bytes of a plan's head, not verified, and where they came from. Raises ``plan_missing``."""

    @abstractmethod
    def read_host(self, tenant: str, plan: str, host: str) -> tuple[bytes, str]:
        """The bytes of a host's document, not verified, and where they came from. Raises ``plan_missing``."""

    @abstractmethod
    def tenants(self) -> list[str]:
        """The names of all tenants that ever had a plan, sorted."""

    @abstractmethod
    def plans(self, tenant: str) -> list[str]:
        """The digests of all plans of a tenant, sorted."""

    # Cycles: which plans belong together, and their order.

    @abstractmethod
    def put_cycle(self, cycle: str, plans: Iterable[dict[str, str]]) -> dict[str, Any]:
        """Record ``{"tenant", "plan"}`` of a cycle; return the cycle as it is now.

        A tenant that the cycle has already gets the new plan in its old place; others are added at the end.
        """

    @abstractmethod
    def get_cycle(self, cycle: str) -> dict[str, Any]:
        """``{"cycle", "plans": [{"tenant", "plan"}]}``. Raises FleetError of kind ``cycle_missing``."""

    @abstractmethod
    def cycles(self) -> list[str]:
        """The names of all cycles, months in order, and in each the ordinary cycle before the emergency ones."""

    # The ledger: append-only lines, whose meaning is the ledger's own affair.

    @abstractmethod
    def append(self, tenant: str, plan: str, build: Callable[[bytes | None], bytes]) -> bytes:
        """Append one line, and return it when it is safe on disk.

        ``build`` gets the last whole line (None in an empty ledger) while the ledger is locked, and returns the new
        one; both without the line feed. What an interrupted append left behind is moved aside first (see ``torn``).
        Raises FleetError of kind ``plan_sealed`` when a seal closes the ledger.
        """

    @abstractmethod
    def entries(self, tenant: str, plan: str) -> Iterator[bytes]:
        """The whole lines of a ledger when this is called, oldest first, without line feeds."""

    @abstractmethod
    def torn(self, tenant: str, plan: str) -> list[bytes]:
        """The ends of lines that were never written whole, oldest first: evidence of interrupted appends."""

    # Approvals: statements as they were signed; what they are worth, whoever reads them finds out.

    @abstractmethod
    def put_approval(self, tenant: str, plan: str, statement: bytes, signature: str) -> None:
        """Keep a signed approval beside its plan, after those that are there.

        Raises FleetError of kind ``plan_sealed`` when a seal closes the plan.
        """

    @abstractmethod
    def approvals(self, tenant: str, plan: str) -> list[tuple[bytes, str]]:
        """The statements and their signatures, oldest first; the signature is empty where it is missing."""

    # What hosts were like before their change, for attempts that come after one that died in the middle.

    @abstractmethod
    def put_baseline(self, tenant: str, plan: str, host: str, host_state: dict[str, Any]) -> None:
        """Keep a host's state from before its change, in the place of an earlier one."""

    @abstractmethod
    def get_baseline(self, tenant: str, plan: str, host: str) -> dict[str, Any]:
        """What was put last. Raises FleetError of kind ``baseline_missing``."""

    # Leases: an owner has at most one of each tenant, on many names at once.

    @abstractmethod
    def acquire(
        self,
        tenant: str,
        names: Iterable[str],
        owner: str,
        *,
        seconds: float,
        now: datetime,
        is_dead: Callable[[str], bool],
    ) -> Lease:
        """Take a lease on all names or on none.

        Those of owners that are dead for certain (``is_dead``), or whose heartbeat is older than their ``seconds``, are
        taken over. Raises FleetError of kind ``lease_held``, which names the owner in the way; also for one's own.
        """

    @abstractmethod
    def renew(self, tenant: str, owner: str, *, now: datetime) -> None:
        """Move the heartbeat to ``now``. Raises FleetError of kind ``lease_lost`` when the owner has no lease.

        Takes no lock and opens nothing, so that a thread may call it while its process forks.
        """

    @abstractmethod
    def release(self, tenant: str, owner: str) -> None:
        """Give a lease back. Nothing happens when the owner has none."""

    @abstractmethod
    def leases(self, tenant: str) -> list[Lease]:
        """All leases of a tenant, whether their owners live or not."""

    # Dates, stops and reports

    @abstractmethod
    def first_seen(self, tenant: str, keys: Iterable[str], now: date) -> dict[str, str]:
        """Record ``now`` (UTC) for new keys (``name=version``); return the dates (YYYY-MM-DD) of all ever seen."""

    @abstractmethod
    def stop_requested(self, tenant: str) -> str | None:
        """What asks the tenant's attempts to stop, its own request or everybody's (a path, a row), or None."""

    @abstractmethod
    def request_stop(self, tenant: str, reason: str) -> str:
        """Ask the tenant's attempts to begin no further host; return what now asks for it, as ``stop_requested`` does.

        A request that stands already keeps its reason. The tenant must have a plan.
        """

    @abstractmethod
    def put_report(self, tenant: str, plan: str, name: str, content: bytes) -> str:
        """Keep a report (``report.html``, ``csv/hosts.csv``) beside its plan, in the place of one of that name.

        Returns where it is. Raises FleetError of kind ``plan_sealed`` when a seal names the report. One that no seal
        names can be put beside a sealed plan; it is no part of what was sealed.
        """

    @abstractmethod
    def drop_report(self, tenant: str, plan: str, name: str) -> None:
        """Take a report away. Nothing happens when there is none. Raises FleetError as ``put_report`` does."""

    @abstractmethod
    def get_report(self, tenant: str, plan: str, name: str) -> bytes:
        """A report that was put last under this name. Raises FleetError of kind ``report_missing``."""

    @abstractmethod
    def reports(self, tenant: str, plan: str) -> list[str]:
        """The names of a plan's reports, sorted."""

    @abstractmethod
    def evidence_dir(self, tenant: str, plan: str, owner: str) -> Path:
        """The folder of a state to whose ledger of this plan the evidence callback of a lease's owner writes.

        It is this state's own where that is a folder, for the callback talks to no database.
        """

    # Seals: a tenant's chain of them, each kept for ever.

    @abstractmethod
    def put_seal(self, tenant: str, number: int, contents: dict[str, bytes]) -> None:
        """Keep the files of a tenant's seal, all at once. Numbers count from 1.

        From then on nothing is appended to the ledger of the plan that ``seal.json`` names, no approval is put beside
        it, and no report that SHA256SUMS names is replaced. Raises FleetError of kind ``seal_exists`` when there is one
        of that number, whoever was quicker, ``seal_gap`` when the one before is not there, ``ledger_moved`` when the
        ledger is not what ``seal.json`` says of it, and ``plan_moved`` when SHA256SUMS does not name exactly the
        approvals and reports that stand there.
        """

    @abstractmethod
    def seals(self, tenant: str) -> list[dict[str, bytes]]:
        """The files of all seals of a tenant, in the order of their numbers."""


def plan_missing(place: str) -> FleetError:
    """The error for a plan that is not there."""
    return FleetError(
        f"{place} is not there: this state has no such plan.",
        kind="plan_missing",
        remedy="Look at fleet_state_dir or fleet_store_url and the digest, or run patch_plan.yml.",
    )


def cycle_missing(cycle: str, place: str) -> FleetError:
    """The error for a cycle that nobody planned."""
    return FleetError(
        f"Cycle {cycle} has no plan in {place}.", kind="cycle_missing", remedy="Run patch_plan.yml for it."
    )


def baseline_missing(host: str, place: str) -> FleetError:
    """The error for a host whose state from before its change is not there."""
    return FleetError(
        f"{place} is not there: nobody knows what {host} was like before its change.",
        kind="baseline_missing",
        remedy="Restore it from a backup; a scan made now would take the host as it is for well.",
    )


def report_missing(place: str) -> FleetError:
    """The error for a report that is not there."""
    return FleetError(
        f"{place} is not there: nobody has made this report.",
        kind="report_missing",
        remedy="Run patch_report.yml for the plan.",
    )


class TakesIn(State):
    """A state to which spools are shipped, because who has something to record does not talk to it."""

    @abstractmethod
    def take_in(self, tenant: str, plan: str, spool: str, records: Iterable[Record], torn: Sequence[bytes] = ()) -> int:
        """Append a line for each record of a spool that was not taken in before, all at once; how many these were.

        ``torn`` are the ends of records that were never written whole, all that the spool has; ``State.torn`` returns
        them. When a seal closes the ledger it stays as it is: the records are kept beside the torn ends, each once, and
        ``State.torn`` returns them, too. Raises FleetError of kind ``spool_damaged`` when records are missing between.
        """


def _verified(content: bytes, digest: str, place: str) -> dict[str, Any]:
    found = digest_of_bytes(content)
    if found != digest:
        raise FleetError(
            f"{place} has the digest {found[:16]}, and should have {digest[:16]}: it was changed after it was frozen.",
            kind="plan_changed",
            remedy="Find out who changed it; then make a new plan.",
            data={"file": place, "expected": digest, "found": found},
        )
    value: dict[str, Any] = decoded(content)
    return value


def seal_exists(tenant: str, number: int) -> FleetError:
    """The error for a number that is taken."""
    return FleetError(
        f"Tenant {tenant} has a seal {number} already: somebody else sealed at the same time.",
        kind="seal_exists",
        remedy="Run this again; the next seal then follows that one.",
    )


def seal_gap(tenant: str, number: int) -> FleetError:
    """The error for a number that does not follow."""
    return FleetError(
        f"Tenant {tenant} has no seal before number {number}.",
        kind="seal_gap",
        remedy="Look at the seals with evidence_verify.yml; one that is gone must be restored from a backup.",
    )


def _refuse_newer(document: dict[str, Any], place: str) -> None:
    found = document.get("format")
    if is_whole_number(found) and 1 <= found <= PLAN_FORMAT:
        return
    raise FleetError(
        f"{place}: format is {found!r}, and this version of bankops.fleet reads plans of format {PLAN_FORMAT}.",
        kind="plan_newer",
        remedy="Use the version of bankops.fleet that made the plan, or make a new plan with this one.",
        data={"file": place, "key": "format", "value": found},
    )
