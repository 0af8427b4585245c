# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who approved and who executed, by the signatures in a bundle: two persons, and the first before the second."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.awx import require_awx_approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.check import as_approval, expiry, read_approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.opening import executor_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.sshsig import Signer
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.statement import Statement, read_statement
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import decoded
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import CLOCKS_DIFFER
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Decision
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.bundle import Bundle
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.changes import Changes, Span, read_changes
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.facts import Facts
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.findings import Finding, FindingKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.lists import OWN_LIST
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import (
    APPROVAL_SIGNERS,
    APPROVALS,
    HOSTS,
    LEDGER,
    Seal,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import encode_host

_APPROVE = f'"phase":"{Phase.APPROVE.value}"'.encode()
_SHOWN = 5
_STRICTEST_FIRST = ("signature", "awx", "none")


@dataclass(frozen=True)
class _Approved:
    """An approval that its approver has signed, and until when it held."""

    statement: Statement
    signer: Signer
    until: datetime


def check_people(
    bundle: Bundle, seal: Seal, head: Mapping[str, Any], facts: Facts, signers: Path | None, notes: list[str]
) -> Iterator[Finding]:
    """Every approval, the executor of every attempt, and that one of the former held whenever a host was changed.

    ``signers`` is an allowed-signers file to judge by; without one it is the copy in the bundle. ``notes`` gets a
    sentence where the plan asks for no approval, and where nobody but the bundle says who might give one.
    """
    policies = _policies(bundle, head)
    yield from _check_policies(bundle, policies)
    policy = min((own for own, _hosts in policies.values()), key=_strictness, default={"approval": "none"})
    if policy["approval"] == "none":
        notes.append("its plan asks for no approval")
    attempts = [each for each in facts.progress.attempts if each.purpose != "stage" and not each.check_mode]
    changes = read_changes(lambda: bundle.lines(LEDGER))
    begun = changes.begun
    yield from _check_changes(bundle, head, changes)
    if policy["approval"] != "signature":
        yield from _check_unasked(bundle)
    if policy["approval"] == "awx":
        for attempt in attempts:
            yield from _check_awx(bundle, seal, attempt, begun.get(attempt.number, {}))
    elif policy["approval"] == "signature":
        notes += [OWN_LIST] if signers is None else []
        own = {**policy, "approval_signers": str(signers or bundle.path(APPROVAL_SIGNERS))}
        approvals: list[_Approved] = []
        yield from _check_approvals(bundle, seal, own, approvals)
        for attempt in attempts:
            yield from _check_attempt(bundle, seal, own, attempt, begun.get(attempt.number, {}), approvals)


def _policies(bundle: Bundle, head: Mapping[str, Any]) -> dict[tuple[Any, Any], tuple[dict[str, Any], list[str]]]:
    """What the plan says of approvals, and of which hosts; a document that is not the plan's own says nothing."""
    found: dict[tuple[Any, Any], tuple[dict[str, Any], list[str]]] = {}
    for host, entry in head["hosts"].items():
        path = f"{HOSTS}/{encode_host(host)}.json"
        if bundle.digests.get(path) == entry["digest"]:
            policy = decoded(bundle.read(path))["policy"]
            found.setdefault((policy["approval"], policy.get("approval_hours")), (policy, []))[1].append(host)
    return found


def _check_policies(
    bundle: Bundle, policies: Mapping[tuple[Any, Any], tuple[dict[str, Any], list[str]]]
) -> Iterator[Finding]:
    """A plan says the same of approvals for each of its hosts, and something that is known."""
    for (approval, hours), (_policy, hosts) in policies.items():
        if approval not in _STRICTEST_FIRST or len(policies) > 1:
            what = f"the plan says of {_named(hosts)}: approval {str(approval)[:20]!r}, for {str(hours)[:20]} hours"
            yield bundle.finding(FindingKind.POLICY_DIFFERS, what, HOSTS)


def _strictness(policy: Mapping[str, Any]) -> int:
    known = policy["approval"] in _STRICTEST_FIRST
    return _STRICTEST_FIRST.index(policy["approval"]) if known else len(_STRICTEST_FIRST)


def _check_changes(bundle: Bundle, head: Mapping[str, Any], changes: Changes) -> Iterator[Finding]:
    """What is wrong whatever the plan says of approvals: changes that it has not, or that no attempt could make."""
    planned = {host for host, entry in head["hosts"].items() if entry["decision"] == Decision.PATCH}
    for number, begun in sorted(changes.begun.items()):
        if unplanned := begun.keys() - planned:
            what = f"{_named(unplanned)} changed, and the plan does not change them"
            yield bundle.finding(FindingKind.CHANGE_UNPLANNED, what, f"{LEDGER}, attempt {number}")
    for number, problem in sorted(changes.openings.items()):
        yield bundle.finding(FindingKind.EXECUTOR_UNPROVEN, problem, f"{LEDGER}, attempt {number}")
    for number, hosts in sorted(changes.unopened.items()):
        what = f"{_named(hosts)} changed, and the attempt was not opened for any change"
        yield bundle.finding(FindingKind.APPROVAL_MISSING, what, f"{LEDGER}, attempt {number}")
    for number, hosts in sorted(changes.late.items()):
        what = f"the change of {_named(hosts)} was begun after the attempt was closed"
        yield bundle.finding(FindingKind.APPROVAL_MISSING, what, f"{LEDGER}, attempt {number}")
    for number, hosts in sorted(changes.unlearned.items()):
        what = f"the change of {_named(hosts)} is said to be learned from the host, which has said nothing of it"
        yield bundle.finding(FindingKind.APPROVAL_MISSING, what, f"{LEDGER}, attempt {number}")


def _check_approvals(
    bundle: Bundle, seal: Seal, policy: Mapping[str, Any], approvals: list[_Approved]
) -> Iterator[Finding]:
    """The signature under every statement, and that it was recorded as it is; what holds is added to ``approvals``."""
    recorded = _recorded(bundle)
    paths = _statements(bundle)
    for path in paths:
        content, signature = bundle.read(path), f"{path.removesuffix('.json')}.sig"
        text = bundle.read(signature).decode(errors="replace") if signature in bundle.digests else ""
        try:
            at = read_statement(content).created
            read, signer = read_approval(
                content, text, plan=seal.plan, tenant=seal.tenant, policy=policy, now=at, at=at
            )
        except FleetError as problem:
            yield bundle.finding(FindingKind.APPROVAL_INVALID, problem.message, path)
            continue
        approvals.append(_Approved(read, signer, expiry(read, policy)))
        own = [said for said in recorded if said.get("statement_sha256") == bundle.digests[path]]
        if not own:
            yield bundle.finding(FindingKind.APPROVAL_INVALID, "the ledger does not know of it", path)
        proven = as_approval(read, signer, policy).as_data()
        # A key may have several names, and the list in the bundle may have them in another order by now.
        names = {"approver": signer.principals}
        for said in own:
            others = [key for key, value in proven.items() if said.get(key) not in names.get(key, (value,))]
            if others:
                words = ", ".join(f"{key} {show(said.get(key))}" for key in others)
                what = f"{signer.principal} signed it for {read.purpose}, and the ledger says otherwise: {words}"
                yield bundle.finding(FindingKind.APPROVAL_INVALID, what, path)
    found = {bundle.digests[path] for path in paths}
    gone = [said for said in recorded if said.get("statement_sha256") not in found]
    if gone:
        what = f"approvals that the ledger records, and are not here: {len(gone)}"
        yield bundle.finding(FindingKind.APPROVAL_INVALID, what, APPROVALS)


def _check_unasked(bundle: Bundle) -> Iterator[Finding]:
    """Nobody signs a plan that asks for no signature, so nothing may say that somebody has."""
    said = len(_recorded(bundle)), len(_statements(bundle))
    if any(said):
        what = f"the plan takes no signed approval, and its ledger records {said[0]}; {said[1]} are here"
        yield bundle.finding(FindingKind.APPROVAL_INVALID, what, APPROVALS)


def _statements(bundle: Bundle) -> list[str]:
    return [path for path in bundle.digests if path.startswith(f"{APPROVALS}/") and path.endswith(".json")]


def _recorded(bundle: Bundle) -> list[dict[str, Any]]:
    """What the ledger says of each approval that was signed."""
    entries = (json.loads(line) for line in bundle.lines(LEDGER) if _APPROVE in line)
    return [entry["data"]["approval"] for entry in entries if entry["phase"] == Phase.APPROVE]


def _check_attempt(
    bundle: Bundle,
    seal: Seal,
    policy: Mapping[str, Any],
    attempt: Attempt,
    begun: Mapping[str, Span],
    approvals: Iterable[_Approved],
) -> Iterator[Finding]:
    where = f"{LEDGER}, attempt {attempt.number}"
    try:
        executor = executor_of(
            attempt.opening,
            plan=seal.plan,
            tenant=seal.tenant,
            attempt=attempt.number,
            purpose=attempt.purpose,
            opened=attempt.opened,
            signers=Path(policy["approval_signers"]),
            then=True,
        )
    except FleetError as problem:
        yield bundle.finding(FindingKind.EXECUTOR_UNPROVEN, problem.message, where)
        return
    said = attempt.opening["executor"]
    if said.get("fingerprint") != executor.fingerprint or said.get("principal") not in executor.principals:
        theirs = f"{show(said.get('principal'))} with the key {show(said.get('fingerprint'))}"
        what = f"{executor.principal} signed the opening with the key {executor.fingerprint}, and it names {theirs}"
        yield bundle.finding(FindingKind.EXECUTOR_UNPROVEN, what, where)
    for_it = [approved for approved in approvals if approved.statement.purpose == attempt.purpose]
    by_others = [approved for approved in for_it if not approved.signer.is_also(executor)]
    alone = [host for host, span in begun.items() if not _hold(by_others, span)]
    own = [host for host in alone if _hold(for_it, begun[host])]
    if own:
        what = f"{executor.principal} approved and executed the change of {_named(own)}"
        yield bundle.finding(FindingKind.APPROVAL_OWN, what, where)
    without = [host for host in alone if host not in own]
    if without:
        what = f"no approval for {attempt.purpose} held when the change of {_named(without)} was begun"
        yield bundle.finding(FindingKind.APPROVAL_MISSING, what, where)


def _hold(approvals: Iterable[_Approved], span: Span) -> bool:
    return any(
        approved.statement.created - CLOCKS_DIFFER <= span.latest and span.earliest < approved.until
        for approved in approvals
    )


def _check_awx(bundle: Bundle, seal: Seal, attempt: Attempt, begun: Mapping[str, Span]) -> Iterator[Finding]:
    where = f"{LEDGER}, attempt {attempt.number}"
    if not begun:
        return
    latest = max(span.earliest for span in begun.values())
    try:
        found = require_awx_approval(
            attempt.opening, plan=seal.plan, tenant=seal.tenant, purpose=attempt.purpose, now=latest
        )
    except FleetError as problem:
        yield bundle.finding(FindingKind.APPROVAL_MISSING, problem.message, where)
        return
    if found.approver == found.executor:
        what = f"{found.approver} approved in AWX, and started the workflow as well"
        yield bundle.finding(FindingKind.APPROVAL_OWN, what, where)


def _named(hosts: Collection[str]) -> str:
    names = sorted(map(str, hosts))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
