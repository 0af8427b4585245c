# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bundles against the state: that both have the same seals, and that every plan is sealed or known to be open."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.leases import living_lease
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest_of_bytes
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.bundle import Bundle
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.contents import beside
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.findings import Finding, FindingKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import (
    APPROVALS,
    LEDGER,
    PLAN,
    REPORTS,
    SEAL,
    SIGNATURE,
    SUMS,
    Seal,
    read_seal,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.plans import plans_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.record import broken
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.sealed import differences, digests_of

_MALFORMED = (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError)
"""What reading a plan raises that has not its shape."""


@dataclass(frozen=True)
class OpenPlan:
    """A plan that is not sealed, and need not be yet."""

    tenant: str
    cycle: str
    plan: str
    why: str

    def as_data(self) -> dict[str, str]:
        """The plan as plain data."""
        return {key: printable(value) for key, value in vars(self).items()}


@dataclass
class Compared:
    """What the state knows of a tenant besides its bundles."""

    findings: list[Finding] = field(default_factory=list)
    open: list[OpenPlan] = field(default_factory=list)
    cycles: set[str] = field(default_factory=set)


def compare(state: State, tenant: str, bundles: Iterable[Bundle], now: datetime) -> Compared:
    """Everything that the state and the bundles of a tenant say differently, and the plans that are not sealed."""
    compared = Compared()
    by_number = {bundle.seal.number: bundle for bundle in bundles if bundle.seal}
    seals: dict[int, Seal] = {}
    for number, files in enumerate(state.seals(tenant), start=1):
        try:
            seal = read_seal(files.get(SEAL, b""), f"{SEAL} of seal {number}")
        except FleetError as problem:
            compared.findings.append(Finding(FindingKind.SEAL_MALFORMED, tenant, f"seal {number}", problem.message))
            continue
        seals[seal.number] = seal
        compared.findings += _same_seal(tenant, seal, files, by_number.get(seal.number))
        compared.findings += _unchanged(state, seal, files)
    for number in sorted(by_number.keys() - seals.keys()):
        what = "its bundle is here, and the state has no such seal"
        compared.findings.append(Finding(FindingKind.STATE_DIFFERS, tenant, f"seal {number}", what))
    sealed = {seal.plan for seal in seals.values()}
    for cycle, plan in plans_of(state, tenant):
        if cycle:
            compared.cycles.add(cycle)
        if plan in sealed:
            continue
        try:
            _look_at(compared, state, tenant, cycle, plan, now)
        except _MALFORMED as problem:
            what = f"what the state has of it cannot be read: {type(problem).__name__}: {problem}"
            subject = f"plan {plan[:16]} of cycle {cycle}"
            compared.findings.append(Finding(FindingKind.PLAN_CHANGED, tenant, subject, what))
    return compared


def _same_seal(tenant: str, seal: Seal, files: Mapping[str, bytes], bundle: Bundle | None) -> Iterator[Finding]:
    subject = f"seal {seal.number}"
    if bundle is None:
        what = f"the state has it, of cycle {seal.cycle}, and there is no bundle"
        yield Finding(FindingKind.BUNDLE_MISSING, tenant, subject, what, seal.bundle)
        return
    differing = [name for name in sorted(files) if bundle.digests.get(name) != digest_of_bytes(files[name])]
    if differing:
        what = f"state and bundle have not the same {', '.join(differing)}"
        yield Finding(FindingKind.STATE_DIFFERS, tenant, subject, what, bundle.folder.name)


def _unchanged(state: State, seal: Seal, files: Mapping[str, bytes]) -> Iterator[Finding]:
    """What the state has of the plan is what was sealed; a report that was added since is none of it."""
    sealed = digests_of(files.get(SUMS, b""))
    try:
        found = _digests(state, seal.tenant, seal.plan, files)
    except FleetError as problem:
        yield Finding(FindingKind.SEALED_PLAN_CHANGED, seal.tenant, f"seal {seal.number}", problem.message)
        return
    parts = (PLAN, LEDGER, f"{APPROVALS}/", f"{REPORTS}/")
    differing = differences({path: digest for path, digest in sealed.items() if path.startswith(parts)}, found)
    if differing or SIGNATURE not in files:
        what = f"{', '.join(differing) or SIGNATURE} in the state is not what was sealed"
        yield Finding(
            FindingKind.SEALED_PLAN_CHANGED, seal.tenant, f"seal {seal.number}", what, f"plan {seal.plan[:16]}"
        )


def _digests(state: State, tenant: str, plan: str, kept: Mapping[str, bytes]) -> dict[str, str]:
    ledger = hashlib.sha256()
    for line in state.entries(tenant, plan):
        ledger.update(line + b"\n")
    found = {PLAN: digest_of_bytes(state.read_head(tenant, plan)[0]), LEDGER: ledger.hexdigest()}
    return found | {path: digest_of_bytes(content) for path, content in beside(state, tenant, plan, kept)}


def _look_at(compared: Compared, state: State, tenant: str, cycle: str, plan: str, now: datetime) -> None:
    """A plan that is not sealed: what is wrong with it, or why it may be open."""
    subject = f"plan {plan[:16]} of cycle {cycle}"
    try:
        head = state.get_plan(tenant, plan)
    except FleetError as problem:
        kind = FindingKind.PLAN_MISSING if problem.kind == "plan_missing" else FindingKind.PLAN_CHANGED
        compared.findings.append(Finding(kind, tenant, subject, problem.message))
        return
    checked = verify(state.entries(tenant, plan))
    compared.findings += broken(tenant, subject, LEDGER, checked)
    if not checked.ok:
        return
    current = Book(state, tenant, plan, head).progress().current
    if current and living_lease(state, tenant, current.owner, now):
        why = f"attempt {current.number} ({current.purpose}) is at work"
        compared.open.append(OpenPlan(tenant, cycle, plan, why))
    elif current:
        opened = f"{current.opened:%Y-%m-%d %H:%M} UTC"
        what = f"attempt {current.number} ({current.purpose}) was opened {opened}, and never closed"
        compared.findings.append(Finding(FindingKind.ATTEMPT_OPEN, tenant, subject, what))
    elif datetime.fromisoformat(head["expires"]) <= now:
        what = f"it expired at {head['expires']}, and is not sealed"
        compared.findings.append(Finding(FindingKind.PLAN_UNSEALED, tenant, subject, what))
    else:
        compared.open.append(OpenPlan(tenant, cycle, plan, f"not sealed yet; it expires at {head['expires']}"))
