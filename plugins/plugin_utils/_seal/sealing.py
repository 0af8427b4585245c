# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sealing a plan: what is signed, in the state for ever, and the bundle that is made of it.

The seal is in the state before its bundle is made, so that two who seal at once never fork the chain, and a bundle that
a crash has prevented is made by the next run.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, verify_ledger
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.leases import keep_left, lease_names
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import is_dead
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import clock_behind, read_line, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import as_text
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.contents import contents, make_bundle, sums_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.facts import is_complete, left_of, read_facts
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.guard import seals_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.instructions import instructions
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.keys import approval_signers, signers_line, usable_key
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import (
    APPROVAL_SIGNERS,
    LEDGER,
    README,
    SEAL,
    SEAL_NAMESPACE,
    SEAL_SIGNERS,
    SIGNATURE,
    SUMS,
    Previous,
    Seal,
    Why,
    principal_of,
    root_of,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.succession import last_seal, require_whole
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.files import disk_errors, locked, make_folders
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import check_cycle, check_name

LEASE_SECONDS = 600.0
"""Longer than anybody needs to touch a hardware key, and to read a large plan."""


@dataclass(frozen=True)
class Sealed:
    """A seal and the folder of its bundle: whether the one is new, and whether the other was made now."""

    seal: Seal
    root: str
    bundle: Path
    is_new: bool
    is_made: bool

    def as_data(self) -> dict[str, Any]:
        """What ``evidence_seal`` returns of it."""
        seal = self.seal
        return {
            "tenant": seal.tenant,
            "number": seal.number,
            "plan": seal.plan,
            "cycle": seal.cycle,
            "why": seal.why.value,
            "sealed": seal.sealed,
            "root": self.root,
            "bundle": str(self.bundle),
            "new": self.is_new,
            "made": self.is_made,
        }


@dataclass(frozen=True)
class Sealer:
    """Who seals: with which keys, by which file others will check them (None: by no other), where bundles go."""

    keys: Any
    """As ``fleet_seal_key`` names them."""
    signers: Path | None
    bundles: Path
    owner: str
    """The running process, as leases name it."""


def why_closed(book: Book, progress: Progress, now: datetime) -> Why:
    """Why a plan can be closed. Raises FleetError: ``attempt_open``, ``plan_not_ended``."""
    name, current = f"plan {book.plan[:16]} of tenant {book.tenant}", progress.current
    if current:
        raise FleetError(
            f"Attempt {current.number} ({current.purpose}) on {name} is open.",
            kind="attempt_open",
            remedy="Wait for its end; if its process does not live any more, run evidence_reconcile.yml.",
        )
    left = left_of(book.head, progress)
    if is_complete(progress, left):
        return Why.COMPLETE
    if datetime.fromisoformat(book.head["expires"]) <= now:
        return Why.EXPIRED
    raise FleetError(
        f"The {name} is not at its end: {len(left)} of {len(book.head['hosts'])} hosts have no final outcome, and it "
        f"expires at {book.head['expires']}.",
        kind="plan_not_ended",
        remedy="Go on with it by patch_apply.yml, or seal it when it has expired.",
        data={"hosts": left},
    )


def seal_plan(state: State, tenant: str, plan: str, sealer: Sealer, now: datetime) -> Sealed:
    """Seal a plan and make its bundle. Of a sealed plan the bundle is made again if it is gone, and nothing else done.

    Raises FleetError: ``attempt_open`` and ``plan_not_ended``; ``ledger_damaged``; ``ledger_moved`` and ``plan_moved``
    when somebody wrote into the ledger, or beside the plan, meanwhile; ``sealed_plan_changed`` and ``bundle_differs``
    when it is not what was sealed; ``lease_held`` when somebody is at work on the plan; ``key_unusable``,
    ``signer_unknown`` and ``signers_missing``; ``seal_gap`` and ``state_behind`` when the state has not all seals;
    ``seal_exists`` when somebody was quicker twice; ``state_error`` and ``bundles_unwritable``.
    """
    folder = sealer.bundles / check_name(tenant, "tenant")
    with _writing(sealer.bundles):
        make_folders(sealer.bundles)
        with locked(sealer.bundles / f".{tenant}.lock"):
            with disk_errors():
                found = _find(state, tenant, plan)
                seal, kept = found or _seal(Book(state, tenant, plan, state.get_plan(tenant, plan)), sealer, now)
            bundle = folder / seal.bundle
            is_gone = not bundle.exists()
            if is_gone:
                make_bundle(state, seal, kept, bundle)
    return Sealed(seal, root_of(kept[SUMS]), bundle, is_new=found is None, is_made=is_gone)


def foresee(state: State, tenant: str, plan: str, sealer: Sealer, now: datetime) -> str | None:
    """What ``seal_plan`` would do with a plan, as far as it can be known without signing; None for nothing.

    Raises FleetError as that does.
    """
    found = _find(state, tenant, plan)
    if found is None:
        book = Book(state, tenant, plan, state.get_plan(tenant, plan))
        why = why_closed(book, book.progress(), now)
        verify_ledger(book)
        usable_key(sealer.keys, tenant, sealer.signers)
        last_seal(state, tenant, sealer.bundles / tenant)
        return f"would be sealed: {why}"
    seal, _files = found
    if (sealer.bundles / tenant / seal.bundle).exists():
        return None
    return f"is sealed, and the bundle of its seal {seal.number} is gone: it would be made again"


@contextmanager
def _writing(bundles: Path) -> Iterator[None]:
    """Say of bundles that cannot be written where they should go; what is in the state stays there."""
    try:
        yield
    except OSError as problem:
        raise FleetError(
            f"The bundles cannot be written into {bundles}: {problem.filename or bundles}: {problem.strerror}.",
            kind="bundles_unwritable",
            remedy="Look at the owner, the mode and the free space of the folder that fleet_bundles names, and run "
            "this again: a plan that is sealed by now only gets its bundle.",
        ) from problem


def _find(state: State, tenant: str, plan: str) -> tuple[Seal, dict[str, bytes]] | None:
    """The seal of a plan, and its files. Raises FleetError: ``sealed_plan_changed``, ``seal_gap``."""
    found = next(((seal, files) for seal, files in seals_of(state, tenant) if seal.plan == plan), None)
    if found:
        require_whole(*found)
        _refuse_changed(state, found[0])
    return found


def _seal(book: Book, sealer: Sealer, now: datetime) -> tuple[Seal, Mapping[str, bytes]]:
    left = _left_half_changed(book, now)
    key = usable_key(sealer.keys, book.tenant, sealer.signers)
    with _alone(book, sealer.owner, left, now):
        # Looked at again: from here on nobody opens an attempt.
        ledger = verify_ledger(book)
        facts = read_facts(book.head, lambda: book.state.entries(book.tenant, book.plan))
        # Never before what it closes, also when the clock of this machine is behind that of another one.
        behind = clock_behind(facts.progress.last_line, now)
        first = Seal(
            tenant=book.tenant,
            number=1,
            plan=book.plan,
            cycle=check_cycle(book.head["cycle"]),
            why=why_closed(book, facts.progress, now),
            sealed=as_text(now + timedelta(seconds=behind)),
            sealed_by=principal_of(book.tenant),
            hosts=facts.hosts,
            attempts=facts.attempts,
            count=ledger.count,
            head=ledger.head,
            previous=None,
        )
        signers = {SEAL_SIGNERS: signers_line(book.tenant, key).encode()}
        people = approval_signers(book.policy)
        if people is not None:
            signers[APPROVAL_SIGNERS] = people
        try:
            return _put(book.state, first, signers, key, sealer)
        except FleetError as problem:
            if problem.kind != "seal_exists":
                raise
            # Another controller sealed another plan of the tenant; this seal follows that one.
            return _put(book.state, first, signers, key, sealer)


def _put(
    state: State, first: Seal, signers: Mapping[str, bytes], key: Path, sealer: Sealer
) -> tuple[Seal, Mapping[str, bytes]]:
    """Sign a seal as the next of the chain, and keep it in the state."""
    seal = first
    before = last_seal(state, seal.tenant, sealer.bundles / seal.tenant)
    if before:
        last, root = before
        sealed = as_text(max(first.moment, last.moment))
        seal = replace(first, number=last.number + 1, previous=Previous(last.number, root), sealed=sealed)
    own = {**signers, SEAL: seal.as_bytes(), README: instructions(seal)}
    parts = contents(state, seal.tenant, seal.plan, own)
    # What is hashed must be what the seal says, and still be so when somebody has touched a hardware key at last.
    sums = sums_of((path, _as_sealed(seal, pieces) if path == LEDGER else pieces) for path, pieces in parts)
    kept = {**own, SUMS: sums, SIGNATURE: _sign(sums, seal, signers[SEAL_SIGNERS], key, sealer)}
    deque(_as_sealed(seal, state.entries(seal.tenant, seal.plan)), maxlen=0)
    state.put_seal(seal.tenant, seal.number, kept)
    return seal, kept


def _as_sealed(seal: Seal, lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of the ledger. Raises FleetError of kind ``ledger_moved`` when they do not end as the seal says."""
    count, last = 0, b""
    for line in lines:
        count, last = count + 1, line
        yield line
    head = read_line(last)["hash"] if last else seal.head
    if (count, head) != (seal.count, seal.head):
        raise FleetError(
            f"The ledger of plan {seal.plan[:16]} of tenant {seal.tenant} was written to while it was being sealed: "
            f"{seal.count} entries were to be sealed, and it has {count}. Nothing is sealed.",
            kind="ledger_moved",
            remedy="Find out what still writes into it; then run evidence_seal.yml again.",
        )


def _sign(sums: bytes, seal: Seal, line: bytes, key: Path, sealer: Sealer) -> bytes:
    """The signature, of which it is certain that others will believe it: a seal is for ever."""
    signature = sshsig.sign(sums, key, SEAL_NAMESPACE)
    with tempfile.NamedTemporaryFile(prefix="bankops-fleet-") as file:
        file.write(line)
        file.flush()
        signers = sealer.signers or Path(file.name)
        sshsig.verify(sums, signature, signers, SEAL_NAMESPACE, principal=principal_of(seal.tenant), at=seal.moment)
    return signature.encode()


def _refuse_changed(state: State, seal: Seal) -> None:
    ledger = verify(state.entries(seal.tenant, seal.plan))
    if (ledger.count, ledger.head) != (seal.count, seal.head):
        raise FleetError(
            f"The ledger of plan {seal.plan[:16]} of tenant {seal.tenant} is not what seal {seal.number} closed: "
            f"{seal.count} entries with the last hash {seal.head[:16]} were sealed, and it has {ledger.count} with "
            f"{ledger.head[:16]}.",
            kind="sealed_plan_changed",
            remedy="Find out who wrote into it; the bundle has it as it was sealed.",
        )


def _left_half_changed(book: Book, now: datetime) -> list[str]:
    """The hosts that stay in the middle of their change when the plan is closed. Raises as ``why_closed`` does."""
    progress = book.progress()
    why_closed(book, progress, now)
    return list(progress.unfinished)


@contextmanager
def _alone(book: Book, owner: str, left: Iterable[str], now: datetime) -> Iterator[None]:
    """Keep attempts from being opened on the plan meanwhile. What dead ones left half changed stays protected."""
    names = lease_names(book.plan, book.head, [], changes_hosts=False)
    book.state.acquire(book.tenant, names, owner, seconds=LEASE_SECONDS, now=now, is_dead=is_dead)
    try:
        yield
    finally:
        book.state.release(book.tenant, owner)
        try:
            keep_left(book.state, book.tenant, book.plan, book.head, left, now)
        except FleetError as problem:
            # Whoever has taken the plan meanwhile protects them.
            if problem.kind != "lease_held":
                raise
